import type { Command } from '../command.js';
import { messageOf } from '../session.js';
import { noSuchThread, threadSuffix } from './threads.js';

/** `G`: writes the standard registers; those given as they are stay untouched. */
export const writeRegisters: Command = {
  name: 'G',
  async run(args, session) {
    const refusal = session.refusal('WriteReg');
    if (refusal !== undefined) return refusal;
    const suffix = threadSuffix(session, args);
    if (suffix === undefined) return session.error(22, noSuchThread(session));
    await session.hold('writing registers');
    try {
      await session.registers.writeAll(suffix.thread, suffix.args);
      return 'OK';
    } catch (error) {
      return session.error(22, messageOf(error));
    }
  },
};
