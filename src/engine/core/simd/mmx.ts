// MMX moves and the bridges to XMM registers. @sdm 1 9.4 "MMX Instructions"
import { OP_VALUE, X87, X87_FTW, XS_OK } from '../layout';
import { fault, setReg64 } from '../state';
import { accessStatus } from '../mmu/access';
import { UV_W, uImm, uImm2, uIsMem, uReg, uRm } from '../uop';
import { operandRead } from '../exec/operand';
import { storeMasked } from './element';
import { storeLow } from './move';
import { absent, enterMmx, low, mmxAbsent, mmxRead, mmxSource, mmxWrite, setLow } from './operand';

/** TOP 0, all registers empty. */
export function execEmms(u: usize): i32 {
  const vector = mmxAbsent();
  if (vector) return fault(vector);
  enterMmx();
  store<u16>(X87_FTW, load<u16>(X87_FTW) & 0xff00);
  return XS_OK;
}

@inline function quadword(n: u32): u64 { return load<u64>((n & 7) << 4, X87); }

export function execMmxLoad(u: usize): i32 {
  const vector = mmxAbsent();
  if (vector) return fault(vector);
  if (!operandRead(u, uImm2(u) & UV_W ? 8 : 4)) return accessStatus();
  enterMmx();
  mmxWrite(uReg(u), v128.load64_zero(OP_VALUE));
  return XS_OK;
}

export function execMmxStore(u: usize): i32 {
  const vector = mmxAbsent();
  if (vector) return fault(vector);
  const wide = (uImm2(u) & UV_W) != 0;
  const value = quadword(uReg(u));
  if (uIsMem(u)) {
    const status = storeLow(u, wide ? 8 : 4, value);
    if (status != XS_OK) return status;
  } else setReg64(uRm(u), wide ? value : value & 0xffffffff);
  enterMmx();
  return XS_OK;
}

export function execMmxMove(u: usize): i32 {
  const vector = mmxAbsent();
  if (vector) return fault(vector);
  const p = mmxSource(u, 8);
  if (!p) return accessStatus();
  enterMmx();
  mmxWrite(uReg(u), v128.load64_zero(p));
  return XS_OK;
}

export function execMmxMoveStore(u: usize): i32 {
  const vector = mmxAbsent();
  if (vector) return fault(vector);
  if (uIsMem(u)) {
    const status = storeLow(u, 8, quadword(uReg(u)));
    if (status != XS_OK) return status;
    enterMmx();
  } else {
    enterMmx();
    mmxWrite(uRm(u), mmxRead(uReg(u)));
  }
  return XS_OK;
}

export function execMmxInsert(u: usize): i32 {
  const vector = mmxAbsent();
  if (vector) return fault(vector);
  if (!operandRead(u, uIsMem(u) ? 2 : 4)) return accessStatus();
  enterMmx();
  const n = (uReg(u) & 7) << 4;
  mmxWrite(uReg(u), mmxRead(uReg(u)));
  store<u16>(n + ((u32(uImm(u)) & 3) << 1), load<u16>(OP_VALUE), X87);
  return XS_OK;
}

export function execMmxExtract(u: usize): i32 {
  const vector = mmxAbsent();
  if (vector) return fault(vector);
  enterMmx();
  setReg64(uReg(u), load<u16>(((uRm(u) & 7) << 4) + ((u32(uImm(u)) & 3) << 1), X87));
  return XS_OK;
}

export function execMmxMask(u: usize): i32 {
  const vector = mmxAbsent();
  if (vector) return fault(vector);
  enterMmx();
  setReg64(uReg(u), i8x16.bitmask(mmxRead(uRm(u))) & 0xff);
  return XS_OK;
}

export function execMaskmovq(u: usize): i32 {
  const vector = mmxAbsent();
  if (vector) return fault(vector);
  const status = storeMasked(u, X87 + ((uReg(u) & 7) << 4), i8x16.bitmask(mmxRead(uRm(u))) & 0xff, 8);
  if (status == XS_OK) enterMmx();
  return status;
}

/** The legacy SSE rules hold as well as those of MMX. */
@inline function bridgeAbsent(u: usize): u32 {
  const vector = absent(u);
  return vector ? vector : mmxAbsent();
}

export function execMovq2dq(u: usize): i32 {
  const vector = bridgeAbsent(u);
  if (vector) return fault(vector);
  enterMmx();
  setLow(u, uReg(u), mmxRead(uRm(u)));
  return XS_OK;
}

export function execMovdq2q(u: usize): i32 {
  const vector = bridgeAbsent(u);
  if (vector) return fault(vector);
  enterMmx();
  mmxWrite(uReg(u), low(uRm(u)));
  return XS_OK;
}
