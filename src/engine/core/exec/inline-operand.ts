// Operand access that the dispatcher inlines.
import { GPR } from '../layout';
import { uBase, uDisp, uFlags, uIndex, uReg, uRm, uScale } from '../uop';

/** Effective address of a UF_SIMPLE operand, not yet cut: 4 loads of the micro-op, 2 registers. */
@inline export function address(u: usize): u64 {
  return load<u64>(uBase(u) << 3, GPR) + (load<u64>(uIndex(u) << 3, GPR) << u64(uScale(u))) + u64(i64(uDisp(u)));
}

/** Offset from GPR of the byte register r: bit 12 of the flags (UF_HIGH_R) makes number n + 4 byte 1 of register n. */
@inline export function byteR(u: usize): u32 {
  const high = (uFlags(u) >> 12) & 1;
  return ((uReg(u) - (high << 2)) << 3) + high;
}

/** The same for rm, by UF_HIGH_RM. */
@inline export function byteRm(u: usize): u32 {
  const high = (uFlags(u) >> 13) & 1;
  return ((uRm(u) - (high << 2)) << 3) + high;
}

/** Condition code of a fused branch whose case serves all: kept in the opcode bits of the flags. */
@inline export function uImm2Condition(u: usize): u32 { return (uFlags(u) >> 16) & 15; }
