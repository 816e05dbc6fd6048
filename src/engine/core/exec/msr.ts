// Model-specific registers of the CPU itself, the time-stamp counter, and the bases of FS and GS.
import {
  CSTAR, DEBUGCTL, EFER, FMASK, GPR, ICOUNT, KERNEL_GS_BASE, LIMIT, LSTAR, PAT, RAX, RCX, RDX, SEGMENTS, SEGMENT_BYTES, SEG_BASE, SEG_FS,
  SEG_GS, SLICE_END, STAR, SYSENTER_CS, SYSENTER_EIP, SYSENTER_ESP, TSC_ADJUST, TSC_AUX, XS_OK,
} from '../layout';
import { clock } from '../clock';
import { canonicalBase, code64, cpl, cr0, cr4, fault, faultCode } from '../state';
import { uModReg, uOpSize, uRm } from '../uop';
import {
  CR0_PE, CR0_PG, CR4_FSGSBASE, CR4_PCE, CR4_TSD, EFER_FIELDS, EFER_LMA, EFER_LME,
} from '../generated/register-bits';
import {
  IA32_FEATURE_CONTROL_LOCK, IA32_FEATURE_CONTROL_VMX_OUTSIDE_SMX, MSR_IA32_CSTAR, MSR_IA32_DEBUGCTL, MSR_IA32_EFER,
  MSR_IA32_FEATURE_CONTROL, MSR_IA32_FMASK, MSR_IA32_FS_BASE, MSR_IA32_GS_BASE, MSR_IA32_KERNEL_GS_BASE, MSR_IA32_LSTAR,
  MSR_IA32_PAT, MSR_IA32_STAR, MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_EIP, MSR_IA32_SYSENTER_ESP,
  MSR_IA32_TIME_STAMP_COUNTER, MSR_IA32_TSC_ADJUST, MSR_IA32_TSC_AUX, MSR_IA32_TSC_DEADLINE, MSR_IA32_VMX_BASIC,
  MSR_IA32_VMX_CR0_FIXED0, MSR_IA32_VMX_CR0_FIXED1, MSR_IA32_VMX_CR4_FIXED0, MSR_IA32_VMX_CR4_FIXED1,
  MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_EPT_VPID_CAP, MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_MISC,
  MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_PROCBASED_CTLS, MSR_IA32_VMX_PROCBASED_CTLS2, MSR_IA32_VMX_TRUE_ENTRY_CTLS,
  MSR_IA32_VMX_TRUE_EXIT_CTLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS, MSR_IA32_VMX_TRUE_PROCBASED_CTLS,
  MSR_IA32_VMX_VMCS_ENUM, MSR_IA32_VMX_VMFUNC, MSR_X2APIC_COUNT, MSR_X2APIC_FIRST,
} from '../generated/msrs';
import { VEC_GP, VEC_UD } from '../generated/events';
import { TSC_MULTIPLIER, TSC_OFFSET } from '../generated/vmcs';
import {
  CPU2_ENABLE_RDTSCP, CPU2_USE_TSC_SCALING, CPU_RDPMC_EXITING, CPU_RDTSC_EXITING, CPU_USE_TSC_OFFSETTING, IA32_VMX_BASIC,
  IA32_VMX_CR0_FIXED0, IA32_VMX_CR0_FIXED1, IA32_VMX_CR4_FIXED0, IA32_VMX_CR4_FIXED1, IA32_VMX_ENTRY_CTLS,
  IA32_VMX_EPT_VPID_CAP, IA32_VMX_EXIT_CTLS, IA32_VMX_MISC, IA32_VMX_PINBASED_CTLS, IA32_VMX_PROCBASED_CTLS,
  IA32_VMX_PROCBASED_CTLS2, IA32_VMX_TRUE_ENTRY_CTLS, IA32_VMX_TRUE_EXIT_CTLS, IA32_VMX_TRUE_PINBASED_CTLS,
  IA32_VMX_TRUE_PROCBASED_CTLS, IA32_VMX_VMCS_ENUM, IA32_VMX_VMFUNC,
} from '../generated/controls';
import {
  EXIT_REASON_MSR_READ, EXIT_REASON_MSR_WRITE, EXIT_REASON_RDPMC, EXIT_REASON_RDTSC, EXIT_REASON_RDTSCP,
} from '../generated/exits';
import { updateMode } from '../mmu/mode';
import { interceptMsr } from '../vmx/bitmaps';
import { DEBUGCTL_BITS } from '../vmx/entry-checks-guest';
import { validPat } from '../vmx/entry-checks-host';
import { vmExit } from '../vmx/exit';
import { askMsr, NOT_ASKED } from '../vmx/ask';
import { quickRdmsr } from '../vmx/quick';
import { field, primaryControls, secondaryControls } from '../vmx/vmcs';

