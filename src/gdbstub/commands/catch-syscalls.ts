import { parseHexNumber } from '../../rsp/hex.js';
import type { Command } from '../command.js';

const MAX_NUMBERS = 4096;

/**
 * `QCatchSyscalls:0` or `:1[;NUMBER...]`: stops where a program of the guest's calls its kernel and where it is back, of
 * all programs. Without numbers: all calls.
 */
export const catchSyscalls: Command = {
  name: 'QCatchSyscalls',
  async run(args, session) {
    const { target } = session;
    if (target.catchSyscalls === undefined) return '';
    const [on, ...list] = args.slice(1).split(';');
    const numbers = list.map(parseHexNumber);
    const known = numbers.filter((number) => number !== undefined);
    const malformed = args[0] !== ':' || (on !== '0' && on !== '1') || known.length < numbers.length;
    if (malformed || (on === '0' && list.length > 0)) return session.error(22, 'malformed QCatchSyscalls');
    if (known.length > MAX_NUMBERS)
      return session.error(22, `more than ${MAX_NUMBERS} system calls; name none for all`);
    const refusal = on === '1' ? session.refusal('InsertBreak') : undefined;
    if (refusal !== undefined) return refusal;
    session.syscalls.want(on === '0' ? undefined : known.length === 0 ? {} : { numbers: known });
    if (session.nonStop) await session.syscalls.reconcile();
    return 'OK';
  },
};
