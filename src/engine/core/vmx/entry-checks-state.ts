// VM-entry checks on guest RIP, RFLAGS, non-register state and PDPTEs.
// @sdm 3C 26.3.1.4 "Checks on Guest RIP, RFLAGS, and SSP" to 26.3.1.6
import { MAX_PHYS_BITS, MEMORY_END, RAM_BASE } from '../layout';
import {
  AR_DPL_SHIFT, AR_L, CR0_PE, CR0_PG, CR4_PAE, RFLAGS_ALWAYS_ONE, RFLAGS_FIELDS, RFLAGS_IF, RFLAGS_TF, RFLAGS_VM,
} from '../generated/register-bits';
import { IA32_DEBUGCTL_BTF } from '../generated/msrs';
import {
  ACTIVITY_HLT, ACTIVITY_SHUTDOWN, ACTIVITY_WAIT_FOR_SIPI, BLOCKING_BY_MOV_SS, BLOCKING_BY_NMI, BLOCKING_BY_SMI,
  BLOCKING_BY_STI, INFO_VALID, PENDING_BS, TYPE_EXTERNAL_INTERRUPT, TYPE_HARDWARE_EXCEPTION, TYPE_NMI, TYPE_OTHER_EVENT,
  VEC_DB, VEC_MC,
} from '../generated/events';
import {
  GUEST_ACTIVITY_STATE, GUEST_CR0, GUEST_CR3, GUEST_CR4, GUEST_CS_AR_BYTES, GUEST_IA32_DEBUGCTL,
  GUEST_INTERRUPTIBILITY_INFO, GUEST_PDPTR0, GUEST_PENDING_DBG_EXCEPTIONS, GUEST_RFLAGS, GUEST_RIP, GUEST_SS_AR_BYTES,
  VMCS_LINK_POINTER, VMCS_REVISION, VM_ENTRY_CONTROLS, VM_ENTRY_INTR_INFO,
} from '../generated/vmcs';
import { CPU2_ENABLE_EPT, ENTRY_IA_32E_MODE_GUEST, PIN_VIRTUAL_NMIS } from '../generated/controls';
import {
  CHECK_ACTIVITY, CHECK_ACTIVITY_BLOCKING, CHECK_ACTIVITY_DPL, CHECK_ACTIVITY_EVENT, CHECK_INTERRUPTIBILITY_BOTH,
  CHECK_INTERRUPTIBILITY_IF, CHECK_INTERRUPTIBILITY_INTERRUPT, CHECK_INTERRUPTIBILITY_NMI,
  CHECK_INTERRUPTIBILITY_RESERVED, CHECK_INTERRUPTIBILITY_SMI, CHECK_INTERRUPTIBILITY_VIRTUAL_NMI,
  CHECK_LINK_POINTER_ADDRESS, CHECK_LINK_POINTER_REVISION, CHECK_PDPTE0, CHECK_PENDING_DEBUG_BS,
  CHECK_PENDING_DEBUG_RESERVED, CHECK_RFLAGS, CHECK_RFLAGS_IF, CHECK_RFLAGS_VM, CHECK_RIP,
} from '../generated/entry-checks';
import { SHADOW } from './boundary';
import { canonical, must } from './entry-checks-controls';
import { PENDING_KEPT } from './exit';
import { field, field32, pinControls, secondaryControls, vmcs } from './vmcs';

const WIDTH: u64 = (<u64>1 << MAX_PHYS_BITS) - 1;
const RFLAGS_BITS: u64 = RFLAGS_FIELDS | RFLAGS_ALWAYS_ONE;

/** Checks that run at every VM entry; true when they hold. */
export function checkGuestState(): bool {
  const info = field32(VM_ENTRY_INTR_INFO);
  const injecting = (info & INFO_VALID) != 0;
  const type: u32 = injecting ? info >> 8 & 7 : 8;
  const flags = field(GUEST_RFLAGS);
  let good = checkRip();
  good = must((flags & ~RFLAGS_BITS) == 0 && (flags & RFLAGS_ALWAYS_ONE) != 0, CHECK_RFLAGS) && good;
  if (flags & RFLAGS_VM) {
    const long = (field32(VM_ENTRY_CONTROLS) & ENTRY_IA_32E_MODE_GUEST) != 0;
    good = must(!long && (field(GUEST_CR0) & CR0_PE) != 0, CHECK_RFLAGS_VM) && good;
  }
  if (type == TYPE_EXTERNAL_INTERRUPT) good = must((flags & RFLAGS_IF) != 0, CHECK_RFLAGS_IF) && good;
  good = checkActivity(injecting, info) && good;
  good = checkInterruptibility(flags, type) && good;
  good = checkPendingDebug(flags) && good;
  return checkLinkPointer() && good;
}

/** RIP need not be canonical, only its bits 63:57 the same: the instruction that exited may have ended at the edge. */
function checkRip(): bool {
  const rip = field(GUEST_RIP);
  const wide = (field32(VM_ENTRY_CONTROLS) & ENTRY_IA_32E_MODE_GUEST) != 0 && (field32(GUEST_CS_AR_BYTES) & AR_L) != 0;
  const upper = rip >> 57;
  return must(wide ? upper == 0 || upper == 0x7f : rip >> 32 == 0, CHECK_RIP);
}

