// Order of two numbers.
import { FSW_C0, FSW_C2, FSW_C3 } from '../generated/register-bits';
import { EXP_MASK, IE, NORMAL, QNAN, SIGN, SNAN, ZERO, classOf, leadingZeros, noteDenormal, raise } from './float80';

export const LESS: u32 = FSW_C0;
export const EQUAL: u32 = FSW_C3;
export const GREATER: u32 = 0;
export const UNORDERED: u32 = FSW_C3 | FSW_C2 | FSW_C0;

/** C3, C2 and C0 of FCOM; `quiet`: of FUCOM, which takes quiet NaNs. @sdm 1 8.3.6 "Comparison and Classification Instructions" */
export function compare(aSe: u32, aSig: u64, bSe: u32, bSig: u64, quiet: bool): u32 {
  const a = classOf(aSe, aSig);
  const b = classOf(bSe, bSig);
  if (a >= QNAN || b >= QNAN) {
    if (!quiet || a >= SNAN || b >= SNAN) raise(IE);
    return UNORDERED;
  }
  noteDenormal(a, b);
  if (a == ZERO && b == ZERO) return EQUAL;
  if ((aSe ^ bSe) & SIGN) return aSe & SIGN ? LESS : GREATER;
  const order = magnitudeOrder(aSe & EXP_MASK, aSig, bSe & EXP_MASK, bSig);
  if (order == 0) return EQUAL;
  return (order < 0) == ((aSe & SIGN) == 0) ? LESS : GREATER;
}

function magnitudeOrder(aExp: u32, aSig: u64, bExp: u32, bSig: u64): i32 {
  // denormals have the exponent of the least normal numbers
  const a = aExp == 0 ? 1 : aExp;
  const b = bExp == 0 ? 1 : bExp;
  if (aSig == 0 || bSig == 0) return aSig == bSig ? 0 : aSig == 0 ? -1 : 1;
  if (a != b) return a < b ? -1 : 1;
  return aSig == bSig ? 0 : aSig < bSig ? -1 : 1;
}
