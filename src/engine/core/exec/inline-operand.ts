// Operand access that the dispatcher inlines.
import { BOUNCE, BOUNCE_BYTES, CTX, GPR, TLB_ENTRIES, TLB_WRITE } from '../layout';
import { writeSlow, wroteSlow } from '../mmu/access';
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
@inline export function uFusedCondition(u: usize): u32 { return (uFlags(u) >> 16) & 15; }

/** address() of an operand without index. */
@inline export function addressPlain(u: usize): u64 { return load<u64>(uBase(u) << 3, GPR) + u64(i64(uDisp(u))); }

/** Stores a value at a linear address; false: see accessStatus(). */
// fast path: 10 wasm ops, 3 loads, 1 store
@inline export function stored<T>(la: u64, value: T): bool {
  const entry = (<usize>(<u32>la >> 12) & (TLB_ENTRIES - 1)) << 4;
  if (load<u64>(entry, TLB_WRITE) == (((la + (sizeof<T>() - 1)) & ~(<u64>0xfff)) | load<u32>(CTX))) {
    store<T>(<usize>(<u32>la + load<u32>(entry, TLB_WRITE + 8)), value);
    return true;
  }
  return storeSlow<T>(la, value);
}

function storeSlow<T>(la: u64, value: T): bool {
  const p = writeSlow(la, sizeof<T>(), false);
  if (!p) return false;
  store<T>(p, value);
  return p - BOUNCE >= <usize>BOUNCE_BYTES || wroteSlow(sizeof<T>());
}
