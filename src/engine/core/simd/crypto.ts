// AES rounds and carry-less multiplication. @sdm 1 12.13 "Intel Advanced Encryption Standard Instructions (AESNI)"
import { V_AESDEC, V_AESDECLAST, V_AESENC, V_AESENCLAST } from '../generated/vector-ops';
import { INVERSE_SBOX, SBOX } from './aes-tables';

/** Substitutes each byte: swizzle answers 0 for places beyond 15, so one of 16 rows answers for each byte. */
export function substitute(x: v128, table: usize): v128 {
  let result = i64x2.splat(0);
  for (let row = 0; row < 16; row++) {
    result = v128.or(result, i8x16.swizzle(v128.load(table + (row << 4)), v128.xor(x, i8x16.splat(<i8>(row << 4)))));
  }
  return result;
}

@inline function shiftRows(x: v128): v128 {
  return v128.shuffle<i8>(x, x, 0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11);
}

@inline function inverseShiftRows(x: v128): v128 {
  return v128.shuffle<i8>(x, x, 0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3);
}

/** Doubles each byte in GF(2^8). */
@inline function double(x: v128): v128 {
  return v128.xor(i8x16.shl(x, 1), v128.and(i8x16.shr_s(x, 7), i8x16.splat(0x1b)));
}

/** Bytes of each column one place up. */
@inline function rotate(x: v128): v128 { return v128.shuffle<i8>(x, x, 1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12); }

function mixColumns(x: v128): v128 {
  const one = rotate(x);
  const two = rotate(one);
  return v128.xor(v128.xor(double(v128.xor(x, one)), one), v128.xor(two, rotate(two)));
}

/** The inverse matrix is the plain one after x + 4 (x + x two places up). */
export function inverseMixColumns(x: v128): v128 {
  return mixColumns(v128.xor(x, double(double(v128.xor(x, rotate(rotate(x)))))));
}

/** 64 by 64 bits without carries. */
function carrylessProduct(a: u64, b: u64): v128 {
  let lower: u64 = b & 1 ? a : 0;
  let upper: u64 = 0;
  for (let n: u64 = 1; n < 64; n++) {
    const mask: u64 = 0 - ((b >> n) & 1);
    lower ^= (a << n) & mask;
    upper ^= (a >> (64 - n)) & mask;
  }
  return i64x2(lower, upper);
}

export function crypto(op: u32, a: v128, b: v128, imm: u32): v128 {
  switch (op) {
    case V_AESENC: return v128.xor(mixColumns(substitute(shiftRows(a), SBOX)), b);
    case V_AESENCLAST: return v128.xor(substitute(shiftRows(a), SBOX), b);
    case V_AESDEC: return v128.xor(inverseMixColumns(substitute(inverseShiftRows(a), INVERSE_SBOX)), b);
    case V_AESDECLAST: return v128.xor(substitute(inverseShiftRows(a), INVERSE_SBOX), b);
    default: { // PCLMULQDQ
      const x: u64 = imm & 1 ? i64x2.extract_lane(a, 1) : i64x2.extract_lane(a, 0);
      const y: u64 = imm & 16 ? i64x2.extract_lane(b, 1) : i64x2.extract_lane(b, 0);
      return carrylessProduct(x, y);
    }
  }
}
