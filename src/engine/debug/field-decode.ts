import { EXCEPTIONS } from '../../spec/exceptions.js';
import { type BitField, decodeBits, PAGE_FAULT_ERROR } from '../../spec/flags.js';
import { MEMORY_TYPES } from '../../spec/paging.js';
import { describeAccessRights, SYSTEM_REGISTERS } from '../../spec/registers.js';
import { type ControlWord, controlNames } from '../../spec/vmx/controls.js';
import { decodeQualification } from '../../spec/vmx/exit-qualifications.js';
import { exitReasonName } from '../../spec/vmx/exit-reasons.js';
import { ACTIVITY_STATES, INTERRUPTIBILITY, PENDING_DEBUG } from '../../spec/vmx/guest-state.js';
import { instructionError } from '../../spec/vmx/instruction-errors.js';
import { decodeInstructionInfo } from '../../spec/vmx/instruction-info.js';
import { describeInterruption } from '../../spec/vmx/interruption-info.js';
import type { VmcsDecoder, VmcsField } from '../../spec/vmx/vmcs-fields.js';

/** The other fields of the same VMCS, by name. */
export type ReadVmcs = (name: string) => bigint;

const rows = (names: Record<number, string>): BitField[] =>
  Object.entries(names).map(([at, name]) => ({ name, hi: Number(at), lo: Number(at), title: name }));

const WORDS: Partial<Record<VmcsDecoder, ControlWord>> = {
  'pin-controls': 'pin',
  'primary-controls': 'primary',
  'secondary-controls': 'secondary',
  'tertiary-controls': 'tertiary',
  'exit-controls': 'exit',
  'secondary-exit-controls': 'exit2',
  'entry-controls': 'entry',
};

/** Bits of the fields that are VMX's own, beside those of the registers. */
const BITS: Partial<Record<VmcsDecoder, readonly BitField[]>> = {
  ...Object.fromEntries(
    SYSTEM_REGISTERS.filter((row) => row.fields && row.name !== 'cr3').map((r) => [r.name, r.fields]),
  ),
  'exception-bitmap': rows(Object.fromEntries(EXCEPTIONS.map((row) => [row.vector, row.mnemonic]))),
  interruptibility: INTERRUPTIBILITY,
  'page-fault-error': PAGE_FAULT_ERROR,
  'pending-debug': PENDING_DEBUG,
  debugctl: rows({ 0: 'LBR', 1: 'BTF' }),
  'vm-functions': rows({ 0: 'EPTP switching' }),
};

/** Bits and groups of bits of a field that is made of them, controls aside; empty for numbers and addresses. */
export function fieldBits({ decoder }: VmcsField): readonly BitField[] {
  return (decoder && BITS[decoder]) ?? [];
}

/** Meaning of a field's value, one string per item; empty for plain numbers and addresses. */
export function decodeField(field: VmcsField, value: bigint, read: ReadVmcs): string[] {
  const { decoder } = field;
  if (!decoder) return [];
  const word = WORDS[decoder];
  if (word) return controlNames(word, value);
  const bits = BITS[decoder];
  if (bits) return decodeBits(value, bits);
  const reason = () => Number(read('VM_EXIT_REASON'));
  const parts = (list: readonly { name: string; text: string }[]) => list.map(({ name, text }) => `${name} ${text}`);
  switch (decoder) {
    case 'exit-reason':
      return [exitReasonName(Number(value)), ...(value >> 31n ? ['VM-entry failure'] : [])];
    case 'exit-qualification':
      return parts(decodeQualification(reason(), value, Number(read('VM_EXIT_INTR_INFO'))));
    case 'instruction-info':
      return parts(decodeInstructionInfo(reason(), Number(value), read('EXIT_QUALIFICATION')));
    case 'instruction-error':
      return [instructionError(Number(value))];
    case 'activity':
      return [ACTIVITY_STATES[Number(value)] ?? 'reserved'];
    case 'access-rights':
      return [describeAccessRights(Number(value))];
    case 'selector':
      return [`index ${value >> 3n}`, (value & 4n) !== 0n ? 'LDT' : 'GDT', `RPL ${value & 3n}`];
    case 'interruption-info':
      return describeInterruption(Number(value));
    case 'pat':
      return Array.from({ length: 8 }, (_, n) => patType(Number((value >> BigInt(8 * n)) & 7n)));
    case 'eptp':
      return [
        `PML4 at 0x${(value & ~0xfffn).toString(16)}`,
        `walk length ${((value >> 3n) & 7n) + 1n}`,
        MEMORY_TYPES[Number(value & 7n)] ?? 'reserved',
        ...((value & 0x40n) !== 0n ? ['A/D flags'] : []),
      ];
    default:
      return [];
  }
}

/** PAT code 7 is UC-, which EPT does not have. @sdm 3A 11.12.2 "IA32_PAT MSR" */
const patType = (code: number): string => (code === 7 ? 'UC-' : (MEMORY_TYPES[code] ?? 'reserved'));
