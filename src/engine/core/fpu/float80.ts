// Double extended-precision numbers: classes, NaNs, exceptions and rounding.
//
// A number travels as its upper 16 bits (sign and exponent, `se`) and its 64-bit significand: functions
// answer the significand and leave the upper bits in `resultSe`. @sdm 1 8.2 "x87 FPU Data Types"
import { X87_FCW } from '../layout';
import {
  FSW_DE, FSW_IE, FSW_OE, FSW_PE, FSW_SF, FSW_UE, FSW_ZE,
} from '../generated/register-bits';
import { high, low, shiftRightJam } from './wide';

export const IE: u32 = FSW_IE;
export const DE: u32 = FSW_DE;
export const ZE: u32 = FSW_ZE;
export const OE: u32 = FSW_OE;
export const UE: u32 = FSW_UE;
export const PE: u32 = FSW_PE;
export const SF: u32 = FSW_SF;

export const EXP_MASK: u32 = 0x7fff;
export const SIGN: u32 = 0x8000;
export const BIAS = 0x3fff;
export const INTEGER_BIT: u64 = 0x8000000000000000;
export const QUIET_BIT: u64 = 0x4000000000000000;
/** The real indefinite: ffff c000000000000000. */
export const INDEFINITE_SE: u32 = 0xffff;
export const INDEFINITE: u64 = 0xc000000000000000;
/** What unmasked overflow and underflow take from or add to the exponent. @sdm 1 8.5.4 "Numeric Overflow Exception (#O)" */
const WRAP = 24576;

export const ROUND_NEAREST: u32 = 0;
export const ROUND_DOWN: u32 = 1;
export const ROUND_UP: u32 = 2;
export const ROUND_CHOP: u32 = 3;

export const ZERO: u32 = 0;
export const DENORMAL: u32 = 1;
export const NORMAL: u32 = 2;
export const INFINITE: u32 = 3;
export const QNAN: u32 = 4;
export const SNAN: u32 = 5;
export const UNSUPPORTED: u32 = 6;

/** Sign and exponent of the last result. */
export let resultSe: u32 = 0;
/** IE to SF as the running instruction has met them. */
export let raised: u32 = 0;
/** C1 of an inexact result: the significand was rounded up. */
export let roundedUp: bool = false;
/** Rounding control, and significand bits by precision control. */
export let rounding: u32 = 0;
export let precision: u32 = 64;
/** A memory operand was a denormal of its own format. */
export let sourceDenormal: bool = false;

/** Starts an instruction's arithmetic with the modes of FCW. */
export function startArithmetic(): void {
  const control: u32 = load<u16>(X87_FCW);
  rounding = control >> 10 & 3;
  const field = control >> 8 & 3;
  precision = field == 0 ? 24 : field == 2 ? 53 : 64;
  raised = 0;
  roundedUp = false;
  sourceDenormal = false;
}

@inline export function raise(flags: u32): void { raised |= flags; }
@inline export function setResult(se: u32, sig: u64): u64 {
  resultSe = se;
  return sig;
}
export function setSourceDenormal(): void { sourceDenormal = true; }
export function setRoundedUp(up: bool): void { roundedUp = up; }
export function setRounding(mode: u32): void { rounding = mode; }
/** Is the exception masked by FCW? */
@inline export function masked(flag: u32): bool { return (load<u16>(X87_FCW) & flag) != 0; }

export function classOf(se: u32, sig: u64): u32 {
  const exp = se & EXP_MASK;
  if (exp == 0) return sig == 0 ? ZERO : DENORMAL;
  if (!(sig & INTEGER_BIT)) return UNSUPPORTED;
  if (exp != EXP_MASK) return NORMAL;
  if (sig << 1 == 0) return INFINITE;
  return sig & QUIET_BIT ? QNAN : SNAN;
}

/** Invalid operation with the indefinite as its masked result. */
export function invalid(): u64 {
  raised |= IE;
  resultSe = INDEFINITE_SE;
  return INDEFINITE;
}

/** DE when one of the classes is a denormal. */
@inline export function noteDenormal(a: u32, b: u32): void {
  if (a == DENORMAL || b == DENORMAL || sourceDenormal) raised |= DE;
}

/** Result of an operation on one NaN or unsupported number. */
export function oneNan(se: u32, sig: u64, kind: u32): u64 {
  if (kind == UNSUPPORTED) return invalid();
  if (kind == SNAN) raised |= IE;
  return setResult(se, sig | QUIET_BIT);
}

