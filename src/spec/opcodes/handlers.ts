// Handlers of the opcode table by number: the core calls them, compiled code too.
import { OPCODES, type OpcodeRow } from './index.js';
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

const isVex = (row: OpcodeRow): boolean => row.bytes.startsWith('VEX.');

/**
 * Those of VEX-encoded instructions on general registers: where VEX does not exist, in real and virtual-8086 mode, the handler raises
 * #UD. Decoded code outside 64-bit mode does not tell which mode runs it.
 */
export const VEX_HANDLERS: ReadonlySet<string> = new Set(
  OPCODES.filter((row) => isVex(row) && row.group === undefined).map((row) => row.handler),
);
for (const row of OPCODES)
  if (!isVex(row) && VEX_HANDLERS.has(row.handler)) throw new Error(`${row.mnemonic}: ${row.handler} is of VEX alone`);

/** Micro-op number of the first handler; each has two, the odd one ends its block. */
export const FIRST_HANDLER = 1024;
/** Micro-op number of the first lean one, where it does not have a case of the dispatcher's own. */
export const FIRST_LEAN_HANDLER = FIRST_HANDLER + (HANDLERS.length - LEAN_HANDLERS.length) * 2;
