// VM exits: what is saved in the guest area and recorded in the exit-information fields.
import {
  ACTIVITY, ATTENTION, CR0, CR3, CR4, DEBUGCTL, DR7, EFER, EXIT_GLA, EXIT_GPA, EXIT_INSTRUCTION_INFO, EXIT_INTR_ERROR,
  EXIT_INTR_INFO, GDTR_BASE, GDTR_LIMIT, IDTR_BASE, IDTR_LIMIT, INTERRUPTIBILITY, IN_ROOT, NEXT_RIP, PAT, PDPTES,
  PENDING_DBG, RFLAGS, RIP, RSP, SEGMENTS, SEGMENT_BYTES, SEG_AR, SEG_BASE, SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS,
  NMI_UNBLOCKED, SEG_LDTR, SEG_LIMIT, SEG_SELECTOR, SEG_SS, SEG_TR, SYSENTER_CS, SYSENTER_EIP, SYSENTER_ESP, VECTORING_ERROR,
  VECTORING_INFO, XS_EXIT,
} from '../layout';
import { decide } from '../state';
import { EFER_LMA, RFLAGS_RF } from '../generated/register-bits';
import {
  BLOCKING_BY_MOV_SS, INFO_ERROR_CODE, INFO_VALID, PENDING_BLD, PENDING_ENABLED_BREAKPOINT, PENDING_FIELDS, PENDING_RTM,
  TYPE_HARDWARE_EXCEPTION, TYPE_SOFTWARE_EXCEPTION, TYPE_SOFTWARE_INTERRUPT, VEC_DB, VEC_DF, VEC_MC,
} from '../generated/events';
import {
  EXIT_QUALIFICATION, GUEST_ACTIVITY_STATE, GUEST_CR0, GUEST_CR3, GUEST_CR4, GUEST_CS_AR_BYTES, GUEST_CS_BASE,
  GUEST_CS_LIMIT, GUEST_CS_SELECTOR, GUEST_DR7, GUEST_DS_AR_BYTES, GUEST_DS_BASE, GUEST_DS_LIMIT, GUEST_DS_SELECTOR,
  GUEST_ES_AR_BYTES, GUEST_ES_BASE, GUEST_ES_LIMIT, GUEST_ES_SELECTOR, GUEST_FS_AR_BYTES, GUEST_FS_BASE,
  GUEST_FS_LIMIT, GUEST_FS_SELECTOR, GUEST_GDTR_BASE, GUEST_GDTR_LIMIT, GUEST_GS_AR_BYTES, GUEST_GS_BASE,
  GUEST_GS_LIMIT, GUEST_GS_SELECTOR, GUEST_IA32_DEBUGCTL, GUEST_IA32_EFER, GUEST_IA32_PAT, GUEST_IDTR_BASE,
  GUEST_IDTR_LIMIT, GUEST_INTERRUPTIBILITY_INFO, GUEST_LDTR_AR_BYTES, GUEST_LDTR_BASE, GUEST_LDTR_LIMIT,
  GUEST_LDTR_SELECTOR, GUEST_LINEAR_ADDRESS, GUEST_PDPTR0, GUEST_PENDING_DBG_EXCEPTIONS, GUEST_PHYSICAL_ADDRESS,
  GUEST_RFLAGS, GUEST_RIP, GUEST_RSP, GUEST_SS_AR_BYTES, GUEST_SS_BASE, GUEST_SS_LIMIT, GUEST_SS_SELECTOR,
  GUEST_SYSENTER_CS, GUEST_SYSENTER_EIP, GUEST_SYSENTER_ESP, GUEST_TR_AR_BYTES, GUEST_TR_BASE, GUEST_TR_LIMIT,
  GUEST_TR_SELECTOR, IDT_VECTORING_ERROR_CODE, IDT_VECTORING_INFO_FIELD, VMX_INSTRUCTION_INFO, VMX_PREEMPTION_TIMER_VALUE,
  VM_ENTRY_CONTROLS, VM_ENTRY_INTR_INFO, VM_EXIT_CONTROLS, VM_EXIT_INSTRUCTION_LEN, VM_EXIT_INTR_ERROR_CODE,
  VM_EXIT_INTR_INFO, VM_EXIT_MSR_LOAD_COUNT, VM_EXIT_MSR_STORE_COUNT, VM_EXIT_REASON,
} from '../generated/vmcs';
import {
  CPU2_ENABLE_EPT, ENTRY_IA_32E_MODE_GUEST, EXIT_SAVE_DEBUG_CONTROLS, EXIT_SAVE_IA32_EFER, EXIT_SAVE_IA32_PAT,
  EXIT_SAVE_VMX_PREEMPTION_TIMER_VALUE,
} from '../generated/controls';
import {
  EXIT_HAS_LENGTH, EXIT_REASON_APIC_ACCESS, EXIT_REASON_EPT_MISCONFIG, EXIT_REASON_EPT_VIOLATION,
  EXIT_REASON_EXCEPTION_NMI, EXIT_REASON_INIT_SIGNAL, EXIT_REASON_MONITOR_TRAP_FLAG, EXIT_REASON_TASK_SWITCH,
  EXIT_REASON_TPR_BELOW_THRESHOLD, EXIT_REASON_TRIPLE_FAULT,
} from '../generated/exits';
import { isRepeating } from '../exec/repeat';
import { exitMsrLists } from './msr-lists';
import { remainingTimer } from './preemption';
import { traceExit } from './trace';
import { secondaryControls, vmcs } from './vmcs';

