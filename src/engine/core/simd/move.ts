// Vector moves: whole registers, scalars, halves.
import { XS_OK, YMM } from '../layout';
import { code64, fault } from '../state';
import { accessStatus } from '../mmu/access';
import { FORM_F3, UV_L, UV_VEX, uForm, uImm2, uIsMem, uOperation, uReg, uRm, uVector } from '../uop';
import { M_ALIGNED, M_HIGH_HALF, M_HIGH_TO_LOW, M_LOW_HALF } from '../generated/vector-ops';
import { absent, firstSource, high, low, setLow, setWhole, source, stored, target, YMM_HIGH } from './operand';

// fast path: 11 loads, 2 stores
export function execVectorLoad(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const aligned = uOperation(u) == M_ALIGNED;
  if (uImm2(u) & UV_L) {
    const p = source(u, 32, aligned);
    if (!p) return accessStatus();
    setWhole(uReg(u), v128.load(p), v128.load(p, 16));
  } else {
    const p = source(u, 16, aligned);
    if (!p) return accessStatus();
    setLow(u, uReg(u), v128.load(p));
  }
  return XS_OK;
}

export function execVectorStore(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const whole = (uImm2(u) & UV_L) != 0;
  const from = uReg(u);
  if (!uIsMem(u)) {
    if (whole) setWhole(uRm(u), low(from), high(from));
    else setLow(u, uRm(u), low(from));
    return XS_OK;
  }
  const bytes: u32 = whole ? 32 : 16;
  const p = target(u, bytes, uOperation(u) == M_ALIGNED);
  if (!p) return accessStatus();
  v128.store(p, low(from));
  if (whole) v128.store(p, high(from), 16);
  return stored(p, bytes) ? XS_OK : accessStatus();
}

/** MOVSS and MOVSD to a register. */
export function execScalarLoad(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const single = uForm(u) == FORM_F3;
  if (!uIsMem(u)) {
    setLow(u, uReg(u), mergeScalar(single, low(firstSource(u)), low(uRm(u))));
    return XS_OK;
  }
  const p = source(u, single ? 4 : 8, false);
  if (!p) return accessStatus();
  setLow(u, uReg(u), single ? v128.load32_zero(p) : v128.load64_zero(p));
  return XS_OK;
}

@inline function mergeScalar(single: bool, whole: v128, scalar: v128): v128 {
  return single ? v128.shuffle<i32>(whole, scalar, 4, 1, 2, 3) : v128.shuffle<i64>(whole, scalar, 2, 1);
}

/** MOVSS and MOVSD to memory, or to the rm register. */
export function execScalarStore(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const single = uForm(u) == FORM_F3;
  if (!uIsMem(u)) {
    const whole = uImm2(u) & UV_VEX ? uVector(u) : uRm(u);
    setLow(u, uRm(u), mergeScalar(single, low(whole), low(uReg(u))));
    return XS_OK;
  }
  return storeLow(u, single ? 4 : 8, load<u64>(uReg(u) << 5, YMM));
}

/** Stores 1 to 8 bytes to the memory operand. */
export function storeLow(u: usize, bytes: u32, value: u64): i32 {
  const p = target(u, bytes, false);
  if (!p) return accessStatus();
  if (bytes == 8) store<u64>(p, value);
  else if (bytes == 4) store<u32>(p, u32(value));
  else if (bytes == 2) store<u16>(p, u16(value));
  else store<u8>(p, u8(value));
  return stored(p, bytes) ? XS_OK : accessStatus();
}

/** MOVLPx, MOVHPx from memory, MOVHLPS, MOVLHPS: one half of the first source is replaced. */
export function execHalfLoad(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const op = uOperation(u);
  const p = source(u, 8, false);
  if (!p) return accessStatus();
  const half = load<u64>(op == M_HIGH_TO_LOW ? p + 8 : p);
  const a = low(firstSource(u));
  setLow(u, uReg(u), op == M_LOW_HALF || op == M_HIGH_TO_LOW ? i64x2.replace_lane(a, 0, half) : i64x2.replace_lane(a, 1, half));
  return XS_OK;
}

export function execHalfStore(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const at = (uReg(u) << 5) + (uOperation(u) == M_HIGH_HALF ? 8 : 0);
  return storeLow(u, 8, load<u64>(at, YMM));
}

export function execMovqLoad(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const p = source(u, 8, false);
  if (!p) return accessStatus();
  setLow(u, uReg(u), v128.load64_zero(p));
  return XS_OK;
}

export function execMovqStore(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  const value = load<u64>(uReg(u) << 5, YMM);
  if (uIsMem(u)) return storeLow(u, 8, value);
  setLow(u, uRm(u), i64x2(value, 0));
  return XS_OK;
}

/** Clears bits 255:128 of the eight (64-bit mode: sixteen) registers. */
export function execVzeroupper(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  for (let n: u32 = 0; n < registers(); n++) v128.store(n << 5, i64x2.splat(0), YMM_HIGH);
  return XS_OK;
}

export function execVzeroall(u: usize): i32 {
  const vector = absent(u);
  if (vector) return fault(vector);
  for (let n: u32 = 0; n < registers(); n++) setWhole(n, i64x2.splat(0), i64x2.splat(0));
  return XS_OK;
}

@inline function registers(): u32 { return code64() ? 16 : 8; }
