import { parseHexNumber } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import { messageOf } from '../session.js';
import { noSuchThread, threadSuffix } from './threads.js';

/** `P N=hex`: writes one register. */
export const writeRegister: Command = {
  name: 'P',
  async run(args, session) {
    const refusal = session.refusal('WriteReg');
    if (refusal !== undefined) return refusal;
    const suffix = threadSuffix(session, args);
    if (suffix === undefined) return session.error(22, noSuchThread(session));
    const equals = suffix.args.indexOf('=');
    const number = equals < 0 ? undefined : parseHexNumber(suffix.args.slice(0, equals));
    if (number === undefined) return session.error(22, 'malformed register number');
    await session.hold('writing a register');
    try {
      await session.registers.writeOne(suffix.thread, number, suffix.args.slice(equals + 1));
      return 'OK';
    } catch (error) {
      return session.error(22, messageOf(error));
    }
  },
};
