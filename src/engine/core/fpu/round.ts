// IEEE 754 arithmetic by integers for the formats of SSE: half, single and double precision.
//
// A finite number in hand is sign, exponent and significand: sig / 2^63 * 2^exp with bit 63 of sig set, and
// bit 0 set when anything was cut off below it. roundPack() makes a number of it by the rounding control
// and collects the exceptions. @sdm 1 4.8 "Real Numbers and Floating-Point Formats"

import { FCW_MASKS, MXCSR_DE, MXCSR_IE, MXCSR_OE, MXCSR_PE, MXCSR_UE, MXCSR_ZE } from '../generated/register-bits';

export const IE: u32 = MXCSR_IE;
export const DE: u32 = MXCSR_DE;
export const ZE: u32 = MXCSR_ZE;
export const OE: u32 = MXCSR_OE;
export const UE: u32 = MXCSR_UE;
export const PE: u32 = MXCSR_PE;

export const ROUND_NEAREST: u32 = 0;
export const ROUND_DOWN: u32 = 1;
export const ROUND_UP: u32 = 2;
export const ROUND_ZERO: u32 = 3;

// ---- formats: bits of the fraction ----
export const HALF: u32 = 10;
export const SINGLE: u32 = 23;
export const DOUBLE: u32 = 52;

/** Exceptions of the operations since beginRounding(). */
export let raised: u32 = 0;
let rounding: u32 = ROUND_NEAREST;
let flushToZero: bool = false;
let denormalsAreZero: bool = false;
/** Masked exceptions. */
let masked: u32 = FCW_MASKS;

/** Sets the modes of the operations that follow and clears `raised`. */
export function beginRounding(mode: u32, masks: u32, ftz: bool, daz: bool): void {
  raised = 0;
  rounding = mode;
  masked = masks;
  flushToZero = ftz;
  denormalsAreZero = daz;
}

export function setRounding(mode: u32): void { rounding = mode; }
export function setFlushToZero(on: bool): void { flushToZero = on; }
export function setDenormalsAreZero(on: bool): void { denormalsAreZero = on; }
export function roundingMode(): u32 { return rounding; }
@inline export function raise(bits: u32): void { raised |= bits; }
export function limitRaised(bits: u32): void { raised &= bits; }

@inline function exponentBits(format: u32): u32 { return format == DOUBLE ? 11 : format == SINGLE ? 8 : 5; }
@inline function bias(format: u32): i32 { return format == DOUBLE ? 1023 : format == SINGLE ? 127 : 15; }
@inline export function signBit(format: u32): u64 { return format == DOUBLE ? 1 << 63 : format == SINGLE ? 1 << 31 : 1 << 15; }
@inline export function infinity(format: u32): u64 { return ((u64(1) << exponentBits(format)) - 1) << format; }
@inline export function quietBit(format: u32): u64 { return u64(1) << (format - 1); }
/** The NaN that invalid operations answer: "QNaN floating-point indefinite". */
@inline export function indefinite(format: u32): u64 { return signBit(format) | infinity(format) | quietBit(format); }
@inline export function magnitude(x: u64, format: u32): u64 { return x & (signBit(format) - 1); }
@inline export function isNan(x: u64, format: u32): bool { return magnitude(x, format) > infinity(format); }
@inline export function isSignaling(x: u64, format: u32): bool { return isNan(x, format) && !(x & quietBit(format)); }
@inline export function isInfinite(x: u64, format: u32): bool { return magnitude(x, format) == infinity(format); }
@inline export function isDenormal(x: u64, format: u32): bool {
  const m = magnitude(x, format);
  return m != 0 && m < u64(1) << format;
}

/** With DAZ a denormal is a zero of its sign; otherwise it raises DE. NaNs are seen to before. */
@inline export function settleDenormal(x: u64, format: u32): u64 {
  if (!isDenormal(x, format)) return x;
  if (denormalsAreZero) return x & signBit(format);
  raised |= DE;
  return x;
}

