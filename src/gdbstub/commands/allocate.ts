import { parseHexBigInt, parseHexNumber } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import { messageOf } from '../session.js';

/**
 * `_M SIZE,PERMISSIONS`: memory of the client's own, for functions that LLDB has the guest call. All of it can be read,
 * written and run.
 */
export const allocate: Command = {
  name: '_M',
  async run(args, session) {
    if (session.target.scratch === undefined) return '';
    const [, size, rights] = /^([0-9a-fA-F]+),([rwx]*)$/.exec(args) ?? [];
    const bytes = parseHexNumber(size ?? '');
    if (bytes === undefined) return session.error(22, 'malformed packet: usage is _M SIZE,PERMISSIONS');
    const refusal = session.refusal('WriteMem', 'WriteReg');
    if (refusal !== undefined) return refusal;
    await session.hold('giving it memory');
    try {
      return (await session.scratch.allocate(bytes, rights.includes('x'), session.generalThread)).toString(16);
    } catch (error) {
      return session.error(12, messageOf(error));
    }
  },
};

/** `_m ADDRESS`: gives it back. */
export const deallocate: Command = {
  name: '_m',
  async run(args, session) {
    if (session.target.scratch === undefined) return '';
    const address = parseHexBigInt(args);
    if (address === undefined) return session.error(22, 'malformed packet: usage is _m ADDRESS');
    await session.hold('taking its memory back');
    try {
      await session.scratch.free(address);
      return 'OK';
    } catch (error) {
      return session.error(22, messageOf(error));
    }
  },
};
