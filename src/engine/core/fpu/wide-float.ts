// Floating point with 128-bit significands for the transcendental functions: results in `fSign`, `fExp`,
// `fHi`, `fLo`. A value is fHi:fLo * 2^(fExp - 127), bit 63 of fHi set; zero has fHi 0. Results are cut off,
// not rounded: each operation costs at most a few units of 2^-127.
import { add128, high, less128, low, multiply64, shiftLeft, shiftRightJam, subtract128 } from './wide';

export let fSign: u32 = 0;
export let fExp: i32 = 0;
export let fHi: u64 = 0;
export let fLo: u64 = 0;

export function setFloat(sign: u32, exp: i32, hi: u64, lo: u64): void {
  fSign = sign;
  fExp = exp;
  fHi = hi;
  fLo = lo;
}

/** Makes hi:lo * 2^(exp - 127) the result, normalised. */
export function normalize(sign: u32, exp: i32, hi: u64, lo: u64): void {
  if ((hi | lo) == 0) {
    setFloat(sign, 0, 0, 0);
    return;
  }
  const zeros = hi != 0 ? i32(clz<u64>(hi)) : 64 + i32(clz<u64>(lo));
  shiftLeft(hi, lo, u32(zeros));
  setFloat(sign, exp - zeros, high, low);
}

/** Upper 128 bits of the product of two 128-bit numbers, in `high` and `low` of wide.ts. */
export function multiplyHigh(ah: u64, al: u64, bh: u64, bl: u64): void {
  multiply64(al, bl);
  const carry0 = high;
  multiply64(ah, bl);
  const h1 = high;
  const l1 = low;
  multiply64(al, bh);
  const h2 = high;
  const l2 = low;
  multiply64(ah, bh);
  const h3 = high;
  const l3 = low;
  // the two middle words, with what they carry
  let middle = carry0 + l1;
  let carry = u64(middle < l1);
  middle += l2;
  carry += u64(middle < l2);
  add128(h3, l3, 0, h1);
  add128(high, low, 0, h2);
  add128(high, low, 0, carry);
}

/** The result times b. */
export function times(sign: u32, exp: i32, hi: u64, lo: u64): void {
  if (fHi == 0 || hi == 0) {
    setFloat(fSign ^ sign, 0, 0, 0);
    return;
  }
  multiplyHigh(fHi, fLo, hi, lo);
  const product = fExp + exp + 1;
  if (high >> 63) setFloat(fSign ^ sign, product, high, low);
  else setFloat(fSign ^ sign, product - 1, high << 1 | low >> 63, low << 1);
}

/** The result plus b. */
export function plus(sign: u32, exp: i32, hi: u64, lo: u64): void {
  if (hi == 0) return;
  if (fHi == 0) {
    setFloat(sign, exp, hi, lo);
    return;
  }
  let s = fSign;
  let e = fExp;
  let ah = fHi;
  let al = fLo;
  let bh = hi;
  let bl = lo;
  if (exp > e || (exp == e && less128(ah, al, bh, bl))) {
    ah = hi;
    al = lo;
    bh = fHi;
    bl = fLo;
    const distance = exp - e;
    e = exp;
    s = sign;
    shiftRightJam(bh, bl, u32(distance));
  } else shiftRightJam(bh, bl, u32(e - exp));
  if (fSign == sign) {
    if (add128(ah, al, high, low)) setFloat(s, e + 1, <u64>1 << 63 | high >> 1, high << 63 | low >> 1);
    else setFloat(s, e, high, low);
  } else {
    subtract128(ah, al, high, low);
    normalize(s, e, high, low);
  }
}

/** The result divided by b, bit by bit: 128 significant bits. */
export function over(sign: u32, exp: i32, hi: u64, lo: u64): void {
  if (fHi == 0) {
    setFloat(fSign ^ sign, 0, 0, 0);
    return;
  }
  let e = fExp - exp;
  let rh = fHi;
  let rl = fLo;
  let carry = false;
  if (less128(rh, rl, hi, lo)) {
    e--;
    carry = rh >> 63 != 0;
    rh = rh << 1 | rl >> 63;
    rl <<= 1;
  }
  let qh: u64 = 0;
  let ql: u64 = 0;
  for (let n = 0; n < 128; n++) {
    qh = qh << 1 | ql >> 63;
    ql <<= 1;
    if (carry || !less128(rh, rl, hi, lo)) {
      subtract128(rh, rl, hi, lo);
      rh = high;
      rl = low;
      ql |= 1;
    }
    carry = rh >> 63 != 0;
    rh = rh << 1 | rl >> 63;
    rl <<= 1;
  }
  setFloat(fSign ^ sign, e, qh, ql);
}

/** hi:lo divided by a small number, in `high` and `low`. */
export function divideSmall(hi: u64, lo: u64, by: u64): void {
  const a = hi >> 32;
  const q3 = a / by;
  const b = a - q3 * by << 32 | hi & 0xffffffff;
  const q2 = b / by;
  const c = b - q2 * by << 32 | lo >> 32;
  const q1 = c / by;
  const d = c - q1 * by << 32 | lo & 0xffffffff;
  setWide(q3 << 32 | q2, q1 << 32 | d / by);
}

function setWide(hi: u64, lo: u64): void { add128(hi, lo, 0, 0); }

/** Magnitude of the result, below 1, as a fraction of 2^128, in `high` and `low`. */
export function asFraction(): void {
  if (fHi == 0 || fExp < -128) setWide(0, 0);
  else shiftRightJam(fHi, fLo, u32(-1 - fExp));
}