/** Guest-linear address of the next VM exit. */
@inline export function exitGla(gla: u64): void { store<u64>(EXIT_GLA, gla); }
/** Guest-physical address of the next VM exit. */
@inline export function exitGpa(gpa: u64): void { store<u64>(EXIT_GPA, gpa); }
/** VM-exit instruction information of the next VM exit. */
@inline export function exitInstructionInfo(info: u32): void { store<u32>(EXIT_INSTRUCTION_INFO, info); }
/** VM-exit interruption information and error code of the next VM exit. */
@inline export function exitInterruption(info: u32, error: u32): void {
  store<u32>(EXIT_INTR_INFO, info);
  store<u32>(EXIT_INTR_ERROR, error);
}

@inline function saveSegment(v: usize, seg: u32, selector: usize, ar: usize, limit: usize, base: usize): void {
  const s = SEGMENTS + seg * SEGMENT_BYTES;
  store<u64>(v + selector, load<u16>(s, SEG_SELECTOR));
  store<u64>(v + ar, load<u32>(s, SEG_AR));
  store<u64>(v + limit, load<u32>(s, SEG_LIMIT));
  store<u64>(v + base, load<u64>(s, SEG_BASE));
}

/**
 * Writes the active state into the guest area of the VMCS. Fields that VM-exit controls guard
 * (debug controls, PAT, EFER) are written too: debuggers want them, and VM entry reads them by its own controls.
 */
export function saveGuest(): void {
  const v = vmcs();
  saveGuarded(v);
  saveState(v);
  store<u64>(v + GUEST_DR7, load<u64>(DR7));
  store<u64>(v + GUEST_IA32_DEBUGCTL, load<u64>(DEBUGCTL));
  store<u64>(v + GUEST_IA32_PAT, load<u64>(PAT));
  store<u64>(v + GUEST_IA32_EFER, load<u64>(EFER));
  store<u64>(v + GUEST_PENDING_DBG_EXCEPTIONS, pendingDebug());
}

@inline function saveGuarded(v: usize): void {
  const controls = load<u32>(v + VM_EXIT_CONTROLS);
  if (controls & EXIT_SAVE_DEBUG_CONTROLS) {
    store<u64>(v + GUEST_DR7, load<u64>(DR7));
    store<u64>(v + GUEST_IA32_DEBUGCTL, load<u64>(DEBUGCTL));
  }
  if (controls & EXIT_SAVE_IA32_PAT) store<u64>(v + GUEST_IA32_PAT, load<u64>(PAT));
  if (controls & EXIT_SAVE_IA32_EFER) store<u64>(v + GUEST_IA32_EFER, load<u64>(EFER));
  if (controls & EXIT_SAVE_VMX_PREEMPTION_TIMER_VALUE) store<u64>(v + VMX_PREEMPTION_TIMER_VALUE, remainingTimer());
}

