import type { Command } from '../command.js';
import { parseThreadId } from '../thread-id.js';

/** `vAttach;PID`: after a detach in extended mode; the guest is process 1. */
export const attach: Command = {
  name: 'vAttach',
  async run(args, session) {
    if (args[0] !== ';' || parseThreadId(`p${args.slice(1)}`) === undefined) {
      return session.error(3, 'no such process; the guest is process 1');
    }
    await session.forget();
    if (session.target.running()) {
      const refusal = session.refusal('Stop');
      if (refusal !== undefined) return refusal;
    }
    await session.target.pause();
    return session.currentStop();
  },
};
