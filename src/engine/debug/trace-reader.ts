import * as L from '../core/layout.js';
import type { ExitCondition, ExitRecord } from '../debugger.js';
import type { HostMemory } from '../vmm/host-memory.js';

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
  return {
    sequence,
    icount: host.get64(at + L.TR_ICOUNT),
    clock: host.get64(at + L.TR_CLOCK),
    vcpu: host.get32(at + L.TR_VCPU),
    reason: host.get32(at + L.TR_REASON),
    qualification: host.get64(at + L.TR_QUALIFICATION),
    rip: host.get64(at + L.TR_RIP),
    csBase: host.get64(at + L.TR_CS_BASE),
    gla: host.get64(at + L.TR_GLA),
    gpa: host.get64(at + L.TR_GPA),
    instructionLength: host.get32(at + L.TR_LENGTH),
    instructionInfo: host.get32(at + L.TR_INSTRUCTION_INFO),
    interruptionInfo: host.get32(at + L.TR_INTR_INFO),
    interruptionError: host.get32(at + L.TR_INTR_ERROR),
    vectoringInfo: host.get32(at + L.TR_VECTORING_INFO),
    vectoringError: host.get32(at + L.TR_VECTORING_ERROR),
    cr3: host.get64(at + L.TR_CR3),
    rax: host.get64(at + L.TR_RAX),
    rcx: host.get64(at + L.TR_RCX),
    action: ACTIONS[host.get32(at + L.TR_ACTION)] ?? 'none',
    detail: host.get32(at + L.TR_DETAIL),
  };
}

/** Whether an exit meets a condition. */
export function exitMatches(record: ExitRecord, condition: ExitCondition): boolean {
  const reasons = condition.reasons ?? [];
  if (reasons.length > 0 && !reasons.includes(record.reason & 0xffff)) return false;
  return (condition.where ?? []).every(({ field, op, value }) => {
    const actual = record[field];
    if (typeof actual === 'string') return false;
    const left = BigInt(actual);
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
}