/** @sdm 3C 27.3 "Saving Guest State" */
function saveState(v: usize): void {
  store<u64>(v + GUEST_CR0, load<u64>(CR0));
  store<u64>(v + GUEST_CR3, load<u64>(CR3));
  store<u64>(v + GUEST_CR4, load<u64>(CR4));
  store<u64>(v + GUEST_RSP, load<u64>(RSP));
  store<u64>(v + GUEST_RIP, load<u64>(RIP));
  store<u64>(v + GUEST_RFLAGS, load<u64>(RFLAGS));
  store<u64>(v + GUEST_SYSENTER_CS, load<u32>(SYSENTER_CS));
  store<u64>(v + GUEST_SYSENTER_ESP, load<u64>(SYSENTER_ESP));
  store<u64>(v + GUEST_SYSENTER_EIP, load<u64>(SYSENTER_EIP));
  saveSegment(v, SEG_ES, GUEST_ES_SELECTOR, GUEST_ES_AR_BYTES, GUEST_ES_LIMIT, GUEST_ES_BASE);
  saveSegment(v, SEG_CS, GUEST_CS_SELECTOR, GUEST_CS_AR_BYTES, GUEST_CS_LIMIT, GUEST_CS_BASE);
  saveSegment(v, SEG_SS, GUEST_SS_SELECTOR, GUEST_SS_AR_BYTES, GUEST_SS_LIMIT, GUEST_SS_BASE);
  saveSegment(v, SEG_DS, GUEST_DS_SELECTOR, GUEST_DS_AR_BYTES, GUEST_DS_LIMIT, GUEST_DS_BASE);
  saveSegment(v, SEG_FS, GUEST_FS_SELECTOR, GUEST_FS_AR_BYTES, GUEST_FS_LIMIT, GUEST_FS_BASE);
  saveSegment(v, SEG_GS, GUEST_GS_SELECTOR, GUEST_GS_AR_BYTES, GUEST_GS_LIMIT, GUEST_GS_BASE);
  saveSegment(v, SEG_LDTR, GUEST_LDTR_SELECTOR, GUEST_LDTR_AR_BYTES, GUEST_LDTR_LIMIT, GUEST_LDTR_BASE);
  saveSegment(v, SEG_TR, GUEST_TR_SELECTOR, GUEST_TR_AR_BYTES, GUEST_TR_LIMIT, GUEST_TR_BASE);
  store<u64>(v + GUEST_GDTR_BASE, load<u64>(GDTR_BASE));
  store<u64>(v + GUEST_GDTR_LIMIT, load<u32>(GDTR_LIMIT));
  store<u64>(v + GUEST_IDTR_BASE, load<u64>(IDTR_BASE));
  store<u64>(v + GUEST_IDTR_LIMIT, load<u32>(IDTR_LIMIT));
  store<u64>(v + GUEST_INTERRUPTIBILITY_INFO, load<u32>(INTERRUPTIBILITY));
  store<u64>(v + GUEST_ACTIVITY_STATE, load<u32>(ACTIVITY));
  if (secondaryControls() & CPU2_ENABLE_EPT) memory.copy(v + GUEST_PDPTR0, PDPTES, 32);
  // the IA-32e bit of the VM-entry controls follows EFER.LMA (IA32_VMX_MISC bit 5)
  const entry = load<u32>(v + VM_ENTRY_CONTROLS) & ~ENTRY_IA_32E_MODE_GUEST;
  store<u64>(v + VM_ENTRY_CONTROLS, load<u32>(EFER) & <u32>EFER_LMA ? entry | ENTRY_IA_32E_MODE_GUEST : entry);
}

/** What this CPU keeps of pending debug exceptions: it has no RTM and no bus-lock traps. */
export const PENDING_KEPT: u64 = PENDING_FIELDS & ~(PENDING_BLD | PENDING_RTM);

/** Pending debug exceptions in the format of the VMCS: bit 12 tells that an enabled breakpoint was met. */
function pendingDebug(): u64 {
  const pending = load<u64>(PENDING_DBG) & PENDING_KEPT;
  for (let n: u64 = 0; n < 4; n++) {
    if (pending >> n & 1 && load<u64>(DR7) >> (2 * n) & 3) return pending | PENDING_ENABLED_BREAKPOINT;
  }
  return pending;
}

/** Software interrupts, privileged software exceptions and software exceptions have an instruction length. */
@inline function softwareEvent(info: u32): bool {
  const type = info >> 8 & 7;
  return (info & INFO_VALID) != 0 && type >= TYPE_SOFTWARE_INTERRUPT && type <= TYPE_SOFTWARE_EXCEPTION;
}

/** @sdm 3C 27.2.5 "Information for VM Exits Due to Instruction Execution" */
@inline function exitLength(reason: u32, qualification: u64, intr: u32, vectoring: u32): u64 {
  let defined = load<u8>(EXIT_HAS_LENGTH + (reason & 127)) != 0;
  if (reason == EXIT_REASON_TASK_SWITCH) defined = qualification >> 30 != 3 || softwareEvent(vectoring);
  if (!defined && !softwareEvent(intr) && !softwareEvent(vectoring)) return 0;
  return (load<u64>(NEXT_RIP) - load<u64>(RIP)) & 15;
}

/**
 * RF in the saved RFLAGS: 1 for faults, for accesses that EPT or the APIC page stopped and between two iterations of a
 * repeated instruction, 0 for instructions that exit, else as it is.
 * @sdm 3C 27.3.3 "Saving RIP, RSP, RFLAGS, and SSP"
 */
