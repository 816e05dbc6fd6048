import type { Command } from '../command.js';
import { noSuchThread, threadSuffix } from './threads.js';

/** `g`: the standard registers, 536 bytes of the 64-bit description and 308 of the 32-bit one. */
export const readRegisters: Command = {
  name: 'g',
  async run(args, session) {
    const suffix = threadSuffix(session, args);
    if (suffix === undefined) return session.error(22, noSuchThread(session));
    const { frame } = session.trace;
    if (frame) return session.registers.readAll(suffix.thread, frame.frame.registers ?? null);
    await session.hold('reading registers');
    return session.registers.readAll(suffix.thread);
  },
};
