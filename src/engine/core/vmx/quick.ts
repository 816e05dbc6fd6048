// VM exits that need no VMM: recorded as any other, and completed here. Their answers stand in tables that the VMM fills
// when it has answered once (src/engine/vmm/quick-exits.ts). Nothing tells the guest, the trace or the clock the difference:
// where a VM entry after the exit would find something to do, the VMM does both.
import {
  ATTENTION, CR4, DR7, NEXT_EVENT, NEXT_RIP, PENDING_DBG, PLE_LAST, PREEMPTION_DEADLINE, QUICK_COUNT, QUICK_CPUID, QUICK_ENTRIES, QUICK_ENTRY_BYTES,
  QUICK_LATCHES, QUICK_LATCH_COUNT, QUICK_MSRS, QUICK_PORTS, QUICK_ROOM, RAX, RBX, RCX, RDX, RIP, STEPPED, TRACE_ENABLED,
  TRACE_RECORDS, TRACE_RECORD_BYTES, TRACE_RING, TRACE_SEQUENCE, TR_ACTION, TR_CODE, TR_DETAIL, VCPU_INDEX, VECTORING_INFO, XCR0,
} from '../layout';
import {
  EXIT_QUALIFICATION, GUEST_LINEAR_ADDRESS, GUEST_PHYSICAL_ADDRESS, IDT_VECTORING_ERROR_CODE, IDT_VECTORING_INFO_FIELD,
  VMX_INSTRUCTION_INFO, VMX_PREEMPTION_TIMER_VALUE, VM_ENTRY_MSR_LOAD_COUNT, VM_EXIT_INSTRUCTION_LEN, VM_EXIT_INTR_ERROR_CODE,
  VM_EXIT_INTR_INFO, VM_EXIT_MSR_LOAD_COUNT, VM_EXIT_MSR_STORE_COUNT, VM_EXIT_REASON,
} from '../generated/vmcs';
import { PIN_ACTIVATE_VMX_PREEMPTION_TIMER } from '../generated/controls';
import { EXIT_HAS_LENGTH, EXIT_REASON_CPUID, EXIT_REASON_IO_INSTRUCTION, EXIT_REASON_MSR_READ } from '../generated/exits';
import { clock, clockBehind, passTime } from '../clock';
import { EMULATION_NS, PORT_ACCESS_NS } from '../prices';
import { vpid } from '../mmu/ept';
import { limitSlice } from './preemption';
import { unsettle } from './steady';
import { traceInstruction } from './trace';
import { pinControls, vmcs } from './vmcs';

const RESUMED: u32 = 1;
const CR4_SHOWN: u32 = 0x440000; // OSXSAVE PKE: CPUID tells them

/** Would the VM entry after an exit that takes so long only load what the exit saved? `met` is attention that the caller sees to. */
export function mayComplete(ns: u64, met: u32 = 0): bool {
  if (load<u32>(QUICK_ROOM) == 0 || (load<u32>(ATTENTION) & ~met) != 0) return false;
  if (load<u64>(PENDING_DBG) != 0 || load<u32>(VECTORING_INFO) != 0 || (load<u32>(DR7) & 0xff) != 0 || vpid() == 0) return false;
  const v = vmcs();
  if (load<u32>(v + VM_EXIT_MSR_STORE_COUNT) | load<u32>(v + VM_EXIT_MSR_LOAD_COUNT) | load<u32>(v + VM_ENTRY_MSR_LOAD_COUNT)) return false;
  return load<u64>(NEXT_EVENT) > clockBehind() + ns;
}

/** Writes the exit's information into the VMCS, counts it and puts its record into the trace; `action` 0: it is not handled yet. */
@inline export function recordQuick(reason: u32, qualification: u64, gla: u64, gpa: u64, info: u32, action: u32, detail: u32): void {
  const v = vmcs();
  const length = load<u8>(EXIT_HAS_LENGTH + reason) ? (load<u64>(NEXT_RIP) - load<u64>(RIP)) & 15 : 0;
  store<u64>(v + VM_EXIT_REASON, reason);
  store<u64>(v + EXIT_QUALIFICATION, qualification);
  store<u64>(v + GUEST_LINEAR_ADDRESS, gla);
  store<u64>(v + GUEST_PHYSICAL_ADDRESS, gpa);
  store<u64>(v + VMX_INSTRUCTION_INFO, info);
  store<u64>(v + VM_EXIT_INTR_INFO, 0);
  store<u64>(v + VM_EXIT_INTR_ERROR_CODE, 0);
  store<u64>(v + VM_EXIT_INSTRUCTION_LEN, length);
  store<u64>(v + IDT_VECTORING_INFO_FIELD, 0);
  store<u64>(v + IDT_VECTORING_ERROR_CODE, 0);
  traceInstruction(reason, qualification, gla, gpa, info, <u32>length, action, detail);
  store<u32>(QUICK_ROOM, load<u32>(QUICK_ROOM) - 1);
  store<u32>(QUICK_COUNT, load<u32>(QUICK_COUNT) + 1);
}

