import { parseHexBigInt } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import { messageOf } from '../session.js';
import { threadLocalAddress } from '../thread-local.js';
import { noSuchThread, selectThread } from './threads.js';

/**
 * `qGetTLSAddr:THREAD,OFFSET,MODULE`: where a thread-local variable lies. Module 0 is the program itself; where those of
 * shared libraries lie, the C library alone knows. (`qGetTIBAddr` is Windows's and not served.)
 */
export const getTlsAddress: Command = {
  name: 'qGetTLSAddr',
  async run(args, session) {
    const [id, offset, module, ...rest] = args.slice(1).split(',');
    const at = parseHexBigInt(offset ?? '');
    const map = parseHexBigInt(module ?? '');
    if (args[0] !== ':' || at === undefined || map === undefined || rest.length > 0)
      return session.error(22, 'malformed qGetTLSAddr');
    const thread = selectThread(session, id, session.generalThread);
    if (thread === undefined) return session.error(22, noSuchThread(session));
    if (map !== 0n)
      return session.error(22, 'where thread-local variables of a shared library lie, its C library alone knows');
    await session.hold('finding its thread-local storage');
    try {
      const { wordBytes } = await session.registers.layout(thread);
      const address = await threadLocalAddress(session.target, thread, at, wordBytes, session.programHeader);
      return address.toString(16);
    } catch (error) {
      return session.error(22, messageOf(error));
    }
  },
};
