/** Instructions as text, with addresses named. */
import type { Instruction } from './instruction.js';
import type { SymbolTable } from './symbols.js';

/** `4889e5`, cut with `+` after `max` bytes. */
export function formatBytes(bytes: Uint8Array, max = 15): string {
  const shown = Array.from(bytes.subarray(0, max), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return bytes.length > max ? `${shown}+` : shown;
}

/** `mov  rbp, rsp`: mnemonic in a column of `column` cells, branch targets by name where one is known. */
export function formatInstruction(instruction: Instruction, symbols?: SymbolTable, column = 6): string {
  const { mnemonic, target, ripRelative } = instruction;
  let operands = instruction.operands;
  if (target !== undefined) operands = symbols?.label(target) ?? operands;
  let text = operands ? `${mnemonic.padEnd(column)} ${operands}` : mnemonic;
  if (ripRelative !== undefined) {
    const label = symbols?.label(ripRelative);
    text += `  # ${label ?? `0x${ripRelative.toString(16)}`}`;
  }
  return text;
}
