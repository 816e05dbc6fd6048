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

@inline function recordOf(sequence: u64): usize { return TRACE_RING + (<i32>sequence & (TRACE_RECORDS - 1)) * TRACE_RECORD_BYTES; }

@inline function nextSequence(): u64 {
  const sequence = load<u64>(TRACE_SEQUENCE);
  store<u64>(TRACE_SEQUENCE, sequence + 1);
  return sequence;
}

/** TR_CODE above TR_LENGTH. Bits 13 and 14 of the access rights are L and D/B. */
@inline function codeBits(): u32 { return load<u32>(SEGMENTS + SEG_CS * SEGMENT_BYTES + SEG_AR) << 3 & 0x30000 | 0x80000000; }

/** Two fields side by side: processors retire one store a cycle, of whatever size. */
@inline export function pair(first: u64, second: u64): v128 { return i64x2.replace_lane(i64x2.splat(first), 1, second); }

/** Two words of memory. */
@inline export function loadPair(first: usize, second: usize): v128 { return v128.load_lane<u64>(second, v128.load_splat<u64>(first), 1); }

/**
 * As traceExit for an exit of the instruction at `rip`, after `icount` others and at virtual time `now`, which has no event's
 * information: from the values that go into the VMCS as well, with what is done about it, and with RAX and RCX.
 */
// a record: 8 stores of 16 bytes
@inline export function traceInstruction(
  rip: u64, length: u32, icount: u64, now: u64, reason: u32, qualification: u64, gla: u64, gpa: u64, info: u32, action: u32, detail: u32,
  registers: v128,
): void {
  const count = EXIT_COUNTS + (reason << 3);
  store<u64>(count, load<u64>(count) + 1);
  if (!load<u32>(TRACE_ENABLED)) return;
  const sequence = nextSequence();
  const r = recordOf(sequence);
  v128.store(r, pair(sequence, icount), TR_SEQUENCE); // and TR_ICOUNT
  // TR_VCPU, TR_REASON, TR_QUALIFICATION
  const first = i32x4.replace_lane(v128.load_zero<u32>(VCPU_INDEX), 1, reason);
  v128.store(r, isConstant(qualification) && qualification == 0 ? first : i64x2.replace_lane(first, 1, qualification), TR_VCPU);
  v128.store(r, v128.load_lane<u64>(SEGMENTS + SEG_CS * SEGMENT_BYTES + SEG_BASE, i64x2.splat(rip), 1), TR_RIP); // and TR_CS_BASE
  v128.store(r, pair(gla, gpa), TR_GLA); // and TR_GPA
  // TR_CODE, TR_INTR_INFO, TR_INTR_ERROR, TR_VECTORING_INFO
  v128.store(r, i64x2.replace_lane(i64x2.splat(0), 0, <u64>(length | codeBits())), TR_LENGTH);
  v128.store(r, pair(<u64>info << 32, <u64>detail << 32 | action), TR_VECTORING_ERROR); // TR_INSTRUCTION_INFO, TR_ACTION, TR_DETAIL
  v128.store(r, registers, TR_RAX); // and TR_RCX
  v128.store(r, v128.load_lane<u64>(CR3, i64x2.splat(now), 1), TR_CLOCK); // and TR_CR3
}

/** Counts the exit and, while tracing is on, copies its information from the VMCS at `v` into the ring. */
export function traceExit(v: usize, reason: u32): void {
  const count = EXIT_COUNTS + ((reason & 127) << 3);
  store<u64>(count, load<u64>(count) + 1);
  if (!load<u32>(TRACE_ENABLED)) return;
  const sequence = nextSequence();
  const r = recordOf(sequence);
  store<u64>(r, sequence, TR_SEQUENCE);
  store<u64>(r, load<u64>(SEGMENTS + SEG_CS * SEGMENT_BYTES + SEG_BASE), TR_CS_BASE);
  store<u64>(r, load<u64>(RAX), TR_RAX);
  store<u64>(r, load<u64>(RCX), TR_RCX);
  store<u64>(r, clock(), TR_CLOCK);
  store<u64>(r, load<u64>(CR3), TR_CR3);
  store<u16>(r, <u16>(codeBits() >> 16), TR_CODE);
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
