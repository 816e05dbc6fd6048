// Handlers of the opcode table by number: the core calls them, compiled code too.
import { OPCODES } from './index.js';
import { X87_LEAN } from './x87.js';

/**
 * Vector instructions that touch no flags, and the common x87 ones: the dispatcher calls them without putting its state
 * into memory. Their numbers come last.
 */
export const LEAN_HANDLERS: readonly string[] = [
  ...new Set(OPCODES.filter((row) => row.group !== undefined && row.writes === '').map((row) => row.handler)),
  ...X87_LEAN,
].sort();

/** In the order of their numbers. */
export const HANDLERS: readonly string[] = [
  ...[...new Set([...OPCODES.map((row) => row.handler), 'execGeneralProtection'])]
    .filter((name) => !LEAN_HANDLERS.includes(name))
    .sort(),
  ...LEAN_HANDLERS,
];

/** Micro-op number of the first handler; each has two, the odd one ends its block. */
export const FIRST_HANDLER = 1024;
/** Micro-op number of the first lean one, where it does not have a case of the dispatcher's own. */
export const FIRST_LEAN_HANDLER = FIRST_HANDLER + (HANDLERS.length - LEAN_HANDLERS.length) * 2;
