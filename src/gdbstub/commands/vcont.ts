import { parseHexBigInt } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import type { Act } from '../non-stop.js';
import type { Session } from '../session.js';
import { parseSelector } from './threads.js';

/** `vCont?`: without c and C, and for older GDBs s and S, GDB would not use vCont at all. */
export const vContQuery: Command = { name: 'vCont?', run: () => 'vCont;c;C;s;S;t;r' };

/** For one thread, from 0, or absent: for all that no action before it names; of a process, or absent: of any. */
type Action = Act & { thread?: number; process?: number };

/** One `action[:thread]`; undefined when it is malformed. */
function parseAction(session: Session, text: string): Action | undefined {
  const colon = text.indexOf(':');
  const act = parseAct(colon < 0 ? text : text.slice(0, colon));
  if (act === undefined || colon < 0) return act;
  const id = parseSelector(session, text.slice(colon + 1));
  if (id === undefined) return undefined;
  const of = id.process > 0 ? { ...act, process: id.process } : act;
  if (id.thread < 0) return of;
  return { ...of, thread: id.thread === 0 ? session.continueThread : id.thread - 1 };
}

function parseAct(action: string): Act | undefined {
  if (action === 'c' || /^C[0-9a-fA-F]{2}$/.test(action)) return { kind: 'continue' };
  if (action === 's' || /^S[0-9a-fA-F]{2}$/.test(action)) return { kind: 'step' };
  if (action === 't') return { kind: 'stop' };
  if (action[0] !== 'r') return undefined;
  const [from, to, ...rest] = action.slice(1).split(',');
  const start = parseHexBigInt(from);
  const end = to === undefined ? undefined : parseHexBigInt(to);
  if (start === undefined || end === undefined || rest.length > 0) return undefined;
  return { kind: 'step', within: { start, end } };
}

/** What each thread does: the first action that names it, or all. Undefined: it stands. */
function actionsByThread(session: Session, actions: readonly Action[]): (Act | undefined)[] {
  return Array.from({ length: session.target.threads }, (_, thread) =>
    actions.find((action) => action.thread === undefined || action.thread === thread),
  );
}

/** The processes that run: those that are named, or all; the one that the client looks at first, if it is among them. */
function resumedBy({ views }: Session, actions: readonly Action[]): number[] {
  const named = actions.map(({ process }) => process);
  const running = named.includes(undefined) ? views.attached : views.attached.filter((one) => named.includes(one));
  return running.sort((a, b) => Number(b === views.shown) - Number(a === views.shown));
}

/**
 * `vCont;action[:thread]...`: threads that no action names stand. Of several that are to step each makes one step, one
 * after the other, the one that the client looks at last, with whoever runs on. `t` belongs to non-stop mode.
 */
export const vCont: Command = {
  name: 'vCont',
  async run(args, session) {
    const actions = args
      .slice(1)
      .split(';')
      .map((text) => parseAction(session, text));
    const known = actions.filter((action) => action !== undefined);
    if (args[0] !== ';' || known.length < actions.length) return session.error(22, 'malformed vCont');
    const acts = actionsByThread(session, known);
    const processes = resumedBy(session, known);
    if (acts.some((act) => act?.kind === 'stop')) {
      const refusal = session.refusal('Stop');
      if (refusal !== undefined) return refusal;
    }
    if (session.nonStop) {
      await session.nonStop.act(acts);
      return 'OK';
    }
    const continuing = acts.flatMap((act, thread) => (act?.kind === 'continue' ? [thread] : []));
    const stepping = acts.flatMap((act, thread) => (act?.kind === 'step' ? [thread] : []));
    if (stepping.length > 0) {
      const thread = stepping.includes(session.continueThread) ? session.continueThread : stepping[0];
      const { within } = acts[thread] as Extract<Act, { kind: 'step' }>;
      const before = stepping.filter((other) => other !== thread);
      return session.run(
        { kind: 'step', thread, ...(within ? { within } : {}), others: continuing, before },
        processes,
      );
    }
    if (continuing.length === 0)
      return session.error(
        22,
        'vCont;t stops one thread, which needs non-stop mode (set non-stop on before connecting)',
      );
    const some = continuing.length < session.target.threads ? { threads: continuing } : {};
    return session.run({ kind: 'continue', ...some }, processes);
  },
};
