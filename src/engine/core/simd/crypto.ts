// AES rounds and carry-less multiplication. @sdm 1 12.13 "Intel Advanced Encryption Standard Instructions (AESNI)"
import { V_AESDEC, V_AESDECLAST, V_AESENC, V_AESENCLAST } from '../generated/vector-ops';
import { INVERSES, SUBSTITUTE, SUBSTITUTE_BACK } from './aes-tables';

/** The constant of the affine map. */
const AFFINE: i8 = 0x63;

/** What bytes of 16 are by a table of SUBSTITUTE's kind; see aes-tables.ts. */
@inline function mapped(x: v128, table: usize): v128 {
  const lowHalf = i8x16.splat(15);
  const split = v128.xor(
    i8x16.swizzle(v128.load(table), v128.and(x, lowHalf)),
    i8x16.swizzle(v128.load(table, 16), i8x16.shr_u(x, 4)),
  );
  const k = v128.and(split, lowHalf);
  const i = i8x16.shr_u(split, 4);
  const j = v128.xor(i, k);
  const inverse = v128.load(INVERSES);
  const overK = i8x16.swizzle(v128.load(INVERSES, 16), k);
  const p = v128.xor(i8x16.swizzle(inverse, v128.xor(i8x16.swizzle(inverse, i), overK)), j);
  const q = v128.xor(i8x16.swizzle(inverse, v128.xor(i8x16.swizzle(inverse, j), overK)), i);
  return v128.xor(i8x16.swizzle(v128.load(table, 32), p), i8x16.swizzle(v128.load(table, 48), q));
}

/** Substitutes each byte. */
export function substitute(x: v128): v128 { return v128.xor(mapped(x, SUBSTITUTE), i8x16.splat(AFFINE)); }
function substituteBack(x: v128): v128 { return mapped(v128.xor(x, i8x16.splat(AFFINE)), SUBSTITUTE_BACK); }

@inline function shiftRows(x: v128): v128 {
  return v128.shuffle<i8>(x, x, 0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11);
}

@inline function inverseShiftRows(x: v128): v128 {
  return v128.shuffle<i8>(x, x, 0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3);
}

/** Doubles each byte in GF(2^8). */
@inline function double(x: v128): v128 {
  return v128.xor(i8x16.add(x, x), v128.and(i8x16.lt_s(x, i64x2.splat(0)), i8x16.splat(0x1b)));
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

/** Every fourth bit: sums of up to fifteen products keep their carries out of the next such bit. */
const FOURTHS: u64 = 0x1111111111111111;

/** Low 64 bits of a product without carries, by products with carries of every fourth bit. */
function carrylessLow(a: u64, b: u64): u64 {
  const a0 = a & FOURTHS;
  const a1 = a & FOURTHS << 1;
  const a2 = a & FOURTHS << 2;
  const a3 = a & FOURTHS << 3;
  const b0 = b & FOURTHS;
  const b1 = b & FOURTHS << 1;
  const b2 = b & FOURTHS << 2;
  const b3 = b & FOURTHS << 3;
  return (
    (a0 * b0 ^ a1 * b3 ^ a2 * b2 ^ a3 * b1) & FOURTHS | (a0 * b1 ^ a1 * b0 ^ a2 * b3 ^ a3 * b2) & FOURTHS << 1 |
    (a0 * b2 ^ a1 * b1 ^ a2 * b0 ^ a3 * b3) & FOURTHS << 2 | (a0 * b3 ^ a1 * b2 ^ a2 * b1 ^ a3 * b0) & FOURTHS << 3
  );
}

function reversed(x: u64): u64 {
  let r = x >> 1 & 0x5555555555555555 | (x & 0x5555555555555555) << 1;
  r = r >> 2 & 0x3333333333333333 | (r & 0x3333333333333333) << 2;
  r = r >> 4 & 0x0f0f0f0f0f0f0f0f | (r & 0x0f0f0f0f0f0f0f0f) << 4;
  return bswap(r);
}

/** 64 by 64 bits without carries: read backwards, the upper half is a lower one too. */
function carrylessProduct(a: u64, b: u64): v128 {
  return i64x2(carrylessLow(a, b), reversed(carrylessLow(reversed(a), reversed(b))) >> 1);
}

/** AES rounds and PCLMULQDQ, by V_*: the interpreter's and compiled code's. */
export function crypto(a: v128, b: v128, op: u32, imm: u32): v128 {
  switch (op) {
    case V_AESENC: return v128.xor(mixColumns(substitute(shiftRows(a))), b);
    case V_AESENCLAST: return v128.xor(substitute(shiftRows(a)), b);
    case V_AESDEC: return v128.xor(inverseMixColumns(substituteBack(inverseShiftRows(a))), b);
    case V_AESDECLAST: return v128.xor(substituteBack(inverseShiftRows(a)), b);
    default: { // PCLMULQDQ
      const x: u64 = imm & 1 ? i64x2.extract_lane(a, 1) : i64x2.extract_lane(a, 0);
      const y: u64 = imm & 16 ? i64x2.extract_lane(b, 1) : i64x2.extract_lane(b, 0);
      return carrylessProduct(x, y);
    }
  }
}
