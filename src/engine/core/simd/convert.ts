// Conversions between integers and floating point, and between the formats.
import { OP_VALUE, XS_OK, YMM } from '../layout';
import { fault, setReg64 } from '../state';
import { accessStatus } from '../mmu/access';
import { FORM_66, FORM_F2, UV_L, UV_VEX, UV_W, uForm, uImm, uImm2, uIsMem, uOpcode, uOperation, uReg, uRm } from '../uop';
import { operandRead } from '../exec/operand';
import {
  C_CVTDQ2PD, C_CVTDQ2PS, C_CVTPD2DQ, C_CVTPD2PS, C_CVTPH2PS, C_CVTPS2DQ, C_CVTPS2PD, C_CVTTPD2DQ, C_CVTTPS2DQ,
} from '../generated/vector-ops';
import {
  convert, DOUBLE, flushDenormal, fromInteger, HALF, IE, infinity, magnitude, PE, raise, ROUND_DOWN, ROUND_NEAREST, ROUND_UP,
  ROUND_ZERO, roundingMode, setFlushToZero, setRounding, SINGLE,
} from '../fpu/round';
import { mergeLowest } from './float';
import { beginFloat, FLOAT_FAULT, plain, quick, settleFlags } from './mxcsr';
import { absent, enterMmx, firstSource, low, mmxAbsent, mmxSource, mmxWrite, setLow, setWhole, source, stored, target } from './operand';

/**
 * A number as a signed integer of 4 or 8 bytes; NaNs and what does not fit raise IE and answer the least integer.
 * Doubles hold every single exactly.
 */
function toInteger(x: f64, mode: u32, bytes: u32): i64 {
  const r = mode == ROUND_NEAREST ? nearest(x) : mode == ROUND_DOWN ? floor(x) : mode == ROUND_UP ? ceil(x) : trunc(x);
  const limit: f64 = bytes == 8 ? 9223372036854775808.0 : 2147483648.0;
  // false for NaNs
  if (r >= -limit && r < limit) {
    if (r != x) raise(PE);
    return i64(r);
  }
  raise(IE);
  return bytes == 8 ? i64.MIN_VALUE : i64(i32.MIN_VALUE);
}

@inline function single(x: u32): f64 { return f64(reinterpret<f32>(u32(flushDenormal(x, SINGLE)))); }
@inline function double(x: u64): f64 { return reinterpret<f64>(flushDenormal(x, DOUBLE)); }

/** CVTSI2SS, CVTSI2SD. */
export function execConvertFromInteger(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const wide = (uImm2(u) & UV_W) != 0;
  if (!operandRead(u, wide ? 8 : 4)) return accessStatus();
  const value = wide ? load<i64>(OP_VALUE) : i64(load<i32>(OP_VALUE));
  beginFloat();
  const toDouble = uForm(u) == FORM_F2;
  const r = fromInteger(value, toDouble ? DOUBLE : SINGLE);
  if (!settleFlags()) return FLOAT_FAULT;
  setLow(u, uReg(u), mergeLowest(toDouble, low(firstSource(u)), toDouble ? i64x2.splat(r) : i32x4.splat(i32(r))));
  return XS_OK;
}

/** CVTSS2SI and CVTSD2SI (2D), truncating ones (2C). */
export function execConvertToInteger(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const fromDouble = uForm(u) == FORM_F2;
  const p = source(u, fromDouble ? 8 : 4, false);
  if (!p) return accessStatus();
  const wide = (uImm2(u) & UV_W) != 0;
  beginFloat();
  const mode = uOpcode(u) == 0x2c ? ROUND_ZERO : roundingMode();
  const r = toInteger(fromDouble ? double(load<u64>(p)) : single(load<u32>(p)), mode, wide ? 8 : 4);
  if (!settleFlags()) return FLOAT_FAULT;
  setReg64(uReg(u), wide ? u64(r) : u64(u32(r)));
  return XS_OK;
}

