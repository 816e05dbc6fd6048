// CMPPS and its like with 32 predicates, UCOMIS, COMIS. @sdm 2A "CMPPD", table 3-1
import { XS_OK } from '../layout';
import { fault } from '../state';
import { accessStatus } from '../mmu/access';
import { FORM_66, UV_L, UV_VEX, uForm, uImm, uImm2, uOpcode, uReg } from '../uop';
import { CF, PF, STATUS, ZF, setFlags } from '../exec/flags';
import { DOUBLE, IE, isNan, isSignaling, raise, settleDenormal, SINGLE } from '../fpu/round';
import { isDouble, isScalar, mergeLowest, splatAt, splatLowest } from './float';
import { bits32, bits64, order, plain32, plain64 } from './float-lanes';
import { beginFloat, FLOAT_FAULT, settleFlags } from './mxcsr';
import { absent, firstSource, high, low, setLow, setWhole, source } from './operand';

/** Least normal numbers. */
const LEAST64: f64 = 2.2250738585072014e-308;
const LEAST32: f32 = 1.1754943508222875e-38;

const LESS: u32 = 1;
const EQUAL: u32 = 2;
const GREATER: u32 = 4;
const UNORDERED: u32 = 8;

/** Relations for which predicates 0-15 hold, four bits each; 16-31 differ in which NaNs are invalid. */
const HOLDS: u64 =
  0x2 | (0x1 << 4) | (0x3 << 8) | (0x8 << 12) | (0xd << 16) | (0xe << 20) | (0xc << 24) | (u64(0x7) << 28) |
  (u64(0xa) << 32) | (u64(0x9) << 36) | (u64(0xb) << 40) | (u64(0x0) << 44) | (u64(0x5) << 48) | (u64(0x6) << 52) |
  (u64(0x4) << 56) | (u64(0xf) << 60);

@inline function holds(predicate: u32): u32 { return u32(HOLDS >> u64((predicate & 15) << 2)) & 15; }
/** Do quiet NaNs raise IE too? */
@inline function signals(predicate: u32): bool {
  const kind = predicate & 3;
  return (kind == 1 || kind == 2) != predicate >= 16;
}

/** LESS, EQUAL, GREATER or UNORDERED, exceptions raised. */
function relation(first: u64, second: u64, format: u32, signaling: bool): u32 {
  if (isNan(first, format) || isNan(second, format)) {
    if (signaling || isSignaling(first, format) || isSignaling(second, format)) raise(IE);
    return UNORDERED;
  }
  const a = settleDenormal(first, format);
  const b = settleDenormal(second, format);
  const found = order(a, b, format);
  return found < 0 ? LESS : found > 0 ? GREATER : EQUAL;
}

@inline function verdict(a: u64, b: u64, format: u32, predicate: u32): i64 {
  return relation(a, b, format, signals(predicate)) & holds(predicate) ? -1 : 0;
}

@inline function selected(mask: u32, relationBit: u32, lanes: v128): v128 {
  return mask & relationBit ? lanes : i64x2.splat(0);
}

function compareSingles(a: v128, b: v128, predicate: u32, one: bool): v128 {
  if (i32x4.all_true(v128.and(plain32(bits32(a)), plain32(bits32(b))))) {
    const mask = holds(predicate);
    return v128.or(
      v128.or(selected(mask, LESS, f32x4.lt(a, b)), selected(mask, EQUAL, f32x4.eq(a, b))), selected(mask, GREATER, f32x4.lt(b, a)),
    );
  }
  const first = i32(verdict(u32(i32x4.extract_lane(a, 0)), u32(i32x4.extract_lane(b, 0)), SINGLE, predicate));
  if (one) return i32x4.splat(first);
  return i32x4(
    first,
    i32(verdict(u32(i32x4.extract_lane(a, 1)), u32(i32x4.extract_lane(b, 1)), SINGLE, predicate)),
    i32(verdict(u32(i32x4.extract_lane(a, 2)), u32(i32x4.extract_lane(b, 2)), SINGLE, predicate)),
    i32(verdict(u32(i32x4.extract_lane(a, 3)), u32(i32x4.extract_lane(b, 3)), SINGLE, predicate)),
  );
}

