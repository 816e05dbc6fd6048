import { encodeHexText, parseHexBigInt } from '../../rsp/hex.js';
import type { Command } from '../command.js';
import { HEADER_SYMBOL } from '../thread-local.js';

const NAME = encodeHexText(HEADER_SYMBOL);

/** `qSymbol::`: the client has symbols and offers to look some up; `qSymbol:VALUE:NAME` is its answer. */
export const symbol: Command = {
  name: 'qSymbol',
  run(args, session) {
    session.registers.clientHasProgram = true;
    if (args === '::') return `qSymbol:${NAME}`;
    const [, value, name] = args.split(':');
    if (name === NAME) session.programHeader = parseHexBigInt(value ?? '');
    return 'OK';
  },
};