const FEATURE_CONTROL: u64 = IA32_FEATURE_CONTROL_LOCK | IA32_FEATURE_CONTROL_VMX_OUTSIDE_SMX;

/** Value that readMsr() found. */
export let msrValue: u64 = 0;

@inline function segmentBase(seg: u32): usize { return SEGMENTS + seg * SEGMENT_BYTES + SEG_BASE; }

/** Where the bases of FS and GS, and the one that SWAPGS takes, stand; 0: it is another MSR. Kernels write them all the time. */
@inline function baseOf(index: u32): usize {
  switch (index - MSR_IA32_FS_BASE) {
    case 0: return segmentBase(SEG_FS);
    case MSR_IA32_GS_BASE - MSR_IA32_FS_BASE: return segmentBase(SEG_GS);
    case MSR_IA32_KERNEL_GS_BASE - MSR_IA32_FS_BASE: return KERNEL_GS_BASE;
    default: return 0;
  }
}

/** High 64 bits of the 128-bit product shifted right by 48: (a * b) >> 48. */
function scale(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const low = al * bl;
  const middle1 = ah * bl + (low >> 32);
  const middle2 = al * bh + (middle1 & 0xffffffff);
  const high = ah * bh + (middle1 >> 32) + (middle2 >> 32);
  return high << 16 | (middle2 << 32 | low & 0xffffffff) >> 48;
}

/** TSC without what the VMCS changes: VM-exit MSR-store areas record it. */
@inline export function hardwareTsc(): u64 { return clock() + load<u64>(TSC_ADJUST); }

/** TSC as the guest sees it. @sdm 3C 25.3 "Changes to Instruction Behavior in VMX Non-Root Operation" */
export function guestTsc(): u64 {
  let tsc = hardwareTsc();
  if (!(primaryControls() & CPU_USE_TSC_OFFSETTING)) return tsc;
  if (secondaryControls() & CPU2_USE_TSC_SCALING) tsc = scale(tsc, field(TSC_MULTIPLIER));
  return tsc + field(TSC_OFFSET);
}

/** VMX's capability MSRs. */
function capability(index: u32): bool {
  switch (index) {
    case MSR_IA32_VMX_BASIC: msrValue = IA32_VMX_BASIC; break;
    case MSR_IA32_VMX_PINBASED_CTLS: msrValue = IA32_VMX_PINBASED_CTLS; break;
    case MSR_IA32_VMX_PROCBASED_CTLS: msrValue = IA32_VMX_PROCBASED_CTLS; break;
    case MSR_IA32_VMX_EXIT_CTLS: msrValue = IA32_VMX_EXIT_CTLS; break;
    case MSR_IA32_VMX_ENTRY_CTLS: msrValue = IA32_VMX_ENTRY_CTLS; break;
    case MSR_IA32_VMX_MISC: msrValue = IA32_VMX_MISC; break;
    case MSR_IA32_VMX_CR0_FIXED0: msrValue = IA32_VMX_CR0_FIXED0; break;
    case MSR_IA32_VMX_CR0_FIXED1: msrValue = IA32_VMX_CR0_FIXED1; break;
    case MSR_IA32_VMX_CR4_FIXED0: msrValue = IA32_VMX_CR4_FIXED0; break;
    case MSR_IA32_VMX_CR4_FIXED1: msrValue = IA32_VMX_CR4_FIXED1; break;
    case MSR_IA32_VMX_VMCS_ENUM: msrValue = IA32_VMX_VMCS_ENUM; break;
    case MSR_IA32_VMX_PROCBASED_CTLS2: msrValue = IA32_VMX_PROCBASED_CTLS2; break;
    case MSR_IA32_VMX_EPT_VPID_CAP: msrValue = IA32_VMX_EPT_VPID_CAP; break;
    case MSR_IA32_VMX_TRUE_PINBASED_CTLS: msrValue = IA32_VMX_TRUE_PINBASED_CTLS; break;
    case MSR_IA32_VMX_TRUE_PROCBASED_CTLS: msrValue = IA32_VMX_TRUE_PROCBASED_CTLS; break;
    case MSR_IA32_VMX_TRUE_EXIT_CTLS: msrValue = IA32_VMX_TRUE_EXIT_CTLS; break;
    case MSR_IA32_VMX_TRUE_ENTRY_CTLS: msrValue = IA32_VMX_TRUE_ENTRY_CTLS; break;
    case MSR_IA32_VMX_VMFUNC: msrValue = IA32_VMX_VMFUNC; break;
    default: return false;
  }
  return true;
}

