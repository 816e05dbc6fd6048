import type { Command } from '../command.js';
import { detachFrom } from './detach.js';

/**
 * `k`: has no reply. LLDB sends it when it leaves a plain gdb-remote session, so it detaches: a debugger
 * that was attached to a guest does not end it.
 */
export const kill: Command = {
  name: 'k',
  async run(_args, session) {
    await detachFrom(session);
    return undefined;
  },
};

/** `vKill;PID`: as `k`, with a reply. */
export const killProcess: Command = {
  name: 'vKill',
  async run(_args, session) {
    await detachFrom(session);
    return 'OK';
  },
};
