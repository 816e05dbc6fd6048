// Vector instructions with one source: absolute values, shuffles by immediate, duplication, widening.
import { XS_OK } from '../layout';
import { fault } from '../state';
import { accessStatus } from '../mmu/access';
import { UV_L, UV_VEX, uImm, uImm2, uOpcode, uOperation, uReg } from '../uop';
import {
  V_AESIMC, V_MOVDDUP, V_MOVSHDUP, V_MOVSLDUP, V_PABSB, V_PABSD, V_PABSW, V_PERMILPD, V_PERMILPS, V_PHMINPOSUW,
  V_PSHUFD, V_PSHUFHW, V_PSHUFLW, V_PSHUFW,
} from '../generated/vector-ops';
import { dwordPlaces } from './arrange';
import { inverseMixColumns, substitute } from './crypto';
import { absent, enterMmx, mmxAbsent, mmxSource, mmxWrite, setLow, setWhole, source } from './operand';

/** Words of the low half by the two-bit fields of imm; the high half stays. */
function shuffleLowWords(b: v128, imm: u32): v128 {
  const fields = i16x8(<i16>(imm & 3), <i16>((imm >> 2) & 3), <i16>((imm >> 4) & 3), <i16>((imm >> 6) & 3), 4, 5, 6, 7);
  return i8x16.swizzle(b, i16x8.add(i16x8.mul(fields, i16x8.splat(0x0202)), i16x8.splat(0x0100)));
}

function shuffleHighWords(b: v128, imm: u32): v128 {
  const fields = i16x8(
    0, 1, 2, 3,
    <i16>(4 + (imm & 3)), <i16>(4 + ((imm >> 2) & 3)), <i16>(4 + ((imm >> 4) & 3)), <i16>(4 + ((imm >> 6) & 3)),
  );
  return i8x16.swizzle(b, i16x8.add(i16x8.mul(fields, i16x8.splat(0x0202)), i16x8.splat(0x0100)));
}

/** Smallest word in bits 15:0, its place in bits 18:16. */
function smallestWord(b: v128): v128 {
  let smallest: u32 = 0xffff;
  let place: u32 = 0;
  let words = b;
  for (let n: u32 = 0; n < 8; n++) {
    const word = u32(i16x8.extract_lane_u(words, 0));
    if (word < smallest) {
      smallest = word;
      place = n;
    }
    words = v128.shuffle<i16>(words, words, 1, 2, 3, 4, 5, 6, 7, 0);
  }
  return i32x4(smallest | (place << 16), 0, 0, 0);
}

/** Substituted dwords 1 and 3, plain and rotated, the rotated ones with the round constant. */
function keyAssist(b: v128, constant: u32): v128 {
  const x = substitute(b);
  const first = i32x4.extract_lane(x, 1);
  const third = i32x4.extract_lane(x, 3);
  return i32x4(first, rotr<i32>(first, 8) ^ constant, third, rotr<i32>(third, 8) ^ constant);
}

function transform(op: u32, b: v128, imm: u32): v128 {
  switch (op) {
    case V_PABSB: return i8x16.abs(b);
    case V_PABSW: return i16x8.abs(b);
    case V_PABSD: return i32x4.abs(b);
    case V_PSHUFLW: case V_PSHUFW: return shuffleLowWords(b, imm);
    case V_PSHUFHW: return shuffleHighWords(b, imm);
    case V_PSHUFD: case V_PERMILPS: return i8x16.swizzle(b, dwordPlaces(imm));
    case V_MOVSLDUP: return v128.shuffle<i32>(b, b, 0, 0, 2, 2);
    case V_MOVSHDUP: return v128.shuffle<i32>(b, b, 1, 1, 3, 3);
    case V_MOVDDUP: return v128.shuffle<i64>(b, b, 0, 0);
    case V_PERMILPD: {
      const first = imm & 1 ? i64x2.extract_lane(b, 1) : i64x2.extract_lane(b, 0);
      return i64x2(first, imm & 2 ? i64x2.extract_lane(b, 1) : i64x2.extract_lane(b, 0));
    }
    case V_PHMINPOSUW: return smallestWord(b);
    case V_AESIMC: return inverseMixColumns(b);
    default: return keyAssist(b, imm); // AESKEYGENASSIST
  }
}

