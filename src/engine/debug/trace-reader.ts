import * as L from '../core/layout.js';
import type { Condition, ExitCondition, ExitRecord } from '../debugger.js';
import type { HostMemory } from '../memory/host-memory.js';
import { recordHolds } from './condition.js';
import { exitValue } from './exit-facts.js';

const ACTIONS = ['none', 'resume', 'inject', 'stop'] as const;

/** The newest `max` exit records with sequence > `after`, oldest first. Sequences count from 1. */
export function readTrace(host: HostMemory, after: number, max: number): ExitRecord[] {
  const newest = host.getNumber(L.TRACE_SEQUENCE);
  const oldest = Math.max(after + 1, newest - Math.min(max, L.TRACE_RECORDS) + 1, 1);
  const records: ExitRecord[] = [];
  for (let sequence = oldest; sequence <= newest; sequence++) records.push(readRecord(host, sequence));
  return records;
}

/** Address of the record with this sequence in the ring. */
export function recordAddress(sequence: number): number {
  return L.TRACE_RING + ((sequence - 1) % L.TRACE_RECORDS) * L.TRACE_RECORD_BYTES;
}

export function readRecord(host: HostMemory, sequence: number): ExitRecord {
  const at = recordAddress(sequence);
  return { ...decodeRecord(host.u8.subarray(at, at + L.TRACE_RECORD_BYTES)), sequence };
}

/** The record of just this sequence; undefined where another one stands in its place. */
export function readRecordOf(host: HostMemory, sequence: number): ExitRecord | undefined {
  const at = recordAddress(sequence);
  const record = decodeRecord(host.u8.subarray(at, at + L.TRACE_RECORD_BYTES));
  // the ring counts from 0
  return record.sequence + 1 === sequence ? { ...record, sequence } : undefined;
}

/** A record of the ring, or of a file of them: TRACE_RECORD_BYTES bytes. */
export function decodeRecord(bytes: Uint8Array): ExitRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, L.TRACE_RECORD_BYTES);
  const u32 = (at: number) => view.getUint32(at, true);
  const u64 = (at: number) => view.getBigUint64(at, true);
  return {
    sequence: Number(u64(L.TR_SEQUENCE)),
    icount: u64(L.TR_ICOUNT),
    clock: u64(L.TR_CLOCK),
    vcpu: u32(L.TR_VCPU),
    reason: u32(L.TR_REASON),
    qualification: u64(L.TR_QUALIFICATION),
    rip: u64(L.TR_RIP),
    csBase: u64(L.TR_CS_BASE),
    gla: u64(L.TR_GLA),
    gpa: u64(L.TR_GPA),
    instructionLength: view.getUint16(L.TR_LENGTH, true),
    ...codeBits(view.getUint16(L.TR_CODE, true)),
    instructionInfo: u32(L.TR_INSTRUCTION_INFO),
    interruptionInfo: u32(L.TR_INTR_INFO),
    interruptionError: u32(L.TR_INTR_ERROR),
    vectoringInfo: u32(L.TR_VECTORING_INFO),
    vectoringError: u32(L.TR_VECTORING_ERROR),
    cr3: u64(L.TR_CR3),
    rax: u64(L.TR_RAX),
    rcx: u64(L.TR_RCX),
    action: ACTIONS[u32(L.TR_ACTION)] ?? 'none',
    detail: u32(L.TR_DETAIL),
  };
}

/** Records of older trace files do not say it. */
function codeBits(code: number): Pick<ExitRecord, 'bits' | 'elements'> {
  if (!(code & 0x8000)) return {};
  const elements = (code >> 2) & 0x1fff;
  return { bits: code & 1 ? 64 : code & 2 ? 32 : 16, ...(elements > 0 ? { elements } : {}) };
}

/**
 * Whether an exit meets a condition.
 * @param holds evaluates what its fields alone do not tell; by default those are all that there is
 */
export function exitMatches(
  record: ExitRecord,
  condition: ExitCondition,
  holds: (test: Condition) => boolean = (test) => recordHolds(record, test),
): boolean {
  const reasons = condition.reasons ?? [];
  if (reasons.length > 0 && !reasons.includes(record.reason & 0xffff)) return false;
  const met = (condition.where ?? []).every(({ field, op, value }) => {
    const left = exitValue(record, field);
    if (left === undefined) return false;
    switch (op) {
      case '==':
        return left === value;
      case '!=':
        return left !== value;
      case '<':
        return left < value;
      case '<=':
        return left <= value;
      case '>':
        return left > value;
      case '>=':
        return left >= value;
      case '&':
        return (left & value) !== 0n;
    }
  });
  return met && (condition.test === undefined || holds(condition.test));
}
