// Interleaving, packing, shuffling and blending the elements of a 128-bit vector.
import {
  V_BLENDPD, V_BLENDPS, V_PACKSSDW, V_PACKSSWB, V_PACKUSDW, V_PACKUSWB, V_PALIGNR, V_PBLENDD, V_PBLENDW, V_PERMILPSV,
  V_PSHUFB, V_PUNPCKHBW, V_PUNPCKHDQ, V_PUNPCKHQDQ, V_PUNPCKHWD, V_PUNPCKLBW, V_PUNPCKLDQ, V_PUNPCKLQDQ, V_PUNPCKLWD,
  V_SHUFPD, V_SHUFPS,
} from '../generated/vector-ops';

/** Bytes `count` to `count + 15` of b followed by a. */
export function align(a: v128, b: v128, count: u32): v128 {
  if (count >= 32) return i64x2.splat(0);
  const places = i8x16.add(i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), i8x16.splat(<i8>count));
  // swizzle answers 0 for places beyond 15
  return v128.or(i8x16.swizzle(b, places), i8x16.swizzle(a, i8x16.sub(places, i8x16.splat(16))));
}

/** All ones in each element whose bit of imm is set; `bits` holds the elements' bits. */
@inline function maskWords(imm: u32): v128 {
  const bits = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
  return i16x8.eq(v128.and(i16x8.splat(<i16>imm), bits), bits);
}

@inline function maskDwords(imm: u32): v128 {
  const bits = i32x4(1, 2, 4, 8);
  return i32x4.eq(v128.and(i32x4.splat(imm), bits), bits);
}

@inline function maskQwords(imm: u32): v128 { return i64x2(imm & 1 ? -1 : 0, imm & 2 ? -1 : 0); }

/** Byte places of the dwords that the two-bit fields of imm name. */
@inline export function dwordPlaces(imm: u32): v128 {
  const fields = i32x4(imm & 3, (imm >> 2) & 3, (imm >> 4) & 3, (imm >> 6) & 3);
  return i32x4.add(i32x4.mul(fields, i32x4.splat(0x04040404)), i32x4.splat(0x03020100));
}

/** Dwords of a by the dword numbers in the low bits of each element of b. */
function permuteDwords(a: v128, b: v128): v128 {
  const fields = v128.and(b, i32x4.splat(3));
  return i8x16.swizzle(a, i32x4.add(i32x4.mul(fields, i32x4.splat(0x04040404)), i32x4.splat(0x03020100)));
}

export function arrange(op: u32, a: v128, b: v128, imm: u32): v128 {
  switch (op) {
    case V_PUNPCKLBW: return v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    case V_PUNPCKLWD: return v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
    case V_PUNPCKLDQ: return v128.shuffle<i32>(a, b, 0, 4, 1, 5);
    case V_PUNPCKHBW: return v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    case V_PUNPCKHWD: return v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
    case V_PUNPCKHDQ: return v128.shuffle<i32>(a, b, 2, 6, 3, 7);
    case V_PACKSSWB: return i8x16.narrow_i16x8_s(a, b);
    case V_PACKUSWB: return i8x16.narrow_i16x8_u(a, b);
    case V_PACKSSDW: return i16x8.narrow_i32x4_s(a, b);
    case V_PSHUFB: return i8x16.swizzle(a, v128.and(b, i8x16.splat(<i8>0x8f)));
    case V_PUNPCKLQDQ: return v128.shuffle<i64>(a, b, 0, 2);
    case V_PUNPCKHQDQ: return v128.shuffle<i64>(a, b, 1, 3);
    case V_PACKUSDW: return i16x8.narrow_i32x4_u(a, b);
    case V_PALIGNR: return align(a, b, imm & 0xff);
    case V_BLENDPS: case V_PBLENDD: return v128.bitselect(b, a, maskDwords(imm));
    case V_BLENDPD: return v128.bitselect(b, a, maskQwords(imm));
    case V_PBLENDW: return v128.bitselect(b, a, maskWords(imm));
    case V_SHUFPD: {
      const first = imm & 1 ? v128.shuffle<i64>(a, a, 1, 1) : a;
      return imm & 2 ? v128.shuffle<i64>(first, b, 0, 3) : v128.shuffle<i64>(first, b, 0, 2);
    }
    case V_SHUFPS: {
      const places = dwordPlaces(imm);
      return v128.shuffle<i64>(i8x16.swizzle(a, places), i8x16.swizzle(b, places), 0, 3);
    }
    case V_PERMILPSV: return permuteDwords(a, b);
    default: { // VPERMILPD: bit 1 of each element
      const first = i64x2.extract_lane(b, 0) & 2 ? i64x2.extract_lane(a, 1) : i64x2.extract_lane(a, 0);
      const second = i64x2.extract_lane(b, 1) & 2 ? i64x2.extract_lane(a, 1) : i64x2.extract_lane(a, 0);
      return i64x2(first, second);
    }
  }
}

/** The immediate for bits 255:128: each half has its own selectors, or shares them. */
export function highImmediate(op: u32, imm: u32): u32 {
  switch (op) {
    case V_BLENDPS: case V_PBLENDD: return imm >> 4;
    case V_BLENDPD: case V_SHUFPD: return imm >> 2;
    default: return imm;
  }
}
