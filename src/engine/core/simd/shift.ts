// Shifts of all elements by one count: from a register or memory, or an immediate.
import { XS_OK } from '../layout';
import { fault } from '../state';
import { accessStatus } from '../mmu/access';
import { UV_L, UV_VEX, uImm, uImm2, uOperation, uReg, uRm, uVector } from '../uop';
import {
  V_PSLLD, V_PSLLQ, V_PSLLW, V_PSRAD, V_PSRAW, V_PSRLD, V_PSRLDQ, V_PSRLQ, V_PSRLW,
} from '../generated/vector-ops';
import { align } from './arrange';
import { absent, enterMmx, firstSource, high, low, mmxAbsent, mmxRead, mmxSource, mmxWrite, setLow, setWhole, source } from './operand';

/** A count beyond the width clears the elements, or fills them with their signs. */
function shift(op: u32, a: v128, count: u64): v128 {
  const n = i32(min<u64>(count, 64));
  switch (op) {
    case V_PSRLW: return n > 15 ? i64x2.splat(0) : i16x8.shr_u(a, n);
    case V_PSRLD: return n > 31 ? i64x2.splat(0) : i32x4.shr_u(a, n);
    case V_PSRLQ: return n > 63 ? i64x2.splat(0) : i64x2.shr_u(a, n);
    case V_PSRAW: return i16x8.shr_s(a, min(n, 15));
    case V_PSRAD: return i32x4.shr_s(a, min(n, 31));
    case V_PSLLW: return n > 15 ? i64x2.splat(0) : i16x8.shl(a, n);
    case V_PSLLD: return n > 31 ? i64x2.splat(0) : i32x4.shl(a, n);
    case V_PSLLQ: return n > 63 ? i64x2.splat(0) : i64x2.shl(a, n);
    case V_PSRLDQ: return align(i64x2.splat(0), a, u32(min(n, 16)));
    default: return align(a, i64x2.splat(0), 16 - u32(min(n, 16))); // PSLLDQ
  }
}

/** The count is the low quadword of a 128-bit operand. */
export function execVectorShift(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const second = uImm2(u);
  const p = source(u, 16, !(second & UV_VEX));
  if (!p) return accessStatus();
  const count = load<u64>(p);
  const op = uOperation(u);
  const a = firstSource(u);
  if (second & UV_L) setWhole(uReg(u), shift(op, low(a), count), shift(op, high(a), count));
  else setLow(u, uReg(u), shift(op, low(a), count));
  return XS_OK;
}

/** The destination is the source, or (VEX) the register in VEX.vvvv. */
export function execVectorShiftImmediate(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const second = uImm2(u);
  const count = uImm(u) & 0xff;
  const op = uOperation(u);
  const a = uRm(u);
  if (second & UV_L) setWhole(uVector(u), shift(op, low(a), count), shift(op, high(a), count));
  else setLow(u, second & UV_VEX ? uVector(u) : a, shift(op, low(a), count));
  return XS_OK;
}

export function execVectorShiftMmx(u: usize): i32 {
  const vector = mmxAbsent();
  if (vector) return fault(vector);
  const p = mmxSource(u, 8);
  if (!p) return accessStatus();
  const count = load<u64>(p);
  enterMmx();
  mmxWrite(uReg(u), shift(uOperation(u), mmxRead(uReg(u)), count));
  return XS_OK;
}

export function execVectorShiftImmediateMmx(u: usize): i32 {
  const vector = mmxAbsent();
  if (vector) return fault(vector);
  enterMmx();
  mmxWrite(uRm(u), shift(uOperation(u), mmxRead(uRm(u)), uImm(u) & 0xff));
  return XS_OK;
}
