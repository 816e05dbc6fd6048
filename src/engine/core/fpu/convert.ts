// Conversions between the extended format and the formats of memory.
import {
  BIAS, DE, DENORMAL, EXP_MASK, IE, INFINITE, INTEGER_BIT, NORMAL, OE, PE, QNAN, QUIET_BIT, ROUND_CHOP, ROUND_DOWN, ROUND_NEAREST,
  SIGN, SNAN, UE, UNSUPPORTED, ZERO, carried, classOf, cut, inexact, leadingZeros, masked, raise, rounding, setResult,
  setRoundedUp, setSourceDenormal, signOf, up,
} from './float80';
import { high, low, shiftRightJam } from './wide';

/** A 32- or 64-bit number, `fractionBits` 23 or 52, as an extended one; signalling NaNs stay so. */
function fromBinary(bits: u64, fractionBits: u32, expMask: u32, bias: i32): u64 {
  const sign = u32(bits >> u64(fractionBits == 23 ? 31 : 63)) << 15;
  const exp = u32(bits >> fractionBits) & expMask;
  const fraction = bits << (64 - fractionBits) >> 1;
  if (exp == expMask) return setResult(sign | EXP_MASK, INTEGER_BIT | fraction);
  if (exp != 0) return setResult(sign | u32(i32(exp) - bias + BIAS), INTEGER_BIT | fraction);
  if (fraction == 0) return setResult(sign, 0);
  setSourceDenormal();
  const zeros = leadingZeros(fraction);
  return setResult(sign | u32(1 - bias + BIAS - zeros), fraction << zeros);
}

export function fromF32(bits: u32): u64 { return fromBinary(bits, 23, 0xff, 127); }
export function fromF64(bits: u64): u64 { return fromBinary(bits, 52, 0x7ff, 1023); }

/** A signed integer as a number; always exact. */
export function fromInteger(value: i64): u64 {
  if (value == 0) return setResult(0, 0);
  const magnitude = value < 0 ? u64(-value) : u64(value);
  const zeros = leadingZeros(magnitude);
  return setResult((value < 0 ? SIGN : 0) | u32(BIAS + 63 - zeros), magnitude << zeros);
}

/**
 * An extended number in a memory format. Overflow and underflow that are not masked leave nothing to store: the
 * result is then without meaning. @sdm 1 8.5.4 "Numeric Overflow Exception (#O)"
 */
function toBinary(se: u32, sig: u64, bits: u32, expMask: u32, bias: i32): u64 {
  const kind = classOf(se, sig);
  const sign = u64(signOf(se)) << (bits == 24 ? 31 : 63);
  const fractionBits = bits - 1;
  const infinity = u64(expMask) << fractionBits;
  if (kind == UNSUPPORTED) {
    raise(IE);
    return u64(1) << (bits == 24 ? 31 : 63) | infinity | u64(1) << (fractionBits - 1);
  }
  if (kind >= QNAN) {
    if (kind == SNAN) raise(IE);
    return sign | infinity | (sig | QUIET_BIT) << 1 >> (64 - fractionBits);
  }
  if (kind == INFINITE) return sign | infinity;
  if (kind == ZERO) return sign;
  const zeros = leadingZeros(sig);
  const m = sig << zeros;
  const exp = (kind == DENORMAL ? 1 : i32(se & EXP_MASK)) - zeros - BIAS + bias;
  return sign | packBinary(signOf(se), exp, m, bits, expMask);
}

function packBinary(sign: u32, exp: i32, m: u64, bits: u32, expMask: u32): u64 {
  const fractionBits = bits - 1;
  let rounded = cut(sign, m, 0, bits);
  let e = exp;
  if (carried) {
    rounded = INTEGER_BIT;
    e++;
  }
  if (e >= i32(expMask)) {
    raise(OE);
    if (!masked(OE)) return 0;
    raise(PE);
    const away = rounding == ROUND_NEAREST || (rounding != ROUND_CHOP && (sign != 0) == (rounding == ROUND_DOWN));
    setRoundedUp(away);
    return (u64(expMask) << fractionBits) - u64(!away);
  }
  if (e <= 0) {
    if (!masked(UE)) {
      raise(UE);
      return 0;
    }
    shiftRightJam(m, 0, u32(1 - exp));
    rounded = cut(sign, high, low, bits);
    if (inexact) raise(UE | PE);
    setRoundedUp(up);
    // a significand that grew to a normal one carries into the exponent by itself
    return rounded >> (64 - bits);
  }
  if (inexact) raise(PE);
  setRoundedUp(up);
  return (u64(e - 1) << fractionBits) + (rounded >> (64 - bits));
}

