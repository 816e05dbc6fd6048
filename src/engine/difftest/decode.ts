// An instruction taken apart by its bytes, as far as the table of undefined results needs it.
import type { Mode } from './bed.js';

/** An instruction taken apart far enough to know its row: opcode with its map, ModRM and sizes. */
export interface Decoded {
  /** 0x00-0xff one-byte map, 0x0f00-0x0fff, 0x0f3800-, 0x0f3a00-. */
  opcode: number;
  /** 0 when there is none or it lies beyond the bytes. */
  modrm: number;
  operandBytes: 1 | 2 | 4 | 8;
  prefixF2: boolean;
  prefixF3: boolean;
  lock: boolean;
  /** Offset of the byte after the opcode. */
  end: number;
}

/** Added to the opcode of a VEX encoding. */
export const VEX = 0x100_0000;

const PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

export function decode(code: Uint8Array, mode: Mode): Decoded {
  let at = 0;
  let rex = 0;
  let p66 = false;
  let prefixF2 = false;
  let prefixF3 = false;
  let lock = false;
  for (; at < code.length; at++) {
    const byte = code[at];
    if (mode === 'long' && (byte & 0xf0) === 0x40) {
      rex = byte;
      continue;
    }
    if (!PREFIXES.has(byte)) break;
    rex = 0;
    if (byte === 0x66) p66 = true;
    if (byte === 0xf2) {
      prefixF2 = true;
      prefixF3 = false;
    }
    if (byte === 0xf3) {
      prefixF3 = true;
      prefixF2 = false;
    }
    if (byte === 0xf0) lock = true;
  }
  let opcode = code[at++] ?? 0;
  const vex = opcode === 0xc4 && mode !== 'real' && (mode === 'long' || ((code[at] ?? 0) & 0xc0) === 0xc0);
  if (vex) {
    const map = [0, 0x0f00, 0x0f3800, 0x0f3a00][code[at] & 31] ?? 0;
    const second = code[at + 1] ?? 0;
    opcode = VEX | map | (code[at + 2] ?? 0);
    at += 3;
    return {
      opcode,
      modrm: code[at] ?? 0,
      operandBytes: mode === 'long' && second & 0x80 ? 8 : 4,
      prefixF2: (second & 3) === 3,
      prefixF3: (second & 3) === 2,
      lock,
      end: at,
    };
  }
  if (opcode === 0x0f) {
    const second = code[at++] ?? 0;
    opcode = 0x0f00 | second;
    if (second === 0x38 || second === 0x3a) opcode = (opcode << 8) | (code[at++] ?? 0);
  }
  const default32 = mode === 'prot32' || mode === 'compat32' || mode === 'long';
  let operandBytes: 1 | 2 | 4 | 8 = default32 !== p66 ? 4 : 2;
  if (rex & 8) operandBytes = 8;
  if (byteForm(opcode)) operandBytes = 1;
  return { opcode, modrm: code[at] ?? 0, operandBytes, prefixF2, prefixF3, lock, end: at };
}

/** Opcodes whose bit 0 clear means byte operands. */
function byteForm(opcode: number): boolean {
  if (opcode & 1) return false;
  if (opcode < 0x40) return (opcode & 7) < 6;
  return (
    opcode === 0x80 ||
    opcode === 0x82 ||
    opcode === 0x84 ||
    opcode === 0x86 ||
    opcode === 0xc0 ||
    opcode === 0xd0 ||
    opcode === 0xd2 ||
    opcode === 0xf6 ||
    opcode === 0xa8 ||
    opcode === 0xfe ||
    opcode === 0x0fb0 ||
    opcode === 0x0fc0
  );
}
