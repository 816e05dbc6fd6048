/** GDT, IDT and TSS as they stand in guest memory, each row decoded. */

import { exceptionRow, vectorName } from '../../spec/exceptions.js';
import { AR, CR0, EFER } from '../../spec/masks.js';
import { describeAccessRights, SYSTEM_TYPES } from '../../spec/registers.js';
import type { Debugger, RegisterFile } from '../debugger.js';

export const TABLES = ['gdt', 'idt', 'tss'] as const;
export type TableName = (typeof TABLES)[number];

export interface TableRow {
  /** Selector, vector or field. */
  readonly name: string;
  /** Linear address of the row itself. */
  readonly at: bigint;
  readonly value: bigint;
  readonly text: string;
  /** Linear address that it leads to. */
  readonly target?: bigint;
  /** That is code. */
  readonly code?: boolean;
}

const MAX_BYTES = 0x10000;

const hex = (value: bigint | number, digits = 0): string => value.toString(16).padStart(digits, '0');

/** @throws Error that says why there is none */
export async function readTable(debug: Debugger, vcpu: number, table: TableName): Promise<TableRow[]> {
  const registers = await debug.readRegisters(vcpu);
  const long = ((registers.efer ?? 0n) & EFER.LMA) !== 0n;
  const read = async (base: bigint, limit: bigint): Promise<DataView> => {
    const bytes = await debug.readMemory('gva', base, Math.min(MAX_BYTES, Number(limit) + 1), vcpu);
    if (bytes.length === 0)
      throw new Error(`nothing is mapped at ${hex(base)}, where the ${table.toUpperCase()} should be`);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  };
  switch (table) {
    case 'gdt':
      return gdtRows(
        await read(registers.gdtr_base ?? 0n, registers.gdtr_limit ?? 0n),
        registers.gdtr_base ?? 0n,
        long,
      );
    case 'idt': {
      const base = registers.idtr_base ?? 0n;
      const memory = await read(base, registers.idtr_limit ?? 0n);
      return (registers.cr0 ?? 0n) & CR0.PE ? gateRows(memory, base, long) : vectorRows(memory, base);
    }
    case 'tss':
      return tssOf(registers, read, long);
  }
}

async function tssOf(
  registers: RegisterFile,
  read: (base: bigint, limit: bigint) => Promise<DataView>,
  long: boolean,
): Promise<TableRow[]> {
  const { tr_base: base = 0n, tr_limit: limit = 0n, tr_ar: rights = AR.unusable } = registers;
  const type = Number(rights & 15n);
  if (rights & AR.unusable || limit === 0n) throw new Error('TR is unusable: there is no TSS');
  const memory = await read(base, limit > 0x67n ? 0x67n : limit);
  if (long) return fieldRows(memory, base, TSS_64);
  return fieldRows(memory, base, type & 8 ? TSS_32 : TSS_16);
}

/** @sdm 3A 3.4.5 "Segment Descriptors", 3A 3.5.2 "Segment Descriptor Tables in IA-32e Mode" */
export function gdtRows(memory: DataView, base: bigint, long: boolean): TableRow[] {
  const rows: TableRow[] = [];
  for (let at = 0; at + 8 <= memory.byteLength; at += 8) {
    const value = memory.getBigUint64(at, true);
    const name = hex(at, 4);
    if (value === 0n) {
      if (at === 0) rows.push({ name, at: base, value, text: 'null' });
      continue;
    }
    const rights = Number((value >> 40n) & 0xf0ffn);
    const type = rights & 15;
    const system = (rights & 0x10) === 0;
    const wide = system && long && at + 16 <= memory.byteLength;
    const where = { name, at: base + BigInt(at), value };
    if (system && (type === 4 || type === 5 || type === 12)) {
      rows.push({ ...where, ...gate(memory, at, wide ? 16 : 8) });
    } else {
      const upper = wide ? BigInt(memory.getUint32(at + 8, true)) << 32n : 0n;
      const start = ((value >> 16n) & 0xff_ffffn) | ((value >> 32n) & 0xff00_0000n) | upper;
      const pages = (rights & 0x8000) !== 0;
      const raw = (value & 0xffffn) | ((value >> 32n) & 0xf_0000n);
      const limit = pages ? (raw << 12n) | 0xfffn : raw;
      const text = `base ${hex(start)} limit ${hex(limit)}  ${describeAccessRights(rights)}`;
      rows.push({ ...where, text, ...(system ? { target: start } : {}) });
    }
    if (wide) at += 8;
  }
  return rows;
}

/** @sdm 3A 6.11 "IDT Descriptors", 3A 6.14.1 "64-Bit Mode IDT" */
export function gateRows(memory: DataView, base: bigint, long: boolean): TableRow[] {
  const size = long ? 16 : 8;
  const rows: TableRow[] = [];
  for (let vector = 0; (vector + 1) * size <= memory.byteLength && vector < 256; vector++) {
    const at = vector * size;
    const value = memory.getBigUint64(at, true);
    if (value === 0n) continue;
    rows.push({ name: vectorText(vector), at: base + BigInt(at), value, ...gate(memory, at, size) });
  }
  return rows;
}

