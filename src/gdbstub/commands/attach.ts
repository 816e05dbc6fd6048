import type { Command } from '../command.js';
import { isGuest, NO_SUCH_PROCESS } from '../thread-id.js';

/** `vAttach;PID`: after a detach in extended mode; the guest is process 1. */
export const attach: Command = {
  name: 'vAttach',
  async run(args, session) {
    if (args === '' || !isGuest(args)) return session.error(3, NO_SUCH_PROCESS);
    await session.forget();
    if (session.target.running()) {
      const refusal = session.refusal('Stop');
      if (refusal !== undefined) return refusal;
    }
    await session.target.pause();
    return session.currentStop();
  },
};
