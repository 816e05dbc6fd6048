// ADD, SUB, MUL, DIV, MIN, MAX, SQRT, HADD, HSUB, ADDSUB, dot products.
import { XS_OK, YMM } from '../layout';
import { fault } from '../state';
import { accessStatus } from '../mmu/access';
import { FORM_66, FORM_F2, FORM_F3, UV_L, UV_VEX, uForm, uImm, uImm2, uOperation, uReg } from '../uop';
import { F_ADD, F_ADDSUB, F_DIV, F_DPPD, F_HADD, F_MUL, F_SUB } from '../generated/vector-ops';
import { packed, scalar, squareRoots } from './float-lanes';
import { beginFloat, FLOAT_FAULT, isPlain, isQuick, settleFlags } from './mxcsr';
import { absent, firstSource, high, low, setLow, setWhole, source } from './operand';

@inline export function isScalar(form: u32): bool { return form >= u32(FORM_F3); }
@inline export function isDouble(form: u32): bool { return form == FORM_66 || form == FORM_F2; }

/** The lowest element of r, the rest of a. */
@inline export function mergeLowest(double: bool, a: v128, r: v128): v128 {
  return double ? v128.shuffle<i64>(a, r, 2, 1) : v128.shuffle<i32>(a, r, 4, 1, 2, 3);
}

@inline export function splatLowest(double: bool, a: v128): v128 {
  return double ? v128.shuffle<i64>(a, a, 0, 0) : v128.shuffle<i32>(a, a, 0, 0, 0, 0);
}

/** One element of memory or a register in all places. */
@inline export function splatAt(double: bool, p: usize): v128 { return double ? v128.load64_splat(p) : v128.load32_splat(p); }

/** Is the biased exponent `e` that of a normal number, with `least` and more? */
@inline function normalExponent(e: u32, least: u32, top: u32): bool { return e - least < top - least; }

/** Rounding error of a + b = r, by Knuth's two-sum: itself exact. */
@inline function sumError<T>(a: T, b: T, r: T): T {
  const part = <T>(r - a);
  return <T>(<T>(a - <T>(r - part)) + <T>(b - part));
}

/** Is it a normal number or a zero? `e`: its biased exponent, `magnitude`: all of it but the sign. */
@inline function ordinary<U>(e: u32, magnitude: U, top: u32): bool { return normalExponent(e, 1, top) || magnitude == 0; }

/**
 * ADDSD, ADDSS and their like in place where plain arithmetic answers the same: operands that are normal or zero, a
 * result with room above the least normal number or an exact zero, and an exact one where PE is not set yet. false:
 * nothing was done. T is f64 or f32, U the integer of its width.
 */
// fast path: 3 loads, 1 store
function plain<T, U>(op: u32, to: usize, p: usize, inexact: bool): bool {
  const fraction: u32 = sizeof<T>() == 8 ? 52 : 23;
  const top: u32 = sizeof<T>() == 8 ? 0x7ff : 0xff;
  const one = <U>1 << <U>fraction;
  const x = load<U>(to);
  const y = load<U>(p);
  const a = reinterpret<T>(x);
  const b = reinterpret<T>(y);
  let r: T;
  let kept = inexact;
  // what a zero result must come of to be exact: any numbers, or a zero
  let zero = x << 1 == 0;
  switch (op) {
    case F_ADD:
      r = <T>(a + b);
      kept = kept || sumError<T>(a, b, r) == 0;
      zero = true;
      break;
    case F_SUB:
      r = <T>(a - b);
      kept = kept || sumError<T>(a, <T>-b, r) == 0;
      zero = true;
      break;
    case F_MUL:
      r = <T>(a * b);
      // a product of n and m significant bits has at most n + m
      kept = kept || u32(ctz<U>(x | one)) + u32(ctz<U>(y | one)) > fraction;
      zero = zero || y << 1 == 0;
      break;
    case F_DIV:
      if (!kept) return false;
      r = <T>(a / b);
      break;
    default: return false;
  }
  if (!ordinary<U>(u32(x >> <U>fraction) & top, x << 1, top) || !ordinary<U>(u32(y >> <U>fraction) & top, y << 1, top)) return false;
  const result = reinterpret<U>(r);
  if (result << 1 == 0 ? !zero : !kept || !normalExponent(u32(result >> <U>fraction) & top, 2, top)) return false;
  store<T>(to, r);
  return true;
}

export function execFloat(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const form = uForm(u);
  const double = isDouble(form);
  const op = uOperation(u);
  const second = uImm2(u);
  const a = low(firstSource(u));
  if (isScalar(form)) {
    const p = source(u, double ? 8 : 4, false);
    if (!p) return accessStatus();
    if (!(second & UV_VEX) && isPlain()) {
      const to: usize = YMM + (uReg(u) << 5);
      const inexact = isQuick();
      if (double ? plain<f64, u64>(op, to, p, inexact) : plain<f32, u32>(op, to, p, inexact)) return XS_OK;
    }
    beginFloat();
    const r = scalar(op, double, splatLowest(double, a), splatAt(double, p));
    if (!settleFlags()) return FLOAT_FAULT;
    setLow(u, uReg(u), mergeLowest(double, a, r));
    return XS_OK;
  }
  const whole = (second & UV_L) != 0;
  const p = source(u, whole ? 32 : 16, !(second & UV_VEX));
  if (!p) return accessStatus();
  beginFloat();
  const lower = packed(op, double, a, v128.load(p));
  if (whole) {
    const upper = packed(op, double, high(firstSource(u)), v128.load(p, 16));
    if (!settleFlags()) return FLOAT_FAULT;
    setWhole(uReg(u), lower, upper);
    return XS_OK;
  }
  if (!settleFlags()) return FLOAT_FAULT;
  setLow(u, uReg(u), lower);
  return XS_OK;
}