/** CVTSS2SD, CVTSD2SS. */
export function execConvertScalar(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const fromDouble = uForm(u) == FORM_F2;
  const p = source(u, fromDouble ? 8 : 4, false);
  if (!p) return accessStatus();
  beginFloat();
  const r = fromDouble ? toSingle(load<u64>(p)) : convert(load<u32>(p), SINGLE, DOUBLE);
  if (!settleFlags()) return FLOAT_FAULT;
  setLow(u, uReg(u), mergeLowest(!fromDouble, low(firstSource(u)), fromDouble ? i32x4.splat(i32(r)) : i64x2.splat(r)));
  return XS_OK;
}

/** A double to a single; plain when the result is normal with room below. */
function toSingle(x: u64): u64 {
  if (plain) {
    const near = f32(reinterpret<f64>(x));
    const r = reinterpret<u32>(near);
    const m = magnitude(r, SINGLE);
    if (m >= 0x01000000 && m < infinity(SINGLE) && (quick || f64(near) == reinterpret<f64>(x))) return r;
  }
  return convert(x, DOUBLE, SINGLE);
}

@inline function intsOfSingles(x: v128, mode: u32): v128 {
  return i32x4(
    i32(toInteger(single(i32x4.extract_lane(x, 0)), mode, 4)), i32(toInteger(single(i32x4.extract_lane(x, 1)), mode, 4)),
    i32(toInteger(single(i32x4.extract_lane(x, 2)), mode, 4)), i32(toInteger(single(i32x4.extract_lane(x, 3)), mode, 4)),
  );
}

/** Two doubles to integers in the low half, the high half zero. */
@inline function intsOfDoubles(x: v128, mode: u32): v128 {
  return i32x4(
    i32(toInteger(double(i64x2.extract_lane(x, 0)), mode, 4)), i32(toInteger(double(i64x2.extract_lane(x, 1)), mode, 4)), 0, 0,
  );
}

@inline function singlesOfInts(x: v128): v128 {
  return i32x4(
    i32(fromInteger(i64(i32x4.extract_lane(x, 0)), SINGLE)), i32(fromInteger(i64(i32x4.extract_lane(x, 1)), SINGLE)),
    i32(fromInteger(i64(i32x4.extract_lane(x, 2)), SINGLE)), i32(fromInteger(i64(i32x4.extract_lane(x, 3)), SINGLE)),
  );
}

@inline function singlesOfDoubles(x: v128): v128 {
  return i32x4(i32(toSingle(i64x2.extract_lane(x, 0))), i32(toSingle(i64x2.extract_lane(x, 1))), 0, 0);
}

/** The low half of x. */
@inline function doublesOfSingles(x: v128): v128 {
  return i64x2(
    convert(u32(i32x4.extract_lane(x, 0)), SINGLE, DOUBLE), convert(u32(i32x4.extract_lane(x, 1)), SINGLE, DOUBLE),
  );
}

@inline function singlesOfHalves(x: v128): v128 {
  return i32x4(
    i32(convert(u64(i16x8.extract_lane_u(x, 0)), HALF, SINGLE)), i32(convert(u64(i16x8.extract_lane_u(x, 1)), HALF, SINGLE)),
    i32(convert(u64(i16x8.extract_lane_u(x, 2)), HALF, SINGLE)), i32(convert(u64(i16x8.extract_lane_u(x, 3)), HALF, SINGLE)),
  );
}

/** How the size of a packed conversion's source compares with its result: half of it, the same, or twice. */
@inline function widens(op: u32): bool { return op == C_CVTPS2PD || op == C_CVTDQ2PD || op == C_CVTPH2PS; }
@inline function narrows(op: u32): bool { return op == C_CVTPD2PS || op == C_CVTPD2DQ || op == C_CVTTPD2DQ; }

/** 128 bits of result; narrowing conversions answer them in the low half. */
function convertElements(op: u32, x: v128): v128 {
  switch (op) {
    case C_CVTPS2PD: return doublesOfSingles(x);
    case C_CVTPD2PS: return singlesOfDoubles(x);
    case C_CVTDQ2PS: return singlesOfInts(x);
    case C_CVTPS2DQ: return intsOfSingles(x, roundingMode());
    case C_CVTTPS2DQ: return intsOfSingles(x, ROUND_ZERO);
    case C_CVTTPD2DQ: return intsOfDoubles(x, ROUND_ZERO);
    case C_CVTDQ2PD: return f64x2.convert_low_i32x4_s(x);
    case C_CVTPD2DQ: return intsOfDoubles(x, roundingMode());
    default: return singlesOfHalves(x); // VCVTPH2PS
  }
}

