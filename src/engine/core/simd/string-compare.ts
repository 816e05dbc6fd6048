// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM. @sdm 2B 4.1 "Imm8 Control Byte Operation for PCMPESTRI / PCMPESTRM / PCMPISTRI / PCMPISTRM"
import { RAX, RDX, XS_OK, YMM } from '../layout';
import { fault, setReg64 } from '../state';
import { accessStatus } from '../mmu/access';
import { UV_W, uImm, uImm2, uOpcode, uReg } from '../uop';
import { CF, OF, SF, STATUS, ZF, setFlags } from '../exec/flags';
import { absent, setLow, source } from './operand';

const EQUAL_ANY: u32 = 0;
const RANGES: u32 = 1;
const EQUAL_EACH: u32 = 2;

let words: bool = false;
let signed: bool = false;
let elements: i32 = 16;

/** The element at p, in all elements. */
@inline function splat(p: usize, n: i32): v128 {
  return words ? i16x8.splat(load<i16>(p + (n << 1))) : i8x16.splat(load<i8>(p + n));
}

@inline function same(a: v128, b: v128): v128 { return words ? i16x8.eq(a, b) : i8x16.eq(a, b); }
@inline function bitmask(x: v128): u32 { return words ? i16x8.bitmask(x) : i8x16.bitmask(x); }

/** Not below. */
@inline function reaches(a: v128, b: v128): v128 {
  if (words) return signed ? i16x8.ge_s(a, b) : i16x8.ge_u(a, b);
  return signed ? i8x16.ge_s(a, b) : i8x16.ge_u(a, b);
}

/** Elements before the first zero. */
@inline function implicitLength(x: v128): i32 {
  return min<i32>(ctz<u32>(bitmask(same(x, i64x2.splat(0)))), elements);
}

/** Magnitude of the length register, at most the number of elements. */
function explicitLength(register: usize, wide: bool): i32 {
  const value = wide ? load<i64>(register) : i64(load<i32>(register));
  return i32(min<u64>(u64(value < 0 ? 0 - value : value), u64(elements)));
}

/** Bit j: what the aggregation says of element j of the second operand. `first` points to the first one. */
function aggregate(first: usize, lengthA: i32, b: v128, lengthB: i32, mode: u32): u32 {
  const all: u32 = (1 << elements) - 1;
  const inA: u32 = (1 << lengthA) - 1;
  const inB: u32 = (1 << lengthB) - 1;
  let hits = i64x2.splat(0);
  switch (mode) {
    case EQUAL_ANY:
      for (let i = 0; i < lengthA; i++) hits = v128.or(hits, same(b, splat(first, i)));
      return bitmask(hits) & inB;
    case RANGES:
      for (let i = 0; i + 1 < lengthA; i += 2) {
        hits = v128.or(hits, v128.and(reaches(b, splat(first, i)), reaches(splat(first, i + 1), b)));
      }
      return bitmask(hits) & inB;
    case EQUAL_EACH:
      // what lies beyond both is equal too
      return bitmask(same(v128.load(first), b)) & inA & inB | ~(inA | inB) & all;
    default: {
      let result = all;
      // what would lie beyond the register does not count
      for (let i = 0; i < lengthA; i++) result &= (bitmask(same(b, splat(first, i))) & inB) >> i | ~(all >> i);
      return result;
    }
  }
}

/** Opcodes 60 and 61 take lengths from registers, 62 and 63 end at zero; odd ones answer an index, even ones a mask. */
export function execStringCompare(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const b = source(u, 16, false);
  if (!b) return accessStatus();
  const second = v128.load(b);
  const a = YMM + (uReg(u) << 5);
  const imm = u32(uImm(u)) & 0xff;
  const opcode = uOpcode(u);
  words = (imm & 1) != 0;
  signed = (imm & 2) != 0;
  elements = words ? 8 : 16;
  const wide = (uImm2(u) & UV_W) != 0;
  const lengthA = opcode < 0x62 ? explicitLength(RAX, wide) : implicitLength(v128.load(a));
  const lengthB = opcode < 0x62 ? explicitLength(RDX, wide) : implicitLength(second);
  const all: u32 = words ? 0xff : 0xffff;
  let result = aggregate(a, lengthA, second, lengthB, (imm >> 2) & 3);
  const polarity = (imm >> 4) & 3;
  if (polarity == 1) result ^= all;
  else if (polarity == 3) result ^= (1 << lengthB) - 1;
  const flags = (result ? CF : 0) | (lengthB < elements ? ZF : 0) | (lengthA < elements ? SF : 0) | (result & 1 ? OF : 0);
  if (opcode & 1) {
    const place = result == 0 ? elements : imm & 0x40 ? 31 - clz<i32>(result) : ctz<i32>(result);
    setReg64(1, place);
  } else setLow(u, 0, imm & 0x40 ? expand(result) : i32x4(result, 0, 0, 0));
  setFlags(STATUS, flags);
  return XS_OK;
}

/** A mask of bits as a mask of elements. */
function expand(bits: u32): v128 {
  if (words) {
    const each = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
    return i16x8.eq(v128.and(i16x8.splat(<i16>bits), each), each);
  }
  const each = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  const spread = i8x16(<i8>bits, <i8>bits, <i8>bits, <i8>bits, <i8>bits, <i8>bits, <i8>bits, <i8>bits, <i8>(bits >> 8), <i8>(bits >> 8), <i8>(bits >> 8), <i8>(bits >> 8), <i8>(bits >> 8), <i8>(bits >> 8), <i8>(bits >> 8), <i8>(bits >> 8));
  return i8x16.eq(v128.and(spread, each), each);
}