function checkActivity(injecting: bool, info: u32): bool {
  const activity = field32(GUEST_ACTIVITY_STATE);
  let good = must(activity <= ACTIVITY_WAIT_FOR_SIPI, CHECK_ACTIVITY);
  if (activity == ACTIVITY_HLT) good = must((field32(GUEST_SS_AR_BYTES) >> AR_DPL_SHIFT & 3) == 0, CHECK_ACTIVITY_DPL) && good;
  if (activity) good = must(!(field32(GUEST_INTERRUPTIBILITY_INFO) & SHADOW), CHECK_ACTIVITY_BLOCKING) && good;
  if (injecting && activity) good = must(admits(activity, info >> 8 & 7, info & 0xff), CHECK_ACTIVITY_EVENT) && good;
  return good;
}

/** Events that may be injected into a guest that is not active. */
function admits(activity: u32, type: u32, vector: u32): bool {
  if (activity == ACTIVITY_HLT) {
    return type == TYPE_EXTERNAL_INTERRUPT || type == TYPE_NMI || (type == TYPE_HARDWARE_EXCEPTION && (vector == VEC_DB || vector == VEC_MC)) || type == TYPE_OTHER_EVENT;
  }
  if (activity == ACTIVITY_SHUTDOWN) return type == TYPE_NMI || (type == TYPE_HARDWARE_EXCEPTION && vector == VEC_MC);
  return activity != ACTIVITY_WAIT_FOR_SIPI;
}

function checkInterruptibility(flags: u64, type: u32): bool {
  const state = field32(GUEST_INTERRUPTIBILITY_INFO);
  let good = must((state & ~(SHADOW | BLOCKING_BY_SMI | BLOCKING_BY_NMI)) == 0, CHECK_INTERRUPTIBILITY_RESERVED);
  good = must((state & SHADOW) != SHADOW, CHECK_INTERRUPTIBILITY_BOTH) && good;
  good = must(!(state & BLOCKING_BY_STI) || (flags & RFLAGS_IF) != 0, CHECK_INTERRUPTIBILITY_IF) && good;
  if (type == TYPE_EXTERNAL_INTERRUPT) good = must(!(state & SHADOW), CHECK_INTERRUPTIBILITY_INTERRUPT) && good;
  if (type == TYPE_NMI) {
    good = must(!(state & BLOCKING_BY_MOV_SS), CHECK_INTERRUPTIBILITY_NMI) && good;
    if (pinControls() & PIN_VIRTUAL_NMIS) good = must(!(state & BLOCKING_BY_NMI), CHECK_INTERRUPTIBILITY_VIRTUAL_NMI) && good;
  }
  return must(!(state & BLOCKING_BY_SMI), CHECK_INTERRUPTIBILITY_SMI) && good;
}

function checkPendingDebug(flags: u64): bool {
  const pending = field(GUEST_PENDING_DBG_EXCEPTIONS);
  const good = must((pending & ~PENDING_KEPT) == 0, CHECK_PENDING_DEBUG_RESERVED);
  if (!(field32(GUEST_INTERRUPTIBILITY_INFO) & SHADOW) && field32(GUEST_ACTIVITY_STATE) != ACTIVITY_HLT) return good;
  const step = (flags & RFLAGS_TF) != 0 && !(field(GUEST_IA32_DEBUGCTL) & IA32_DEBUGCTL_BTF);
  return must(((pending & PENDING_BS) != 0) == step, CHECK_PENDING_DEBUG_BS) && good;
}

function checkLinkPointer(): bool {
  const link = field(VMCS_LINK_POINTER);
  if (link == ~(<u64>0)) return true;
  if (!must((link & (~WIDTH | 0xfff)) == 0, CHECK_LINK_POINTER_ADDRESS)) return false;
  const other = link < load<u64>(MEMORY_END) && link != <u64>vmcs() && load<u32>(<usize>link) == VMCS_REVISION;
  return must(other, CHECK_LINK_POINTER_REVISION);
}

/** PDPTEs of PAE paging: from the VMCS with EPT, else from the table that CR3 points to. */
export function checkPdptes(): bool {
  const long = (field32(VM_ENTRY_CONTROLS) & ENTRY_IA_32E_MODE_GUEST) != 0;
  if (long || !(field(GUEST_CR0) & CR0_PG) || !(field(GUEST_CR4) & CR4_PAE)) return true;
  let table = vmcs() + GUEST_PDPTR0;
  if (!(secondaryControls() & CPU2_ENABLE_EPT)) {
    const address = field(GUEST_CR3) & 0xffffffe0;
    if (address + 32 + RAM_BASE > load<u64>(MEMORY_END)) return true;
    table = <usize>address + RAM_BASE;
  }
  let good = true;
  for (let n: u32 = 0; n < 4; n++) {
    const entry = load<u64>(table + (n << 3));
    good = must(!(entry & 1) || (entry & (~WIDTH | 0x1e6)) == 0, CHECK_PDPTE0 + n) && good;
  }
  return good;
}