/** Puts the value of an MSR into msrValue; false: the CPU has no such MSR. */
export function readMsr(index: u32): bool {
  const base = baseOf(index);
  if (base) {
    msrValue = load<u64>(base);
    return true;
  }
  switch (index) {
    case MSR_IA32_TIME_STAMP_COUNTER: msrValue = guestTsc(); return true;
    case MSR_IA32_FEATURE_CONTROL: msrValue = FEATURE_CONTROL; return true;
    case MSR_IA32_TSC_ADJUST: msrValue = load<u64>(TSC_ADJUST); return true;
    case MSR_IA32_SYSENTER_CS: msrValue = load<u64>(SYSENTER_CS); return true;
    case MSR_IA32_SYSENTER_ESP: msrValue = load<u64>(SYSENTER_ESP); return true;
    case MSR_IA32_SYSENTER_EIP: msrValue = load<u64>(SYSENTER_EIP); return true;
    case MSR_IA32_DEBUGCTL: msrValue = load<u64>(DEBUGCTL); return true;
    case MSR_IA32_PAT: msrValue = load<u64>(PAT); return true;
    case MSR_IA32_EFER: msrValue = load<u64>(EFER); return true;
    case MSR_IA32_STAR: msrValue = load<u64>(STAR); return true;
    case MSR_IA32_LSTAR: msrValue = load<u64>(LSTAR); return true;
    case MSR_IA32_CSTAR: msrValue = load<u64>(CSTAR); return true;
    case MSR_IA32_FMASK: msrValue = load<u64>(FMASK); return true;
    case MSR_IA32_TSC_AUX: msrValue = load<u64>(TSC_AUX); return true;
    default: return index >= MSR_IA32_VMX_BASIC && capability(index);
  }
}

function writeEfer(value: u64): bool {
  const old = load<u64>(EFER);
  if (value & ~EFER_FIELDS || ((value ^ old) & EFER_LME && cr0() & CR0_PG)) return false;
  store<u64>(EFER, value & ~EFER_LMA | old & EFER_LMA);
  updateMode();
  return true;
}

@inline function writeAddress(at: usize, value: u64): bool {
  if (!canonicalBase(value)) return false;
  store<u64>(at, value);
  return true;
}

/** Where system calls enter: whoever catches them looks at it between slices, so this one ends. */
function writeEntry(address: usize, value: u64): bool {
  store<u64>(SLICE_END, load<u64>(ICOUNT));
  store<u64>(LIMIT, load<u64>(ICOUNT));
  return writeAddress(address, value);
}

/** Writes an MSR; false: no such MSR, or the value is not allowed (#GP). */
export function writeMsr(index: u32, value: u64): bool {
  const base = baseOf(index);
  if (base) return writeAddress(base, value);
  switch (index) {
    case MSR_IA32_TIME_STAMP_COUNTER: store<u64>(TSC_ADJUST, value - clock()); return true;
    case MSR_IA32_TSC_ADJUST: store<u64>(TSC_ADJUST, value); return true;
    case MSR_IA32_SYSENTER_CS: store<u64>(SYSENTER_CS, value & 0xffffffff); return true;
    case MSR_IA32_SYSENTER_ESP: return writeAddress(SYSENTER_ESP, value);
    case MSR_IA32_SYSENTER_EIP: return writeEntry(SYSENTER_EIP, value);
    case MSR_IA32_DEBUGCTL:
      if (value & ~DEBUGCTL_BITS) return false;
      store<u64>(DEBUGCTL, value);
      return true;
    case MSR_IA32_PAT:
      if (!validPat(value)) return false;
      store<u64>(PAT, value);
      return true;
    case MSR_IA32_EFER: return writeEfer(value);
    case MSR_IA32_STAR: store<u64>(STAR, value); return true;
    case MSR_IA32_LSTAR: return writeEntry(LSTAR, value);
    case MSR_IA32_CSTAR: return writeEntry(CSTAR, value);
    case MSR_IA32_FMASK: store<u64>(FMASK, value & 0xffffffff); return true;
    case MSR_IA32_TSC_AUX:
      if (value >> 32) return false;
      store<u64>(TSC_AUX, value);
      return true;
    default: return false;
  }
}

/** The VMM answers for IA32_EFER, IA32_PAT and IA32_DEBUGCTL from the guest area, which a VM exit fills. */
@inline function inGuestArea(index: u32): bool { return index == MSR_IA32_EFER || index == MSR_IA32_PAT || index == MSR_IA32_DEBUGCTL; }

/** The TSC deadline, and x2APIC's registers. */
@inline function ofLocalApic(index: u32): bool { return index == MSR_IA32_TSC_DEADLINE || index - MSR_X2APIC_FIRST < MSR_X2APIC_COUNT; }

