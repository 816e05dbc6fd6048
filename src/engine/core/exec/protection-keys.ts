// Protection keys of user-mode pages: RDPKRU, WRPKRU. @sdm 3A 4.6.2 "Protection Keys"
import { CR4, PKRU, RAX, RCX, RDX, XS_OK } from '../layout';
import { fault, faultCode } from '../state';
import { CR4_PKE } from '../generated/register-bits';
import { VEC_GP, VEC_UD } from '../generated/events';
import { flushTlb } from '../mmu/tlb';

/** The TLB holds what the keys allow: it goes with them. */
export function setPkru(value: u32): void {
  if (load<u32>(PKRU) == value) return;
  store<u32>(PKRU, value);
  if (load<u64>(CR4) & CR4_PKE) flushTlb();
}

/** @sdm 2B "RDPKRU" */
export function execRdpkru(u: usize): i32 {
  if (!(load<u64>(CR4) & CR4_PKE)) return fault(VEC_UD);
  if (load<u32>(RCX)) return faultCode(VEC_GP, 0);
  store<u64>(RAX, load<u32>(PKRU));
  store<u64>(RDX, 0);
  return XS_OK;
}

/** @sdm 2D "WRPKRU" */
export function execWrpkru(u: usize): i32 {
  if (!(load<u64>(CR4) & CR4_PKE)) return fault(VEC_UD);
  if (load<u32>(RCX) | load<u32>(RDX)) return faultCode(VEC_GP, 0);
  setPkru(load<u32>(RAX));
  return XS_OK;
}
