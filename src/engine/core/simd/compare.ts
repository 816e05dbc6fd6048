// Comparison, logic, and shifts with a count per element, on a 128-bit vector.
import {
  V_PAND, V_PANDN, V_PCMPEQB, V_PCMPEQD, V_PCMPEQQ, V_PCMPEQW, V_PCMPGTB, V_PCMPGTD, V_PCMPGTQ, V_PCMPGTW, V_POR, V_PSLLVD, V_PSLLVQ,
  V_PSRAVD, V_PSRLVQ, V_PXOR,
} from '../generated/vector-ops';

/** Counts of 32 and more clear the element, or fill it with its sign. */
@inline function shifted32(op: u32, value: u32, count: u32): i32 {
  if (op == V_PSRAVD) return i32(value) >> i32(min<u32>(count, 31));
  if (count > 31) return 0;
  return op == V_PSLLVD ? value << count : value >> count;
}

@inline function shifted64(op: u32, value: u64, count: u64): i64 {
  if (count > 63) return 0;
  return op == V_PSLLVQ ? value << count : value >> count;
}

function shiftEach32(op: u32, a: v128, b: v128): v128 {
  return i32x4(
    shifted32(op, i32x4.extract_lane(a, 0), i32x4.extract_lane(b, 0)),
    shifted32(op, i32x4.extract_lane(a, 1), i32x4.extract_lane(b, 1)),
    shifted32(op, i32x4.extract_lane(a, 2), i32x4.extract_lane(b, 2)),
    shifted32(op, i32x4.extract_lane(a, 3), i32x4.extract_lane(b, 3)),
  );
}

function shiftEach64(op: u32, a: v128, b: v128): v128 {
  return i64x2(
    shifted64(op, i64x2.extract_lane(a, 0), i64x2.extract_lane(b, 0)),
    shifted64(op, i64x2.extract_lane(a, 1), i64x2.extract_lane(b, 1)),
  );
}

export function compareOrLogic(op: u32, a: v128, b: v128): v128 {
  switch (op) {
    case V_PCMPGTB: return i8x16.gt_s(a, b);
    case V_PCMPGTW: return i16x8.gt_s(a, b);
    case V_PCMPGTD: return i32x4.gt_s(a, b);
    case V_PCMPEQB: return i8x16.eq(a, b);
    case V_PCMPEQW: return i16x8.eq(a, b);
    case V_PCMPEQD: return i32x4.eq(a, b);
    case V_PAND: return v128.and(a, b);
    case V_PANDN: return v128.andnot(b, a);
    case V_POR: return v128.or(a, b);
    case V_PXOR: return v128.xor(a, b);
    case V_PCMPEQQ: return i64x2.eq(a, b);
    case V_PCMPGTQ: return i64x2.gt_s(a, b);
    case V_PSRLVQ: case V_PSLLVQ: return shiftEach64(op, a, b);
    default: return shiftEach32(op, a, b); // PSRLVD PSRAVD PSLLVD
  }
}
