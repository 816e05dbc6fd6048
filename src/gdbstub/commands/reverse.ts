import type { Command } from '../command.js';

/**
 * `bs`: one instruction of the thread that Hc chose backwards; `bc`: backwards to what would have stopped the guest. At
 * the start of the history the stop says so.
 * @gdb "Packets" `bc` `bs`
 */
export const reverse: Command = {
  name: 'b',
  run(args, session) {
    if (args !== 'c' && args !== 's') return session.error(22, 'malformed packet: only bc and bs are known');
    if (session.target.reverse === undefined)
      return session.error(22, 'nothing is kept to go back to: start the guest with --history SIZE');
    if (session.nonStop) return session.error(22, 'going back moves all threads: leave non-stop mode');
    return session.run(args === 'c' ? { kind: 'back' } : { kind: 'step-back', thread: session.continueThread });
  },
};