/** Without raising DE. */
@inline export function flushDenormal(x: u64, format: u32): u64 {
  return denormalsAreZero && isDenormal(x, format) ? x & signBit(format) : x;
}

// ---- unpacked: sign 0 or 1, exponent, significand; of a finite number that is not zero ----
let exponent: i32 = 0;
@inline function unpack(x: u64, format: u32): u64 {
  let fraction = x & ((u64(1) << format) - 1);
  const biased = i32((x >> format) & ((u64(1) << exponentBits(format)) - 1));
  if (biased != 0) {
    exponent = biased - bias(format);
    return (fraction | (u64(1) << format)) << (63 - format);
  }
  const zeros = clz<u64>(fraction);
  fraction <<= zeros;
  exponent = 1 - bias(format) + i32(63 - format) - i32(zeros);
  return fraction;
}

/** Shifts right; what falls out leaves bit 0 set. */
@inline export function shiftJam(x: u64, by: u32): u64 {
  if (by == 0) return x;
  if (by > 63) return x != 0 ? 1 : 0;
  return (x >> by) | (x << (64 - by) != 0 ? 1 : 0);
}

/** What is added below the last kept place before the cut. `below`: ones in all places to be cut. */
@inline function increment(sign: u32, below: u64): u64 {
  if (rounding == ROUND_NEAREST) return (below >> 1) + 1;
  if (rounding == ROUND_ZERO) return 0;
  return (rounding == ROUND_UP) == (sign == 0) ? below : 0;
}

/**
 * Rounds to the format and packs. Raises PE, OE, UE; underflow is detected after rounding.
 * @sdm 1 4.9.1.4 "Numeric Overflow Exception (#O)" 4.9.1.5 "Numeric Underflow Exception (#U)"
 */
export function roundPack(sign: u32, exp: i32, sig: u64, format: u32): u64 {
  const cut = 63 - format;
  const below = (u64(1) << cut) - 1;
  const top = sign ? signBit(format) : 0;
  const add = increment(sign, below);
  const emin = 1 - bias(format);
  if (exp < emin) {
    const tiny = exp < emin - 1 || sig + add >= sig;
    if (tiny) {
      if (!(masked & UE)) {
        raised |= UE | (sig & below ? PE : 0);
        return top;
      }
      if (flushToZero) {
        raised |= UE | PE;
        return top;
      }
    }
    const shifted = shiftJam(sig, u32(emin - exp));
    const rest = shifted & below;
    let rounded = shifted + add;
    if (rounding == ROUND_NEAREST && rest == (below >> 1) + 1) rounded &= ~(u64(1) << cut);
    if (rest) raised |= tiny ? UE | PE : PE;
    return top | (rounded >> cut);
  }
  const rest = sig & below;
  let rounded = sig + add;
  if (rounded < sig) {
    // carried out: the kept places are all zero
    rounded = u64(1) << 63;
    exp++;
  } else if (rounding == ROUND_NEAREST && rest == (below >> 1) + 1) rounded &= ~(u64(1) << cut);
  if (exp > bias(format)) {
    raised |= OE | (rest || masked & OE ? PE : 0);
    const toInfinity = rounding == ROUND_NEAREST || (rounding == ROUND_UP && !sign) || (rounding == ROUND_DOWN && sign);
    return top | (toInfinity ? infinity(format) : infinity(format) - 1);
  }
  if (rest) raised |= PE;
  return top | (u64(exp + bias(format)) << format) + ((rounded >> cut) & ((u64(1) << format) - 1));
}

// ---- NaNs: the first source that is one, made quiet. @sdm 1 4.8.3.5 "Operating on SNaNs and QNaNs", table 4-7 ----

/** The answer of an operation with a NaN among a and b. */
export function propagate(a: u64, b: u64, format: u32): u64 {
  if (isSignaling(a, format) || isSignaling(b, format)) raised |= IE;
  return (isNan(a, format) ? a : b) | quietBit(format);
}

@inline function invalid(format: u32): u64 {
  raised |= IE;
  return indefinite(format);
}

