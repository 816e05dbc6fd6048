// VM entry: checks, loading of the guest state, event injection.
import {
  ACTIVITY, ATTENTION, ATT_HALT, ATT_MTF, ATT_SHADOW, ATT_TPR, ATT_TRAP, ATT_WINDOW, CPL, CPUID_RECORDED, CR0, CR3, CR4, DEBUGCTL, DR7,
  EFER, ENTER_EXIT, ENTER_FAILED, ENTER_OK, ENTER_VMFAIL, ENTRY_DOES_MORE, ENTRY_FAILURES, GDTR_BASE, GDTR_LIMIT, ICOUNT, IDTR_BASE,
  IDTR_LIMIT, INTERRUPTIBILITY, IN_ROOT, NEXT_RIP, PAT, PDPTES, PENDING_DBG, PLE_LAST, RAM_BASE, RFLAGS, RIP, RSP,
  SEGMENTS, SEGMENT_BYTES, SEG_AR, SEG_BASE, SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_LDTR, SEG_LIMIT, SEG_SELECTOR,
  SEG_SS, SEG_TR, SHADOW_ICOUNT, STEPPED, SYSENTER_CS, SYSENTER_EIP, SYSENTER_ESP, VMCS_DIRTY, XS_OK,
} from '../layout';
import {
  AR_DPL_SHIFT, CR0_ET, CR0_PG, CR4_PAE, DR7_ALWAYS_ONE, DR7_FIELDS, EFER_LMA, EFER_LME, RFLAGS_VM,
} from '../generated/register-bits';
import { INFO_VALID, TYPE_OTHER_EVENT, TYPE_SOFTWARE_EXCEPTION, TYPE_SOFTWARE_INTERRUPT } from '../generated/events';
import {
  EXIT_QUALIFICATION, GUEST_ACTIVITY_STATE, GUEST_CR0, GUEST_CR3, GUEST_CR4, GUEST_CS_AR_BYTES, GUEST_CS_BASE,
  GUEST_CS_LIMIT, GUEST_CS_SELECTOR, GUEST_DR7, GUEST_DS_AR_BYTES, GUEST_DS_BASE, GUEST_DS_LIMIT, GUEST_DS_SELECTOR,
  GUEST_ES_AR_BYTES, GUEST_ES_BASE, GUEST_ES_LIMIT, GUEST_ES_SELECTOR, GUEST_FS_AR_BYTES, GUEST_FS_BASE,
  GUEST_FS_LIMIT, GUEST_FS_SELECTOR, GUEST_GDTR_BASE, GUEST_GDTR_LIMIT, GUEST_GS_AR_BYTES, GUEST_GS_BASE,
  GUEST_GS_LIMIT, GUEST_GS_SELECTOR, GUEST_IA32_DEBUGCTL, GUEST_IA32_EFER, GUEST_IA32_PAT, GUEST_IDTR_BASE,
  GUEST_IDTR_LIMIT, GUEST_INTERRUPTIBILITY_INFO, GUEST_LDTR_AR_BYTES, GUEST_LDTR_BASE, GUEST_LDTR_LIMIT,
  GUEST_LDTR_SELECTOR, GUEST_PDPTR0, GUEST_PENDING_DBG_EXCEPTIONS, GUEST_RFLAGS, GUEST_RIP, GUEST_RSP,
  GUEST_SS_AR_BYTES, GUEST_SS_BASE, GUEST_SS_LIMIT, GUEST_SS_SELECTOR, GUEST_SYSENTER_CS, GUEST_SYSENTER_EIP,
  GUEST_SYSENTER_ESP, GUEST_TR_AR_BYTES, GUEST_TR_BASE, GUEST_TR_LIMIT, GUEST_TR_SELECTOR, VM_ENTRY_CONTROLS,
  VM_ENTRY_EXCEPTION_ERROR_CODE, VM_ENTRY_INSTRUCTION_LEN, VM_ENTRY_INTR_INFO, VM_ENTRY_MSR_LOAD_COUNT, VM_EXIT_MSR_LOAD_COUNT,
  VM_EXIT_MSR_STORE_COUNT, VM_EXIT_REASON,
  VM_INSTRUCTION_ERROR,
} from '../generated/vmcs';
import {
  CPU2_ENABLE_EPT, CPU_INTERRUPT_WINDOW_EXITING, CPU_MONITOR_TRAP_FLAG, CPU_NMI_WINDOW_EXITING,
  CPU_USE_TPR_SHADOW, ENTRY_IA_32E_MODE_GUEST, ENTRY_LOAD_DEBUG_CONTROLS, ENTRY_LOAD_IA32_EFER, ENTRY_LOAD_IA32_PAT,
} from '../generated/controls';
import { EXIT_REASON_INVALID_STATE, EXIT_REASON_MSR_LOAD_FAIL } from '../generated/exits';
import { CHECK_LINK_POINTER_ADDRESS, CHECK_PDPTE0, FIRST_GUEST_CHECK, FIRST_HOST_CHECK } from '../generated/entry-checks';
import { deliverEvent } from '../events/deliver';
import { vpid } from '../mmu/ept';
import { enterContext } from '../mmu/tlb';
import { updateMode } from '../mmu/mode';
import { SHADOW } from './boundary';
import { checkControls, checkInjection, checkTpr } from './entry-checks-controls';
import { checkHost } from './entry-checks-host';
import { checkGuestRegisters } from './entry-checks-guest';
import { checkGuestSegments } from './entry-checks-segments';
import { checkGuestState, checkPdptes } from './entry-checks-state';
import { PENDING_KEPT } from './exit';
import { entryMsrList } from './msr-lists';
import { armTimer } from './preemption';
import { traceExit } from './trace';
import { DIRTY_ALL, field, primaryControls, secondaryControls, setField, vmcs, VMCS_LAUNCH_STATE } from './vmcs';