/** Of real mode: far pointers. @sdm 3B 20.1.4 "Interrupt and Exception Handling" */
export function vectorRows(memory: DataView, base: bigint): TableRow[] {
  const rows: TableRow[] = [];
  for (let vector = 0; (vector + 1) * 4 <= memory.byteLength && vector < 256; vector++) {
    const value = memory.getUint32(vector * 4, true);
    const [segment, offset] = [value >>> 16, value & 0xffff];
    const target = BigInt(segment * 16 + offset);
    const name = vectorText(vector);
    rows.push({
      name,
      at: base + BigInt(vector * 4),
      value: BigInt(value),
      text: `${hex(segment, 4)}:${hex(offset, 4)}`,
      target,
      code: true,
    });
  }
  return rows;
}

function vectorText(vector: number): string {
  const row = exceptionRow(vector);
  return row ? `${hex(vector, 2)} ${row.mnemonic}` : vectorName(vector).replace(/^0x/, '').padStart(2, '0');
}

function gate(memory: DataView, at: number, size: number): Pick<TableRow, 'text' | 'target' | 'code'> {
  const [low, high] = [memory.getUint32(at, true), memory.getUint32(at + 4, true)];
  const upper = size === 16 ? BigInt(memory.getUint32(at + 8, true)) << 32n : 0n;
  const type = (high >>> 8) & 15;
  const short = type === 4 || type === 6 || type === 7;
  const offset = BigInt(low & 0xffff) | (short ? 0n : BigInt(high & 0xffff0000) & 0xffff0000n) | upper;
  const selector = low >>> 16;
  const dpl = (high >>> 13) & 3;
  const present = high & 0x8000 ? '' : ', not present';
  if (type === 5) return { text: `task gate to ${hex(selector, 4)}, DPL ${dpl}${present}` };
  const ist = size === 16 && high & 7 ? `, IST ${high & 7}` : '';
  return {
    text: `${hex(selector, 4)}:${hex(offset)}  ${SYSTEM_TYPES[type]}, DPL ${dpl}${ist}${present}`,
    ...(present ? {} : { target: offset, code: true }),
  };
}

type Field = readonly [name: string, offset: number, bytes: 2 | 4 | 8, follows?: 'stack' | 'code' | 'physical'];

const range = (count: number, of: (n: number) => Field): Field[] => Array.from({ length: count }, (_, n) => of(n));

/** @sdm 3A 7.7 "Task Management in 64-bit Mode" */
const TSS_64: readonly Field[] = [
  ...range(3, (n) => [`rsp${n}`, 4 + 8 * n, 8, 'stack']),
  ...range(7, (n) => [`ist${n + 1}`, 0x24 + 8 * n, 8, 'stack']),
  ['I/O map base', 0x66, 2],
];
/** @sdm 3A 7.2.1 "Task-State Segment (TSS)" */
const TSS_32: readonly Field[] = [
  ['previous task', 0, 2],
  ...range(6, (n): Field => (n % 2 ? [`ss${n >> 1}`, 4 + 4 * n, 2] : [`esp${n >> 1}`, 4 + 4 * n, 4, 'stack'])),
  ['cr3', 0x1c, 4],
  ['eip', 0x20, 4, 'code'],
  ['eflags', 0x24, 4],
  ...['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'].map((name, n): Field => [name, 0x28 + 4 * n, 4]),
  ...['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldt'].map((name, n): Field => [name, 0x48 + 4 * n, 2]),
  ['I/O map base', 0x66, 2],
];
/** @sdm 3A 7.6 "16-Bit Task-State Segment (TSS)" */
const TSS_16: readonly Field[] = [
  ['previous task', 0, 2],
  ...range(6, (n): Field => (n % 2 ? [`ss${n >> 1}`, 2 + 2 * n, 2] : [`sp${n >> 1}`, 2 + 2 * n, 2])),
  ...['ip', 'flags', 'ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'].map((name, n): Field => [name, 0xe + 2 * n, 2]),
  ...['es', 'cs', 'ss', 'ds', 'ldt'].map((name, n): Field => [name, 0x22 + 2 * n, 2]),
];

function fieldRows(memory: DataView, base: bigint, fields: readonly Field[]): TableRow[] {
  return fields
    .filter(([, offset, bytes]) => offset + bytes <= memory.byteLength)
    .map(([name, offset, bytes, follows]) => {
      const value =
        bytes === 8
          ? memory.getBigUint64(offset, true)
          : BigInt(bytes === 4 ? memory.getUint32(offset, true) : memory.getUint16(offset, true));
      const known = follows !== undefined && value !== 0n;
      return {
        ...{ name, at: base + BigInt(offset), value, text: hex(value, 2 * bytes) },
        ...(known ? { target: value, ...(follows === 'code' ? { code: true } : {}) } : {}),
      };
    });
}
