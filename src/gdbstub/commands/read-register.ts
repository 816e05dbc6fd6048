import { parseHexNumber } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import { noSuchThread, threadSuffix } from './threads.js';

/** `p N`: one register by its number; the only way to those behind the standard set. */
export const readRegister: Command = {
  name: 'p',
  async run(args, session) {
    const suffix = threadSuffix(session, args);
    if (suffix === undefined) return session.error(22, noSuchThread(session));
    const number = parseHexNumber(suffix.args);
    if (number === undefined) return session.error(22, 'malformed register number');
    const { frame } = session.trace;
    if (!frame) await session.hold('reading a register');
    const file = frame && (frame.frame.registers ?? null);
    return (await session.registers.readOne(suffix.thread, number, file)) ?? session.error(22, `no register ${number}`);
  },
};
