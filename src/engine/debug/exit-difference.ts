/** What two exits do not have in common: their records, the controls, and where it is known all of VMCS and registers. */
import { decodeBits } from '../../spec/flags.js';
import { describeAccessRights, SYSTEM_REGISTERS } from '../../spec/registers.js';
import { exitReasonName } from '../../spec/vmx/exit-reasons.js';
import { vmcsFieldBits, vmcsFieldByEncoding } from '../../spec/vmx/vmcs-fields.js';
import type { ExitRecord, RegisterFile, VmcsFieldValue } from '../debugger.js';
import { EXIT_FIELDS } from './exit-condition.js';
import { instructionFields, qualificationFields } from './explain-exit.js';
import { decodeField } from './field-decode.js';

export interface DifferenceRow {
  /** What it is of: the exit's record, the registers, or an area of the VMCS. */
  readonly group: 'exit' | 'registers' | VmcsFieldValue['area'];
  readonly name: string;
  /** Absent where one of them does not have it. */
  readonly a?: bigint;
  readonly b?: bigint;
  /** Of what it says, bit by bit: that of the first alone, and that of the second alone. */
  readonly gone: readonly string[];
  readonly come: readonly string[];
}

interface Meant {
  readonly value: bigint;
  readonly words: readonly string[];
}

function row(group: DifferenceRow['group'], name: string, a: Meant | undefined, b: Meant | undefined): DifferenceRow[] {
  if (a?.value === b?.value) return [];
  const [first, second] = [a?.words ?? [], b?.words ?? []];
  return [
    {
      ...{ group, name, ...(a ? { a: a.value } : {}), ...(b ? { b: b.value } : {}) },
      gone: first.filter((word) => !second.includes(word)),
      come: second.filter((word) => !first.includes(word)),
    },
  ];
}

/** Fields of a record that say what happened, not when. */
const WHEN = ['sequence', 'icount', 'clock'] as const;
const RECORD = EXIT_FIELDS.filter((field) => !(WHEN as readonly string[]).includes(field));

function recordWords(exit: ExitRecord, field: (typeof EXIT_FIELDS)[number]): string[] {
  if (field === 'reason') return [exitReasonName(exit.reason)];
  const fields =
    field === 'qualification' ? qualificationFields(exit) : field === 'instructionInfo' ? instructionFields(exit) : [];
  return fields
    .filter(({ text }) => text !== 'no')
    .map(({ name, text }) => (text === 'yes' ? name : `${name} ${text}`));
}

export function recordDifference(a: ExitRecord, b: ExitRecord): DifferenceRow[] {
  return RECORD.flatMap((field) => {
    const [first, second] = [a, b].map((exit) => ({ value: BigInt(exit[field]), words: recordWords(exit, field) }));
    return row('exit', field, first, second);
  });
}

const BITS = new Map(SYSTEM_REGISTERS.map(({ name, fields }) => [name, fields]));

function registerWords(name: string, value: bigint): readonly string[] {
  const fields = name === 'cr3' ? undefined : BITS.get(name);
  if (fields) return decodeBits(value, fields);
  return name.endsWith('_ar') ? describeAccessRights(Number(value)).split(', ') : [];
}

export function registerDifference(a: RegisterFile, b: RegisterFile): DifferenceRow[] {
  const of = (file: RegisterFile, name: string): Meant | undefined => {
    const value = file[name];
    return value === undefined ? undefined : { value, words: registerWords(name, value) };
  };
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((name) =>
    row('registers', name, of(a, name), of(b, name)),
  );
}

export function vmcsDifference(a: readonly VmcsFieldValue[], b: readonly VmcsFieldValue[]): DifferenceRow[] {
  const [first, second] = [a, b].map((fields) => new Map(fields.map((field) => [field.encoding, field])));
  const of = (field: VmcsFieldValue | undefined): Meant | undefined =>
    field && { value: field.value, words: field.decoded };
  return [...new Map([...first, ...second]).values()].flatMap(({ encoding, name, area }) =>
    row(area, name, of(first.get(encoding)), of(second.get(encoding))),
  );
}

/** Control fields as the trace keeps them, with their meaning. */
export function controlFields(list: readonly { encoding: number; value: bigint }[]): VmcsFieldValue[] {
  return list.flatMap(({ encoding, value }) => {
    const field = vmcsFieldByEncoding(encoding);
    if (!field) return [];
    const values = new Map(list.map((one) => [vmcsFieldByEncoding(one.encoding)?.name, one.value]));
    const decoded = decodeField(field, value, (name) => values.get(name) ?? 0n);
    return [{ name: field.name, encoding, value, area: 'control', widthBits: vmcsFieldBits(field), decoded }];
  });
}
