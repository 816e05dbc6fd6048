import type { Command } from '../command.js';

/** `qSymbol::`: the client has symbols and offers to look some up; none are needed. */
export const symbol: Command = {
  name: 'qSymbol',
  run(_args, session) {
    session.registers.clientHasProgram = true;
    return 'OK';
  },
};
