import type { Command } from '../command.js';
import type { Session } from '../session.js';
import { isGuest, NO_SUCH_PROCESS } from '../thread-id.js';

/** Takes the client's breakpoints out and lets a guest that can run go on. */
export async function detachFrom(session: Session): Promise<void> {
  await session.forget();
  const stop = session.target.lastStop()?.cause;
  const over = stop?.kind === 'exited' || (stop?.kind === 'fault' && stop.status !== undefined);
  if (!over && !session.target.running()) await session.target.resume();
}

/** `D` or `D;PID`: the guest goes on without this client. */
export const detach: Command = {
  name: 'D',
  async run(args, session) {
    if (!isGuest(args)) return session.error(22, NO_SUCH_PROCESS);
    await detachFrom(session);
    return 'OK';
  },
};