/** Upper half of a 64 by 64 bit product. */
@inline function multiplyHigh(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const middle = aHigh * bLow + ((aLow * bLow) >> 32);
  return aHigh * bHigh + (middle >> 32) + (((middle & 0xffffffff) + aLow * bHigh) >> 32);
}

/** Sign of an exact zero sum of opposite numbers. */
@inline function zeroSum(format: u32): u64 { return rounding == ROUND_DOWN ? signBit(format) : 0; }

/** a + b; subtraction turns b's sign over, which NaNs keep: `negate`. */
export function add(first: u64, second: u64, negate: bool, format: u32): u64 {
  if (isNan(first, format) || isNan(second, format)) return propagate(first, second, format);
  const a = settleDenormal(first, format);
  const b = settleDenormal(second, format) ^ (negate ? signBit(format) : 0);
  const opposite = ((a ^ b) & signBit(format)) != 0;
  if (isInfinite(a, format)) return isInfinite(b, format) && opposite ? invalid(format) : a;
  if (isInfinite(b, format)) return b;
  if (magnitude(b, format) == 0) {
    if (magnitude(a, format) == 0) return opposite ? zeroSum(format) : a;
    return repack(a, format);
  }
  if (magnitude(a, format) == 0) return repack(b, format);
  const aSign: u32 = a & signBit(format) ? 1 : 0;
  const bSign: u32 = b & signBit(format) ? 1 : 0;
  let aSig = unpack(a, format);
  const aExp = exponent;
  let bSig = unpack(b, format);
  const bExp = exponent;
  let exp = max(aExp, bExp);
  aSig = shiftJam(aSig >> 1, u32(exp - aExp));
  bSig = shiftJam(bSig >> 1, u32(exp - bExp));
  let sign = aSign;
  let sig: u64;
  if (!opposite) sig = aSig + bSig;
  else {
    if (aSig == bSig) return zeroSum(format);
    if (aSig > bSig) sig = aSig - bSig;
    else {
      sig = bSig - aSig;
      sign = bSign;
    }
  }
  const zeros = clz<u64>(sig);
  return roundPack(sign, exp + 1 - i32(zeros), sig << zeros, format);
}

/** A finite number through rounding: denormals may underflow. */
function repack(x: u64, format: u32): u64 {
  const sig = unpack(x, format);
  return roundPack(x & signBit(format) ? 1 : 0, exponent, sig, format);
}

export function multiply(first: u64, second: u64, format: u32): u64 {
  if (isNan(first, format) || isNan(second, format)) return propagate(first, second, format);
  const a = settleDenormal(first, format);
  const b = settleDenormal(second, format);
  const top = (a ^ b) & signBit(format);
  const zero = magnitude(a, format) == 0 || magnitude(b, format) == 0;
  if (isInfinite(a, format) || isInfinite(b, format)) return zero ? invalid(format) : top | infinity(format);
  if (zero) return top;
  const aSig = unpack(a, format);
  const aExp = exponent;
  const bSig = unpack(b, format);
  let exp = aExp + exponent + 1;
  let sig = multiplyHigh(aSig, bSig);
  let rest = aSig * bSig;
  if (i64(sig) >= 0) {
    sig = (sig << 1) | (rest >> 63);
    rest <<= 1;
    exp--;
  }
  return roundPack(top ? 1 : 0, exp, sig | (rest != 0 ? 1 : 0), format);
}

export function divide(first: u64, second: u64, format: u32): u64 {
  if (isNan(first, format) || isNan(second, format)) return propagate(first, second, format);
  const a = flushDenormal(first, format);
  const b = flushDenormal(second, format);
  const top = (a ^ b) & signBit(format);
  if (isInfinite(a, format)) {
    if (isInfinite(b, format)) return invalid(format);
    settleDenormal(b, format);
    return top | infinity(format);
  }
  if (magnitude(b, format) == 0) {
    if (magnitude(a, format) == 0) return invalid(format);
    raised |= ZE;
    return top | infinity(format);
  }
  settleDenormal(a, format);
  settleDenormal(b, format);
  if (isInfinite(b, format) || magnitude(a, format) == 0) return top;
  let dividend = unpack(a, format) >> 11;
  let exp = exponent;
  const divisor = unpack(b, format) >> 11;
  exp -= exponent;
  if (dividend < divisor) {
    dividend <<= 1;
    exp--;
  }
  // 56 bits of quotient, 11 a step
  let quotient = dividend / divisor;
  let rest = dividend % divisor;
  for (let n = 0; n < 5; n++) {
    rest <<= 11;
    quotient = (quotient << 11) | (rest / divisor);
    rest %= divisor;
  }
  return roundPack(top ? 1 : 0, exp, (quotient << 8) | (rest ? 1 : 0), format);
}

