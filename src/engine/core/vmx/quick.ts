// VM exits that need no VMM: recorded as any other, and completed here. Their answers stand in tables that the VMM fills
// when it has answered once (src/engine/vmm/quick-exits.ts). Nothing tells the guest, the trace or the clock the difference:
// where a VM entry after the exit would find something to do, the VMM does both.
import {
  ATTENTION, CLOCK_OFFSET, CLOCK_SHIFT, CPUID_RECORDED, CR4, DR7, ENTRY_DOES_MORE, ICOUNT, NEXT_EVENT, NEXT_RIP, PENDING_DBG, PLE_LAST, PREEMPTION_DEADLINE, QUICK_CPUID, QUICK_ENTRIES, QUICK_ENTRY_BYTES,
  QUICK_LATCHES, QUICK_LATCH_COUNT, QUICK_MSRS, QUICK_PORTS, QUICK_ROOM, RAX, RCX, RDX, RIP, SLICE_END, STEPPED, TRACE_ENABLED,
  TRACE_RECORDS, TRACE_RECORD_BYTES, TRACE_RING, TRACE_SEQUENCE, TR_ACTION, TR_CODE, TR_DETAIL, VCPU_INDEX, VECTORING_INFO, VMCS_DIRTY, XCR0,
} from '../layout';
import {
  EXIT_QUALIFICATION, GUEST_LINEAR_ADDRESS, GUEST_PHYSICAL_ADDRESS, IDT_VECTORING_ERROR_CODE, IDT_VECTORING_INFO_FIELD,
  VMX_INSTRUCTION_INFO, VMX_PREEMPTION_TIMER_VALUE, VM_EXIT_INSTRUCTION_LEN, VM_EXIT_INTR_ERROR_CODE, VM_EXIT_INTR_INFO, VM_EXIT_REASON,
} from '../generated/vmcs';
import { PIN_ACTIVATE_VMX_PREEMPTION_TIMER } from '../generated/controls';
import { EXIT_HAS_LENGTH, EXIT_REASON_CPUID, EXIT_REASON_IO_INSTRUCTION, EXIT_REASON_MSR_READ } from '../generated/exits';
import { clock, clockBehind, instructionNs, passTime } from '../clock';
import { EMULATION_NS, PORT_ACCESS_NS } from '../prices';
import { CPUID_SUBLEAVES, CR4_OSXSAVE, CR4_PKE, DR7_ENABLES } from '../generated/register-bits';
import { limitSlice } from './preemption';
import { countSteady, unsettle } from './steady';
import { loadPair, pair, traceInstruction } from './trace';
import { pinControls, vmcs } from './vmcs';

const RESUMED: u32 = 1;
/** CPUID tells them. */
const CR4_SHOWN: u32 = <u32>(CR4_OSXSAVE | CR4_PKE);

/**
 * Would the VM entry after an exit only load what the exit saved? While the VMCS is as the last VM entry found it, that has told what
 * its controls ask for. `met` is attention that the caller sees to.
 */
// 7 loads
@inline function onlyEnters(met: u32 = 0): bool {
  const more = (load<u32>(ATTENTION) & ~met) | load<u32>(VECTORING_INFO) | (load<u32>(DR7) & <u32>DR7_ENABLES) | load<u32>(VMCS_DIRTY) | load<u32>(ENTRY_DOES_MORE);
  return (<u64>more | load<u64>(PENDING_DBG)) == 0;
}

/** Would the VM entry after an exit that takes so long only load what the exit saved? */
export function mayComplete(ns: u64, met: u32 = 0): bool {
  return load<u32>(QUICK_ROOM) != 0 && load<u64>(NEXT_EVENT) > clockBehind() + ns && onlyEnters(met);
}

/** Length of the running instruction, for the exits that record it. */
@inline function lengthFor(reason: u32): u32 {
  return load<u8>(EXIT_HAS_LENGTH + reason) ? <u32>(load<u64>(NEXT_RIP) - load<u64>(RIP)) & 15 : 0;
}

