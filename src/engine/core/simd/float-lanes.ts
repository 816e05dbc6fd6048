// Floating-point arithmetic on all elements: plain WebAssembly arithmetic where it is exact in every respect,
// integer arithmetic (fpu/round.ts) for the rest.
import { F_ADD, F_ADDSUB, F_DIV, F_MAX, F_MIN, F_MUL, F_SUB } from '../generated/vector-ops';
import {
  add, divide, DOUBLE, flushDenormal, IE, isNan, magnitude, multiply, raise, settleDenormal, signBit, SINGLE, squareRoot,
} from '../fpu/round';
import { plain, quick } from './mxcsr';

const LEAST32: i32 = 0x00800000;
const INFINITE32: i32 = 0x7f800000;
const LEAST64: i64 = 0x0010000000000000;
const INFINITE64: i64 = 0x7ff0000000000000;

// Masks of elements by magnitude bits m: normal, zero, and normal with room above the least (no underflow by rounding).
@inline export function bits32(x: v128): v128 { return v128.and(x, i32x4.splat(0x7fffffff)); }
@inline export function bits64(x: v128): v128 { return v128.and(x, i64x2.splat(i64.MAX_VALUE)); }
@inline function normal32(m: v128): v128 { return v128.and(i32x4.ge_s(m, i32x4.splat(LEAST32)), i32x4.lt_s(m, i32x4.splat(INFINITE32))); }
@inline function normal64(m: v128): v128 { return v128.and(i64x2.ge_s(m, i64x2.splat(LEAST64)), i64x2.lt_s(m, i64x2.splat(INFINITE64))); }
@inline function zero32(m: v128): v128 { return i32x4.eq(m, i64x2.splat(0)); }
@inline function zero64(m: v128): v128 { return i64x2.eq(m, i64x2.splat(0)); }
@inline function roomy32(m: v128): v128 { return v128.and(i32x4.ge_s(m, i32x4.splat(LEAST32 * 2)), i32x4.lt_s(m, i32x4.splat(INFINITE32))); }
@inline function roomy64(m: v128): v128 { return v128.and(i64x2.ge_s(m, i64x2.splat(LEAST64 * 2)), i64x2.lt_s(m, i64x2.splat(INFINITE64))); }
@inline export function plain32(m: v128): v128 { return v128.or(normal32(m), zero32(m)); }
@inline export function plain64(m: v128): v128 { return v128.or(normal64(m), zero64(m)); }

/** May r stand? Operands normal or zero (a divisor normal), the result normal, or zero where it is exact. */
function stands32(op: u32, a: v128, b: v128, r: v128): bool {
  const ma = bits32(a);
  const mb = bits32(b);
  const mr = bits32(r);
  const operands = v128.and(plain32(ma), op == F_DIV ? normal32(mb) : plain32(mb));
  const exactZero = op == F_MUL ? v128.or(zero32(ma), zero32(mb)) : op == F_DIV ? zero32(ma) : zero32(mr);
  return i32x4.all_true(v128.and(operands, v128.or(roomy32(mr), exactZero)));
}

function stands64(op: u32, a: v128, b: v128, r: v128): bool {
  const ma = bits64(a);
  const mb = bits64(b);
  const mr = bits64(r);
  const operands = v128.and(plain64(ma), op == F_DIV ? normal64(mb) : plain64(mb));
  const exactZero = op == F_MUL ? v128.or(zero64(ma), zero64(mb)) : op == F_DIV ? zero64(ma) : zero64(mr);
  return i64x2.all_true(v128.and(operands, v128.or(roomy64(mr), exactZero)));
}

/** -1, 0 or 1 for numbers, both zeros being equal. */
export function order(a: u64, b: u64, format: u32): i32 {
  const x = a & signBit(format) ? 0 - i64(magnitude(a, format)) : i64(a);
  const y = b & signBit(format) ? 0 - i64(magnitude(b, format)) : i64(b);
  return x < y ? -1 : x > y ? 1 : 0;
}

/** MIN and MAX: the second operand where either is a NaN or both are zero. @sdm 2A "MAXPD" */
function extreme(greatest: bool, first: u64, second: u64, format: u32): u64 {
  if (isNan(first, format) || isNan(second, format)) {
    raise(IE);
    return flushDenormal(second, format);
  }
  const a = settleDenormal(first, format);
  const b = settleDenormal(second, format);
  const found = order(a, b, format);
  return (greatest ? found > 0 : found < 0) ? a : b;
}

/** One element exactly; `odd`: its place, for ADDSUB. */
export function exact(op: u32, a: u64, b: u64, format: u32, odd: bool): u64 {
  switch (op) {
    case F_ADD: return add(a, b, false, format);
    case F_SUB: return add(a, b, true, format);
    case F_ADDSUB: return add(a, b, !odd, format);
    case F_MUL: return multiply(a, b, format);
    case F_DIV: return divide(a, b, format);
    default: return extreme(op == F_MAX, a, b, format);
  }
}

