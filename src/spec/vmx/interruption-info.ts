// The interruption-information formats: VM-exit interruption information, IDT-vectoring information,
// VM-entry interruption information.
//
//   31     30..13     12             11          10..8  7..0
//   valid  reserved   NMI unblocked  error code  type   vector
import { describeErrorCode } from '../exceptions.js';
import type { BitField } from '../flags.js';

/** @sdm 3C 24.8.3 "VM-Entry Controls for Event Injection" 24.9.2 "Information for VM Exits Due to Vectored Events" */
export const INTERRUPTION_INFO: readonly BitField[] = [
  { name: 'vector', hi: 7, lo: 0, title: 'vector' },
  { name: 'type', hi: 10, lo: 8, title: 'interruption type' },
  { name: 'error code', hi: 11, lo: 11, title: 'an error code is pushed' },
  { name: 'NMI unblocked', hi: 12, lo: 12, title: 'an IRET had removed blocking by NMI (VM-exit field only)' },
  { name: 'valid', hi: 31, lo: 31, title: 'there is an event' },
];

/** Interruption types. @sdm 3C 24.8.3 "VM-Entry Controls for Event Injection" */
export const INTERRUPTION_TYPES = [
  'external interrupt',
  'reserved',
  'NMI',
  'hardware exception',
  'software interrupt',
  'privileged software exception',
  'software exception',
  'other event',
] as const;

/** Mnemonic and title of vectors 0 to 31. @sdm 3A 6.3.1 "External Interrupts", table 6-1 */
export const VECTORS: readonly (readonly [mnemonic: string, title: string])[] = [
  ['#DE', 'divide error'],
  ['#DB', 'debug exception'],
  ['NMI', 'non-maskable interrupt'],
  ['#BP', 'breakpoint'],
  ['#OF', 'overflow'],
  ['#BR', 'BOUND range exceeded'],
  ['#UD', 'invalid opcode'],
  ['#NM', 'device not available'],
  ['#DF', 'double fault'],
  ['', 'coprocessor segment overrun'],
  ['#TS', 'invalid TSS'],
  ['#NP', 'segment not present'],
  ['#SS', 'stack-segment fault'],
  ['#GP', 'general protection'],
  ['#PF', 'page fault'],
  ['', 'reserved'],
  ['#MF', 'x87 FPU floating-point error'],
  ['#AC', 'alignment check'],
  ['#MC', 'machine check'],
  ['#XM', 'SIMD floating-point exception'],
  ['#VE', 'virtualization exception'],
  ['#CP', 'control protection exception'],
];

export interface Interruption {
  readonly valid: boolean;
  readonly vector: number;
  readonly type: number;
  readonly typeName: string;
  readonly hasErrorCode: boolean;
  /** An IRET had removed blocking by NMI (VM-exit field only). */
  readonly nmiUnblocked: boolean;
  /** Mnemonic of an exception, `NMI`, or `vector 0x31`. */
  readonly name: string;
}

/** Takes an interruption-information value apart. */
export function decodeInterruption(info: number): Interruption {
  const vector = info & 0xff;
  const type = (info >> 8) & 7;
  const exception = type === 2 || type === 3 || type === 5 || type === 6;
  const mnemonic = exception ? VECTORS[vector]?.[0] : '';
  return {
    valid: info >>> 31 === 1,
    vector,
    type,
    typeName: INTERRUPTION_TYPES[type],
    hasErrorCode: (info & 0x800) !== 0,
    nmiUnblocked: (info & 0x1000) !== 0,
    name: mnemonic || `vector 0x${vector.toString(16)}`,
  };
}

/** An interruption-information value in words; with `error`, what its error code says. */
export function describeInterruption(value: number, error?: number): string[] {
  const event = decodeInterruption(value);
  if (!event.valid) return ['not valid'];
  const parts = [event.name, event.typeName];
  if (event.hasErrorCode) {
    const meaning = error === undefined ? '' : describeErrorCode(event.vector, error);
    parts.push(error === undefined ? 'error code' : `error code 0x${error.toString(16)}${meaning && ` (${meaning})`}`);
  }
  if (event.nmiUnblocked) parts.push('NMI unblocked by IRET');
  return parts;
}

/** A value of the VM-entry field. */
export function encodeInterruption(vector: number, type: number, errorCode = false): number {
  return (0x80000000 | (errorCode ? 0x800 : 0) | (type << 8) | vector) >>> 0;
}

/** Exceptions that push an error code. @sdm 3A 6.13 "Error Code" */
export const VECTORS_WITH_ERROR_CODE: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17, 21]);