/** Writes the exit's information into the VMCS. */
@inline function inform(length: u32, reason: u32, qualification: u64, gla: u64, gpa: u64, info: u32): void {
  const v = vmcs();
  if (VM_EXIT_INTR_INFO != VM_EXIT_REASON + 8 || IDT_VECTORING_INFO_FIELD != VM_EXIT_INTR_ERROR_CODE + 8) ERROR('fields are stored by two');
  v128.store(v, i64x2.replace_lane(i64x2.splat(0), 0, reason), VM_EXIT_REASON); // and VM_EXIT_INTR_INFO
  v128.store(v, i64x2.splat(0), VM_EXIT_INTR_ERROR_CODE); // and IDT_VECTORING_INFO_FIELD
  store<u64>(v, 0, IDT_VECTORING_ERROR_CODE);
  store<u64>(v, length, VM_EXIT_INSTRUCTION_LEN);
  store<u64>(v, info, VMX_INSTRUCTION_INFO);
  store<u64>(v, qualification, EXIT_QUALIFICATION);
  store<u64>(v, gla, GUEST_LINEAR_ADDRESS);
  store<u64>(v, gpa, GUEST_PHYSICAL_ADDRESS);
}

/**
 * Writes the running instruction's exit into the VMCS, counts it and puts its record into the trace; `action` 0: it is not handled
 * yet.
 */