function compareDoubles(a: v128, b: v128, predicate: u32, one: bool): v128 {
  if (i64x2.all_true(v128.and(plain64(bits64(a)), plain64(bits64(b))))) {
    const mask = holds(predicate);
    return v128.or(
      v128.or(selected(mask, LESS, f64x2.lt(a, b)), selected(mask, EQUAL, f64x2.eq(a, b))), selected(mask, GREATER, f64x2.lt(b, a)),
    );
  }
  const first = verdict(i64x2.extract_lane(a, 0), i64x2.extract_lane(b, 0), DOUBLE, predicate);
  if (one) return i64x2.splat(first);
  return i64x2(first, verdict(i64x2.extract_lane(a, 1), i64x2.extract_lane(b, 1), DOUBLE, predicate));
}

function compareElements(double: bool, a: v128, b: v128, predicate: u32, one: bool): v128 {
  return double ? compareDoubles(a, b, predicate, one) : compareSingles(a, b, predicate, one);
}

export function execFloatCompare(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const form = uForm(u);
  const double = isDouble(form);
  const second = uImm2(u);
  const predicate = u32(uImm(u)) & (second & UV_VEX ? 31 : 7);
  const a = low(firstSource(u));
  if (isScalar(form)) {
    const p = source(u, double ? 8 : 4, false);
    if (!p) return accessStatus();
    beginFloat();
    const r = compareElements(double, splatLowest(double, a), splatAt(double, p), predicate, true);
    if (!settleFlags()) return FLOAT_FAULT;
    setLow(u, uReg(u), mergeLowest(double, a, r));
    return XS_OK;
  }
  const whole = (second & UV_L) != 0;
  const p = source(u, whole ? 32 : 16, !(second & UV_VEX));
  if (!p) return accessStatus();
  beginFloat();
  const lower = compareElements(double, a, v128.load(p), predicate, false);
  const upper = whole ? compareElements(double, high(firstSource(u)), v128.load(p, 16), predicate, false) : lower;
  if (!settleFlags()) return FLOAT_FAULT;
  if (whole) setWhole(uReg(u), lower, upper);
  else setLow(u, uReg(u), lower);
  return XS_OK;
}

/** Neither denormal nor NaN: comparing it raises nothing. */
@inline function ordinary64(x: f64): bool { return abs(x) >= LEAST64 || x == 0; }
@inline function ordinary32(x: f32): bool { return abs(x) >= LEAST32 || x == 0; }

/** UCOMIS (2E) and COMIS (2F, quiet NaNs invalid too): no prefix singles, 66 doubles. */
export function execFloatCompareFlags(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const double = uForm(u) == FORM_66;
  const p = source(u, double ? 8 : 4, false);
  if (!p) return accessStatus();
  const a = low(uReg(u));
  if (double) {
    const x = f64x2.extract_lane(a, 0);
    const y = load<f64>(p);
    if (ordinary64(x) && ordinary64(y)) {
      setFlags(STATUS, x < y ? CF : x == y ? ZF : 0);
      return XS_OK;
    }
  } else {
    const x = f32x4.extract_lane(a, 0);
    const y = load<f32>(p);
    if (ordinary32(x) && ordinary32(y)) {
      setFlags(STATUS, x < y ? CF : x == y ? ZF : 0);
      return XS_OK;
    }
  }
  beginFloat();
  const found = double
    ? relation(i64x2.extract_lane(a, 0), load<u64>(p), DOUBLE, uOpcode(u) == 0x2f)
    : relation(u32(i32x4.extract_lane(a, 0)), load<u32>(p), SINGLE, uOpcode(u) == 0x2f);
  if (!settleFlags()) return FLOAT_FAULT;
  setFlags(STATUS, found == UNORDERED ? ZF | PF | CF : found == EQUAL ? ZF : found == LESS ? CF : 0);
  return XS_OK;
}
