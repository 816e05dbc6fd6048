// FMA3: fused multiply-add in three operand orders. @sdm 1 14.5 "Fused-Multiply-ADD (FMA) Extensions"
import { XS_OK, YMM } from '../layout';
import { fault } from '../state';
import { accessStatus } from '../mmu/access';
import { UV_L, UV_VEX_W, uImm2, uOpcode, uOperation, uReg, uVector } from '../uop';
import { FMA_FMADDSUB, FMA_FMSUB, FMA_FMSUBADD, FMA_FNMADD, FMA_FNMSUB } from '../generated/vector-ops';
import { DOUBLE, fusedMultiplyAdd, SINGLE } from '../fpu/round';
import { beginFloat, FLOAT_FAULT, plain, quick, settleFlags } from './mxcsr';
import { absent, setLow, setWhole, source } from './operand';

const RESULT: usize = memory.data<u64>([0, 0, 0, 0]);

/** Is the addend of an element negated? */
@inline function negatesAddend(op: u32, odd: bool): bool {
  if (op == FMA_FMADDSUB) return !odd;
  if (op == FMA_FMSUBADD) return odd;
  return op == FMA_FMSUB || op == FMA_FNMSUB;
}

@inline function element(p: usize, n: u32, double: bool): u64 { return double ? load<u64>(p + (n << 3)) : load<u32>(p + (n << 2)); }

/** Is the biased exponent near enough to the middle that no step of quickFma() overflows, or loses bits below? */
@inline function moderate(x: u64, by: u32): bool { return u32(x >> 52 & 0x7ff) - (1023 - by) < by * 2; }

@inline function sumError(a: f64, b: f64, sum: f64): f64 {
  const part = sum - a;
  return (a - (sum - part)) + (b - part);
}

/** High half of a significand, by Veltkamp's split. */
@inline function upperHalf(x: f64): f64 {
  const scaled = x * 134217729.0;
  return scaled - (scaled - x);
}

/** Result of quickFma(). */
let fused: u64 = 0;

/**
 * a times b plus c of doubles that are not far from 1, by sums without errors and one that is rounded to odd; false: it is
 * not for here. (Boldo, Melquiond: "Emulation of a FMA and Correctly Rounded Sums: Proved Algorithms Using Rounding to Odd")
 */
function quickFma(x: u64, y: u64, z: u64): bool {
  if (!moderate(x, 200) || !moderate(y, 200) || !moderate(z, 400)) return false;
  const a = reinterpret<f64>(x);
  const b = reinterpret<f64>(y);
  const c = reinterpret<f64>(z);
  const product = a * b;
  const a1 = upperHalf(a);
  const b1 = upperHalf(b);
  const a0 = a - a1;
  const b0 = b - b1;
  const below = a0 * b0 - (((product - a1 * b1) - a0 * b1) - a1 * b0);
  const upper = c + below;
  const lower = sumError(c, below, upper);
  const whole = product + upper;
  const rest = sumError(product, upper, whole);
  let odd = lower + rest;
  const lost = sumError(lower, rest, odd);
  if (lost != 0) {
    // toward what was lost, unless the last bit is 1 already
    const bits = reinterpret<u64>(odd);
    if (!(bits & 1)) odd = reinterpret<f64>((lost > 0) == (odd > 0) ? bits + 1 : bits - 1);
  }
  const result = whole + odd;
  // of a difference of equals the sign is asked for; while PE is clear nothing may be rounded
  if (result == 0 || !(quick || (lost == 0 && sumError(whole, odd, result) == 0))) return false;
  fused = reinterpret<u64>(result);
  return true;
}

const SIGN: u64 = 0x8000000000000000;

/** Opcodes 9x: 1 * 3 + 2, Ax: 2 * 1 + 3, Bx: 2 * 3 + 1. Scalar forms have odd low digits from 9 on. */
export function execFma(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const second = uImm2(u);
  const double = (second & UV_VEX_W) != 0;
  const opcode = uOpcode(u);
  const one = (opcode & 15) > 8 && (opcode & 1) != 0;
  const whole = (second & UV_L) != 0;
  const bytes: u32 = one ? (double ? 8 : 4) : whole ? 32 : 16;
  const third = source(u, bytes, false);
  if (!third) return accessStatus();
  const first: usize = YMM + (uReg(u) << 5);
  const middle: usize = YMM + (uVector(u) << 5);
  const order = opcode >> 4;
  const a: usize = order == 9 ? first : middle;
  const b: usize = order == 10 ? first : third;
  const c: usize = order == 9 ? middle : order == 10 ? third : first;
  const op = uOperation(u);
  const negateProduct = op == FMA_FNMADD || op == FMA_FNMSUB;
  const format: u32 = double ? DOUBLE : SINGLE;
  const count: u32 = one ? 1 : bytes >> (double ? 3 : 2);
  beginFloat();
  // the other elements of a scalar form keep the first operand's values
  v128.store(RESULT, v128.load(first));
  for (let n: u32 = 0; n < count; n++) {
    if (double && plain) {
      const x = load<u64>(a + (n << 3)) ^ (negateProduct ? SIGN : 0);
      if (quickFma(x, load<u64>(b + (n << 3)), load<u64>(c + (n << 3)) ^ (negatesAddend(op, (n & 1) != 0) ? SIGN : 0))) {
        store<u64>(RESULT + (n << 3), fused);
        continue;
      }
    }
    const r = fusedMultiplyAdd(
      element(a, n, double), element(b, n, double), element(c, n, double), negateProduct, negatesAddend(op, (n & 1) != 0), format,
    );
    if (double) store<u64>(RESULT + (n << 3), r);
    else store<u32>(RESULT + (n << 2), u32(r));
  }
  if (!settleFlags()) return FLOAT_FAULT;
  if (whole && !one) setWhole(uReg(u), v128.load(RESULT), v128.load(RESULT, 16));
  else setLow(u, uReg(u), v128.load(RESULT));
  return XS_OK;
}
