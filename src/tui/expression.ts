/** Addresses and values as people type them. */
import type { SymbolTable } from '../disasm/index.js';
import type { RegisterFile } from '../engine/debugger.js';

/** Neither a symbol, a register nor a number. */
export class UnknownName extends Error {}

export interface Names {
  symbols?: SymbolTable;
  registers?: RegisterFile;
}

const MASK = (1n << 64n) - 1n;

/**
 * `0x1f`, `42`, `fee00000` (hexadecimal if it has a letter), a symbol, a register, and sums of them: `main+0x10`.
 * Names win over hexadecimal: `add` is a symbol if there is one. Modulo 2^64.
 * @throws Error that names the part that cannot be read.
 */
export function evaluate(text: string, names: Names): bigint {
  const parts = text.match(/[+-]|[^+\-\s]+/g);
  if (!parts) throw new Error('an address or value is missing');
  let sum = 0n;
  let sign: bigint | undefined = 1n;
  for (const part of parts) {
    if (part === '+' || part === '-') {
      sign = (sign ?? 1n) * (part === '-' ? -1n : 1n);
      continue;
    }
    if (sign === undefined) throw new Error(`"${text}" is not an address or value`);
    sum += sign * term(part, names);
    sign = undefined;
  }
  if (sign !== undefined) throw new Error(`"${text}" ends in an operator`);
  return sum & MASK;
}

function term(text: string, names: Names): bigint {
  if (/^(?:0x[0-9a-f]+|\d+)$/i.test(text)) return BigInt(text);
  const name = text.replace(/^[$%]/, '');
  const symbol = names.symbols?.byName(name);
  if (symbol) return symbol.address;
  const value = names.registers?.[name.toLowerCase()];
  if (value !== undefined) return value;
  if (/^[0-9a-f]+$/i.test(text)) return BigInt(`0x${text}`);
  throw new UnknownName(`no symbol, register or number "${text}"`);
}

/** `48 89 e5` or `4889e5` as bytes; `"text"` as its characters. */
export function parseBytes(text: string): Uint8Array {
  const quoted = /^"(.*)"$/.exec(text.trim());
  if (quoted) return new TextEncoder().encode(quoted[1]);
  const digits = text.replace(/\s+|0x/gi, '');
  if (!/^(?:[0-9a-f]{2})+$/i.test(digits)) throw new Error(`"${text.trim()}" is not a list of bytes such as 48 89 e5`);
  return Uint8Array.from(digits.match(/../g)!, (pair) => Number.parseInt(pair, 16));
}