export { saveGuest } from './exit';

/** Bits 12, 14 and 15 are cleared. */
const DR7_LOADED: u64 = DR7_FIELDS | DR7_ALWAYS_ONE;
const ENTRY_FAILURE: u32 = 0x80000000;
const ERROR_VMLAUNCH_NOT_CLEAR: u32 = 4;
const ERROR_VMRESUME_NOT_LAUNCHED: u32 = 5;
const ERROR_CONTROLS: u32 = 7;
const ERROR_HOST: u32 = 8;

/** True when a check with number `from` or above, below `to`, failed. */
function failedBetween(from: u32, to: u32): bool {
  for (let n = from; n < to; n++) if (load<u8>(ENTRY_FAILURES + (n >> 3)) >> (n & 7) & 1) return true;
  return false;
}

/** VMLAUNCH: ENTER_*. @sdm 3C 30.3 "VMLAUNCH/VMRESUME" */
export function vmLaunch(): i32 {
  if (load<u32>(vmcs(), VMCS_LAUNCH_STATE)) return vmFail(ERROR_VMLAUNCH_NOT_CLEAR);
  const result = vmEnter();
  if (result != ENTER_VMFAIL && result != ENTER_FAILED) store<u32>(vmcs(), 1, VMCS_LAUNCH_STATE);
  return result;
}

/** VMRESUME: ENTER_*. */
export function vmResume(): i32 {
  if (!load<u32>(vmcs(), VMCS_LAUNCH_STATE)) return vmFail(ERROR_VMRESUME_NOT_LAUNCHED);
  return vmEnter();
}

function vmFail(error: u32): i32 {
  setField(VM_INSTRUCTION_ERROR, error);
  return ENTER_VMFAIL;
}

/**
 * Checks, loads and injects; answers ENTER_*. Checks of areas that did not change since the last VM
 * entry that succeeded are not repeated: those of the injected event, RIP, RFLAGS and the non-register state always run.
 * @sdm 3C 26 "VM Entries"
 */
