import type { Command } from '../command.js';
import type { Session } from '../session.js';
import { NO_SUCH_PROCESS, PROCESS_ID, parseProcess } from '../thread-id.js';

/**
 * Takes the client's breakpoints out and lets a guest that can run go on.
 * @param process the one that the client leaves; where it has others, the guest stands for those. Absent: all
 */
export async function detachFrom(session: Session, process?: number): Promise<void> {
  if (process === undefined) session.views.leaveAll();
  else if (session.views.leave(process)) return session.breakpoints.clear(process);
  await session.forget();
  const stop = session.target.lastStop()?.cause;
  const over = stop?.kind === 'exited' || (stop?.kind === 'fault' && stop.status !== undefined);
  if (!over && !session.target.running()) await session.target.resume();
}

/** What `D` and `vKill` name: a process that the client has, or all; false: none. */
export function processToLeave(session: Session, args: string): number | undefined | false {
  if (args === '') return undefined;
  const process = parseProcess(args);
  if (process === undefined) return false;
  const last = process === PROCESS_ID && session.views.attached.length === 0;
  return session.views.has(process) || last ? process : false;
}

/** `D` or `D;PID`: the guest goes on without this client. */
export const detach: Command = {
  name: 'D',
  async run(args, session) {
    const process = processToLeave(session, args);
    if (process === false) return session.error(22, NO_SUCH_PROCESS);
    await detachFrom(session, process);
    return 'OK';
  },
};
