// FADD, FSUB, FMUL, FDIV, FSQRT on numbers. @sdm 1 8.3.5 "Basic Arithmetic Instructions"
import { OP_VALUE } from '../layout';
import {
  BIAS, DENORMAL, EXP_MASK, INFINITE, INTEGER_BIT, NORMAL, QNAN, ROUND_DOWN, SIGN, ZE, ZERO, classOf, invalid, leadingZeros,
  noteDenormal, oneNan, precision, raise, roundPack, rounding, setResult, signOf, twoNans,
} from './float80';
import { add128, divide128, high, low, multiply64, remainder, shiftLeft, shiftRightJam, subtract128, upperProduct } from './wide';

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
  const root = squareRoot128(n1, n0);
  return roundPack(0, ((exp - BIAS) >> 1) + BIAS, root, load<u64>(OP_VALUE), precision);
}

/**
 * Integer square root of n1:n0, at least 2^126. What stands behind it, so that it is rounded right, is in OP_VALUE: nothing, less
 * than a half, or more.
 */
export function squareRoot128(n1: u64, n0: u64): u64 {
  // a double from 1 on, less than 2: its bits are the guess
  const estimate = max<u64>(reinterpret<u64>(Math.sqrt(f64(i64(n1 >> 1))) * TO_ONE), ONE);
  const guess = estimate << 11 | INTEGER_BIT;
  let low = guess * guess;
  let rest = n1 - upperProduct(guess, guess) - u64(n0 < low);
  low = n0 - low;
  // one step of Newton's method leaves at most a unit or two. The sum's low bits are the integer that is nearest
  const quotient = f64(i64(rest << 48 | low >> 16)) * (PER_STEP / reinterpret<f64>(estimate));
  const step = i64(i32(reinterpret<u64>(quotient + TO_INTEGER)));
  let root = guess + step;
  if (step > 0 && root < guess) root = ~u64(0);
  root = max<u64>(root, INTEGER_BIT);
  low = root * root;
  rest = n1 - upperProduct(root, root) - u64(n0 < low);
  low = n0 - low;
  while (i64(rest) < 0) {
    // twice the smaller root, and one
    root--;
    const more = root << 1 | 1;
    low += more;
    rest += u64(low < more) + 1;
  }
  while (rest > 1 || (rest == 1 && low > root << 1)) {
    const less = root << 1 | 1;
    rest -= u64(low < less) + 1;
    low -= less;
    root++;
  }
  store<u64>(OP_VALUE, (rest | low) == 0 ? 0 : rest != 0 || low > root ? INTEGER_BIT | 1 : 1);
  return root;
}

/** The double 1, and a little less than 2^-30.5, which no root makes 2. */
const ONE: u64 = 0x3ff0000000000000;
const TO_ONE: f64 = 6.58544507982719e-10;
/** 2^-48: a remainder in 2^16 over twice the guess, as one in 2^63. */
const PER_STEP: f64 = 3.552713678800501e-15;
/** 1.5 * 2^52. */
const TO_INTEGER: f64 = 6755399441055744.0;
