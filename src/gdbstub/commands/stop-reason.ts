import type { Command } from '../command.js';

/**
 * `?`: why the guest stands; clients ask it once, when they connect. A running guest is paused here rather than at
 * the TCP connection, so a port scan does not stop it. Breakpoints of an earlier `?` are dropped.
 */
export const stopReason: Command = {
  name: '?',
  async run(_args, session) {
    if (session.nonStop) {
      await session.breakpoints.clear();
      return session.nonStop.currentStops();
    }
    if (session.target.running()) {
      const refusal = session.refusal('Stop');
      if (refusal !== undefined) return refusal;
    }
    await session.forget();
    await session.target.pause();
    await session.tellMode();
    return session.currentStop();
  },
};