@inline function newestRecord(): usize {
  return TRACE_RING + ((load<u32>(TRACE_SEQUENCE) - 1) & (TRACE_RECORDS - 1)) * TRACE_RECORD_BYTES;
}

/** Adds to the newest record what the VMM does about the exit. */
export function recordAnswer(detail: u32): void {
  if (!load<u32>(TRACE_ENABLED)) return;
  const r = newestRecord();
  store<u32>(r, RESUMED, TR_ACTION);
  store<u32>(r, detail, TR_DETAIL);
}

/** Adds to the newest record how many elements string I/O has moved. */
export function recordElements(count: u32): void {
  if (!load<u32>(TRACE_ENABLED)) return;
  const r = newestRecord();
  store<u16>(r, u16(load<u16>(r, TR_CODE) | count << 2), TR_CODE);
}

/** What VM entries do each time. The timer is armed as the VMM does it, at virtual time `now`. */
export function enterAgain(now: u64): void {
  store<u64>(PLE_LAST, ~(<u64>0));
  store<u32>(STEPPED, 0);
  const wait = min<u64>(load<u64>(NEXT_EVENT) - now, 0xffffffff);
  store<u32>(vmcs() + VMX_PREEMPTION_TIMER_VALUE, u32(wait));
  if (pinControls() & PIN_ACTIVATE_VMX_PREEMPTION_TIMER) store<u64>(PREEMPTION_DEADLINE, now + wait);
  limitSlice();
}

/**
 * Records the exit, with what the VMM would add to the record, and lets the time pass that it takes.
 * @param retires 0: the VM entry is before the instruction, which runs again
 */
@inline export function complete(
  reason: u32, qualification: u64, gla: u64, gpa: u64, info: u32, detail: u32, ns: u64, retires: u64 = 1,
): void {
  recordQuick(reason, qualification, gla, gpa, info, RESUMED, detail);
  passTime(ns);
  // the dispatcher counts the instruction
  enterAgain(retires ? clockBehind() : clock());
}

/** An answer in a table: {key u32, key u32, key u32, key u32, answer 4 x u32}, found by its first two keys. */
@inline function entryOf(table: usize, vcpu: u32, first: u32, second: u32): usize {
  return table + (((first ^ (first >> 8) ^ (second << 3) ^ (vcpu << 4)) & (QUICK_ENTRIES - 1)) * QUICK_ENTRY_BYTES);
}

/** For the VMM: the entry of a vCPU's answer, of which all is the VMM's to write. */
export function quickEntry(table: usize, vcpu: u32, first: u32, second: u32): usize { return entryOf(table, vcpu, first, second); }

export function quickCpuid(): bool {
  const leaf = load<u32>(RAX);
  const subleaf = load<u32>(RCX);
  const entry = entryOf(QUICK_CPUID, load<u32>(VCPU_INDEX), leaf, subleaf);
  if (load<u32>(entry) != leaf || load<u32>(entry, 4) != subleaf) return false;
  if (load<u32>(entry, 8) != ((load<u32>(CR4) & CR4_SHOWN) | (load<u32>(VCPU_INDEX) + 1)) || load<u32>(entry, 12) != load<u32>(XCR0)) return false;
  if (!mayComplete(EMULATION_NS)) return false;
  complete(EXIT_REASON_CPUID, 0, 0, 0, 0, 0, EMULATION_NS);
  store<u64>(RAX, load<u32>(entry, 16));
  store<u64>(RBX, load<u32>(entry, 20));
  store<u64>(RCX, load<u32>(entry, 24));
  store<u64>(RDX, load<u32>(entry, 28));
  return true;
}

export function quickRdmsr(): bool {
  const index = load<u32>(RCX);
  const entry = entryOf(QUICK_MSRS, load<u32>(VCPU_INDEX), index, 0);
  if (load<u32>(entry) != index || load<u32>(entry, 8) != load<u32>(VCPU_INDEX) + 1 || !mayComplete(EMULATION_NS)) return false;
  complete(EXIT_REASON_MSR_READ, 0, 0, 0, 0, load<u32>(entry, 16), EMULATION_NS);
  store<u64>(RAX, load<u32>(entry, 16));
  store<u64>(RDX, load<u32>(entry, 20));
  return true;
}

@inline function mayWait(port: u32): bool { return (load<u8>((port >> 3) + QUICK_PORTS) >> (port & 7) & 1) != 0; }

/** An OUT to ports whose devices may hear of it later, or where there is none. */
export function quickOut(port: u32, bytes: u32, value: u32, qualification: u64): bool {
  for (let n: u32 = 0; n < bytes; n++) if (!mayWait((port + n) & 0xffff)) return false;
  if (!mayComplete(PORT_ACCESS_NS)) return false;
  complete(EXIT_REASON_IO_INSTRUCTION, qualification, 0, 0, 0, value, PORT_ACCESS_NS);
  unsettle();
  for (let n: u32 = 0; n < load<u32>(QUICK_LATCH_COUNT); n++) {
    const latch = QUICK_LATCHES + (n << 3);
    const at = load<u32>(latch) - port;
    if (at < bytes) store<u32>(latch, 0x100 | (value >> (at << 3) & 0xff), 4);
  }
  return true;
}