export function exactSingles(op: u32, a: v128, b: v128): v128 {
  return i32x4(
    i32(exact(op, u32(i32x4.extract_lane(a, 0)), u32(i32x4.extract_lane(b, 0)), SINGLE, false)),
    i32(exact(op, u32(i32x4.extract_lane(a, 1)), u32(i32x4.extract_lane(b, 1)), SINGLE, true)),
    i32(exact(op, u32(i32x4.extract_lane(a, 2)), u32(i32x4.extract_lane(b, 2)), SINGLE, false)),
    i32(exact(op, u32(i32x4.extract_lane(a, 3)), u32(i32x4.extract_lane(b, 3)), SINGLE, true)),
  );
}

export function exactDoubles(op: u32, a: v128, b: v128): v128 {
  return i64x2(
    exact(op, i64x2.extract_lane(a, 0), i64x2.extract_lane(b, 0), DOUBLE, false),
    exact(op, i64x2.extract_lane(a, 1), i64x2.extract_lane(b, 1), DOUBLE, true),
  );
}

/** MIN and MAX of normal numbers and zeros raise nothing, whatever MXCSR says. */
@inline function plainExtreme32(op: u32, a: v128, b: v128): v128 {
  return v128.bitselect(a, b, op == F_MIN ? f32x4.lt(a, b) : f32x4.lt(b, a));
}
@inline function plainExtreme64(op: u32, a: v128, b: v128): v128 {
  return v128.bitselect(a, b, op == F_MIN ? f64x2.lt(a, b) : f64x2.lt(b, a));
}

/** Is x times y the product without rounding? Doubles that are neither zeros nor denormals. */
function exactProduct(x: f64, y: f64, product: f64): bool {
  const a = reinterpret<u64>(x);
  const b = reinterpret<u64>(y);
  const exponents = i64(a >> 52 & 0x7ff) + i64(b >> 52 & 0x7ff) - i64(reinterpret<u64>(product) >> 52 & 0x7ff);
  // significands of n and m bits that count have a product of n + m bits, or one less: the exponents tell
  return i64(ctz(a | u64(1) << 52)) + i64(ctz(b | u64(1) << 52)) + exponents >= 52 + 1023;
}

@inline function exactDoubleQuotient(r: f64, b: f64, a: f64): bool { return r == 0 || (<f64>(r * b) == a && exactProduct(r, b, a)); }
/** Doubles hold every product of singles. */
@inline function exactSingleQuotients(r: v128, b: v128, a: v128): bool {
  const upper = f64x2.mul(f64x2.promote_low_f32x4(v128.shuffle<i64>(r, r, 1, 1)), f64x2.promote_low_f32x4(v128.shuffle<i64>(b, b, 1, 1)));
  return (
    i64x2.all_true(f64x2.eq(f64x2.mul(f64x2.promote_low_f32x4(r), f64x2.promote_low_f32x4(b)), f64x2.promote_low_f32x4(a))) &&
    i64x2.all_true(f64x2.eq(upper, f64x2.promote_low_f32x4(v128.shuffle<i64>(a, a, 1, 1))))
  );
}

/** Was nothing of a result that stands() rounded? Sums and differences by Knuth's two-sum. */
function unrounded32(op: u32, a: v128, b: v128, r: v128): bool {
  if (op == F_MUL) return exactSingleQuotients(a, b, r);
  if (op == F_DIV) return exactSingleQuotients(r, b, a);
  const signs = op == F_ADD ? i32x4.splat(0) : op == F_SUB ? i32x4.splat(i32.MIN_VALUE) : i32x4(i32.MIN_VALUE, 0, i32.MIN_VALUE, 0);
  const part = f32x4.sub(r, a);
  const error = f32x4.add(f32x4.sub(a, f32x4.sub(r, part)), f32x4.sub(v128.xor(b, signs), part));
  return i32x4.all_true(f32x4.eq(error, i64x2.splat(0)));
}

function unrounded64(op: u32, a: v128, b: v128, r: v128): bool {
  if (op == F_MUL || op == F_DIV) {
    for (let lane: u32 = 0; lane < 2; lane++) {
      const x = lane ? f64x2.extract_lane(a, 1) : f64x2.extract_lane(a, 0);
      const y = lane ? f64x2.extract_lane(b, 1) : f64x2.extract_lane(b, 0);
      const z = lane ? f64x2.extract_lane(r, 1) : f64x2.extract_lane(r, 0);
      if (op == F_DIV ? !exactDoubleQuotient(z, y, x) : z != 0 && !exactProduct(x, y, z)) return false;
    }
    return true;
  }
  const signs = op == F_ADD ? i64x2.splat(0) : op == F_SUB ? i64x2.splat(i64.MIN_VALUE) : i64x2(i64.MIN_VALUE, 0);
  const part = f64x2.sub(r, a);
  const error = f64x2.add(f64x2.sub(a, f64x2.sub(r, part)), f64x2.sub(v128.xor(b, signs), part));
  return i64x2.all_true(f64x2.eq(error, i64x2.splat(0)));
}

