// The mnemonic of an instruction by its bytes: for views that have no disassembler at hand.
import { OPCODES } from './index.js';
import type { OpcodeRow } from './row.js';

const PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);
/** The row's first opcode byte, where it is one. */
const OPCODE_BYTE = /^[0-9A-F]{2}$/;

/** Rows by their first opcode byte, VEX encodings left out: those are told apart by more than bytes. */
const BY_FIRST_BYTE = new Map<number, { row: OpcodeRow; tokens: string[]; prefix: string }[]>();
for (const row of OPCODES) {
  const tokens = row.bytes.split(/\s+/);
  const named = /^(?:NP|NFx|66|F3|F2)$/.test(tokens[0]) && tokens.length > 1 ? tokens.shift()! : '';
  const first = Number.parseInt(tokens[0], 16);
  if (tokens[0].startsWith('VEX') || !OPCODE_BYTE.test(tokens[0].replace('+r', ''))) continue;
  for (let low = 0; low < (tokens[0].endsWith('+r') ? 8 : 1); low++) {
    const list = BY_FIRST_BYTE.get(first + low) ?? [];
    list.push({ row, tokens, prefix: named });
    BY_FIRST_BYTE.set(first + low, list);
  }
}

/** Offset of the opcode, behind the prefixes. */
export function opcodeOffset(code: Uint8Array, bits: 16 | 32 | 64): number {
  let at = 0;
  while (at < code.length && (PREFIXES.has(code[at]) || (bits === 64 && (code[at] & 0xf0) === 0x40))) at++;
  return at;
}

/** `int3` for CC; the opcode in hexadecimal where the table has none (VEX encodings among them). */
export function mnemonicOf(code: Uint8Array, bits: 16 | 32 | 64): string {
  const at = opcodeOffset(code, bits);
  const prefixes = code.subarray(0, at);
  const found = BY_FIRST_BYTE.get(code[at])?.find(({ row, tokens, prefix }) => {
    if (row.attributes.includes(bits === 64 ? 'i64' : 'o64')) return false;
    if (OPCODE_BYTE.test(prefix) && !prefixes.includes(Number.parseInt(prefix, 16))) return false;
    if (prefix === 'NP' && [0x66, 0xf2, 0xf3].some((byte) => prefixes.includes(byte))) return false;
    return tokens.every((token, i) => i === 0 || matches(token, code[at + i]));
  });
  return (
    found?.row.mnemonic.toLowerCase() ??
    [...code.subarray(at, at + 3)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  );
}

function matches(token: string, byte: number | undefined): boolean {
  if (byte === undefined) return false;
  if (OPCODE_BYTE.test(token)) return byte === Number.parseInt(token, 16);
  if (/^\/[0-7]$/.test(token)) return ((byte >> 3) & 7) === Number(token[1]);
  if (token.endsWith('+r')) return (byte & 0xf8) === Number.parseInt(token, 16);
  return true;
}