export function squareRoot(x: u64, format: u32): u64 {
  if (isNan(x, format)) return propagate(x, x, format);
  const flushed = flushDenormal(x, format);
  if (magnitude(flushed, format) == 0) return flushed;
  if (flushed & signBit(format)) return invalid(format);
  settleDenormal(flushed, format);
  if (isInfinite(flushed, format)) return flushed;
  const sig = unpack(flushed, format);
  const odd = (exponent & 1) != 0;
  const exp = exponent >> 1;
  // two bits of the radicand and one of the root a step: 32 pairs of the number, 24 of zeros
  let radicand = odd ? sig : sig >> 1;
  let root: u64 = 0;
  let rest: u64 = 0;
  for (let n = 0; n < 56; n++) {
    rest = (rest << 2) | (radicand >> 62);
    radicand <<= 2;
    const trial = (root << 2) | 1;
    root <<= 1;
    if (rest >= trial) {
      rest -= trial;
      root |= 1;
    }
  }
  return roundPack(0, exp, (root << 8) | (rest ? 1 : 0), format);
}

/** A signed integer to a format. */
export function fromInteger(value: i64, format: u32): u64 {
  if (value == 0) return 0;
  const sig = u64(value < 0 ? 0 - value : value);
  const zeros = clz<u64>(sig);
  return roundPack(value < 0 ? 1 : 0, 63 - i32(zeros), sig << zeros, format);
}

/** From one format to another. Half precision neither raises DE nor knows DAZ. */
export function convert(x: u64, from: u32, to: u32): u64 {
  const top: u64 = x & signBit(from) ? signBit(to) : 0;
  if (isNan(x, from)) {
    if (isSignaling(x, from)) raised |= IE;
    const fraction = x & ((u64(1) << from) - 1);
    return top | infinity(to) | quietBit(to) | (to > from ? fraction << (to - from) : fraction >> (from - to));
  }
  const value = from == HALF ? x : settleDenormal(x, from);
  if (isInfinite(value, from)) return top | infinity(to);
  if (magnitude(value, from) == 0) return top;
  const sig = unpack(value, from);
  return roundPack(top ? 1 : 0, exponent, sig, to);
}

// ---- fused multiply-add ----

/**
 * a * b + c with one rounding; NaNs go in the order a, b, c of the arguments. `negateProduct` and `negateAddend`
 * turn signs over, which NaNs keep.
 */