export function vmEnter(): i32 {
  let dirty = load<u32>(VMCS_DIRTY);
  // virtual-8086 mode comes and goes with a field that is not followed
  if ((field(GUEST_RFLAGS) ^ load<u64>(RFLAGS)) & RFLAGS_VM) dirty = DIRTY_ALL;
  if (!checksHold(dirty)) {
    store<u32>(VMCS_DIRTY, DIRTY_ALL);
    if (failedBetween(0, FIRST_HOST_CHECK)) return vmFail(ERROR_CONTROLS);
    if (failedBetween(FIRST_HOST_CHECK, FIRST_GUEST_CHECK)) return vmFail(ERROR_HOST);
    return entryFailed(EXIT_REASON_INVALID_STATE, guestFailure());
  }
  const exited = load<u32>(IN_ROOT) != 0;
  store<u32>(IN_ROOT, 0);
  if (dirty) loadAll();
  else loadLight();
  if (load<u32>(vmcs() + VM_ENTRY_MSR_LOAD_COUNT)) {
    const entry = entryMsrList();
    if (entry) return entryFailed(EXIT_REASON_MSR_LOAD_FAIL, entry);
  }
  store<u32>(VMCS_DIRTY, 0);
  return start(exited);
}

/** The checks of a VM entry, or those of what is `dirty`; the failed ones stand in ENTRY_FAILURES. */
function checksHold(dirty: u32): bool {
  for (let i = 0; i < 32; i += 8) store<u64>(ENTRY_FAILURES + i, 0);
  let good = checkInjection();
  if (dirty) {
    good = checkControls() && good;
    good = checkHost() && good;
    good = checkGuestRegisters() && good;
    good = checkGuestSegments() && good;
    good = checkPdptes() && good;
  } else if (primaryControls() & CPU_USE_TPR_SHADOW) good = checkTpr(secondaryControls()) && good;
  return checkGuestState() && good;
}

/** Whether the current VMCS would enter, by all checks. Nothing is entered or loaded. */
export function checkEntry(): bool {
  return checksHold(DIRTY_ALL);
}

/** Exit qualification of invalid guest state: 2 PDPTE loading, 4 VMCS link pointer, else 0. */
function guestFailure(): u64 {
  if (failedBetween(FIRST_GUEST_CHECK, CHECK_LINK_POINTER_ADDRESS)) return 0;
  return failedBetween(CHECK_LINK_POINTER_ADDRESS, CHECK_PDPTE0) ? 4 : 2;
}

/** A VM entry that fails after the checks of controls and host state. @sdm 3C 26.8 "VM-Entry Failures During or After Loading Guest State" */
function entryFailed(reason: u32, qualification: u64): i32 {
  setField(VM_EXIT_REASON, reason | ENTRY_FAILURE);
  setField(EXIT_QUALIFICATION, qualification);
  store<u32>(VMCS_DIRTY, DIRTY_ALL);
  store<u32>(IN_ROOT, 1);
  traceExit(vmcs(), reason | ENTRY_FAILURE);
  return ENTER_FAILED;
}

@inline function loadSegment(v: usize, seg: u32, selector: usize, ar: usize, limit: usize, base: usize): void {
  const s = SEGMENTS + seg * SEGMENT_BYTES;
  store<u16>(s, load<u16>(v + selector), SEG_SELECTOR);
  store<u32>(s, load<u32>(v + ar), SEG_AR);
  store<u32>(s, load<u32>(v + limit), SEG_LIMIT);
  store<u64>(s, load<u64>(v + base), SEG_BASE);
}

