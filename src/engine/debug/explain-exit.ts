/** A VM exit in words: what it was about, and the control that made it exit. */

import { msrName } from '../../spec/msrs.js';
import { mnemonicOf } from '../../spec/opcodes/mnemonic.js';
import { exitCause } from '../../spec/vmx/exit-cause.js';
import { type DecodedBits, decodeQualification } from '../../spec/vmx/exit-qualifications.js';
import { EMULATED_BY_VMSCOPE, exitReason } from '../../spec/vmx/exit-reasons.js';
import { decodeInstructionInfo } from '../../spec/vmx/instruction-info.js';
import { decodeInterruption } from '../../spec/vmx/interruption-info.js';
import { vmcsField } from '../../spec/vmx/vmcs-fields.js';
import type { ExitRecord } from '../debugger.js';

const hex = (value: bigint | number, digits = 0): string =>
  BigInt.asUintN(64, BigInt(value)).toString(16).padStart(digits, '0');

/** Reads a VMCS field, or undefined where the target gives none. */
export type FieldReader = (encoding: number) => bigint | undefined;

/** The exit qualification field by field; empty where the reason defines none. */
export function qualificationFields(exit: ExitRecord): DecodedBits[] {
  return decodeQualification(exit.reason, exit.qualification, exit.interruptionInfo);
}

/** The instruction information field by field; empty where the reason defines none. */
export function instructionFields(exit: ExitRecord): DecodedBits[] {
  return decodeInstructionInfo(exit.reason, exit.instructionInfo, exit.qualification);
}

/** Decoded fields as one line: flags that are set by name, other fields with their value. */
export function describeFields(fields: readonly DecodedBits[]): string {
  return fields
    .filter(({ text }) => text !== 'no')
    .map(({ name, text }) => (text === 'yes' ? name : `${name} ${text}`))
    .join(', ');
}

const short = (value: bigint, digits = 0) => hex(value & 0xffffffffn, digits);

/** Of an I/O instruction's size field. @sdm 3C 27.2.1 "Basic VM-Exit Information" */
const SIZES = ['byte', 'word', '', 'dword'];

/** What is to say in one short cell: port, MSR, leaf, address, register or vector. */
export function exitSubject(exit: ExitRecord): string {
  const fields = qualificationFields(exit);
  const value = (name: string) => fields.find((field) => field.name === name)?.value ?? 0n;
  const text = (name: string) => fields.find((field) => field.name === name)?.text ?? '';
  switch (exitReason(exit.reason)?.name) {
    case 'EXCEPTION_NMI': {
      const { name, vector } = decodeInterruption(exit.interruptionInfo);
      return vector === 14 ? `${name} at ${hex(exit.qualification)}` : name;
    }
    case 'EXTERNAL_INTERRUPT':
      return exit.interruptionInfo >>> 31 ? decodeInterruption(exit.interruptionInfo).name : '';
    case 'CPUID':
      return `leaf ${short(exit.rax)}.${short(exit.rcx)}`;
    case 'MSR_READ':
    case 'MSR_WRITE':
      return msrName(Number(exit.rcx & 0xffffffffn));
    case 'VMCALL':
      return `rax ${hex(exit.rax)}`;
    case 'IO_INSTRUCTION': {
      const string = value('string') ? 's' : '';
      const times = (exit.elements ?? 1) > 1 ? ` x ${exit.elements}` : '';
      return (
        `${text('direction').toLowerCase()}${string} port ${hex(value('port'), 3)} ${SIZES[Number(value('size'))] ?? ''}`.trimEnd() +
        times
      );
    }
    case 'CR_ACCESS': {
      const [cr, gpr] = [text('register'), text('general register')];
      const forms = [`mov ${cr}, ${gpr}`, `mov ${gpr}, ${cr}`, 'clts', `lmsw ${hex(value('LMSW source'), 4)}`];
      return forms[Number(value('access'))]!;
    }
    case 'DR_ACCESS': {
      const [dr, gpr] = [text('register'), text('general register')];
      return value('direction') ? `mov ${gpr}, ${dr}` : `mov ${dr}, ${gpr}`;
    }
    case 'EPT_VIOLATION':
      return `gpa ${hex(exit.gpa)} ${wantedAccess(fields)}`;
    case 'EPT_MISCONFIG':
      return `gpa ${hex(exit.gpa)}`;
    case 'GDTR_IDTR':
    case 'LDTR_TR':
      return instructionFields(exit)
        .filter(({ name }) => name === 'instruction' || name === 'operand')
        .map((field) => field.text.toLowerCase())
        .join(' ');
    case 'EMULATED':
      return emulatedInstruction(exit);
    default:
      return describeFields(fields);
  }
}

