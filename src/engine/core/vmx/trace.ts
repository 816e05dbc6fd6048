// The trace of VM exits: a count by reason always, a record in the ring while tracing is on.
import { clock } from '../clock';
import {
  CR3, EXIT_COUNTS, ICOUNT, RAX, RCX, RIP, SEGMENTS, SEGMENT_BYTES, SEG_AR, SEG_BASE, SEG_CS, TRACE_ENABLED,
  TRACE_RECORDS, TRACE_RECORD_BYTES, TRACE_RING, TRACE_SEQUENCE, TR_ACTION, TR_CLOCK, TR_CR3, TR_CS_BASE, TR_DETAIL, TR_GLA,
  TR_CODE, TR_GPA, TR_ICOUNT, TR_INSTRUCTION_INFO, TR_INTR_ERROR, TR_INTR_INFO, TR_LENGTH, TR_QUALIFICATION, TR_RAX, TR_RCX,
  TR_REASON, TR_RIP, TR_SEQUENCE, TR_VCPU, TR_VECTORING_ERROR, TR_VECTORING_INFO, VCPU_INDEX,
} from '../layout';
import {
  EXIT_QUALIFICATION, GUEST_LINEAR_ADDRESS, GUEST_PHYSICAL_ADDRESS, IDT_VECTORING_ERROR_CODE, IDT_VECTORING_INFO_FIELD,
  VMX_INSTRUCTION_INFO, VM_EXIT_INSTRUCTION_LEN, VM_EXIT_INTR_ERROR_CODE, VM_EXIT_INTR_INFO,
} from '../generated/vmcs';

/** The place of the newest record. */
@inline function newRecord(): usize {
  const sequence = load<u64>(TRACE_SEQUENCE);
  store<u64>(TRACE_SEQUENCE, sequence + 1);
  const r: usize = TRACE_RING + (<i32>sequence & (TRACE_RECORDS - 1)) * TRACE_RECORD_BYTES;
  store<u64>(r, sequence, TR_SEQUENCE);
  return r;
}

/** What a record has of the guest's state but for where it is. */
@inline function recordState(r: usize, now: u64): void {
  store<u64>(r, load<u64>(SEGMENTS + SEG_CS * SEGMENT_BYTES + SEG_BASE), TR_CS_BASE);
  store<u64>(r, load<u64>(RAX), TR_RAX);
  store<u64>(r, load<u64>(RCX), TR_RCX);
  store<u64>(r, now, TR_CLOCK);
  store<u64>(r, load<u64>(CR3), TR_CR3);
  // bits 13 and 14 of the access rights are L and D/B
  store<u16>(r, <u16>(load<u32>(SEGMENTS + SEG_CS * SEGMENT_BYTES + SEG_AR) >> 13 & 3 | 0x8000), TR_CODE);
}

/**
 * As traceExit for an exit of the instruction at `rip`, after `icount` others and at virtual time `now`, which has no event's
 * information: from the values that go into the VMCS as well, and with what is done about it.
 */
// a record: 15 stores of 8 bytes, one of 2
@inline export function traceInstruction(
  rip: u64, length: u32, icount: u64, now: u64, reason: u32, qualification: u64, gla: u64, gpa: u64, info: u32, action: u32, detail: u32,
): void {
  const count = EXIT_COUNTS + (reason << 3);
  store<u64>(count, load<u64>(count) + 1);
  if (!load<u32>(TRACE_ENABLED)) return;
  const r = newRecord();
  store<u64>(r, length, TR_LENGTH); // and TR_INTR_INFO
  recordState(r, now);
  store<u64>(r, icount, TR_ICOUNT);
  store<u64>(r, rip, TR_RIP);
  store<u64>(r, <u64>load<u32>(VCPU_INDEX) | <u64>reason << 32, TR_VCPU); // and TR_REASON
  store<u64>(r, qualification, TR_QUALIFICATION);
  store<u64>(r, gla, TR_GLA);
  store<u64>(r, gpa, TR_GPA);
  store<u64>(r, 0, TR_INTR_ERROR); // and TR_VECTORING_INFO
  store<u64>(r, <u64>info << 32, TR_VECTORING_ERROR); // and TR_INSTRUCTION_INFO
  store<u64>(r, <u64>detail << 32 | action, TR_ACTION); // and TR_DETAIL
}

/** Counts the exit and, while tracing is on, copies its information from the VMCS at `v` into the ring. */
export function traceExit(v: usize, reason: u32): void {
  const count = EXIT_COUNTS + ((reason & 127) << 3);
  store<u64>(count, load<u64>(count) + 1);
  if (!load<u32>(TRACE_ENABLED)) return;
  const r = newRecord();
  recordState(r, clock());
  store<u64>(r, load<u64>(ICOUNT), TR_ICOUNT);
  store<u64>(r, load<u64>(RIP), TR_RIP);
  store<u32>(r, load<u32>(VCPU_INDEX), TR_VCPU);
  store<u32>(r, reason, TR_REASON);
  store<u64>(r, load<u64>(v + EXIT_QUALIFICATION), TR_QUALIFICATION);
  store<u64>(r, load<u64>(v + GUEST_LINEAR_ADDRESS), TR_GLA);
  store<u64>(r, load<u64>(v + GUEST_PHYSICAL_ADDRESS), TR_GPA);
  store<u16>(r, load<u16>(v + VM_EXIT_INSTRUCTION_LEN), TR_LENGTH);
  store<u32>(r, load<u32>(v + VM_EXIT_INTR_INFO), TR_INTR_INFO);
  store<u32>(r, load<u32>(v + VM_EXIT_INTR_ERROR_CODE), TR_INTR_ERROR);
  store<u32>(r, load<u32>(v + IDT_VECTORING_INFO_FIELD), TR_VECTORING_INFO);
  store<u32>(r, load<u32>(v + IDT_VECTORING_ERROR_CODE), TR_VECTORING_ERROR);
  store<u32>(r, load<u32>(v + VMX_INSTRUCTION_INFO), TR_INSTRUCTION_INFO);
  store<u32>(r, 0, TR_ACTION);
  store<u32>(r, 0, TR_DETAIL);
}
