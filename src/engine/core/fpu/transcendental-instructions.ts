// The transcendental instructions. @sdm 1 8.3.7 "Trigonometric Instructions"
import { XS_OK } from '../layout';
import { uModReg, uRm } from '../uop';
import {
  BIAS, EXP_MASK, INDEFINITE, INDEFINITE_SE, INFINITE, INTEGER_BIT, NORMAL, QNAN, SIGN, ZERO, classOf, invalid, leadingZeros,
  noteDenormal, oneNan, resultSe, setResult, setRoundedUp, signOf,
} from './float80';
import { powerOfTwo, yLog2x, yLog2xPlus1 } from './logarithm';
import {
  C2, accepted, addCondition, begin, clearConditions, emptyOperand, finish, isEmpty, overflow, pop, push,
  setIndefinite, setRegister, significandOf, underflow, upperOf,
} from './stack';
import { arctangent, reduce, sineOrCosine, tangent } from './trigonometry';

/** @sdm 2A "F2XM1" */
export function execF2xm1(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  if (isEmpty(0)) return emptyOperand(u);
  const sig = powerOfTwo(upperOf(0), significandOf(0));
  if (accepted()) setRegister(0, resultSe, sig);
  return finish(u);
}

/** FYL2X (rm 1), FPATAN (3), FYL2XP1 (of row 7): ST(1) by ST(1) and ST(0), then a pop. */
export function execX87Binary(u: usize): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  let sig: u64 = INDEFINITE;
  if (isEmpty(0) || isEmpty(1)) {
    underflow();
    setResult(INDEFINITE_SE, INDEFINITE);
  } else {
    const xSe = upperOf(0);
    const x = significandOf(0);
    const ySe = upperOf(1);
    const y = significandOf(1);
    const form = uRm(u) & 7;
    // D9 F1 FYL2X, F3 FPATAN, F9 FYL2XP1
    if (form == 3) sig = arctangent(ySe, y, xSe, x);
    else sig = uModReg(u) == 6 ? yLog2x(ySe, y, xSe, x) : yLog2xPlus1(ySe, y, xSe, x);
  }
  if (accepted()) {
    setRegister(1, resultSe, sig);
    pop();
  }
  return finish(u);
}

const SINE: u32 = 0;
const COSINE: u32 = 1;
const BOTH: u32 = 2;
const TANGENT: u32 = 3;

export function execFsin(u: usize): i32 { return trigonometric(u, SINE); }
export function execFcos(u: usize): i32 { return trigonometric(u, COSINE); }
export function execFsincos(u: usize): i32 { return trigonometric(u, BOTH); }
export function execFptan(u: usize): i32 { return trigonometric(u, TANGENT); }

/** Arguments of 2^63 and more are out of range: C2, nothing else. @sdm 2A "FSIN", "FCOS", "FSINCOS", "FPTAN" */
function trigonometric(u: usize, what: u32): i32 {
  const status = begin();
  if (status != XS_OK) return status;
  const two = what >= BOTH;
  clearConditions(C2);
  if (isEmpty(0)) {
    underflow();
    if (accepted()) {
      setIndefinite(0);
      if (two) push(INDEFINITE_SE, INDEFINITE);
    }
    return finish(u);
  }
  if (two && !isEmpty(7)) {
    if (overflow()) setIndefinite(1);
    return finish(u);
  }
  const se = upperOf(0);
  const sig = significandOf(0);
  const kind = classOf(se, sig);
  if (kind >= INFINITE) {
    const nan = kind == INFINITE ? invalid() : oneNan(se, sig, kind);
    if (accepted()) {
      setRegister(0, resultSe, nan);
      if (two) push(resultSe, nan);
    }
    return finish(u);
  }
  if (kind == ZERO) {
    if (what == COSINE) setRegister(0, BIAS, INTEGER_BIT);
    if (two) push(BIAS, INTEGER_BIT);
    return finish(u);
  }
  const zeros = leadingZeros(sig);
  const exp = (se & EXP_MASK ? i32(se & EXP_MASK) : 1) - zeros;
  if (exp >= BIAS + 63) {
    addCondition(C2);
    return finish(u);
  }
  noteDenormal(kind, NORMAL);
  if (!accepted()) return finish(u);
  reduce(exp, sig << zeros);
  const sign = signOf(se);
  if (two) {
    // the pushed result is computed first: its rounding does not show in C1
    let second = INTEGER_BIT;
    let secondSe: u32 = BIAS;
    if (what == BOTH) {
      second = sineOrCosine(sign, COSINE);
      secondSe = resultSe;
    }
    const first = what == BOTH ? sineOrCosine(sign, SINE) : tangent(sign);
    setRegister(0, resultSe, first);
    push(secondSe, second);
    return finish(u);
  }
  const result = sineOrCosine(sign, what);
  setRegister(0, resultSe, result);
  return finish(u);
}