export function execConvertPacked(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const op = uOperation(u);
  const second = uImm2(u);
  const whole = (second & UV_L) != 0;
  const half = widens(op);
  const bytes: u32 = (whole ? 32 : 16) >> (half ? 1 : 0);
  const p = source(u, bytes, !half && !(second & UV_VEX));
  if (!p) return accessStatus();
  beginFloat();
  const x = bytes == 8 ? v128.load64_zero(p) : v128.load(p);
  const lower = convertElements(op, x);
  let upper = lower;
  if (whole) upper = convertElements(op, half ? v128.shuffle<i64>(x, x, 1, 1) : v128.load(p, 16));
  if (!settleFlags()) return FLOAT_FAULT;
  if (narrows(op)) setLow(u, uReg(u), whole ? v128.shuffle<i64>(lower, upper, 0, 2) : lower);
  else if (whole) setWhole(uReg(u), lower, upper);
  else setLow(u, uReg(u), lower);
  return XS_OK;
}

@inline function halvesOfSingles(x: v128): u64 {
  return (
    convert(u32(i32x4.extract_lane(x, 0)), SINGLE, HALF) | (convert(u32(i32x4.extract_lane(x, 1)), SINGLE, HALF) << 16) |
    (convert(u32(i32x4.extract_lane(x, 2)), SINGLE, HALF) << 32) | (convert(u32(i32x4.extract_lane(x, 3)), SINGLE, HALF) << 48)
  );
}

/** VCVTPS2PH: immediate 1:0 rounding, 2 that of MXCSR instead; FTZ is ignored. */
export function execStoreHalf(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const whole = (uImm2(u) & UV_L) != 0;
  const from = uReg(u) << 5;
  const bytes: u32 = whole ? 16 : 8;
  let p: usize = 0;
  if (uIsMem(u)) {
    p = target(u, bytes, false);
    if (!p) return accessStatus();
  }
  const imm = u32(uImm(u));
  beginFloat();
  setFlushToZero(false);
  if (!(imm & 4)) setRounding(imm & 3);
  const lower = halvesOfSingles(v128.load(from, YMM));
  const upper = whole ? halvesOfSingles(v128.load(from, YMM + 16)) : 0;
  if (!settleFlags()) return FLOAT_FAULT;
  if (!p) {
    setLow(u, uRm(u), i64x2(lower, upper));
    return XS_OK;
  }
  store<u64>(p, lower);
  if (whole) store<u64>(p, upper, 8);
  return stored(p, bytes) ? XS_OK : accessStatus();
}

/** CVTPI2PS, CVTPI2PD (66): two integers of an MMX register or memory. */
export function execConvertFromMmx(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const mmx = mmxAbsent();
  if (mmx) return fault(mmx);
  const p = mmxSource(u, 8);
  if (!p) return accessStatus();
  const toDouble = uForm(u) == FORM_66;
  const x = v128.load64_zero(p);
  beginFloat();
  const r = toDouble ? f64x2.convert_low_i32x4_s(x) : singlesOfInts(x);
  if (!settleFlags()) return FLOAT_FAULT;
  // a double from memory leaves the x87 state alone
  if (!toDouble || !uIsMem(u)) enterMmx();
  setLow(u, uReg(u), toDouble ? r : v128.shuffle<i64>(r, low(uReg(u)), 0, 3));
  return XS_OK;
}

/** CVTPS2PI, CVTPD2PI (2D) and the truncating ones (2C) to an MMX register. */
export function execConvertToMmx(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const mmx = mmxAbsent();
  if (mmx) return fault(mmx);
  const fromDouble = uForm(u) == FORM_66;
  const p = source(u, fromDouble ? 16 : 8, fromDouble);
  if (!p) return accessStatus();
  beginFloat();
  const mode = uOpcode(u) == 0x2c ? ROUND_ZERO : roundingMode();
  const r = fromDouble ? intsOfDoubles(v128.load(p), mode) : intsOfSingles(v128.load64_zero(p), mode);
  if (!settleFlags()) return FLOAT_FAULT;
  enterMmx();
  mmxWrite(uReg(u), r);
  return XS_OK;
}