/** The instruction that the embedded core ran in KVM's stead: its first 8 bytes are in the record. */
function emulatedInstruction(exit: ExitRecord): string {
  const bytes = Uint8Array.from({ length: 8 }, (_, i) => Number((exit.qualification >> BigInt(8 * i)) & 0xffn));
  return mnemonicOf(bytes, exit.instructionInfo as 16 | 32 | 64);
}

const explainEmulated = (exit: ExitRecord): string =>
  `emulated by vmscope: ${emulatedInstruction(exit)} (KVM could not)`;

/** `R`, `W`, `X` for the access that an EPT violation records. */
function wantedAccess(fields: readonly DecodedBits[]): string {
  const letters = { read: 'R', write: 'W', fetch: 'X' };
  return Object.entries(letters)
    .filter(([name]) => fields.some((field) => field.name === name && field.value))
    .map(([, letter]) => letter)
    .join('');
}

/**
 * Why this exit happened: the control bit, bitmap, mask or EPT permission that caused it, with the field's value.
 * `field` reads the controls as they were then.
 */
export function explainExit(exit: ExitRecord, field: FieldReader): string {
  const read = (name: string) => {
    const row = vmcsField(name);
    return row && field(row.encoding);
  };
  const cause = exitCause(
    {
      reason: exit.reason,
      qualification: exit.qualification,
      interruption: exit.interruptionInfo,
      interruptionError: exit.interruptionError,
      rcx: exit.rcx,
    },
    read,
  );
  const value = cause.field === undefined ? undefined : read(cause.field);
  if (!cause.field || value === undefined) return cause.text;
  const mask = /^(CR[04])_GUEST_HOST_MASK$/.exec(cause.field);
  if (mask) return `${cause.text}: mask ${hex(value)}, shadow ${hex(read(`${mask[1]}_READ_SHADOW`) ?? 0n)}`;
  if (/BITMAP(?:_[AB])?$/.test(cause.field) && cause.field !== 'EXCEPTION_BITMAP')
    return `${cause.text} (${cause.field} at hpa ${hex(value)})`;
  return `${cause.text} (${cause.bit === undefined ? '' : `bit ${cause.bit} of `}${cause.field} ${hex(value)})`;
}

/** Exits of KVM_RUN by the SDM's reason that the trace has them under. */
const KVM_EXITS: Record<string, string> = {
  IO_INSTRUCTION: 'KVM_EXIT_IO',
  EPT_VIOLATION: 'KVM_EXIT_MMIO',
  HLT: 'KVM_EXIT_HLT',
  TRIPLE_FAULT: 'KVM_EXIT_SHUTDOWN',
  INTERRUPT_WINDOW: 'KVM_EXIT_IRQ_WINDOW_OPEN',
  MSR_READ: 'KVM_EXIT_X86_RDMSR',
  MSR_WRITE: 'KVM_EXIT_X86_WRMSR',
};

/** Why this exit reached user space, where the target keeps the controls to itself. */
export function explainWithoutControls(exit: ExitRecord): string {
  if (exit.reason === EMULATED_BY_VMSCOPE.number) return explainEmulated(exit);
  const name = KVM_EXITS[exitReason(exit.reason)?.name ?? ''];
  return `the host's KVM left it to user space${name ? `: ${name}` : ''}`;
}

/** The record has the first element of string I/O. */
const more = ({ elements = 1 }: ExitRecord): string => (elements > 1 ? ` and ${elements - 1} more` : '');

/** What the VMM did with the exit. */
export function describeAction(exit: ExitRecord): string {
  const detail = hex(exit.detail);
  switch (exit.action) {
    case 'none':
      return 'nothing yet: its handler has not run';
    case 'inject':
      return `injected ${decodeInterruption(0x80000300 | exit.detail).name}, then resumed`;
    case 'stop':
    case 'resume': {
      const done = exit.action === 'stop' ? 'stopped the guest' : 'resumed';
      const end = exit.action === 'stop' ? ', and stopped the guest' : ', then resumed';
      const fields = qualificationFields(exit);
      const is = (name: string) => fields.some((field) => field.name === name && field.value === 1n);
      switch (exitReason(exit.reason)?.name) {
        case 'IO_INSTRUCTION':
          return `port ${is('direction') ? 'gave' : 'got'} ${detail}${more(exit)}${end}`;
        case 'MSR_READ':
          return `gave ${detail}${end}`;
        case 'MSR_WRITE':
          return `took ${detail}${end}`;
        case 'EPT_VIOLATION':
        case 'APIC_ACCESS':
          return exit.detail ? `device ${is('write') ? 'got' : 'gave'} ${detail}${end}` : done;
        default:
          return exit.detail ? `${done} ${detail}` : done;
      }
    }
  }
}