export function toF32(se: u32, sig: u64): u32 { return u32(toBinary(se, sig, 24, 0xff, 127)); }
export function toF64(se: u32, sig: u64): u64 { return toBinary(se, sig, 53, 0x7ff, 1023); }

/** Was the last toInteger() or toBcd() within range? */
export let inRange: bool = true;

/**
 * Magnitude of a number rounded to an integer by `mode`; `limit`: the largest one allowed. inRange is false
 * for NaNs and what is larger; IE is raised then, otherwise PE when inexact.
 */
export function magnitudeOf(se: u32, sig: u64, mode: u32, limit: u64): u64 {
  const kind = classOf(se, sig);
  inRange = false;
  if (kind >= INFINITE) {
    raise(IE);
    return 0;
  }
  const below = BIAS + 63 - i32(se & EXP_MASK);
  if (below < 0) {
    raise(IE);
    return 0;
  }
  let whole: u64 = 0;
  let fraction: u64 = 0;
  let sticky = false;
  if (below == 0) whole = sig;
  else if (below < 64) {
    whole = sig >> below;
    fraction = sig << (64 - below);
  } else if (below == 64) fraction = sig;
  else if (sig != 0) {
    fraction = 1;
    sticky = true;
  }
  let grow: bool;
  if (mode == ROUND_NEAREST) grow = fraction > INTEGER_BIT || (fraction == INTEGER_BIT && !sticky && (whole & 1) != 0);
  else if (mode == ROUND_CHOP) grow = false;
  else grow = fraction != 0 && ((se & SIGN) != 0) == (mode == ROUND_DOWN);
  if (grow) whole++;
  if (whole > limit || (grow && whole == 0)) {
    raise(IE);
    return 0;
  }
  inRange = true;
  if (fraction != 0) raise(PE);
  setRoundedUp(grow);
  return whole;
}

/** A number as a signed integer of 2, 4 or 8 bytes; the integer indefinite when it does not fit. */
export function toInteger(se: u32, sig: u64, bytes: u32, mode: u32): u64 {
  const least = u64(1) << (bytes * 8 - 1);
  const negative = (se & SIGN) != 0;
  const magnitude = magnitudeOf(se, sig, mode, negative ? least : least - 1);
  if (!inRange) return least;
  return negative ? 0 - magnitude : magnitude;
}

const BCD_LIMIT: u64 = 999999999999999999;

/** Packed decimal: 18 digits from `digits` (9 bytes), sign in the tenth. */
export function fromBcd(p: usize): u64 {
  let value: u64 = 0;
  for (let n: i32 = 8; n >= 0; n--) {
    const pair: u64 = load<u8>(p + usize(n));
    value = value * 100 + (pair >> 4) * 10 + (pair & 15);
  }
  const sign: u32 = load<u8>(p, 9) & 0x80 ? SIGN : 0;
  if (value == 0) return setResult(sign, 0);
  const zeros = leadingZeros(value);
  return setResult(sign | u32(BIAS + 63 - zeros), value << zeros);
}

/** Stores a number as packed decimal, 10 bytes at p; the indefinite when it does not fit. */
export function toBcd(se: u32, sig: u64, p: usize): void {
  let value = magnitudeOf(se, sig, rounding, BCD_LIMIT);
  if (!inRange) {
    store<u64>(p, 0xc000000000000000);
    store<u16>(p, 0xffff, 8);
    return;
  }
  for (let n: usize = 0; n < 9; n++) {
    const pair = value % 100;
    value /= 100;
    store<u8>(p + n, u8(pair / 10 << 4 | pair % 10));
  }
  store<u8>(p, u8(se >> 8 & 0x80), 9);
}
