// FSIN, FCOS, FSINCOS, FPTAN and FPATAN on numbers. @sdm 1 8.3.8 "Approximation of Pi"
import {
  BIAS, EXP_MASK, INFINITE, INTEGER_BIT, NORMAL, PE, QNAN, SIGN, ZERO, classOf, leadingZeros, noteDenormal, raise, roundPack,
  setResult, signOf, twoNans,
} from './float80';
import { inverseTangent, trigonometric } from './series';
import { ATAN_EXPONENTS, ATAN_TABLE, PI_EXP, PI_HI, PI_LO } from './wide-constants';
import { asFraction, fExp, fHi, fLo, fSign, normalize, over, plus, setFloat, times } from './wide-float';
import { high, less128, low, subtract128 } from './wide';

/** Half of the 66-bit pi that processors reduce by, in units of 2^-65. */
const HALF_PI_HI: u64 = 3;
const HALF_PI_LO: u64 = 0x243f6a8885a308d3;

// of the reduced argument: quadrant, and its magnitude as a wide float
let quadrant: u32 = 0;
let rSign: u32 = 0;
let rExp: i32 = 0;
let rHi: u64 = 0;
let rLo: u64 = 0;

function keepReduced(sign: u32): void {
  rSign = sign;
  rExp = fExp;
  rHi = fHi;
  rLo = fLo;
}

/** Reduces |x|, normal, below 2^63, to at most pi/4; the quadrant counts from 0. */
export function reduce(exp: i32, m: u64): void {
  quadrant = 0;
  const power = exp - BIAS;
  if (power < -1) {
    setFloat(0, power, m, 0);
    keepReduced(0);
    return;
  }
  let h: u64 = 0;
  let l = m;
  for (let n = power + 2; n > 0; n--) {
    h = h << 1 | l >> 63;
    l <<= 1;
    quadrant <<= 1;
    if (!less128(h, l, HALF_PI_HI, HALF_PI_LO)) {
      subtract128(h, l, HALF_PI_HI, HALF_PI_LO);
      h = high;
      l = low;
      quadrant |= 1;
    }
  }
  // beyond the middle of the quadrant the next one is nearer
  subtract128(HALF_PI_HI, HALF_PI_LO, h, l);
  const sign: u32 = less128(high, low, h, l) ? 1 : 0;
  if (sign) {
    h = high;
    l = low;
    quadrant++;
  }
  normalize(0, 62, h, l);
  keepReduced(sign);
}

function squareOfReduced(): void {
  setFloat(0, rExp, rHi, rLo);
  times(0, rExp, rHi, rLo);
  asFraction();
}

/** Sine of the reduced argument as a wide float. */
function sineOfReduced(): void {
  squareOfReduced();
  trigonometric(high, low, 2);
  if (high >> 63) {
    // too small for the series: the sine lies just below the argument
    subtract128(rHi, rLo, 0, 1);
    normalize(rSign, rExp, high, low);
    return;
  }
  normalize(rSign, 0, high, low);
  times(0, rExp, rHi, rLo);
}

function cosineOfReduced(): void {
  squareOfReduced();
  trigonometric(high, low, 1);
  if (high >> 63) setFloat(0, -1, ~u64(0), ~u64(0));
  else normalize(0, 0, high, low);
}

/** The wide float as an inexact result. */
export function roundInexact(): u64 {
  const sig = roundPack(fSign, fExp + BIAS, fHi, fLo | 1, 64);
  raise(PE);
  return sig;
}

/** sin (`turn` 0) or cos (1) of an argument of the given sign after reduce(). */
export function sineOrCosine(sign: u32, turn: u32): u64 {
  const q = quadrant + turn;
  if (q & 1) cosineOfReduced();
  else sineOfReduced();
  // the sine is odd, the cosine is even
  const flip = (q >> 1 & 1) ^ (turn ? 0 : sign);
  setFloat(fSign ^ flip, fExp, fHi, fLo);
  return roundInexact();
}

/** tan after reduce(). */
export function tangent(sign: u32): u64 {
  cosineOfReduced();
  const exp = fExp;
  const hi = fHi;
  const lo = fLo;
  sineOfReduced();
  if (quadrant & 1) {
    const s = fSign;
    const e = fExp;
    const h = fHi;
    const l = fLo;
    setFloat(1 ^ s, exp, hi, lo);
    over(0, e, h, l);
  } else if (rExp < -62) {
    // just above the argument
    setFloat(rSign, rExp, rHi, rLo | 1);
  } else over(0, exp, hi, lo);
  setFloat(fSign ^ sign, fExp, fHi, fLo);
  return roundInexact();
}

