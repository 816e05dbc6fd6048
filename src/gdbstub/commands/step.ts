import type { Command } from '../command.js';
import { afterSignal, runFrom } from './continue.js';

/** `s [ADDR]`: one instruction of the thread that Hc chose. */
export const step: Command = {
  name: 's',
  run: (args, session) => runFrom(session, args, { kind: 'step', thread: session.continueThread }),
};

/** `S SIG[;ADDR]`. */
export const stepSignal: Command = {
  name: 'S',
  run(args, session) {
    const address = afterSignal(args);
    if (address === undefined) return session.error(22, 'malformed signal');
    return runFrom(session, address, { kind: 'step', thread: session.continueThread });
  },
};
