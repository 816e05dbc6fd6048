// FADD, FSUB, FMUL, FDIV, FSQRT on numbers. @sdm 1 8.3.5 "Basic Arithmetic Instructions"
import {
  BIAS, DENORMAL, EXP_MASK, INFINITE, INTEGER_BIT, NORMAL, QNAN, ROUND_DOWN, SIGN, ZE, ZERO, classOf, invalid, leadingZeros,
  noteDenormal, oneNan, precision, raise, roundPack, rounding, setResult, signOf, twoNans,
} from './float80';
import { add128, divide128, high, low, multiply64, remainder, shiftLeft, shiftRightJam, subtract128 } from './wide';

/** Exponent of a finite number, that of denormals being 1. */
@inline function exponent(se: u32): i32 {
  const exp = se & EXP_MASK;
  return exp == 0 ? 1 : i32(exp);
}

/** a plus b. */
export function add(aSe: u32, aSig: u64, bSe: u32, bSig: u64): u64 {
  const a = classOf(aSe, aSig);
  const b = classOf(bSe, bSig);
  if (a >= QNAN || b >= QNAN) return twoNans(aSe, aSig, a, bSe, bSig, b);
  if (a == INFINITE || b == INFINITE) {
    if (a == b && (aSe ^ bSe) & SIGN) return invalid();
    noteDenormal(a, b);
    return a == INFINITE ? setResult(aSe, aSig) : setResult(bSe, bSig);
  }
  noteDenormal(a, b);
  return addFinite(aSe, aSig, bSe, bSig);
}

/** Sign of an exact zero sum. */
@inline function zeroSign(): u32 { return rounding == ROUND_DOWN ? SIGN : 0; }

function addFinite(aSe: u32, aSig: u64, bSe: u32, bSig: u64): u64 {
  let exp = exponent(aSe);
  const other = exponent(bSe);
  let ah = aSig;
  let al: u64 = 0;
  let bh = bSig;
  let bl: u64 = 0;
  if (exp >= other) {
    shiftRightJam(bSig, 0, u32(exp - other));
    bh = high;
    bl = low;
  } else {
    shiftRightJam(aSig, 0, u32(other - exp));
    ah = high;
    al = low;
    exp = other;
  }
  let sign = signOf(aSe);
  if (!((aSe ^ bSe) & SIGN)) {
    if ((ah | al | bh | bl) == 0) return setResult(aSe & SIGN, 0);
    if (add128(ah, al, bh, bl)) {
      const lost = low & 1;
      return roundPack(sign, exp + 1, INTEGER_BIT | high >> 1, high << 63 | low >> 1 | lost, precision);
    }
  } else {
    if (ah < bh || (ah == bh && al < bl)) {
      subtract128(bh, bl, ah, al);
      sign ^= 1;
    } else subtract128(ah, al, bh, bl);
    if ((high | low) == 0) return setResult(zeroSign(), 0);
  }
  return normalizePack(sign, exp, high, low);
}

/** Normalises hi:lo, not 0, and rounds it to the precision in force. */
function normalizePack(sign: u32, exp: i32, hi: u64, lo: u64): u64 {
  const zeros = hi != 0 ? leadingZeros(hi) : 64 + leadingZeros(lo);
  shiftLeft(hi, lo, u32(zeros));
  return roundPack(sign, exp - zeros, high, low, precision);
}

/** a minus b; a NaN keeps its sign. */
export function subtract(aSe: u32, aSig: u64, bSe: u32, bSig: u64): u64 {
  return add(aSe, aSig, classOf(bSe, bSig) >= QNAN ? bSe : bSe ^ SIGN, bSig);
}

