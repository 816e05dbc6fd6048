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

@inline function element(p: usize, n: i32): i32 {
  if (words) return signed ? i32(load<i16>(p + (n << 1))) : i32(load<u16>(p + (n << 1)));
  return signed ? i32(load<i8>(p + n)) : i32(load<u8>(p + n));
}

/** Elements before the first zero. */
function implicitLength(p: usize): i32 {
  let n = 0;
  while (n < elements && element(p, n) != 0) n++;
  return n;
}

/** Magnitude of the length register, at most the number of elements. */
function explicitLength(register: usize, wide: bool): i32 {
  const value = wide ? load<i64>(register) : i64(load<i32>(register));
  return i32(min<u64>(u64(value < 0 ? 0 - value : value), u64(elements)));
}

/** Bit j: what the aggregation says of element j of the second operand. */
function aggregate(a: usize, lengthA: i32, b: usize, lengthB: i32, mode: u32): u32 {
  let result: u32 = 0;
  for (let j = 0; j < elements; j++) {
    let hit = false;
    if (mode == EQUAL_ANY) {
      if (j < lengthB) {
        for (let i = 0; i < lengthA && !hit; i++) hit = element(a, i) == element(b, j);
      }
    } else if (mode == RANGES) {
      if (j < lengthB) {
        for (let i = 0; i + 1 < lengthA && !hit; i += 2) hit = element(b, j) >= element(a, i) && element(b, j) <= element(a, i + 1);
      }
    } else if (mode == EQUAL_EACH) {
      const inA = j < lengthA;
      const inB = j < lengthB;
      hit = inA && inB ? element(a, j) == element(b, j) : !inA && !inB;
    } else {
      hit = true;
      for (let i = 0; i < lengthA && i + j < elements && hit; i++) hit = i + j < lengthB && element(a, i) == element(b, i + j);
    }
    if (hit) result |= 1 << j;
  }
  return result;
}

/** Opcodes 60 and 61 take lengths from registers, 62 and 63 end at zero; odd ones answer an index, even ones a mask. */
export function execStringCompare(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const b = source(u, 16, false);
  if (!b) return accessStatus();
  const a = YMM + (uReg(u) << 5);
  const imm = u32(uImm(u)) & 0xff;
  const opcode = uOpcode(u);
  words = (imm & 1) != 0;
  signed = (imm & 2) != 0;
  elements = words ? 8 : 16;
  const wide = (uImm2(u) & UV_W) != 0;
  const lengthA = opcode < 0x62 ? explicitLength(RAX, wide) : implicitLength(a);
  const lengthB = opcode < 0x62 ? explicitLength(RDX, wide) : implicitLength(b);
  const all: u32 = words ? 0xff : 0xffff;
  let result = aggregate(a, lengthA, b, lengthB, (imm >> 2) & 3);
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

