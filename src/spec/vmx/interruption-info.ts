// The interruption-information formats: VM-exit interruption information, IDT-vectoring information,
// VM-entry interruption information.
//
//   31     30..13     12             11          10..8  7..0
//   valid  reserved   NMI unblocked  error code  type   vector
import { describeErrorCode, exceptionRow } from '../exceptions.js';
import { type BitField, bitsOf } from '../flags.js';

/** @sdm 3C 24.8.3 "VM-Entry Controls for Event Injection" 24.9.2 "Information for VM Exits Due to Vectored Events" */
export const INTERRUPTION_INFO = [
  { name: 'vector', hi: 7, lo: 0, title: 'vector' },
  { name: 'type', hi: 10, lo: 8, title: 'interruption type' },
  { name: 'error code', hi: 11, lo: 11, title: 'an error code is pushed' },
  { name: 'NMI unblocked', hi: 12, lo: 12, title: 'an IRET had removed blocking by NMI (VM-exit field only)' },
  { name: 'valid', hi: 31, lo: 31, title: 'there is an event' },
] as const satisfies readonly BitField[];
const VALID = bitsOf(INTERRUPTION_INFO, 'valid');
const ERROR_CODE = bitsOf(INTERRUPTION_INFO, 'error code');
const NMI_UNBLOCKED = bitsOf(INTERRUPTION_INFO, 'NMI unblocked');

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
  const mnemonic = exception ? exceptionRow(vector)?.mnemonic : undefined;
  return {
    valid: info >>> 31 === 1,
    vector,
    type,
    typeName: INTERRUPTION_TYPES[type],
    hasErrorCode: (info & ERROR_CODE) !== 0,
    nmiUnblocked: (info & NMI_UNBLOCKED) !== 0,
    name: mnemonic ?? `vector 0x${vector.toString(16)}`,
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
  return (VALID | (errorCode ? ERROR_CODE : 0) | (type << 8) | vector) >>> 0;
}