/** a times b. */
export function multiply(aSe: u32, aSig: u64, bSe: u32, bSig: u64): u64 {
  const a = classOf(aSe, aSig);
  const b = classOf(bSe, bSig);
  if (a >= QNAN || b >= QNAN) return twoNans(aSe, aSig, a, bSe, bSig, b);
  const sign = signOf(aSe ^ bSe);
  if (a == INFINITE || b == INFINITE) {
    if (a == ZERO || b == ZERO) return invalid();
    noteDenormal(a, b);
    return setResult(sign << 15 | EXP_MASK, INTEGER_BIT);
  }
  noteDenormal(a, b);
  if (a == ZERO || b == ZERO) return setResult(sign << 15, 0);
  const az = leadingZeros(aSig);
  const bz = leadingZeros(bSig);
  const exp = exponent(aSe) - az + exponent(bSe) - bz - (BIAS - 1);
  multiply64(aSig << az, bSig << bz);
  if (high & INTEGER_BIT) return roundPack(sign, exp, high, low, precision);
  return roundPack(sign, exp - 1, high << 1 | low >> 63, low << 1, precision);
}

/** a divided by b. */
export function divide(aSe: u32, aSig: u64, bSe: u32, bSig: u64): u64 {
  const a = classOf(aSe, aSig);
  const b = classOf(bSe, bSig);
  if (a >= QNAN || b >= QNAN) return twoNans(aSe, aSig, a, bSe, bSig, b);
  const sign = signOf(aSe ^ bSe);
  if (a == INFINITE) {
    if (b == INFINITE) return invalid();
    noteDenormal(a, b);
    return setResult(sign << 15 | EXP_MASK, INTEGER_BIT);
  }
  if (b == ZERO) {
    if (a == ZERO) return invalid();
    raise(ZE);
    return setResult(sign << 15 | EXP_MASK, INTEGER_BIT);
  }
  noteDenormal(a, b);
  if (a == ZERO || b == INFINITE) return setResult(sign << 15, 0);
  const az = leadingZeros(aSig);
  const bz = leadingZeros(bSig);
  let exp = exponent(aSe) - az - (exponent(bSe) - bz) + BIAS;
  let n1 = aSig << az;
  let n0: u64 = 0;
  const d = bSig << bz;
  if (n1 >= d) {
    n0 = n1 << 63;
    n1 >>= 1;
  } else exp--;
  const hi = divide128(n1, n0, d);
  const lo = divide128(remainder, 0, d);
  return roundPack(sign, exp, hi, lo | u64(remainder != 0), precision);
}

/** Square root. @sdm 2A "FSQRT" */
export function squareRoot(se: u32, sig: u64): u64 {
  const kind = classOf(se, sig);
  if (kind >= QNAN) return oneNan(se, sig, kind);
  if (kind == ZERO) return setResult(se, sig);
  if (se & SIGN) return invalid();
  noteDenormal(kind, NORMAL);
  if (kind == INFINITE) return setResult(se, sig);
  const zeros = leadingZeros(sig);
  const exp = exponent(se) - zeros;
  const m = sig << zeros;
  // an even power of two is left outside: 0.5 <= root < 1
  const odd = (exp - BIAS) & 1;
  const n1 = odd ? m : m >> 1;
  const n0 = odd ? 0 : m << 63;
  const root = root128(n1, n0);
  multiply64(root, root);
  subtract128(n1, n0, high, low);
  const rest: u64 = (high | low) == 0 ? 0 : high != 0 || low > root ? 0xc000000000000000 : QUARTER;
  return roundPack(0, ((exp - BIAS) >> 1) + BIAS, root, rest, precision);
}

const QUARTER: u64 = 0x4000000000000000;

/** Integer square root of n1:n0, at least 2^126. */
export function root128(n1: u64, n0: u64): u64 {
  const estimate = Math.sqrt(f64(n1)) * 4294967296.0;
  let s: u64 = estimate >= 18446744073709549568.0 ? ~u64(0) : u64(estimate);
  if (s <= n1) s = n1 + 1 == 0 ? ~u64(0) : n1 + 1;
  if (s < INTEGER_BIT) s = INTEGER_BIT;
  // one step of Newton's method from 52 bits leaves at most a few units
  const q = n1 >= s ? ~u64(0) : divide128(n1, n0, s);
  s = (s >> 1) + (q >> 1) + (s & q & 1);
  for (;;) {
    multiply64(s, s);
    if (high < n1 || (high == n1 && low <= n0)) break;
    s--;
  }
  while (s != ~u64(0)) {
    multiply64(s + 1, s + 1);
    if (high > n1 || (high == n1 && low > n0)) break;
    s++;
  }
  return s;
}
