// F2XM1, FYL2X and FYL2XP1 on numbers. @sdm 1 8.3.9 "Logarithmic, Exponential, and Scale"
import {
  BIAS, EXP_MASK, INFINITE, INTEGER_BIT, NORMAL, PE, QNAN, SIGN, UE, ZE, ZERO, classOf, invalid, leadingZeros, noteDenormal, oneNan,
  raise, resultSe, roundPack, setResult, signOf, twoNans,
} from './float80';
import { exponential, inverseTangent } from './series';
import { roundInexact } from './trigonometry';
import { LN2_EXP, LN2_HI, LN2_LO, TWO_LOG2E_EXP, TWO_LOG2E_HI, TWO_LOG2E_LO } from './wide-constants';
import { asFraction, fExp, fHi, fLo, fSign, normalize, over, plus, setFloat, times } from './wide-float';
import { high, low } from './wide';

/** Root of 2, rounded down: where the interval of the logarithm's argument is cut. */
const ROOT_TWO: u64 = 0xb504f333f9de6484;

/** 2 to the power of a number from -1 to 1, minus 1; other arguments have no defined result. @sdm 2A "F2XM1" */
export function powerOfTwo(se: u32, sig: u64): u64 {
  const kind = classOf(se, sig);
  if (kind >= QNAN) return oneNan(se, sig, kind);
  const negative = (se & SIGN) != 0;
  if (kind == INFINITE) return negative ? setResult(SIGN | BIAS, INTEGER_BIT) : setResult(se, sig);
  if (kind == ZERO) return setResult(se, sig);
  noteDenormal(kind, NORMAL);
  const exp = i32(se & EXP_MASK);
  if (exp >= BIAS) {
    // beyond -1 and 1 the argument is answered; at them processors report an inexact result
    if (exp == BIAS && sig == INTEGER_BIT) raise(PE);
    if (negative && exp == BIAS && sig == INTEGER_BIT) return setResult(SIGN | BIAS - 1, INTEGER_BIT);
    return setResult(se, sig);
  }
  const zeros = leadingZeros(sig);
  setFloat(0, (exp == 0 ? 1 : exp) - zeros - BIAS, sig << zeros, 0);
  times(0, LN2_EXP, LN2_HI, LN2_LO);
  const yExp = fExp;
  const yHi = fHi;
  const yLo = fLo;
  asFraction();
  exponential(high, low, negative);
  normalize(signOf(se), 1, high, low);
  times(0, yExp, yHi, yLo);
  return roundInexact();
}

/** log2 of (n / d) as a wide float, by the series in s = (n - d) / (n + d), both passed as s's parts. */
function logarithmOfSeries(): void {
  const sSign = fSign;
  const sExp = fExp;
  const sHi = fHi;
  const sLo = fLo;
  if (sHi == 0) return;
  times(sSign, sExp, sHi, sLo);
  asFraction();
  inverseTangent(high, low, false);
  normalize(sSign, 0, high, low);
  times(0, sExp, sHi, sLo);
  times(0, TWO_LOG2E_EXP, TWO_LOG2E_HI, TWO_LOG2E_LO);
}

/** Adds an integer to the wide float. */
function plusInteger(value: i32): void {
  if (value == 0) return;
  const magnitude = u64(value < 0 ? -value : value);
  const zeros = i32(clz<u64>(magnitude));
  plus(value < 0 ? 1 : 0, 63 - zeros, magnitude << zeros, 0);
}

/** Multiplies the logarithm by y and rounds it; a logarithm that is an integer keeps its product exact. */
function timesY(ySe: u32, ySig: u64, exact: bool): u64 {
  const zeros = leadingZeros(ySig);
  const exp = (ySe & EXP_MASK ? i32(ySe & EXP_MASK) : 1) - zeros - BIAS;
  times(signOf(ySe), exp, ySig << zeros, 0);
  if (!exact) return roundInexact();
  // processors report every logarithm but that of 1 as inexact
  const sig = roundPack(fSign, fExp + BIAS, fHi, fLo, 64);
  raise(resultSe & EXP_MASK ? PE : PE | UE);
  return sig;
}

