/** The bits of VMCS fields that can be set one by one. */
import { fieldBits } from '../engine/debug/field-decode.js';
import type { VmcsFieldValue } from '../engine/debugger.js';
import { EXCEPTIONS } from '../spec/exceptions.js';
import { CONTROL_FIELD, CONTROLS, type ControlWord } from '../spec/vmx/controls.js';
import { vmcsFieldByEncoding } from '../spec/vmx/vmcs-fields.js';

export interface FieldBit {
  bit: number;
  name: string;
  description: string;
  supported: boolean;
}

const WORDS = new Map(Object.entries(CONTROL_FIELD).map(([word, field]) => [field, word as ControlWord]));

/** The bits of a field that can be set one by one; empty for a field that is a number. */
export function bitsOf(field: VmcsFieldValue): FieldBit[] {
  const word = WORDS.get(field.name);
  if (word)
    return CONTROLS[word].map(({ bit, name, description, supported }) => ({ bit, name, description, supported }));
  if (field.name === 'EXCEPTION_BITMAP') {
    return EXCEPTIONS.map(({ vector, mnemonic, title }) => ({
      bit: vector,
      name: mnemonic,
      description: `${title} causes VM exits.`,
      supported: true,
    }));
  }
  const row = vmcsFieldByEncoding(field.encoding);
  const single = row ? fieldBits(row).filter(({ hi, lo }) => hi === lo) : [];
  return single.map(({ lo, name, title }) => ({ bit: lo, name, description: `${title}.`, supported: true }));
}
