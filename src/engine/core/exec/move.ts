// Data movement without flags.
import { GPR, OP_LINEAR, OP_VALUE, RAX, RBX, RDX, XS_OK } from '../layout';
import { accessStatus } from '../mmu/access';
import {
  UF_DST_REG, UF_IMM, uAddrSize, uFlags, uImm, uIsMem, uOpSize, uOpcode, uRm, uSeg,
} from '../uop';
import { condition, signExtend, sizeMask } from './flags';
import {
  cutAddress, effectiveAddress, loadSized, operandCommit, operandModify, operandRead, operandWrite, readLinear, registerRead,
  registerWrite, storeRegister,
} from './operand';
import { segmentLinear } from './segment';

export function execMov(u: usize): i32 {
  const bytes = uOpSize(u);
  const flags = uFlags(u);
  if (flags & UF_DST_REG) {
    if (!operandRead(u, bytes)) return accessStatus();
    registerWrite(u, bytes, load<u64>(OP_VALUE));
    return XS_OK;
  }
  const value = flags & UF_IMM ? uImm(u) & sizeMask(bytes) : registerRead(u, bytes);
  return operandWrite(u, bytes, value) ? XS_OK : accessStatus();
}

export function execMovnti(u: usize): i32 { return execMov(u); }

export function execMovzx(u: usize): i32 {
  if (!operandRead(u, uOpcode(u) & 1 ? 2 : 1)) return accessStatus();
  registerWrite(u, uOpSize(u), load<u64>(OP_VALUE));
  return XS_OK;
}

export function execMovsx(u: usize): i32 {
  const bytes: u32 = uOpcode(u) & 1 ? 2 : 1;
  if (!operandRead(u, bytes)) return accessStatus();
  registerWrite(u, uOpSize(u), u64(signExtend(load<u64>(OP_VALUE), bytes)) & sizeMask(uOpSize(u)));
  return XS_OK;
}

export function execMovsxd(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!operandRead(u, min<u32>(bytes, 4))) return accessStatus();
  registerWrite(u, bytes, u64(signExtend(load<u64>(OP_VALUE), min<u32>(bytes, 4))) & sizeMask(bytes));
  return XS_OK;
}

export function execLea(u: usize): i32 {
  registerWrite(u, uOpSize(u), effectiveAddress(u) & sizeMask(uOpSize(u)));
  return XS_OK;
}

export function execXchg(u: usize): i32 {
  const bytes = uOpSize(u);
  const p = operandModify(u, bytes);
  if (!p) return accessStatus();
  const a = loadSized(p, bytes);
  if (!operandCommit(u, p, bytes, registerRead(u, bytes))) return accessStatus();
  registerWrite(u, bytes, a);
  return XS_OK;
}

/** The 16-bit form is undefined; CPUs clear the register. */
export function execBswap(u: usize): i32 {
  const p = GPR + (uRm(u) << 3);
  const bytes = uOpSize(u);
  if (bytes == 8) store<u64>(p, bswap<u64>(load<u64>(p)));
  else if (bytes == 4) store<u64>(p, u64(bswap<u32>(load<u32>(p))));
  else store<u16>(p, 0);
  return XS_OK;
}

export function execMovbe(u: usize): i32 {
  const bytes = uOpSize(u);
  const shift = u64(64 - bytes * 8);
  if (uFlags(u) & UF_DST_REG) {
    if (!operandRead(u, bytes)) return accessStatus();
    registerWrite(u, bytes, bswap<u64>(load<u64>(OP_VALUE) << shift) & sizeMask(bytes));
    return XS_OK;
  }
  return operandWrite(u, bytes, bswap<u64>(registerRead(u, bytes) << shift) & sizeMask(bytes)) ? XS_OK : accessStatus();
}

/** The source is read, and a 32-bit destination's upper half cleared, whether the condition holds or not. */
export function execCmov(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  registerWrite(u, bytes, condition(uOpcode(u)) ? load<u64>(OP_VALUE) : registerRead(u, bytes));
  return XS_OK;
}

export function execSetcc(u: usize): i32 {
  return operandWrite(u, 1, condition(uOpcode(u)) ? 1 : 0) ? XS_OK : accessStatus();
}

export function execXlat(u: usize): i32 {
  const offset = cutAddress(load<u64>(RBX) + u64(load<u8>(RAX)), uAddrSize(u));
  if (!segmentLinear(uSeg(u), offset, 1, false) || !readLinear(load<u64>(OP_LINEAR), 1)) return accessStatus();
  store<u8>(RAX, u8(load<u64>(OP_VALUE)));
  return XS_OK;
}

/** CBW, CWDE, CDQE. */
export function execCbw(u: usize): i32 {
  const bytes = uOpSize(u);
  storeRegister(RAX, bytes, u64(signExtend(load<u64>(RAX), bytes >> 1)) & sizeMask(bytes));
  return XS_OK;
}

/** CWD, CDQ, CQO. */
export function execCwd(u: usize): i32 {
  const bytes = uOpSize(u);
  storeRegister(RDX, bytes, u64(signExtend(load<u64>(RAX), bytes) >> 63) & sizeMask(bytes));
  return XS_OK;
}