/** y times log2 x. @sdm 2A "FYL2X", table 3-46 */
export function yLog2x(ySe: u32, ySig: u64, xSe: u32, xSig: u64): u64 {
  const y = classOf(ySe, ySig);
  const x = classOf(xSe, xSig);
  if (y >= QNAN || x >= QNAN) return twoNans(xSe, xSig, x, ySe, ySig, y);
  const sign = ySe & SIGN;
  if (x == ZERO) {
    if (y == ZERO) return invalid();
    if (y != INFINITE) raise(ZE);
    else noteDenormal(x, y);
    return setResult(sign ^ SIGN | EXP_MASK, INTEGER_BIT);
  }
  if (xSe & SIGN) return invalid();
  if (x == INFINITE) {
    if (y == ZERO) return invalid();
    noteDenormal(x, y);
    return setResult(sign | EXP_MASK, INTEGER_BIT);
  }
  const exp = i32(xSe & EXP_MASK);
  const one = exp == BIAS && xSig == INTEGER_BIT;
  const below: u32 = exp < BIAS ? SIGN : 0;
  if (y == INFINITE) {
    if (one) return invalid();
    noteDenormal(x, y);
    return setResult(sign ^ below | EXP_MASK, INTEGER_BIT);
  }
  noteDenormal(x, y);
  if (y == ZERO || one) return setResult(sign ^ below, 0);
  const zeros = leadingZeros(xSig);
  const m = xSig << zeros;
  let power = (exp == 0 ? 1 : exp) - zeros - BIAS;
  // m between the root of a half and the root of two
  let mExp = 0;
  if (m > ROOT_TWO) {
    power++;
    mExp = -1;
  }
  setFloat(0, mExp, m, 0);
  plus(0, 0, INTEGER_BIT, 0);
  const sumExp = fExp;
  const sumHi = fHi;
  const sumLo = fLo;
  setFloat(0, mExp, m, 0);
  plus(1, 0, INTEGER_BIT, 0);
  const exact = fHi == 0;
  over(0, sumExp, sumHi, sumLo);
  logarithmOfSeries();
  plusInteger(power);
  return timesY(ySe, ySig, exact);
}

/** y times log2(x + 1). @sdm 2A "FYL2XP1", table 3-47 */
export function yLog2xPlus1(ySe: u32, ySig: u64, xSe: u32, xSig: u64): u64 {
  const y = classOf(ySe, ySig);
  const x = classOf(xSe, xSig);
  if (y >= QNAN || x >= QNAN) return twoNans(xSe, xSig, x, ySe, ySig, y);
  const sign = (ySe ^ xSe) & SIGN;
  if (x == INFINITE) {
    if (xSe & SIGN || y == ZERO) return invalid();
    noteDenormal(x, y);
    return setResult(sign | EXP_MASK, INTEGER_BIT);
  }
  if (y == INFINITE) {
    if (x == ZERO) return invalid();
    noteDenormal(x, y);
    return setResult(sign | EXP_MASK, INTEGER_BIT);
  }
  noteDenormal(x, y);
  if (x == ZERO || y == ZERO) return setResult(sign, 0);
  const zeros = leadingZeros(xSig);
  const exp = (xSe & EXP_MASK ? i32(xSe & EXP_MASK) : 1) - zeros - BIAS;
  const m = xSig << zeros;
  // outside the documented range the argument is answered
  if (exp >= 0) return setResult(xSe, xSig);
  setFloat(signOf(xSe), exp, m, 0);
  plus(0, 1, INTEGER_BIT, 0);
  const sumExp = fExp;
  const sumHi = fHi;
  const sumLo = fLo;
  setFloat(signOf(xSe), exp, m, 0);
  over(0, sumExp, sumHi, sumLo);
  logarithmOfSeries();
  return timesY(ySe, ySig, false);
}