/**
 * Result of an operation on two numbers of which at least one is a NaN or unsupported.
 * @sdm 1 4.8.3.5 "Operating on SNaNs and QNaNs", table 4-7
 */
export function twoNans(aSe: u32, aSig: u64, a: u32, bSe: u32, bSig: u64, b: u32): u64 {
  if (a == UNSUPPORTED || b == UNSUPPORTED) return invalid();
  if (a == SNAN || b == SNAN) raised |= IE;
  if (b < QNAN) return setResult(aSe, aSig | QUIET_BIT);
  if (a < QNAN) return setResult(bSe, bSig | QUIET_BIT);
  if (a != b) return a == QNAN ? setResult(aSe, aSig) : setResult(bSe, bSig);
  const first = aSig == bSig ? aSe < bSe : aSig > bSig;
  return first ? setResult(aSe, aSig | QUIET_BIT) : setResult(bSe, bSig | QUIET_BIT);
}

// ---- rounding ----

/** Of the last cut(): anything lost, rounded away from zero, carried out of bit 63. */
export let inexact: bool = false;
export let up: bool = false;
export let carried: bool = false;

/** Rounds hi:lo to `bits` bits counted from bit 63 of hi; answers the significand (0 when it carried out). */
export function cut(sign: u32, hi: u64, lo: u64, bits: u32): u64 {
  const drop = 64 - bits;
  let sig: u64;
  let unit: u64;
  let above: bool;
  let tie: bool;
  if (drop == 0) {
    sig = hi;
    unit = 1;
    inexact = lo != 0;
    above = lo > INTEGER_BIT;
    tie = lo == INTEGER_BIT;
  } else {
    unit = u64(1) << drop;
    const rest = hi & (unit - 1);
    const half = unit >> 1;
    sig = hi & ~(unit - 1);
    inexact = (rest | lo) != 0;
    above = rest > half || (rest == half && lo != 0);
    tie = rest == half && lo == 0;
  }
  if (rounding == ROUND_NEAREST) up = above || (tie && (sig & unit) != 0);
  else if (rounding == ROUND_CHOP) up = false;
  else up = inexact && (sign != 0) == (rounding == ROUND_DOWN);
  carried = false;
  if (!up) return sig;
  sig += unit;
  carried = sig == 0;
  return sig;
}

/** Largest finite number or infinity, as the rounding mode has it. */
function overflowed(sign: u32, bits: u32): u64 {
  raised |= OE | PE;
  const away = rounding == ROUND_NEAREST || (rounding != ROUND_CHOP && (sign != 0) == (rounding == ROUND_DOWN));
  roundedUp = away;
  if (away) return setResult(sign << 15 | EXP_MASK, INTEGER_BIT);
  return setResult(sign << 15 | 0x7ffe, ~u64(0) << (64 - bits));
}

/**
 * The number sign, hi:lo * 2^(exp - 3fff - 63), bit 63 of hi set, rounded to `bits` bits. Tininess is
 * detected after rounding. @sdm 1 8.5 "x87 FPU Floating-Point Exception Conditions"
 */
export function roundPack(sign: u32, exp: i32, hi: u64, lo: u64, bits: u32): u64 {
  let sig = cut(sign, hi, lo, bits);
  let e = exp;
  if (carried) {
    sig = INTEGER_BIT;
    e++;
  }
  if (e >= 0x7fff) {
    if (masked(OE)) return overflowed(sign, bits);
    raised |= OE;
    e -= WRAP;
    if (e >= 0x7fff) {
      // FSCALE may go far beyond what the wrapped exponent holds
      raised |= PE;
      roundedUp = true;
      return setResult(sign << 15 | EXP_MASK, INTEGER_BIT);
    }
  } else if (e <= 0) {
    if (masked(UE)) {
      shiftRightJam(hi, lo, u32(1 - exp));
      sig = cut(sign, high, low, bits);
      if (inexact) raised |= UE | PE;
      roundedUp = up;
      return setResult(sign << 15 | u32(sig >> 63), sig);
    }
    raised |= UE;
    e += WRAP;
    if (e <= 0) {
      raised |= PE;
      roundedUp = false;
      return setResult(sign << 15, 0);
    }
  }
  if (inexact) raised |= PE;
  roundedUp = up;
  return setResult(sign << 15 | u32(e), sig);
}

/** Leading zeros of a denormal's significand: its exponent is 1 minus them. */
@inline export function leadingZeros(sig: u64): i32 { return i32(clz<u64>(sig)); }
@inline export function signOf(se: u32): u32 { return se >> 15; }
