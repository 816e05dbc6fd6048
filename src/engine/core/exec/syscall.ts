// Fast system calls: SYSCALL, SYSRET, SYSENTER, SYSEXIT, and SWAPGS.
import {
  CSTAR, CR0, EFER, FMASK, GPR, KERNEL_GS_BASE, LSTAR, NEXT_RIP, RCX, RDX, RFLAGS, RSP, SEGMENTS, SEGMENT_BYTES, SEG_BASE, SEG_CS,
  SEG_GS, SEG_SS, STAR, SYSCALL_MODES, SYSCALL_PROTECTED, SYSCALL_WITH_CSTAR, SYSENTER_CS, SYSENTER_EIP, SYSENTER_ESP, XS_OK,
} from '../layout';
import { canonicalAddress, code64, cpl, fault, faultCode, longMode, protectedMode, v8086 } from '../state';
import { stepByFlags } from '../events/debug';
import { changeLevel, updateMode } from '../mmu/mode';
import { windowMayOpen } from '../vmx/boundary';
import { uOpSize } from '../uop';
import {
  EFER_SCE, RFLAGS_ALWAYS_ONE, RFLAGS_FIELDS, RFLAGS_IF, RFLAGS_RF, RFLAGS_VM,
} from '../generated/register-bits';
import { VEC_GP, VEC_UD } from '../generated/events';
import { setSegmentRaw } from './segment';
import { jumpTo } from './transfer';

const R11 = GPR + 11 * 8;
const SYSRET_LOADS: u64 = RFLAGS_FIELDS & ~(RFLAGS_RF | RFLAGS_VM) | RFLAGS_ALWAYS_ONE;

/** Flat code and stack segments of a privilege level, as the fast calls fix them. */
function flatSegments(cs: u32, ss: u32, level: u32, long: bool): void {
  setSegmentRaw(SEG_CS, (cs & 0xfffc) | level, (long ? 0xa09b : 0xc09b) | level << 5, 0xffffffff, 0);
  setSegmentRaw(SEG_SS, (ss & 0xfffc) | level, 0xc093 | level << 5, 0xffffffff, 0);
}

/**
 * SYSCALL and SYSRET exist in 64-bit mode; in compatibility and legacy protected mode on AMD's CPUs alone. A CPU of
 * no maker takes them in compatibility mode from guests that have said where they lead to.
 */
function fastCallExists(): bool {
  if (!(load<u64>(EFER) & EFER_SCE)) return false;
  if (code64()) return true;
  switch (load<u32>(SYSCALL_MODES)) {
    case SYSCALL_WITH_CSTAR: return longMode() && load<u64>(CSTAR) != 0;
    case SYSCALL_PROTECTED: return protectedMode() && !v8086();
    default: return false;
  }
}

/**
 * In legacy mode STAR holds the target, RFLAGS is not saved and IA32_FMASK not used.
 * @sdm 2B 4.3 "SYSCALL - Fast System Call"
 * AMD64 Architecture Programmer's Manual 3 "SYSCALL"
 */
export function execSyscall(u: usize): i32 {
  if (!fastCallExists()) return fault(VEC_UD);
  const flags = load<u64>(RFLAGS);
  const long = longMode();
  const wide = code64();
  const star = load<u64>(STAR);
  store<u64>(RCX, load<u64>(NEXT_RIP));
  if (long) store<u64>(R11, flags);
  store<u64>(RFLAGS, long ? (flags & ~(load<u64>(FMASK) | RFLAGS_RF)) | RFLAGS_ALWAYS_ONE : flags & ~(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF));
  const cs = <u32>(star >> 32) & 0xffff;
  flatSegments(cs, (cs & 0xfffc) + 8, 0, long);
  jumpTo(!long ? star & 0xffffffff : load<u64>(wide ? LSTAR : CSTAR));
  if (wide) changeLevel(0);
  else updateMode();
  stepByFlags();
  return XS_OK;
}

/** @sdm 2B 4.3 "SYSRET - Return From Fast System Call" */
export function execSysret(u: usize): i32 {
  if (!fastCallExists()) return fault(VEC_UD);
  if (cpl() != 0) return faultCode(VEC_GP, 0);
  const wide = uOpSize(u) == 8;
  const rip = load<u64>(RCX);
  if (wide && !canonicalAddress(rip)) return faultCode(VEC_GP, 0);
  store<u64>(RFLAGS, longMode() ? (load<u64>(R11) & SYSRET_LOADS) | RFLAGS_ALWAYS_ONE : load<u64>(RFLAGS) | RFLAGS_IF);
  const selector = <u32>(load<u64>(STAR) >> 48) & 0xffff;
  flatSegments(wide ? selector + 16 : selector, selector + 8, 3, wide);
  if (!wide) setSegmentRaw(SEG_CS, selector | 3, 0xc0fb, 0xffffffff, 0);
  jumpTo(wide ? rip : rip & 0xffffffff);
  if (wide && code64()) changeLevel(3);
  else updateMode();
  stepByFlags();
  windowMayOpen();
  return XS_OK;
}

/** AMD's CPUs have SYSENTER and SYSEXIT outside IA-32e mode only. */
@inline function sysenterExists(): bool { return !longMode() || load<u32>(SYSCALL_MODES) != SYSCALL_PROTECTED; }

/** @sdm 2B 4.3 "SYSENTER - Fast System Call" */
export function execSysenter(u: usize): i32 {
  if (!sysenterExists()) return fault(VEC_UD);
  const cs = <u32>load<u64>(SYSENTER_CS) & 0xffff;
  if (!protectedMode() || (cs & 0xfffc) == 0) return faultCode(VEC_GP, 0);
  const long = longMode();
  store<u64>(RFLAGS, load<u64>(RFLAGS) & ~(RFLAGS_IF | RFLAGS_RF | RFLAGS_VM));
  flatSegments(cs, (cs & 0xfffc) + 8, 0, long);
  store<u64>(RSP, long ? load<u64>(SYSENTER_ESP) : load<u64>(SYSENTER_ESP) & 0xffffffff);
  jumpTo(long ? load<u64>(SYSENTER_EIP) : load<u64>(SYSENTER_EIP) & 0xffffffff);
  updateMode();
  return XS_OK;
}

/** @sdm 2B 4.3 "SYSEXIT - Fast Return from Fast System Call" */
export function execSysexit(u: usize): i32 {
  if (!sysenterExists()) return fault(VEC_UD);
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
