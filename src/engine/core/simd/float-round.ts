// ROUNDPS and its like, and the estimates RCP and RSQRT.
import { XS_OK } from '../layout';
import { fault } from '../state';
import { accessStatus } from '../mmu/access';
import { UV_L, UV_VEX, uImm, uImm2, uOperation, uReg, uForm } from '../uop';
import { F_RCP, F_ROUNDPD, F_ROUNDSD, F_ROUNDSS } from '../generated/vector-ops';
import {
  DOUBLE, flushDenormal, IE, indefinite, infinity, isInfinite, isNan, isSignaling, magnitude, PE, quietBit, raise, ROUND_DOWN,
  ROUND_NEAREST, ROUND_UP, roundingMode, SINGLE,
} from '../fpu/round';
import { isScalar, mergeLowest } from './float';
import { beginFloat, FLOAT_FAULT, settleFlags } from './mxcsr';
import { absent, firstSource, low, setLow, setWhole, source } from './operand';

/** A number to an integer in the same format; the sign of zero stays. `silent`: inexactness is not reported. */
function toIntegral(x0: u64, format: u32, mode: u32, silent: bool): u64 {
  if (isNan(x0, format)) {
    if (isSignaling(x0, format)) raise(IE);
    return x0 | quietBit(format);
  }
  const x = flushDenormal(x0, format);
  let r: u64;
  if (format == DOUBLE) {
    const value = reinterpret<f64>(x);
    r = reinterpret<u64>(mode == ROUND_NEAREST ? nearest(value) : mode == ROUND_DOWN ? floor(value) : mode == ROUND_UP ? ceil(value) : trunc(value));
  } else {
    const value = reinterpret<f32>(u32(x));
    r = reinterpret<u32>(mode == ROUND_NEAREST ? nearest(value) : mode == ROUND_DOWN ? floor(value) : mode == ROUND_UP ? ceil(value) : trunc(value));
  }
  if (r != x && !silent) raise(PE);
  return r;
}

function roundSingles(x: v128, mode: u32, silent: bool): v128 {
  return i32x4(
    i32(toIntegral(u32(i32x4.extract_lane(x, 0)), SINGLE, mode, silent)),
    i32(toIntegral(u32(i32x4.extract_lane(x, 1)), SINGLE, mode, silent)),
    i32(toIntegral(u32(i32x4.extract_lane(x, 2)), SINGLE, mode, silent)),
    i32(toIntegral(u32(i32x4.extract_lane(x, 3)), SINGLE, mode, silent)),
  );
}

function roundDoubles(x: v128, mode: u32, silent: bool): v128 {
  return i64x2(
    toIntegral(i64x2.extract_lane(x, 0), DOUBLE, mode, silent), toIntegral(i64x2.extract_lane(x, 1), DOUBLE, mode, silent),
  );
}

/** Immediate: 1:0 mode, 2 mode of MXCSR instead, 3 no PE. @sdm 2B "ROUNDPD" */
export function execRound(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const op = uOperation(u);
  const second = uImm2(u);
  const imm = u32(uImm(u));
  const silent = (imm & 8) != 0;
  const one = op == F_ROUNDSS || op == F_ROUNDSD;
  const double = op == F_ROUNDPD || op == F_ROUNDSD;
  const whole = (second & UV_L) != 0;
  const p = source(u, one ? (double ? 8 : 4) : whole ? 32 : 16, !one && !(second & UV_VEX));
  if (!p) return accessStatus();
  beginFloat();
  const mode = imm & 4 ? roundingMode() : imm & 3;
  if (one) {
    const r = double ? toIntegral(load<u64>(p), DOUBLE, mode, silent) : toIntegral(load<u32>(p), SINGLE, mode, silent);
    if (!settleFlags()) return FLOAT_FAULT;
    setLow(u, uReg(u), mergeLowest(double, low(firstSource(u)), double ? i64x2.splat(r) : i32x4.splat(i32(r))));
    return XS_OK;
  }
  const lower = double ? roundDoubles(v128.load(p), mode, silent) : roundSingles(v128.load(p), mode, silent);
  let upper = lower;
  if (whole) upper = double ? roundDoubles(v128.load(p, 16), mode, silent) : roundSingles(v128.load(p, 16), mode, silent);
  if (!settleFlags()) return FLOAT_FAULT;
  if (whole) setWhole(uReg(u), lower, upper);
  else setLow(u, uReg(u), lower);
  return XS_OK;
}

/**
 * 1 / x or 1 / sqrt(x) with a relative error below 1.5 * 2^-12: the quotient rounded to 12 bits. Denormals count
 * as zeros, results too small become zeros, MXCSR is neither read nor written. @sdm 2B "RCPPS" "RSQRTPS"
 */
function estimate(root: bool, x: u32): i32 {
  if (isNan(x, SINGLE)) return x | u32(quietBit(SINGLE));
  const top = x & 0x80000000;
  if (magnitude(x, SINGLE) < 0x00800000) return top | u32(infinity(SINGLE));
  if (root && top) return u32(indefinite(SINGLE));
  if (isInfinite(x, SINGLE)) return top;
  const value = f64(reinterpret<f32>(x));
  const r = reinterpret<u64>(root ? 1 / sqrt(value) : 1 / value);
  // keep 11 bits of the fraction
  const kept = reinterpret<u32>(f32(reinterpret<f64>((r + (u64(1) << 40)) & ~((u64(1) << 41) - 1))));
  return magnitude(kept, SINGLE) < 0x00800000 ? top : kept;
}

@inline function estimates(root: bool, x: v128): v128 {
  return i32x4(
    estimate(root, i32x4.extract_lane(x, 0)), estimate(root, i32x4.extract_lane(x, 1)),
    estimate(root, i32x4.extract_lane(x, 2)), estimate(root, i32x4.extract_lane(x, 3)),
  );
}

export function execFloatEstimate(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const second = uImm2(u);
  const root = uOperation(u) != F_RCP;
  const one = isScalar(uForm(u));
  const whole = (second & UV_L) != 0;
  const p = source(u, one ? 4 : whole ? 32 : 16, !one && !(second & UV_VEX));
  if (!p) return accessStatus();
  if (one) setLow(u, uReg(u), mergeLowest(false, low(firstSource(u)), i32x4.splat(estimate(root, load<u32>(p)))));
  else if (whole) {
    const lower = estimates(root, v128.load(p));
    setWhole(uReg(u), lower, estimates(root, v128.load(p, 16)));
  } else setLow(u, uReg(u), estimates(root, v128.load(p)));
  return XS_OK;
}