@inline function savedRf(v: usize, reason: u32, intr: u32, vectoring: u32): void {
  let flags = load<u64>(v + GUEST_RFLAGS);
  const instruction = load<u8>(EXIT_HAS_LENGTH + (reason & 127)) && reason != EXIT_REASON_TASK_SWITCH;
  if (!instruction && isRepeating()) flags |= RFLAGS_RF;
  if (reason == EXIT_REASON_EXCEPTION_NMI) {
    const vector = intr & 0xff;
    if ((intr >> 8 & 7) == TYPE_HARDWARE_EXCEPTION && vector != VEC_DB && vector != VEC_DF && vector != VEC_MC) flags |= RFLAGS_RF;
  } else if (reason == EXIT_REASON_EPT_VIOLATION || reason == EXIT_REASON_EPT_MISCONFIG || reason == EXIT_REASON_APIC_ACCESS) {
    if (!(vectoring & INFO_VALID)) flags |= RFLAGS_RF;
  } else if (instruction) flags &= ~RFLAGS_RF;
  store<u64>(v + GUEST_RFLAGS, flags);
}

/** Pending debug exceptions survive few exits; all others clear them. @sdm 3C 27.3.4 "Saving Non-Register State" */
@inline function savesPendingDebug(reason: u32): bool {
  return reason == EXIT_REASON_MONITOR_TRAP_FLAG || reason == EXIT_REASON_INIT_SIGNAL
    || reason == EXIT_REASON_TPR_BELOW_THRESHOLD || (load<u32>(INTERRUPTIBILITY) & BLOCKING_BY_MOV_SS) != 0;
}

/**
 * Leaves the guest: saves its state, records why, writes the trace. RIP holds the address to save
 * (trap-like exits put NEXT_RIP there first). Answers XS_EXIT.
 * @sdm 3C 27.2 "Recording VM-Exit Information and Updating VM-Entry Control Fields"
 */
export function vmExit(reason: u32, qualification: u64): i32 {
  leaveGuest(reason, qualification);
  traceExit(vmcs(), reason);
  return decide(XS_EXIT);
}

/** As vmExit for one that is counted and in the trace already. */
export function leaveGuest(reason: u32, qualification: u64): i32 {
  const v = vmcs();
  const intr = load<u32>(EXIT_INTR_INFO);
  let vectoring: u32 = load<u32>(VECTORING_INFO);
  if (reason == EXIT_REASON_TRIPLE_FAULT || !(vectoring & INFO_VALID)) vectoring = 0;
  const vectoringError: u32 = vectoring & INFO_ERROR_CODE ? load<u32>(VECTORING_ERROR) : 0;
  store<u64>(v + VM_EXIT_REASON, reason);
  store<u64>(v + EXIT_QUALIFICATION, qualification);
  store<u64>(v + GUEST_LINEAR_ADDRESS, load<u64>(EXIT_GLA));
  store<u64>(v + GUEST_PHYSICAL_ADDRESS, load<u64>(EXIT_GPA));
  store<u64>(v + VMX_INSTRUCTION_INFO, load<u32>(EXIT_INSTRUCTION_INFO));
  store<u64>(v + VM_EXIT_INTR_INFO, intr);
  store<u64>(v + VM_EXIT_INTR_ERROR_CODE, load<u32>(EXIT_INTR_ERROR));
  store<u64>(v + VM_EXIT_INSTRUCTION_LEN, exitLength(reason, qualification, intr, vectoring));
  store<u64>(v + IDT_VECTORING_INFO_FIELD, vectoring);
  store<u64>(v + IDT_VECTORING_ERROR_CODE, vectoringError);
  store<u64>(v + VM_ENTRY_INTR_INFO, load<u32>(v + VM_ENTRY_INTR_INFO) & ~INFO_VALID);
  store<u64>(EXIT_GLA, 0);
  store<u64>(EXIT_GPA, 0);
  store<u64>(EXIT_INSTRUCTION_INFO, 0); // and EXIT_INTR_INFO beside it
  store<u32>(EXIT_INTR_ERROR, 0);
  store<u64>(VECTORING_INFO, 0); // and VECTORING_ERROR
  store<u32>(NMI_UNBLOCKED, 0);
  saveGuarded(v);
  saveState(v);
  savedRf(v, reason, intr, vectoring);
  store<u64>(v + GUEST_PENDING_DBG_EXCEPTIONS, savesPendingDebug(reason) ? pendingDebug() : 0);
  if (load<u32>(v + VM_EXIT_MSR_STORE_COUNT) | load<u32>(v + VM_EXIT_MSR_LOAD_COUNT)) exitMsrLists();
  store<u32>(ATTENTION, 0);
  store<u32>(IN_ROOT, 1);
  return decide(XS_EXIT);
}
