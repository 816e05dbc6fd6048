// Integer multiplication on the elements of a 128-bit vector.
import {
  V_PMADDUBSW, V_PMADDWD, V_PMULDQ, V_PMULHRSW, V_PMULHUW, V_PMULHW, V_PMULLD, V_PMULLW, V_PMULUDQ,
} from '../generated/vector-ops';

/** Upper halves of eight 32-bit products. */
@inline function upperHalves(low: v128, high: v128): v128 {
  return v128.shuffle<i16>(low, high, 1, 3, 5, 7, 9, 11, 13, 15);
}

/** Bytes of a unsigned, of b signed: products of neighbours added with saturation. */
function multiplyAddBytes(a: v128, b: v128): v128 {
  const even = i16x8.mul(v128.and(a, i16x8.splat(0xff)), i16x8.shr_s(i16x8.shl(b, 8), 8));
  const odd = i16x8.mul(i16x8.shr_u(a, 8), i16x8.shr_s(b, 8));
  return i16x8.add_sat_s(even, odd);
}

/** (a * b + 0x4000) >> 15. Only -1 * -1 leaves the range: x86 wraps where wasm saturates. */
function multiplyRound(a: v128, b: v128): v128 {
  const least = i16x8.splat(i16.MIN_VALUE);
  return v128.xor(i16x8.q15mulr_sat_s(a, b), v128.and(i16x8.eq(a, least), i16x8.eq(b, least)));
}

/** Sums of absolute differences of four bytes: eight places of a against one group of b. @sdm 2B "MPSADBW" */
function multipleSad(a: v128, b: v128, imm: u32): v128 {
  let group = i32x4.extract_lane(b, 0);
  if (imm & 3) group = imm & 2 ? (imm & 1 ? i32x4.extract_lane(b, 3) : i32x4.extract_lane(b, 2)) : i32x4.extract_lane(b, 1);
  // bytes 0-10 of the window that begins at byte 4 * imm[2]
  const window = imm & 4 ? v128.shuffle<i8>(a, a, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 14, 14, 14, 14, 14) : a;
  let sum = i64x2.splat(0);
  sum = i16x8.add(sum, differences(i16x8.extend_low_i8x16_u(window), group & 0xff));
  sum = i16x8.add(sum, differences(i16x8.extend_low_i8x16_u(v128.shuffle<i8>(window, window, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0)), (group >> 8) & 0xff));
  sum = i16x8.add(sum, differences(i16x8.extend_low_i8x16_u(v128.shuffle<i8>(window, window, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0, 0, 0)), (group >> 16) & 0xff));
  return i16x8.add(sum, differences(i16x8.extend_low_i8x16_u(v128.shuffle<i8>(window, window, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0, 0, 0, 0, 0, 0, 0)), (group >> 24) & 0xff));
}

@inline function differences(words: v128, byte: i32): v128 { return i16x8.abs(i16x8.sub(words, i16x8.splat(<i16>byte))); }

export function multiply(op: u32, a: v128, b: v128, imm: u32): v128 {
  switch (op) {
    case V_PMULLW: return i16x8.mul(a, b);
    case V_PMULHW: return upperHalves(i32x4.extmul_low_i16x8_s(a, b), i32x4.extmul_high_i16x8_s(a, b));
    case V_PMULHUW: return upperHalves(i32x4.extmul_low_i16x8_u(a, b), i32x4.extmul_high_i16x8_u(a, b));
    case V_PMULUDQ: {
      const mask = i64x2.splat(0xffffffff);
      return i64x2.mul(v128.and(a, mask), v128.and(b, mask));
    }
    case V_PMADDWD: return i32x4.dot_i16x8_s(a, b);
    case V_PMADDUBSW: return multiplyAddBytes(a, b);
    case V_PMULHRSW: return multiplyRound(a, b);
    case V_PMULDQ: return i64x2.mul(i64x2.shr_s(i64x2.shl(a, 32), 32), i64x2.shr_s(i64x2.shl(b, 32), 32));
    case V_PMULLD: return i32x4.mul(a, b);
    default: return multipleSad(a, b, imm); // MPSADBW
  }
}