// ---- arctangent ----

/** pi times a quarter of `quarters` with a sign, as an inexact result. */
function quarterPi(sign: u32, quarters: u32): u64 {
  setFloat(0, PI_EXP, PI_HI, PI_LO);
  if (quarters == 3) {
    setFloat(0, PI_EXP - 1, PI_HI, PI_LO);
    plus(0, PI_EXP - 2, PI_HI, PI_LO);
  } else setFloat(0, PI_EXP - (quarters == 1 ? 2 : quarters == 2 ? 1 : 0), PI_HI, PI_LO);
  setFloat(sign, fExp, fHi, fLo);
  return roundInexact();
}

/** Angle of the point (x, y). @sdm 2A "FPATAN", table 3-26 */
export function arctangent(ySe: u32, ySig: u64, xSe: u32, xSig: u64): u64 {
  const y = classOf(ySe, ySig);
  const x = classOf(xSe, xSig);
  if (y >= QNAN || x >= QNAN) return twoNans(xSe, xSig, x, ySe, ySig, y);
  const sign = signOf(ySe);
  const left = (xSe & SIGN) != 0;
  noteDenormal(x, y);
  if (y == INFINITE) return quarterPi(sign, x == INFINITE ? (left ? 3 : 1) : 2);
  if (x == INFINITE || y == ZERO) return left ? quarterPi(sign, 4) : setResult(sign << 15, 0);
  if (x == ZERO) return quarterPi(sign, 2);
  const yz = leadingZeros(ySig);
  const xz = leadingZeros(xSig);
  const ye = (ySe & EXP_MASK ? i32(ySe & EXP_MASK) : 1) - yz;
  const xe = (xSe & EXP_MASK ? i32(xSe & EXP_MASK) : 1) - xz;
  const ym = ySig << yz;
  const xm = xSig << xz;
  const steep = ye > xe || (ye == xe && ym > xm);
  if (steep) ratioAngle(xe - ye, xm, ym);
  else ratioAngle(ye - xe, ym, xm);
  if (steep) {
    setFloat(left ? 0 : 1, fExp, fHi, fLo);
    plus(0, PI_EXP - 1, PI_HI, PI_LO);
  } else if (left) {
    setFloat(1, fExp, fHi, fLo);
    plus(0, PI_EXP, PI_HI, PI_LO);
  }
  setFloat(sign, fExp, fHi, fLo);
  return roundInexact();
}

/** Arctangent of a / b * 2^distance, at most 1, as a wide float. */
function ratioAngle(distance: i32, a: u64, b: u64): void {
  let k: u32 = 0;
  if (distance > -7) k = u32(f64(a) / f64(b) * 16.0 / f64(1 << -distance) + 0.5);
  setFloat(0, distance, a, 0);
  if (k) {
    // the angle beyond atan(c), c = k / 16: (a - c b) / (b + c a)
    setFloat(0, distance, a, 0);
    multiplySmall(k);
    plus(0, 0, b, 0);
    const dExp = fExp;
    const dHi = fHi;
    const dLo = fLo;
    setFloat(0, 0, b, 0);
    multiplySmall(k);
    setFloat(1, fExp, fHi, fLo);
    plus(0, distance, a, 0);
    over(0, dExp, dHi, dLo);
  } else over(0, 0, b, 0);
  const tSign = fSign;
  const tExp = fExp;
  const tHi = fHi;
  const tLo = fLo;
  if (tHi == 0) setFloat(0, 0, 0, 0);
  else {
    times(tSign, tExp, tHi, tLo);
    asFraction();
    inverseTangent(high, low, true);
    if (high >> 63) {
      subtract128(tHi, tLo, 0, 1);
      normalize(tSign, tExp, high, low);
    } else {
      normalize(tSign, 0, high, low);
      times(0, tExp, tHi, tLo);
    }
  }
  if (k) plus(0, load<i8>(ATAN_EXPONENTS + k), load<u64>(ATAN_TABLE + (k << 4)), load<u64>(ATAN_TABLE + (k << 4), 8));
}

/** The wide float times k / 16, exact for the 64-bit numbers it is used on. */
function multiplySmall(k: u32): void {
  const zeros = clz<u64>(k);
  times(0, i32(63 - zeros) - 4, u64(k) << zeros, 0);
}