/** RDMSR where it needs neither the VMM nor a fault, and no register but EAX, ECX and EDX in memory; else nothing is done. */
export function rdmsrAtOnce(): bool {
  if (cpl()) return false;
  const index = load<u32>(RCX);
  if (interceptMsr(index, false)) return quickRdmsr();
  if (!readMsr(index)) return false;
  store<u64>(RAX, msrValue & 0xffffffff);
  store<u64>(RDX, msrValue >> 32);
  return true;
}

/** The same for WRMSR of what nothing else follows from. */
export function wrmsrAtOnce(): bool {
  const index = load<u32>(RCX);
  const base = baseOf(index);
  return base != 0 && cpl() == 0 && !interceptMsr(index, true) && writeAddress(base, load<u64>(RDX) << 32 | load<u32>(RAX));
}

/** @sdm 2B "RDMSR" */
export function execRdmsr(u: usize): i32 {
  if (rdmsrAtOnce()) return XS_OK;
  const index = load<u32>(RCX);
  if (cpl() || !interceptMsr(index, false)) return faultCode(VEC_GP, 0);
  const asked = inGuestArea(index) ? NOT_ASKED : askMsr(false);
  return asked == NOT_ASKED ? vmExit(EXIT_REASON_MSR_READ, 0) : asked;
}

/** @sdm 2D "WRMSR" */
export function execWrmsr(u: usize): i32 {
  if (cpl()) return faultCode(VEC_GP, 0);
  const index = load<u32>(RCX);
  if (interceptMsr(index, true)) {
    const asked = ofLocalApic(index) ? askMsr(true) : NOT_ASKED;
    return asked == NOT_ASKED ? vmExit(EXIT_REASON_MSR_WRITE, 0) : asked;
  }
  if (!writeMsr(index, load<u64>(RDX) << 32 | load<u32>(RAX))) return faultCode(VEC_GP, 0);
  return XS_OK;
}

function giveTsc(): void {
  const tsc = guestTsc();
  store<u64>(RAX, tsc & 0xffffffff);
  store<u64>(RDX, tsc >> 32);
}

/** @sdm 2B "RDTSC" */
export function execRdtsc(u: usize): i32 {
  if (cr4() & CR4_TSD && cpl() && cr0() & CR0_PE) return faultCode(VEC_GP, 0);
  if (primaryControls() & CPU_RDTSC_EXITING) return vmExit(EXIT_REASON_RDTSC, 0);
  giveTsc();
  return XS_OK;
}

/** @sdm 2B "RDTSCP" */
export function execRdtscp(u: usize): i32 {
  if (!(secondaryControls() & CPU2_ENABLE_RDTSCP)) return fault(VEC_UD);
  if (cr4() & CR4_TSD && cpl() && cr0() & CR0_PE) return faultCode(VEC_GP, 0);
  if (primaryControls() & CPU_RDTSC_EXITING) return vmExit(EXIT_REASON_RDTSCP, 0);
  giveTsc();
  store<u64>(RCX, load<u32>(TSC_AUX));
  return XS_OK;
}

/** No performance counters: without the exit each index is out of range. @sdm 2B "RDPMC" */
export function execRdpmc(u: usize): i32 {
  if (!(cr4() & CR4_PCE) && cpl() && cr0() & CR0_PE) return faultCode(VEC_GP, 0);
  if (primaryControls() & CPU_RDPMC_EXITING) return vmExit(EXIT_REASON_RDPMC, 0);
  return faultCode(VEC_GP, 0);
}

/** @sdm 2B "RDPID" */
export function execRdpid(u: usize): i32 {
  if (!(secondaryControls() & CPU2_ENABLE_RDTSCP)) return fault(VEC_UD);
  store<u64>(uRm(u) << 3, load<u32>(TSC_AUX), GPR);
  return XS_OK;
}

/** RDFSBASE (ModRM.reg 0), RDGSBASE (1), WRFSBASE (2), WRGSBASE (3). @sdm 2B "RDFSBASE/RDGSBASE" */
export function execFsGsBase(u: usize): i32 {
  if (!code64() || !(cr4() & CR4_FSGSBASE)) return fault(VEC_UD);
  const at = segmentBase(uModReg(u) & 1 ? SEG_GS : SEG_FS);
  const mask: u64 = uOpSize(u) == 8 ? ~(<u64>0) : 0xffffffff;
  if (uModReg(u) < 2) {
    store<u64>(uRm(u) << 3, load<u64>(at) & mask, GPR);
    return XS_OK;
  }
  return writeAddress(at, load<u64>(uRm(u) << 3, GPR) & mask) ? XS_OK : faultCode(VEC_GP, 0);
}
