import { parseHexBigInt } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import type { RunRequest, Session } from '../session.js';
import { selectThread } from './threads.js';

/** `vCont?`: without c and C, and for older GDBs s and S, GDB would not use vCont at all. */
export const vContQuery: Command = { name: 'vCont?', run: () => 'vCont;c;C;s;S;t;r' };

type Action = RunRequest | { kind: 'stop' };

/** One `action[:thread]`; undefined when it is malformed. */
function parseAction(session: Session, text: string): Action | undefined {
  const colon = text.indexOf(':');
  const action = colon < 0 ? text : text.slice(0, colon);
  const thread =
    colon < 0 ? session.continueThread : selectThread(session, text.slice(colon + 1), session.continueThread);
  if (thread === undefined) return undefined;
  if (action === 'c' || /^C[0-9a-fA-F]{2}$/.test(action)) return { kind: 'continue' };
  if (action === 's' || /^S[0-9a-fA-F]{2}$/.test(action)) return { kind: 'step', thread };
  if (action === 't') return { kind: 'stop' };
  if (action[0] !== 'r') return undefined;
  const [from, to, ...rest] = action.slice(1).split(',');
  const start = parseHexBigInt(from);
  const end = to === undefined ? undefined : parseHexBigInt(to);
  if (start === undefined || end === undefined || rest.length > 0) return undefined;
  return { kind: 'range', thread, start, end };
}

/**
 * `vCont;action[:thread]...`: a step or range step of one thread wins over `c` for the others: vCPUs are
 * interleaved by the engine, and a step runs one of them only. `t` belongs to non-stop mode.
 */
export const vCont: Command = {
  name: 'vCont',
  run(args, session) {
    const actions = args
      .slice(1)
      .split(';')
      .map((text) => parseAction(session, text));
    if (args[0] !== ';' || actions.includes(undefined)) return session.error(22, 'malformed vCont');
    const request =
      actions.find((action) => action?.kind === 'step' || action?.kind === 'range') ??
      actions.find((action) => action?.kind === 'continue');
    if (request === undefined) return session.error(22, 'vCont;t needs non-stop mode');
    return session.run(request);
  },
};
