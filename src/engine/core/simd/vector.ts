// Vector instructions with two sources: SSE, VEX.128, VEX.256 (each half alike) and MMX.
import { XS_OK } from '../layout';
import { code64, fault } from '../state';
import { accessStatus } from '../mmu/access';
import { UV_L, UV_VEX, uImm, uImm2, uOpcode, uOperation, uReg, uVector } from '../uop';
import { GROUP_ARITHMETIC, GROUP_ARRANGE, GROUP_COMPARE, GROUP_MULTIPLY, V_MPSADBW, V_PACKSSDW, V_PACKSSWB, V_PACKUSWB, V_PALIGNR, V_PSHUFB, V_PUNPCKHBW, V_PUNPCKHDQ, V_PUNPCKHWD, V_PUNPCKLBW } from '../generated/vector-ops';
import { arithmetic, takesPairs } from './arithmetic';
import { align, arrange, highImmediate } from './arrange';
import { compareOrLogic } from './compare';
import { crypto } from './crypto';
import { multiply } from './multiply';
import { absent, enterMmx, firstSource, high, low, mmxAbsent, mmxRead, mmxSource, mmxWrite, setLow, setWhole, source } from './operand';

function combine(op: u32, a: v128, b: v128, imm: u32): v128 {
  switch (op >> 6) {
    case GROUP_ARITHMETIC: return arithmetic(op, a, b);
    case GROUP_COMPARE: return compareOrLogic(op, a, b);
    case GROUP_MULTIPLY: return multiply(op, a, b, imm);
    case GROUP_ARRANGE: return arrange(op, a, b, imm);
    default: return crypto(a, b, op, imm);
  }
}

export function execVector(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const second = uImm2(u);
  const op = uOperation(u);
  const imm = u32(uImm(u)) & 0xff;
  if (second & UV_L) {
    const p = source(u, 32, false);
    if (!p) return accessStatus();
    const a = uVector(u);
    const highImm = op == V_MPSADBW ? imm >> 3 : highImmediate(op, imm);
    const upper = combine(op, high(a), v128.load(p, 16), highImm);
    setWhole(uReg(u), combine(op, low(a), v128.load(p), imm), upper);
    return XS_OK;
  }
  const p = source(u, 16, !(second & UV_VEX));
  if (!p) return accessStatus();
  setLow(u, uReg(u), combine(op, low(firstSource(u)), v128.load(p), imm));
  return XS_OK;
}

/** Low interleaves read 32 bits of memory. */
@inline function mmxBytes(op: u32): u32 { return op >= V_PUNPCKLBW && op < V_PUNPCKHBW ? 4 : 8; }

export function execVectorMmx(u: usize): i32 {
  const vector = mmxAbsent();
  if (vector) return fault(vector);
  const op = uOperation(u);
  const p = mmxSource(u, mmxBytes(op));
  if (!p) return accessStatus();
  enterMmx();
  const a = mmxRead(uReg(u));
  const b = mmxBytes(op) == 4 ? v128.load32_zero(p) : v128.load64_zero(p);
  mmxWrite(uReg(u), combineMmx(op, a, b, u32(uImm(u)) & 0xff));
  return XS_OK;
}

/** The 64-bit forms are the low half of the 128-bit ones, except where elements change places. */
function combineMmx(op: u32, a: v128, b: v128, imm: u32): v128 {
  const both = v128.shuffle<i64>(a, b, 0, 2);
  if (takesPairs(op)) return arithmetic(op, both, both);
  switch (op) {
    case V_PACKSSWB: case V_PACKUSWB: case V_PACKSSDW: return arrange(op, both, both, 0);
    case V_PUNPCKHBW: case V_PUNPCKHWD: case V_PUNPCKHDQ: {
      const interleaved = arrange(op - V_PUNPCKHBW + V_PUNPCKLBW, a, b, 0);
      return v128.shuffle<i64>(interleaved, interleaved, 1, 1);
    }
    case V_PSHUFB: return i8x16.swizzle(a, v128.and(b, i8x16.splat(<i8>0x87)));
    case V_PALIGNR: return imm > 15 ? i64x2.splat(0) : align(i64x2.splat(0), v128.shuffle<i64>(b, a, 0, 2), imm);
    default: return combine(op, a, b, imm);
  }
}

/**
 * PBLENDVB, BLENDVPS, BLENDVPD: the mask is XMM0 or (VEX) the register in the immediate; its top bits select.
 * Legacy opcodes 10, 14, 15; VEX opcodes 4C, 4A, 4B.
 */
export function execBlendVariable(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const second = uImm2(u);
  const vex = (second & UV_VEX) != 0;
  const p = source(u, second & UV_L ? 32 : 16, !vex);
  if (!p) return accessStatus();
  const mask = vex ? (u32(uImm(u)) >> 4) & (code64() ? 15 : 7) : 0;
  const opcode = uOpcode(u);
  const width: u32 = opcode == 0x10 || opcode == 0x4c ? 1 : opcode == 0x14 || opcode == 0x4a ? 4 : 8;
  const a = firstSource(u);
  const lower = blend(low(a), v128.load(p), low(mask), width);
  if (second & UV_L) setWhole(uReg(u), lower, blend(high(a), v128.load(p, 16), high(mask), width));
  else setLow(u, uReg(u), lower);
  return XS_OK;
}

function blend(a: v128, b: v128, mask: v128, width: u32): v128 {
  const selected = width == 1 ? i8x16.shr_s(mask, 7) : width == 4 ? i32x4.shr_s(mask, 31) : i64x2.shr_s(mask, 63);
  return v128.bitselect(b, a, selected);
}
