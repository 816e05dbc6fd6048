// Fast system calls: SYSCALL, SYSRET, SYSENTER, SYSEXIT, and SWAPGS.
import {
  CSTAR, CR0, EFER, FMASK, GPR, KERNEL_GS_BASE, LSTAR, NEXT_RIP, RCX, RDX, RFLAGS, RSP, SEGMENTS, SEGMENT_BYTES, SEG_BASE, SEG_CS,
  SEG_GS, SEG_SS, STAR, SYSENTER_CS, SYSENTER_EIP, SYSENTER_ESP, XS_OK,
} from '../layout';
import { canonicalAddress, code64, cpl, fault, faultCode, longMode, protectedMode, VEC_GP, VEC_UD } from '../state';
import { updateMode } from '../mmu/mode';
import { windowMayOpen } from '../vmx/boundary';
import { uOpSize } from '../uop';
import { setSegmentRaw } from './segment';
import { jumpTo, setLevel } from './transfer';

const R11 = GPR + 11 * 8;

/** Flat code and stack segments of a privilege level, as the fast calls fix them. */
function flatSegments(cs: u32, ss: u32, level: u32, long: bool): void {
  setSegmentRaw(SEG_CS, (cs & 0xfffc) | level, (long ? 0xa09b : 0xc09b) | level << 5, 0xffffffff, 0);
  setSegmentRaw(SEG_SS, (ss & 0xfffc) | level, 0xc093 | level << 5, 0xffffffff, 0);
  setLevel(level);
}

/** @sdm 2B 4.3 "SYSCALL - Fast System Call" */
export function execSyscall(u: usize): i32 {
  if (!code64() || !(load<u64>(EFER) & 1)) return fault(VEC_UD);
  const flags = load<u64>(RFLAGS);
  store<u64>(RCX, load<u64>(NEXT_RIP));
  store<u64>(R11, flags);
  store<u64>(RFLAGS, (flags & ~(load<u64>(FMASK) | 0x10000)) | 2);
  const cs = <u32>(load<u64>(STAR) >> 32) & 0xffff;
  flatSegments(cs, (cs & 0xfffc) + 8, 0, true);
  jumpTo(load<u64>(LSTAR));
  updateMode();
  return XS_OK;
}

/** @sdm 2B 4.3 "SYSRET - Return From Fast System Call" */
export function execSysret(u: usize): i32 {
  if (!code64() || !(load<u64>(EFER) & 1)) return fault(VEC_UD);
  if (cpl() != 0) return faultCode(VEC_GP, 0);
  const long = uOpSize(u) == 8;
  const rip = load<u64>(RCX);
  if (long && !canonicalAddress(rip)) return faultCode(VEC_GP, 0);
  store<u64>(RFLAGS, (load<u64>(R11) & 0x3c7fd7) | 2);
  const selector = <u32>(load<u64>(STAR) >> 48) & 0xffff;
  flatSegments(long ? selector + 16 : selector, selector + 8, 3, long);
  if (!long) setSegmentRaw(SEG_CS, selector | 3, 0xc0fb, 0xffffffff, 0);
  jumpTo(long ? rip : rip & 0xffffffff);
  updateMode();
  windowMayOpen();
  return XS_OK;
}

/** @sdm 2B 4.3 "SYSENTER - Fast System Call" */
export function execSysenter(u: usize): i32 {
  const cs = <u32>load<u64>(SYSENTER_CS) & 0xffff;
  if (!protectedMode() || (cs & 0xfffc) == 0) return faultCode(VEC_GP, 0);
  const long = longMode();
  store<u64>(RFLAGS, load<u64>(RFLAGS) & ~(<u64>0x30200));
  flatSegments(cs, (cs & 0xfffc) + 8, 0, long);
  store<u64>(RSP, long ? load<u64>(SYSENTER_ESP) : load<u64>(SYSENTER_ESP) & 0xffffffff);
  jumpTo(long ? load<u64>(SYSENTER_EIP) : load<u64>(SYSENTER_EIP) & 0xffffffff);
  updateMode();
  return XS_OK;
}

/** @sdm 2B 4.3 "SYSEXIT - Fast Return from Fast System Call" */
export function execSysexit(u: usize): i32 {
  const cs = <u32>load<u64>(SYSENTER_CS) & 0xffff;
  if (!protectedMode() || (cs & 0xfffc) == 0 || cpl() != 0) return faultCode(VEC_GP, 0);
  const long = uOpSize(u) == 8;
  const sp = load<u64>(RCX);
  const rip = load<u64>(RDX);
  if (long && (!canonicalAddress(sp) || !canonicalAddress(rip))) return faultCode(VEC_GP, 0);
  flatSegments(cs + (long ? 32 : 16), cs + (long ? 40 : 24), 3, long);
  store<u64>(RSP, long ? sp : sp & 0xffffffff);
  jumpTo(long ? rip : rip & 0xffffffff);
  updateMode();
  return XS_OK;
}

export function execSwapgs(u: usize): i32 {
  if (!code64()) return fault(VEC_UD);
  if (cpl() != 0) return faultCode(VEC_GP, 0);
  const p = SEGMENTS + SEG_GS * SEGMENT_BYTES;
  const gs = load<u64>(p, SEG_BASE);
  store<u64>(p, load<u64>(KERNEL_GS_BASE), SEG_BASE);
  store<u64>(KERNEL_GS_BASE, gs);
  return XS_OK;
}
