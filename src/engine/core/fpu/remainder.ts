// FPREM, FPREM1, FSCALE, FXTRACT and FRNDINT on numbers.
import {
  BIAS, DENORMAL, EXP_MASK, INDEFINITE, INDEFINITE_SE, INFINITE, INTEGER_BIT, NORMAL, PE, QNAN, QUIET_BIT, ROUND_CHOP, ROUND_DOWN,
  ROUND_NEAREST, SIGN, UNSUPPORTED, ZE, ZERO, classOf, invalid, leadingZeros, masked, noteDenormal, oneNan, raise, roundPack, rounding,
  setResult, setRoundedUp, signOf, twoNans,
} from './float80';
import { divide128, remainder } from './wide';

/** Low bits of the quotient of the last remainderOf(), whether the reduction is only partial, and whether there is one at all. */
export let quotient: u64 = 0;
export let partial: bool = false;
export let divided: bool = false;

@inline function exponent(se: u32): i32 {
  const exp = se & EXP_MASK;
  return exp == 0 ? 1 : i32(exp);
}

/** Remainder of a by b; `nearest`: of the quotient rounded to nearest (FPREM1). @sdm 2A "FPREM", "FPREM1" */
export function remainderOf(aSe: u32, aSig: u64, bSe: u32, bSig: u64, nearest: bool): u64 {
  const a = classOf(aSe, aSig);
  const b = classOf(bSe, bSig);
  quotient = 0;
  partial = false;
  divided = false;
  if (a >= QNAN || b >= QNAN) return twoNans(aSe, aSig, a, bSe, bSig, b);
  if (a == INFINITE || b == ZERO) return invalid();
  noteDenormal(a, b);
  divided = true;
  if (a == ZERO) return setResult(aSe, aSig);
  const az = leadingZeros(aSig);
  const aExp = exponent(aSe) - az;
  const m = aSig << az;
  let sign = signOf(aSe);
  if (b == INFINITE) return roundPack(sign, aExp, m, 0, 64);
  const bz = leadingZeros(bSig);
  const bExp = exponent(bSe) - bz;
  const d = bSig << bz;
  const distance = aExp - bExp;
  if (distance < -1 || (distance < 0 && !nearest)) return roundPack(sign, aExp, m, 0, 64);
  let rest: u64;
  let exp = bExp;
  if (distance < 0) {
    // half of b or more, less than b
    if (m <= d) return roundPack(sign, aExp, m, 0, 64);
    quotient = 1;
    // 2 d - m, less than d
    return finishRemainder(sign ^ 1, bExp - 1, d - (m - d));
  }
  let shift = u32(distance);
  if (distance >= 64) {
    partial = true;
    shift = (u32(distance) & 31) | 32;
    exp = aExp - i32(shift);
  }
  if (shift == 0) {
    quotient = u64(m >= d);
    rest = m >= d ? m - d : m;
  } else {
    quotient = divide128(m >> (64 - shift), m << shift, d);
    rest = remainder;
  }
  if (nearest && !partial) {
    const left = d - rest;
    if (rest > left || (rest == left && quotient & 1)) {
      rest = left;
      sign ^= 1;
      quotient++;
    }
  }
  return finishRemainder(sign, exp, rest);
}

function finishRemainder(sign: u32, exp: i32, rest: u64): u64 {
  if (rest == 0) return setResult(sign << 15, 0);
  const zeros = leadingZeros(rest);
  return roundPack(sign, exp - zeros, rest << zeros, 0, 64);
}

