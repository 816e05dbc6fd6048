import type { Command } from '../command.js';
import { NO_SUCH_PROCESS } from '../thread-id.js';
import { detachFrom, processToLeave } from './detach.js';

/**
 * `k`: LLDB sends it when it leaves a plain gdb-remote session, so it detaches: a debugger that was attached to a
 * guest does not end it. GDB expects no reply; LLDB waits 15 s for one.
 */
export const kill: Command = {
  name: 'k',
  async run(_args, session) {
    await detachFrom(session);
    if (session.features.threadsInStopReply) return 'X09';
    if (!session.features.extended) session.hangUp();
    return undefined;
  },
};

/** `vKill;PID`: as `k`, with a reply. */
export const killProcess: Command = {
  name: 'vKill',
  async run(args, session) {
    const process = processToLeave(session, args);
    if (process === false) return session.error(22, NO_SUCH_PROCESS);
    await detachFrom(session, process);
    return 'OK';
  },
};