@inline export function recordQuick(reason: u32, qualification: u64, gla: u64, gpa: u64, info: u32, action: u32, detail: u32): void {
  const length = lengthFor(reason);
  inform(length, reason, qualification, gla, gpa, info);
  store<u32>(CPUID_RECORDED, 0);
  traceInstruction(load<u64>(RIP), length, load<u64>(ICOUNT), clock(), reason, qualification, gla, gpa, info, action, detail, loadPair(RAX, RCX));
  store<u32>(QUICK_ROOM, load<u32>(QUICK_ROOM) - 1);
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

/** No PAUSE yet, and no step. */
@inline function begins(): void {
  // a test costs less than a store
  if (load<u64>(PLE_LAST) != ~(<u64>0)) store<u64>(PLE_LAST, ~(<u64>0));
  if (load<u32>(STEPPED)) store<u32>(STEPPED, 0);
}

/** What VM entries do each time. The timer is armed as the VMM does it, at virtual time `now`. */
export function enterAgain(now: u64): void {
  begins();
  const wait = min<u64>(load<u64>(NEXT_EVENT) - now, 0xffffffff);
  store<u32>(vmcs(), u32(wait), VMX_PREEMPTION_TIMER_VALUE);
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

/**
 * CPUID of so many bytes at `rip`, behind which `left` instructions of the slice remain: as `complete`, with all at hand. Answers how
 * many remain now, or -1: nothing is done.
 */
// stores: 18 while the deadline stays
@inline export function quickCpuidAt(rip: u64, length: u32, left: i32, rax: u64, rcx: u64): i32 {
  const leaf = u32(rax);
  const subleaf = <u32>CPUID_SUBLEAVES >> (leaf & 31) & 1 ? u32(rcx) : 0;
  const vcpu = load<u32>(VCPU_INDEX);
  const entry = entryOf(QUICK_CPUID, vcpu, leaf, subleaf);
  // two keys at once
  if (load<u64>(entry) != (<u64>subleaf << 32 | leaf)) return -1;
  if (load<u64>(entry, 8) != (<u64>load<u32>(XCR0) << 32 | <u64>((load<u32>(CR4) & CR4_SHOWN) | (vcpu + 1)))) return -1;
  const icount = load<u64>(SLICE_END) - 1 - u64(i64(left));
  const now = (icount << load<u32>(CLOCK_SHIFT)) + load<u64>(CLOCK_OFFSET);
  const then = now + EMULATION_NS + instructionNs();
  if (load<u64>(NEXT_EVENT) <= then) return -1;
  if (load<u32>(QUICK_ROOM) == 0) return -1;
  if (!onlyEnters()) return -1;
  // what is asked for again stands in no register meanwhile, which V8 would store
  if (load<u32>(CPUID_RECORDED) != length) {
    // that stays as it is while the VMCS does
    if (!(pinControls() & PIN_ACTIVATE_VMX_PREEMPTION_TIMER)) return -1;
    inform(length, EXIT_REASON_CPUID, 0, 0, 0, 0);
    store<u32>(CPUID_RECORDED, length);
  }
  store<u32>(QUICK_ROOM, load<u32>(QUICK_ROOM) - 1);
  traceInstruction(rip, length, icount, now, EXIT_REASON_CPUID, 0, 0, 0, 0, RESUMED, 0, pair(rax, rcx));
  const answer = v128.load(entry, 16);
  v128.store(RAX, i64x2.extend_low_i32x4_u(answer)); // and RCX
  v128.store(RDX, i64x2.extend_high_i32x4_u(answer)); // and RBX
  passTime(EMULATION_NS);
  begins();
  const wait = min<u64>(load<u64>(NEXT_EVENT) - then, 0xffffffff);
  store<u32>(vmcs(), u32(wait), VMX_PREEMPTION_TIMER_VALUE);
  if (load<u64>(PREEMPTION_DEADLINE) != then + wait) store<u64>(PREEMPTION_DEADLINE, then + wait);
  // as limitSlice: instructions that begin before that
  const fit = (wait + instructionNs() - 1) >> load<u32>(CLOCK_SHIFT);
  if (fit >= u64(i64(left))) return left;
  store<u64>(SLICE_END, icount + 1 + fit);
  return i32(fit);
}

export function quickCpuid(): bool {
  const left = i32(load<u64>(SLICE_END) - load<u64>(ICOUNT)) - 1;
  return quickCpuidAt(load<u64>(RIP), lengthFor(EXIT_REASON_CPUID), left, load<u64>(RAX), load<u64>(RCX)) >= 0;
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

/** Devices may hear late of writes to all these ports, or there are none. */
@inline function mayWait(port: u32, bytes: u32): bool {
  for (let n: u32 = 0; n < bytes; n++) {
    const at = (port + n) & 0xffff;
    if (!(load<u8>((at >> 3) + QUICK_PORTS) >> (at & 7) & 1)) return false;
  }
  return true;
}

/** Keeps what a device will hear of. */
function latch(port: u32, bytes: u32, value: u32): void {
  for (let n: u32 = 0; n < load<u32>(QUICK_LATCH_COUNT); n++) {
    const latch = QUICK_LATCHES + (n << 3);
    const at = load<u32>(latch) - port;
    if (at < bytes) store<u32>(latch, 0x100 | (value >> (at << 3) & 0xff), 4);
  }
}

/** An OUT to ports whose devices may hear of it later, or where there is none. */
export function quickOut(port: u32, bytes: u32, value: u32, qualification: u64): bool {
  if (!mayWait(port, bytes) || !mayComplete(PORT_ACCESS_NS)) return false;
  complete(EXIT_REASON_IO_INSTRUCTION, qualification, 0, 0, 0, value, PORT_ACCESS_NS);
  unsettle();
  latch(port, bytes, value);
  return true;
}

/**
 * As quickOut for at most `most` elements of a string instruction, which stand one behind the other at `data`: answers how many of
 * them are done before the devices' next work is due, 0: the VMM has to do it. No interrupt waits.
 */
export function quickOuts(port: u32, bytes: u32, data: usize, most: u32, qualification: u64, gla: u64, info: u32): u32 {
  if (!mayWait(port, bytes) || !mayComplete(PORT_ACCESS_NS)) return 0;
  recordQuick(EXIT_REASON_IO_INSTRUCTION, qualification, gla, 0, info, RESUMED, element(data, bytes));
  // what each element after the first takes, as if it were an instruction of its own
  const each = <u64>PORT_ACCESS_NS + instructionNs();
  const fit = (load<u64>(NEXT_EVENT) - clock() - PORT_ACCESS_NS - 1) / each;
  const count = <u32>min<u64>(most, fit + 1);
  passTime(<u64>PORT_ACCESS_NS + <u64>(count - 1) * each);
  recordElements(count);
  countSteady();
  unsettle();
  latch(port, bytes, element(data + <usize>((count - 1) * bytes), bytes));
  enterAgain(clock());
  return count;
}

@inline function element(data: usize, bytes: u32): u32 { return bytes == 1 ? load<u8>(data) : bytes == 2 ? load<u16>(data) : load<u32>(data); }
