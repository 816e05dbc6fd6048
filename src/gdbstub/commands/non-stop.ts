import type { Command } from '../command.js';
import { NonStop } from '../non-stop.js';

/**
 * `QNonStop:1` or `:0`: from now on each thread stops and goes by itself, or all do. Where they cannot, the reason is
 * the answer, which GDB shows as it is.
 */
export const nonStop: Command = {
  name: 'QNonStop',
  async run(args, session) {
    const { each, eachUnavailable } = session.target;
    if (args !== ':0' && args !== ':1') return session.error(22, 'QNonStop needs 0 or 1');
    if (args === ':0') {
      await session.nonStop?.end();
      session.nonStop = undefined;
      return 'OK';
    }
    if (each === undefined) return `E.non-stop mode: ${eachUnavailable ?? 'the vCPUs stop and go together'}`;
    if (!session.nonStop) {
      session.nonStop = new NonStop(session, each);
      await session.nonStop.begin();
    }
    return 'OK';
  },
};

/** `vStopped`: the client has seen the stop it was notified of. */
export const vStopped: Command = {
  name: 'vStopped',
  run: (_args, session) =>
    session.nonStop?.nextStop() ??
    session.error(22, 'vStopped needs non-stop mode (set non-stop on before connecting)'),
};
