// Integer arithmetic on the elements of a 128-bit vector.
import {
  V_PADDB, V_PADDD, V_PADDQ, V_PADDSB, V_PADDSW, V_PADDUSB, V_PADDUSW, V_PADDW, V_PAVGB, V_PAVGW, V_PHADDD, V_PHADDSW, V_PHADDW,
  V_PHSUBD, V_PHSUBSW, V_PHSUBW, V_PMAXSB, V_PMAXSD, V_PMAXSW, V_PMAXUB, V_PMAXUW, V_PMINSB, V_PMINSD, V_PMINSW,
  V_PMINUB, V_PMINUD, V_PMINUW, V_PSADBW, V_PSIGNB, V_PSIGND, V_PSIGNW, V_PSUBB, V_PSUBD, V_PSUBQ, V_PSUBSB, V_PSUBSW,
  V_PSUBUSB, V_PSUBUSW, V_PSUBW,
} from '../generated/vector-ops';

@inline function evenWords(a: v128, b: v128): v128 { return v128.shuffle<i16>(a, b, 0, 2, 4, 6, 8, 10, 12, 14); }
@inline function oddWords(a: v128, b: v128): v128 { return v128.shuffle<i16>(a, b, 1, 3, 5, 7, 9, 11, 13, 15); }
@inline function evenDwords(a: v128, b: v128): v128 { return v128.shuffle<i32>(a, b, 0, 2, 4, 6); }
@inline function oddDwords(a: v128, b: v128): v128 { return v128.shuffle<i32>(a, b, 1, 3, 5, 7); }

/** Sums of absolute byte differences of each half. */
function sad(a: v128, b: v128): v128 {
  const difference = v128.or(i8x16.sub_sat_u(a, b), i8x16.sub_sat_u(b, a));
  const sums = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(difference));
  return v128.and(i64x2.add(sums, i64x2.shr_u(sums, 32)), i64x2.splat(0xffffffff));
}

export function arithmetic(op: u32, a: v128, b: v128): v128 {
  switch (op) {
    case V_PADDB: return i8x16.add(a, b);
    case V_PADDW: return i16x8.add(a, b);
    case V_PADDD: return i32x4.add(a, b);
    case V_PADDQ: return i64x2.add(a, b);
    case V_PSUBB: return i8x16.sub(a, b);
    case V_PSUBW: return i16x8.sub(a, b);
    case V_PSUBD: return i32x4.sub(a, b);
    case V_PSUBQ: return i64x2.sub(a, b);
    case V_PADDSB: return i8x16.add_sat_s(a, b);
    case V_PADDSW: return i16x8.add_sat_s(a, b);
    case V_PADDUSB: return i8x16.add_sat_u(a, b);
    case V_PADDUSW: return i16x8.add_sat_u(a, b);
    case V_PSUBSB: return i8x16.sub_sat_s(a, b);
    case V_PSUBSW: return i16x8.sub_sat_s(a, b);
    case V_PSUBUSB: return i8x16.sub_sat_u(a, b);
    case V_PSUBUSW: return i16x8.sub_sat_u(a, b);
    case V_PAVGB: return i8x16.avgr_u(a, b);
    case V_PAVGW: return i16x8.avgr_u(a, b);
    case V_PMINUB: return i8x16.min_u(a, b);
    case V_PMAXUB: return i8x16.max_u(a, b);
    case V_PMINSW: return i16x8.min_s(a, b);
    case V_PMAXSW: return i16x8.max_s(a, b);
    case V_PSADBW: return sad(a, b);
    case V_PHADDW: return i16x8.add(evenWords(a, b), oddWords(a, b));
    case V_PHADDD: return i32x4.add(evenDwords(a, b), oddDwords(a, b));
    case V_PHADDSW: return i16x8.add_sat_s(evenWords(a, b), oddWords(a, b));
    case V_PHSUBW: return i16x8.sub(evenWords(a, b), oddWords(a, b));
    case V_PHSUBD: return i32x4.sub(evenDwords(a, b), oddDwords(a, b));
    case V_PHSUBSW: return i16x8.sub_sat_s(evenWords(a, b), oddWords(a, b));
    // negate where b < 0, clear where b == 0: (a ^ m) - m with m = b >> (width - 1)
    case V_PSIGNB: {
      const m = i8x16.shr_s(b, 7);
      return v128.andnot(i8x16.sub(v128.xor(a, m), m), i8x16.eq(b, i64x2.splat(0)));
    }
    case V_PSIGNW: {
      const m = i16x8.shr_s(b, 15);
      return v128.andnot(i16x8.sub(v128.xor(a, m), m), i16x8.eq(b, i64x2.splat(0)));
    }
    case V_PSIGND: {
      const m = i32x4.shr_s(b, 31);
      return v128.andnot(i32x4.sub(v128.xor(a, m), m), i32x4.eq(b, i64x2.splat(0)));
    }
    case V_PMINSB: return i8x16.min_s(a, b);
    case V_PMINSD: return i32x4.min_s(a, b);
    case V_PMINUW: return i16x8.min_u(a, b);
    case V_PMINUD: return i32x4.min_u(a, b);
    case V_PMAXSB: return i8x16.max_s(a, b);
    case V_PMAXSD: return i32x4.max_s(a, b);
    case V_PMAXUW: return i16x8.max_u(a, b);
    default: return i32x4.max_u(a, b); // PMAXUD
  }
}

/** MMX forms that take their elements from both operands in turn work on one vector of both. */
@inline export function takesPairs(op: u32): bool { return op >= V_PHADDW && op <= V_PHSUBSW; }
