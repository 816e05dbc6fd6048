import type { Command } from '../command.js';

/** `qSymbol::`: the client offers to look symbols up; none are needed. */
export const symbol: Command = { name: 'qSymbol', run: () => 'OK' };