export function execVectorUnary(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const second = uImm2(u);
  const op = uOperation(u);
  const imm = u32(uImm(u)) & 0xff;
  if (second & UV_L) {
    const p = source(u, 32, false);
    if (!p) return accessStatus();
    const upper = transform(op, v128.load(p, 16), op == V_PERMILPD ? imm >> 2 : imm);
    setWhole(uReg(u), transform(op, v128.load(p), imm), upper);
    return XS_OK;
  }
  // MOVDDUP reads 64 bits
  const half = op == V_MOVDDUP;
  const p = source(u, half ? 8 : 16, !half && !(second & UV_VEX));
  if (!p) return accessStatus();
  setLow(u, uReg(u), transform(op, half ? v128.load64_zero(p) : v128.load(p), imm));
  return XS_OK;
}

export function execVectorUnaryMmx(u: usize): i32 {
  const vector = mmxAbsent();
  if (vector) return fault(vector);
  const p = mmxSource(u, 8);
  if (!p) return accessStatus();
  enterMmx();
  mmxWrite(uReg(u), transform(uOperation(u), v128.load64_zero(p), u32(uImm(u)) & 0xff));
  return XS_OK;
}

/** One half of a widened vector from the lowest 8, 4 or 2 bytes of b. The opcode's low digit tells widths, 20 sign, 30 zero. */
function widen(opcode: u32, b: v128): v128 {
  switch (opcode) {
    case 0x20: return i16x8.extend_low_i8x16_s(b);
    case 0x21: return i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(b));
    case 0x22: return i64x2.extend_low_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(b)));
    case 0x23: return i32x4.extend_low_i16x8_s(b);
    case 0x24: return i64x2.extend_low_i32x4_s(i32x4.extend_low_i16x8_s(b));
    case 0x25: return i64x2.extend_low_i32x4_s(b);
    case 0x30: return i16x8.extend_low_i8x16_u(b);
    case 0x31: return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(b));
    case 0x32: return i64x2.extend_low_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(b)));
    case 0x33: return i32x4.extend_low_i16x8_u(b);
    case 0x34: return i64x2.extend_low_i32x4_u(i32x4.extend_low_i16x8_u(b));
    default: return i64x2.extend_low_i32x4_u(b);
  }
}

/** PMOVSX and PMOVZX: the source of a 128-bit result is 8, 4 or 2 bytes, of a 256-bit one twice that. */
export function execExtend(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const opcode = uOpcode(u);
  const kind = opcode & 15;
  const half: u32 = kind == 0 || kind == 3 || kind == 5 ? 8 : kind == 2 ? 2 : 4;
  const whole = (uImm2(u) & UV_L) != 0;
  const p = source(u, whole ? half * 2 : half, false);
  if (!p) return accessStatus();
  if (whole) {
    const bytes = half == 8 ? v128.load(p) : half == 4 ? v128.load64_zero(p) : v128.load32_zero(p);
    const rest = half == 8 ? v128.shuffle<i64>(bytes, bytes, 1, 1) : half == 4 ? i64x2.shr_u(bytes, 32) : i64x2.shr_u(bytes, 16);
    setWhole(uReg(u), widen(opcode, bytes), widen(opcode, rest));
  } else {
    const bytes = half == 8 ? v128.load64_zero(p) : half == 4 ? v128.load32_zero(p) : i32x4(load<u16>(p), 0, 0, 0);
    setLow(u, uReg(u), widen(opcode, bytes));
  }
  return XS_OK;
}
