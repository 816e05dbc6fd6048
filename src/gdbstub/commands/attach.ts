import type { Command } from '../command.js';
import type { Session } from '../session.js';
import { NO_SUCH_PROCESS, PROCESS_ID, parseProcess } from '../thread-id.js';

/** Why the client cannot have a process beside the first one now. */
function hindrance({ features, nonStop }: Session, process: number): string | undefined {
  if (process === PROCESS_ID) return undefined;
  const view = `process ${process}, the guest in other registers,`;
  if (!features.multiprocess) return `${view} needs a client with the multiprocess feature`;
  if (nonStop) return `${view} stops and goes with process 1: leave non-stop mode`;
  return undefined;
}

/**
 * `vAttach;PID` in extended mode: process 1, the guest, after a detach; 2 and 3 beside it or alone are its views in 32-bit
 * and in 16-bit registers.
 */
export const attach: Command = {
  name: 'vAttach',
  async run(args, session) {
    const { views, target } = session;
    const process = parseProcess(args);
    if (process === undefined || !views.exists(process)) return session.error(3, NO_SUCH_PROCESS);
    const why = hindrance(session, process);
    if (why !== undefined) return session.error(22, why);
    // what other views have had the guest stop at stays
    if (views.attached.every((other) => other === process)) await session.forget();
    if (target.running()) {
      const refusal = session.refusal('Stop');
      if (refusal !== undefined) return refusal;
    }
    await target.pause();
    views.attach(process);
    if (await views.firstChanges(session.generalThread))
      session.note(
        'Process 1 shows 64-bit registers from its next stop on, as the other modes have views of their own.',
      );
    return session.currentStop();
  },
};