/** @sdm 3C 26.3.2 "Loading Guest State" */
function loadAll(): void {
  const v = vmcs();
  const controls = load<u32>(v + VM_ENTRY_CONTROLS);
  store<u64>(CR0, load<u64>(v + GUEST_CR0) | CR0_ET);
  store<u64>(CR3, load<u64>(v + GUEST_CR3));
  store<u64>(CR4, load<u64>(v + GUEST_CR4));
  if (controls & ENTRY_LOAD_DEBUG_CONTROLS) {
    store<u64>(DR7, load<u64>(v + GUEST_DR7) & DR7_LOADED | DR7_ALWAYS_ONE);
    store<u64>(DEBUGCTL, load<u64>(v + GUEST_IA32_DEBUGCTL));
  } else {
    // what a VM exit leaves in the host
    store<u64>(DR7, DR7_ALWAYS_ONE);
    store<u64>(DEBUGCTL, 0);
  }
  store<u64>(SYSENTER_CS, load<u32>(v + GUEST_SYSENTER_CS));
  store<u64>(SYSENTER_ESP, load<u64>(v + GUEST_SYSENTER_ESP));
  store<u64>(SYSENTER_EIP, load<u64>(v + GUEST_SYSENTER_EIP));
  if (controls & ENTRY_LOAD_IA32_PAT) store<u64>(PAT, load<u64>(v + GUEST_IA32_PAT));
  loadEfer(v, controls);
  loadSegment(v, SEG_ES, GUEST_ES_SELECTOR, GUEST_ES_AR_BYTES, GUEST_ES_LIMIT, GUEST_ES_BASE);
  loadSegment(v, SEG_CS, GUEST_CS_SELECTOR, GUEST_CS_AR_BYTES, GUEST_CS_LIMIT, GUEST_CS_BASE);
  loadSegment(v, SEG_SS, GUEST_SS_SELECTOR, GUEST_SS_AR_BYTES, GUEST_SS_LIMIT, GUEST_SS_BASE);
  loadSegment(v, SEG_DS, GUEST_DS_SELECTOR, GUEST_DS_AR_BYTES, GUEST_DS_LIMIT, GUEST_DS_BASE);
  loadSegment(v, SEG_FS, GUEST_FS_SELECTOR, GUEST_FS_AR_BYTES, GUEST_FS_LIMIT, GUEST_FS_BASE);
  loadSegment(v, SEG_GS, GUEST_GS_SELECTOR, GUEST_GS_AR_BYTES, GUEST_GS_LIMIT, GUEST_GS_BASE);
  loadSegment(v, SEG_LDTR, GUEST_LDTR_SELECTOR, GUEST_LDTR_AR_BYTES, GUEST_LDTR_LIMIT, GUEST_LDTR_BASE);
  loadSegment(v, SEG_TR, GUEST_TR_SELECTOR, GUEST_TR_AR_BYTES, GUEST_TR_LIMIT, GUEST_TR_BASE);
  store<u64>(GDTR_BASE, load<u64>(v + GUEST_GDTR_BASE));
  store<u32>(GDTR_LIMIT, load<u32>(v + GUEST_GDTR_LIMIT));
  store<u64>(IDTR_BASE, load<u64>(v + GUEST_IDTR_BASE));
  store<u32>(IDTR_LIMIT, load<u32>(v + GUEST_IDTR_LIMIT));
  // SS.DPL is the CPL, also of an unusable SS
  store<u32>(CPL, load<u32>(v + GUEST_SS_AR_BYTES) >> AR_DPL_SHIFT & 3);
  if (secondaryControls() & CPU2_ENABLE_EPT) memory.copy(PDPTES, v + GUEST_PDPTR0, 32);
  else if (load<u64>(v + GUEST_CR4) & CR4_PAE && !(controls & ENTRY_IA_32E_MODE_GUEST)) {
    memory.copy(PDPTES, RAM_BASE + (load<u32>(v + GUEST_CR3) & 0xffffffe0), 32);
  }
  loadLight();
}

function loadEfer(v: usize, controls: u32): void {
  if (controls & ENTRY_LOAD_IA32_EFER) {
    store<u64>(EFER, load<u64>(v + GUEST_IA32_EFER));
    return;
  }
  let value = load<u64>(EFER) & ~EFER_LMA;
  if (controls & ENTRY_IA_32E_MODE_GUEST) value |= EFER_LME | EFER_LMA;
  else if (load<u32>(CR0) & <u32>CR0_PG) value &= ~EFER_LME;
  store<u64>(EFER, value);
}