/** Result of trySingles() or tryDoubles(). */
let plainResult: v128 = i64x2.splat(0);

/** Plain arithmetic into plainResult; false: it does not stand. */
function trySingles(op: u32, a: v128, b: v128): bool {
  if (op == F_MIN || op == F_MAX) {
    plainResult = plainExtreme32(op, a, b);
    return i32x4.all_true(v128.and(plain32(bits32(a)), plain32(bits32(b))));
  }
  if (!plain) return false;
  let r: v128;
  switch (op) {
    case F_ADD: r = f32x4.add(a, b); break;
    case F_SUB: r = f32x4.sub(a, b); break;
    case F_MUL: r = f32x4.mul(a, b); break;
    case F_DIV: r = f32x4.div(a, b); break;
    default: r = v128.shuffle<i32>(f32x4.sub(a, b), f32x4.add(a, b), 0, 5, 2, 7); // ADDSUB
  }
  plainResult = r;
  return stands32(op, a, b, r) && (quick || unrounded32(op, a, b, r));
}

function tryDoubles(op: u32, a: v128, b: v128): bool {
  if (op == F_MIN || op == F_MAX) {
    plainResult = plainExtreme64(op, a, b);
    return i64x2.all_true(v128.and(plain64(bits64(a)), plain64(bits64(b))));
  }
  if (!plain) return false;
  let r: v128;
  switch (op) {
    case F_ADD: r = f64x2.add(a, b); break;
    case F_SUB: r = f64x2.sub(a, b); break;
    case F_MUL: r = f64x2.mul(a, b); break;
    case F_DIV: r = f64x2.div(a, b); break;
    default: r = v128.shuffle<i64>(f64x2.sub(a, b), f64x2.add(a, b), 0, 3); // ADDSUB
  }
  plainResult = r;
  return stands64(op, a, b, r) && (quick || unrounded64(op, a, b, r));
}

/** All elements. */
export function packed(op: u32, double: bool, a: v128, b: v128): v128 {
  if (double) return tryDoubles(op, a, b) ? plainResult : exactDoubles(op, a, b);
  return trySingles(op, a, b) ? plainResult : exactSingles(op, a, b);
}

/** The lowest element; the operands are the same in all. */
export function scalar(op: u32, double: bool, a: v128, b: v128): v128 {
  if (double) {
    if (tryDoubles(op, a, b)) return plainResult;
    return i64x2.splat(exact(op, i64x2.extract_lane(a, 0), i64x2.extract_lane(b, 0), DOUBLE, false));
  }
  if (trySingles(op, a, b)) return plainResult;
  return i32x4.splat(i32(exact(op, u32(i32x4.extract_lane(a, 0)), u32(i32x4.extract_lane(b, 0)), SINGLE, false)));
}

/** Square roots of all elements, or (`one`) of the lowest. */
export function squareRoots(double: bool, x: v128, one: bool): v128 {
  if (double) {
    if (plain && i64x2.all_true(v128.or(v128.and(normal64(bits64(x)), i64x2.ge_s(x, i64x2.splat(0))), zero64(bits64(x))))) {
      const r = f64x2.sqrt(x);
      if (quick || unrounded64(F_DIV, x, r, r)) return r;
    }
    const first = squareRoot(i64x2.extract_lane(x, 0), DOUBLE);
    return one ? i64x2.splat(first) : i64x2(first, squareRoot(i64x2.extract_lane(x, 1), DOUBLE));
  }
  if (plain && i32x4.all_true(v128.or(v128.and(normal32(bits32(x)), i32x4.ge_s(x, i64x2.splat(0))), zero32(bits32(x))))) {
    const r = f32x4.sqrt(x);
    if (quick || unrounded32(F_DIV, x, r, r)) return r;
  }
  const first = i32(squareRoot(u32(i32x4.extract_lane(x, 0)), SINGLE));
  if (one) return i32x4.splat(first);
  return i32x4(
    first,
    i32(squareRoot(u32(i32x4.extract_lane(x, 1)), SINGLE)),
    i32(squareRoot(u32(i32x4.extract_lane(x, 2)), SINGLE)),
    i32(squareRoot(u32(i32x4.extract_lane(x, 3)), SINGLE)),
  );
}
