// FMA3: fused multiply-add in three operand orders. @sdm 1 14.5 "Fused-Multiply-ADD (FMA) Extensions"
import { XS_OK, YMM } from '../layout';
import { fault } from '../state';
import { accessStatus } from '../mmu/access';
import { UV_L, UV_VEX_W, uImm2, uOpcode, uOperation, uReg, uVector } from '../uop';
import { FMA_FMADDSUB, FMA_FMSUB, FMA_FMSUBADD, FMA_FNMADD, FMA_FNMSUB } from '../generated/vector-ops';
import { DOUBLE, fusedMultiplyAdd, SINGLE } from '../fpu/round';
import { beginFloat, FLOAT_FAULT, settleFlags } from './mxcsr';
import { absent, setLow, setWhole, source } from './operand';

const RESULT: usize = memory.data<u64>([0, 0, 0, 0]);

/** Is the addend of an element negated? */
@inline function negatesAddend(op: u32, odd: bool): bool {
  if (op == FMA_FMADDSUB) return !odd;
  if (op == FMA_FMSUBADD) return odd;
  return op == FMA_FMSUB || op == FMA_FNMSUB;
}

@inline function element(p: usize, n: u32, double: bool): u64 { return double ? load<u64>(p + (n << 3)) : load<u32>(p + (n << 2)); }

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