/** What software changes between most exits and entries. */
function loadLight(): void {
  const v = vmcs();
  store<u64>(RSP, load<u64>(v + GUEST_RSP));
  store<u64>(RIP, load<u64>(v + GUEST_RIP));
  store<u64>(RFLAGS, load<u64>(v + GUEST_RFLAGS));
  store<u32>(INTERRUPTIBILITY, load<u32>(v + GUEST_INTERRUPTIBILITY_INFO));
  store<u32>(ACTIVITY, load<u32>(v + GUEST_ACTIVITY_STATE));
  store<u64>(PENDING_DBG, load<u64>(v + GUEST_PENDING_DBG_EXCEPTIONS));
}

/**
 * Sets the attention bits, arms timers, injects. Where the guest was left by `saveGuest` alone, nothing begins anew: it goes
 * on with its timer and its PAUSE loop, so that whoever looked has not changed its run.
 * @sdm 3C 26.6 "Event Injection" 26.7 "Special Features of VM Entry"
 */
function start(exited: bool): i32 {
  const v = vmcs();
  const primary = primaryControls();
  let attention: u32 = 0;
  if (load<u32>(INTERRUPTIBILITY) & SHADOW) {
    attention |= ATT_SHADOW;
    // an instruction that has run under it already ends it, who looked or not
    if (exited) store<u64>(SHADOW_ICOUNT, load<u64>(ICOUNT));
  }
  if (load<u64>(PENDING_DBG) & PENDING_KEPT) attention |= ATT_TRAP;
  if (primary & (CPU_INTERRUPT_WINDOW_EXITING | CPU_NMI_WINDOW_EXITING)) attention |= ATT_WINDOW;
  if (primary & CPU_MONITOR_TRAP_FLAG) attention |= ATT_MTF;
  if (primary & CPU_USE_TPR_SHADOW) attention |= ATT_TPR;
  if (load<u32>(ACTIVITY)) attention |= ATT_HALT;
  // a trap that was due when somebody looked still is; one that is asked for only now comes after another instruction
  if (exited || !(load<u32>(ATTENTION) & ATT_MTF)) store<u32>(STEPPED, 0);
  store<u32>(ATTENTION, attention);
  if (exited) {
    store<u64>(PLE_LAST, ~(<u64>0)); // no PAUSE yet
    armTimer();
  }
  updateMode();
  enterContext();
  store<u32>(ENTRY_DOES_MORE, doesMore(v) ? 1 : 0);
  store<u32>(CPUID_RECORDED, 0);
  const info = load<u32>(v + VM_ENTRY_INTR_INFO);
  return info & INFO_VALID ? inject(v, info) : ENTER_OK;
}

/** MSRs are moved, or translations dropped. */
function doesMore(v: usize): bool {
  const msrs = load<u32>(v + VM_EXIT_MSR_STORE_COUNT) | load<u32>(v + VM_EXIT_MSR_LOAD_COUNT) | load<u32>(v + VM_ENTRY_MSR_LOAD_COUNT);
  return msrs != 0 || vpid() == 0;
}

function inject(v: usize, info: u32): i32 {
  store<u32>(STEPPED, 1);
  const type = info >> 8 & 7;
  if (type == TYPE_OTHER_EVENT) { // pending MTF VM exit
    store<u32>(ATTENTION, load<u32>(ATTENTION) | ATT_MTF);
    return ENTER_OK;
  }
  store<u32>(ACTIVITY, 0);
  const length: u32 = type >= TYPE_SOFTWARE_INTERRUPT && type <= TYPE_SOFTWARE_EXCEPTION ? load<u32>(v + VM_ENTRY_INSTRUCTION_LEN) : 0;
  store<u64>(NEXT_RIP, load<u64>(RIP) + length);
  return deliverEvent(info, load<u32>(v + VM_ENTRY_EXCEPTION_ERROR_CODE), length) == XS_OK ? ENTER_OK : ENTER_EXIT;
}

/** Loads the active state from the guest area without a VM entry, for debuggers. */
export function loadGuest(): void {
  const attention = load<u32>(ATTENTION);
  loadAll();
  store<u32>(ATTENTION, attention);
  updateMode();
  enterContext();
}