/** a times 2 to the power of b cut to an integer. @sdm 2A "FSCALE" */
export function scale(aSe: u32, aSig: u64, bSe: u32, bSig: u64): u64 {
  const a = classOf(aSe, aSig);
  const b = classOf(bSe, bSig);
  if (a >= QNAN || b >= QNAN) return twoNans(aSe, aSig, a, bSe, bSig, b);
  const down = (bSe & SIGN) != 0;
  if (b == INFINITE) {
    if (down ? a == INFINITE : a == ZERO) return invalid();
    noteDenormal(a, b);
    if (down) return setResult(aSe & SIGN, 0);
    return setResult(aSe & SIGN | EXP_MASK, INTEGER_BIT);
  }
  noteDenormal(a, b);
  if (a == ZERO || a == INFINITE) return setResult(aSe, aSig);
  const bExp = i32(bSe & EXP_MASK) - BIAS;
  let power: i32 = 0;
  if (bExp >= 16) power = 0x10000;
  else if (bExp >= 0) power = i32(bSig >> u64(63 - bExp));
  const zeros = leadingZeros(aSig);
  return roundPack(signOf(aSe), exponent(aSe) - zeros + (down ? -power : power), aSig << zeros, 0, 64);
}

/** Significand of the last extract(): its upper bits. */
export let significandSe: u32 = 0;
export let significand: u64 = 0;

/** Splits a number: answers its exponent as a number, leaves its significand. @sdm 2A "FXTRACT" */
export function extract(se: u32, sig: u64): u64 {
  const kind = classOf(se, sig);
  if (kind >= QNAN) {
    const result = oneNan(se, sig, kind);
    significandSe = kind == UNSUPPORTED ? INDEFINITE_SE : se;
    significand = kind == UNSUPPORTED ? INDEFINITE : sig | QUIET_BIT;
    return result;
  }
  significandSe = se;
  significand = sig;
  if (kind == INFINITE) return setResult(EXP_MASK, INTEGER_BIT);
  if (kind == ZERO) {
    raise(ZE);
    return setResult(SIGN | EXP_MASK, INTEGER_BIT);
  }
  noteDenormal(kind, NORMAL);
  const zeros = leadingZeros(sig);
  significandSe = se & SIGN | BIAS;
  significand = sig << zeros;
  const power = exponent(se) - zeros - BIAS;
  return fromSmall(power);
}

/** A small integer as a number. */
export function fromSmall(value: i32): u64 {
  if (value == 0) return setResult(0, 0);
  const magnitude = u64(value < 0 ? -i64(value) : i64(value));
  const zeros = leadingZeros(magnitude);
  return setResult((value < 0 ? SIGN : 0) | u32(BIAS + 63 - zeros), magnitude << zeros);
}

/** Rounds to an integral value. @sdm 2A "FRNDINT" */
export function roundToIntegral(se: u32, sig: u64): u64 {
  const kind = classOf(se, sig);
  if (kind >= QNAN) return oneNan(se, sig, kind);
  if (kind == INFINITE || kind == ZERO) return setResult(se, sig);
  noteDenormal(kind, NORMAL);
  const exp = i32(se & EXP_MASK);
  if (exp >= BIAS + 63) return setResult(se, sig);
  raiseInexactBelow(se, sig, exp);
  return integralOf(se, sig, exp);
}

function raiseInexactBelow(se: u32, sig: u64, exp: i32): void {
  const below = BIAS + 63 - exp;
  if (below >= 64 || sig << (64 - below) != 0) raise(PE);
}

function integralOf(se: u32, sig: u64, exp: i32): u64 {
  const sign = se & SIGN;
  const below = BIAS + 63 - exp;
  // the integral part, the part below as a fraction of 2^64, and whether that is exact
  let whole: u64 = 0;
  let fraction: u64 = 0;
  let sticky = false;
  if (below < 64) {
    whole = sig >> below;
    fraction = sig << (64 - below);
  } else if (below == 64) fraction = sig;
  else {
    fraction = 1;
    sticky = true;
  }
  let grow: bool;
  if (rounding == ROUND_NEAREST) grow = fraction > INTEGER_BIT || (fraction == INTEGER_BIT && !sticky && (whole & 1) != 0);
  else if (rounding == ROUND_CHOP) grow = false;
  else grow = fraction != 0 && (sign != 0) == (rounding == ROUND_DOWN);
  setRoundedUp(grow);
  if (grow) whole++;
  if (whole == 0) return setResult(sign, 0);
  const zeros = leadingZeros(whole);
  return setResult(sign | u32(BIAS + 63 - zeros), whole << zeros);
}