export function fusedMultiplyAdd(a0: u64, b0: u64, c0: u64, negateProduct: bool, negateAddend: bool, format: u32): u64 {
  if (isNan(a0, format) || isNan(b0, format) || isNan(c0, format)) {
    if (isSignaling(a0, format) || isSignaling(b0, format) || isSignaling(c0, format)) raised |= IE;
    return (isNan(a0, format) ? a0 : isNan(b0, format) ? b0 : c0) | quietBit(format);
  }
  const a = flushDenormal(a0, format);
  const b = flushDenormal(b0, format);
  const sign = signBit(format);
  const productTop = ((a ^ b) & sign) ^ (negateProduct ? sign : 0);
  const zeroProduct = magnitude(a, format) == 0 || magnitude(b, format) == 0;
  const infiniteProduct = isInfinite(a, format) || isInfinite(b, format);
  const c = flushDenormal(c0, format) ^ (negateAddend ? sign : 0);
  const opposite = ((productTop ^ c) & sign) != 0;
  if (infiniteProduct && (zeroProduct || (isInfinite(c, format) && opposite))) return invalid(format);
  settleDenormal(a, format);
  settleDenormal(b, format);
  settleDenormal(c, format);
  if (infiniteProduct) return productTop | infinity(format);
  if (isInfinite(c, format)) return c;
  if (zeroProduct) {
    if (magnitude(c, format) == 0) return opposite ? zeroSum(format) : c;
    return repack(c, format);
  }
  const aSig = unpack(a, format);
  let exp = exponent;
  const bSig = unpack(b, format);
  exp += exponent + 1;
  let high = multiplyHigh(aSig, bSig);
  let low = aSig * bSig;
  if (i64(high) >= 0) {
    high = (high << 1) | (low >> 63);
    low <<= 1;
    exp--;
  }
  const productSign: u32 = productTop ? 1 : 0;
  if (magnitude(c, format) == 0) return roundPack(productSign, exp, high | (low ? 1 : 0), format);
  const cSig = unpack(c, format);
  return addWide(productSign, exp, high, low, c & sign ? 1 : 0, exponent, cSig, format);
}

/** (high:low) * 2^exp plus sig * 2^cExp, one place of headroom, what falls out in `sticky`. */
function addWide(sign: u32, exp0: i32, high0: u64, low0: u64, cSign: u32, cExp: i32, cSig: u64, format: u32): u64 {
  let high = high0 >> 1;
  let low = (low0 >> 1) | (high0 << 63);
  // the product's lowest bits are zeros: nothing is lost
  let cHigh = cSig >> 1;
  let cLow = cSig << 63;
  let exp = exp0;
  let sticky = false;
  if (cExp > exp) {
    const by = u32(cExp - exp);
    sticky = lost(high, low, by);
    const shifted = shiftedLow(high, low, by);
    high = shiftedHigh(high, by);
    low = shifted;
    exp = cExp;
  } else if (cExp < exp) {
    const by = u32(exp - cExp);
    sticky = lost(cHigh, cLow, by);
    const shifted = shiftedLow(cHigh, cLow, by);
    cHigh = shiftedHigh(cHigh, by);
    cLow = shifted;
  }
  let resultSign = sign;
  if (sign == cSign) {
    const sum = low + cLow;
    high += cHigh + (sum < low ? 1 : 0);
    low = sum;
  } else {
    // the smaller is the one that was cut: a bit more than its kept part is taken away
    const less = high < cHigh || (high == cHigh && low < cLow);
    const borrowed: u64 = sticky ? 1 : 0;
    if (less) {
      const difference = cLow - low;
      high = cHigh - high - (cLow < low ? 1 : 0);
      low = difference;
      resultSign = cSign;
    } else {
      const difference = low - cLow;
      high = high - cHigh - (low < cLow ? 1 : 0);
      low = difference;
    }
    if (borrowed) {
      high -= low == 0 ? 1 : 0;
      low -= 1;
    } else if (high == 0 && low == 0) return zeroSum(format);
  }
  if (high == 0) {
    high = low;
    low = 0;
    exp -= 64;
  }
  const zeros = clz<u64>(high);
  if (zeros) {
    high = (high << zeros) | (low >> (64 - zeros));
    low <<= zeros;
  }
  return roundPack(resultSign, exp + 1 - i32(zeros), high | (low != 0 || sticky ? 1 : 0), format);
}

@inline function shiftedHigh(high: u64, by: u32): u64 { return by < 64 ? high >> by : 0; }
@inline function shiftedLow(high: u64, low: u64, by: u32): u64 {
  if (by < 64) return by == 0 ? low : (low >> by) | (high << (64 - by));
  return by < 128 ? high >> (by - 64) : 0;
}
@inline function lost(high: u64, low: u64, by: u32): bool {
  if (by == 0) return false;
  if (by < 64) return low << (64 - by) != 0;
  if (by == 64) return low != 0;
  return by < 128 ? low != 0 || high << (128 - by) != 0 : true;
}