/** SQRT. */
export function execFloatUnary(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const form = uForm(u);
  const double = isDouble(form);
  const second = uImm2(u);
  if (isScalar(form)) {
    const p = source(u, double ? 8 : 4, false);
    if (!p) return accessStatus();
    beginFloat();
    const r = squareRoots(double, splatAt(double, p), true);
    if (!settleFlags()) return FLOAT_FAULT;
    setLow(u, uReg(u), mergeLowest(double, low(firstSource(u)), r));
    return XS_OK;
  }
  const whole = (second & UV_L) != 0;
  const p = source(u, whole ? 32 : 16, !(second & UV_VEX));
  if (!p) return accessStatus();
  beginFloat();
  const lower = squareRoots(double, v128.load(p), false);
  const upper = whole ? squareRoots(double, v128.load(p, 16), false) : lower;
  if (!settleFlags()) return FLOAT_FAULT;
  if (whole) setWhole(uReg(u), lower, upper);
  else setLow(u, uReg(u), lower);
  return XS_OK;
}

/** HADD, HSUB and ADDSUB; F2 singles, 66 doubles. */
function horizontal(op: u32, double: bool, a: v128, b: v128): v128 {
  if (op == F_ADDSUB) return packed(op, double, a, b);
  const lane = op == F_HADD ? F_ADD : F_SUB;
  return double
    ? packed(lane, true, v128.shuffle<i64>(a, b, 0, 2), v128.shuffle<i64>(a, b, 1, 3))
    : packed(lane, false, v128.shuffle<i32>(a, b, 0, 2, 4, 6), v128.shuffle<i32>(a, b, 1, 3, 5, 7));
}

export function execFloatHorizontal(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const second = uImm2(u);
  const whole = (second & UV_L) != 0;
  const p = source(u, whole ? 32 : 16, !(second & UV_VEX));
  if (!p) return accessStatus();
  const double = uForm(u) == FORM_66;
  const op = uOperation(u);
  const a = firstSource(u);
  beginFloat();
  const lower = horizontal(op, double, low(a), v128.load(p));
  const upper = whole ? horizontal(op, double, high(a), v128.load(p, 16)) : lower;
  if (!settleFlags()) return FLOAT_FAULT;
  if (whole) setWhole(uReg(u), lower, upper);
  else setLow(u, uReg(u), lower);
  return XS_OK;
}

/** All ones in the elements whose bit of imm is set. */
@inline function elementMask(double: bool, imm: u32): v128 {
  if (double) return i64x2(imm & 1 ? -1 : 0, imm & 2 ? -1 : 0);
  const bits = i32x4(1, 2, 4, 8);
  return i32x4.eq(v128.and(i32x4.splat(imm), bits), bits);
}

/** Products chosen by imm[7:4]; the others are zeros and raise nothing. */
@inline function products(double: bool, a: v128, b: v128, imm: u32): v128 {
  const chosen = elementMask(double, imm >> 4);
  return packed(F_MUL, double, v128.and(a, chosen), v128.and(b, chosen));
}

/** Sums of elements 0 and 1 (and, of singles, 2 and 3), each in both places. */
@inline function neighbourSums(double: bool, x: v128): v128 {
  return double
    ? packed(F_ADD, true, v128.shuffle<i64>(x, x, 0, 0), v128.shuffle<i64>(x, x, 1, 1))
    : packed(F_ADD, false, v128.shuffle<i32>(x, x, 0, 0, 2, 2), v128.shuffle<i32>(x, x, 1, 1, 3, 3));
}

/** Sum of the two sums of singles, in all places. */
@inline function sumOfSums(x: v128): v128 { return packed(F_ADD, false, v128.shuffle<i32>(x, x, 0, 0, 0, 0), v128.shuffle<i32>(x, x, 2, 2, 2, 2)); }

/**
 * DPPS and DPPD: products chosen by imm[7:4], their sum where imm[3:0] says, each 128-bit half for itself.
 * Every step may be stopped by an unmasked exception. @sdm 2A "DPPS"
 */
export function execDotProduct(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const second = uImm2(u);
  const whole = (second & UV_L) != 0;
  const p = source(u, whole ? 32 : 16, !(second & UV_VEX));
  if (!p) return accessStatus();
  const double = uOperation(u) == F_DPPD;
  const imm = u32(uImm(u)) & 0xff;
  const a = firstSource(u);
  beginFloat();
  let lower = products(double, low(a), v128.load(p), imm);
  let upper = whole ? products(double, high(a), v128.load(p, 16), imm) : i64x2.splat(0);
  if (!settleFlags()) return FLOAT_FAULT;
  lower = neighbourSums(double, lower);
  if (whole) upper = neighbourSums(double, upper);
  if (!settleFlags()) return FLOAT_FAULT;
  if (!double) {
    lower = sumOfSums(lower);
    if (whole) upper = sumOfSums(upper);
    if (!settleFlags()) return FLOAT_FAULT;
  }
  const kept = elementMask(double, imm);
  if (whole) setWhole(uReg(u), v128.and(lower, kept), v128.and(upper, kept));
  else setLow(u, uReg(u), v128.and(lower, kept));
  return XS_OK;
}
