/** What stands under the cursor, in a sentence: its bits with what they are now, and where the SDM has it. */

import { describeAction, exitSubject, instructionFields, qualificationFields } from '../engine/debug/explain-exit.js';
import { fieldBits } from '../engine/debug/field-decode.js';
import { codeBits } from '../engine/debug/guest-mode.js';
import type { ExitRecord, PageWalk, RegisterFile, VmcsFieldValue } from '../engine/debugger.js';
import { GENERAL_REGISTERS } from '../engine/registers-view.js';
import { ACCESS_RIGHTS, type BitField, fieldOf } from '../spec/flags.js';
import { msr, msrByName } from '../spec/msrs.js';
import { EPT_PAGE_ENTRY, EPT_TABLE_ENTRY, LARGE_PAGE_ENTRY, PAGE_ENTRY, TABLE_ENTRY } from '../spec/paging.js';
import { portName } from '../spec/ports.js';
import { describeAccessRights, SYSTEM_REGISTERS } from '../spec/registers.js';
import { CONTROL_FIELD, CONTROLS, type ControlWord } from '../spec/vmx/controls.js';
import { exitReason, exitReasonByName } from '../spec/vmx/exit-reasons.js';
import { vmcsFieldByEncoding } from '../spec/vmx/vmcs-fields.js';
import { hex } from './screen/text.js';

export interface SubjectHelp {
  title: string;
  /** Lines; with two parts the first is what is explained, the second says it. */
  lines: readonly (readonly [string] | readonly [string, string])[];
}

type Lines = SubjectHelp['lines'][number][];

/** Bits of a value: those that are set first in the eye, all of them there. */
function bits(value: bigint, rows: readonly BitField[]): Lines {
  return rows.map((row): readonly [string, string] => {
    const { hi, lo, name, title } = row;
    const now = fieldOf(value, row);
    return [`${name} [${hi === lo ? lo : `${hi}:${lo}`}] = ${hex(now)}`, title];
  });
}

const SECTIONS: Record<string, string> = {
  rip: 'SDM 1 3.5 "Instruction Pointer"',
  rflags: 'SDM 1 3.4.3 "EFLAGS Register"',
  efer: 'SDM 3A 2.2.1 "Extended Feature Enable Register"',
  interruptibility: 'SDM 3C 24.4.2 "Guest Non-Register State"',
  activity: 'SDM 3C 24.4.2 "Guest Non-Register State"',
};

function section(name: string): string {
  if (SECTIONS[name]) return SECTIONS[name]!;
  if (/^x?cr\d/.test(name)) return 'SDM 3A 2.5 "Control Registers"';
  if (/^dr\d/.test(name)) return 'SDM 3B 17.2 "Debug Registers"';
  if (/^[gi]dtr/.test(name)) return 'SDM 3A 2.4 "Memory-Management Registers"';
  return 'SDM 1 3.4.1 "General-Purpose Registers"';
}

const MORE: Record<string, string> = {
  xcr0: 'parts of the extended state that XSAVE manages and instructions may use',
  interruptibility: 'what blocks interrupts at this instruction',
  activity: 'whether the processor runs instructions',
  gdtr_base: 'linear address of the global descriptor table',
  gdtr_limit: 'last byte of the global descriptor table',
  idtr_base: 'linear address of the interrupt descriptor table',
  idtr_limit: 'last byte of the interrupt descriptor table',
};

/** @param label place that the value points at */
export function registerHelp(name: string, registers: RegisterFile, label?: string): SubjectHelp {
  const value = registers[name] ?? 0n;
  const now: readonly [string, string] = ['now', `${hex(value)}${label ? ` → ${label}` : ''}`];
  if (registers[`${name}_ar`] !== undefined) {
    const rights = registers[`${name}_ar`]!;
    const part = (suffix: string) => hex(registers[`${name}_${suffix}`] ?? 0n);
    return {
      title: `${name}: segment register`,
      lines: [
        ['now', `selector ${hex(value, 4)}: index ${value >> 3n}, ${value & 4n ? 'LDT' : 'GDT'}, RPL ${value & 3n}`],
        [
          'base',
          `${part('base')}${codeBits(registers) === 64 && !/^[fg]s$|tr$/.test(name) ? ' (counts as 0 in 64-bit mode)' : ''}`,
        ],
        ['limit', part('limit')],
        ['rights', `${hex(rights)}: ${describeAccessRights(Number(rights))}`],
        ...bits(rights, ACCESS_RIGHTS),
        ['SDM 3A 3.4.5 "Segment Descriptors"; access rights as in SDM 3C 24.4.1 "Guest Register State"'],
      ],
    };
  }
  const row = SYSTEM_REGISTERS.find((one) => one.name === name);
  if (row) return { title: `${name}: ${row.title}`, lines: [now, ...bits(value, row.fields ?? []), [section(name)]] };
  const model = msrByName(name);
  if (model)
    return {
      title: `${model.name}: ${model.title}`,
      lines: [now, ...msrBits(model, value), ['SDM 4 2.1 "Architectural MSRs"']],
    };
  const general = (GENERAL_REGISTERS as readonly string[]).includes(name);
  return {
    title: `${name}: ${MORE[name] ?? (general ? 'general-purpose register' : 'register')}`,
    lines: [now, [section(name)]],
  };
}

function msrBits({ bits: rows = [] }: NonNullable<ReturnType<typeof msr>>, value?: bigint): Lines {
  return rows.map(({ high, low, name }): readonly [string, string] => {
    const now = value === undefined ? '' : ` = ${hex(fieldOf(value, { name, hi: high, lo: low, title: '' }))}`;
    return [`[${high === low ? low : `${high}:${low}`}]${now}`, name];
  });
}

const WORDS = new Map(Object.entries(CONTROL_FIELD).map(([word, field]) => [field, word as ControlWord]));

/** @param bit one of its bits, where the cursor is on one */
export function vmcsHelp(field: VmcsFieldValue, bit?: number): SubjectHelp {
  const row = vmcsFieldByEncoding(field.encoding);
  const word = WORDS.get(field.name);
  const set = (at: number) => Number((field.value >> BigInt(at)) & 1n);
  if (word) {
    const rows = CONTROLS[word].filter((one) => bit === undefined || one.bit === bit);
    return {
      title:
        bit === undefined
          ? `${field.name}: ${row?.title ?? ''}`
          : `bit ${bit} of ${field.name}: ${rows[0]?.name ?? 'reserved'}`,
      lines: [
        ...rows.map(({ bit: at, name, description, supported }): readonly [string, string] => [
          `${name} [${at}] = ${set(at)}`,
          `${description}${supported ? '' : ' Not on this CPU.'}`,
        ]),
        [`SDM ${rows[0]?.sdm ?? '3C 24.6 "VM-Execution Control Fields"'}`],
      ],
    };
  }
  const rows = row ? fieldBits(row).filter(({ hi, lo }) => bit === undefined || (lo <= bit && bit <= hi)) : [];
  return {
    title: `${field.name}: ${row?.title ?? ''}`,
    lines: [
      ['now', `${hex(field.value)}${field.decoded.length ? `: ${field.decoded.join(', ')}` : ''}`],
      [
        'kind',
        `${row?.area ?? field.area}, ${field.widthBits} bits, encoding ${hex(field.encoding, 4)}${field.area === 'read-only' ? ', read-only' : ''}`,
      ],
      ...bits(field.value, rows),
      ['SDM 3C 24.3 "Organization of VMCS Data", 3D B "Field Encoding in VMCS"'],
    ],
  };
}

const TIMING = {
  fault: 'instead of the instruction, which has changed nothing',
  trap: 'after the instruction',
  boundary: 'between two instructions, because of a control',
  event: 'by an event that no instruction asked for',
  entry: 'VM entry failed: the guest did not run',
};

export function exitHelp(exit: ExitRecord): SubjectHelp {
  const row = exitReason(exit.reason);
  const lines: Lines = [
    ['when', row ? TIMING[row.timing] : 'unknown'],
    ['controls', row?.controls.length ? row.controls.join('; ') : 'none prevents it'],
    ['about', exitSubject(exit) || '-'],
    ['done', describeAction(exit)],
  ];
  const number = exit.reason & 0xffff;
  const model = number === 31 || number === 32 ? msr(Number(exit.rcx & 0xffffffffn)) : undefined;
  if (model) lines.push([model.name, model.title], ...msrBits(model));
  if (number === 30) {
    const port = Number((exit.qualification >> 16n) & 0xffffn);
    lines.push([`port ${hex(port, 3)}`, portName(port) ?? 'no well-known one']);
  }
  for (const { name, high, low, text } of [...qualificationFields(exit), ...instructionFields(exit)])
    lines.push([`${name} [${high === low ? low : `${high}:${low}`}]`, text]);
  lines.push([`SDM 3C 27.2.1 "Basic VM-Exit Information", 3D C "VMX Basic Exit Reasons"`]);
  return { title: `${number} ${row?.name ?? '?'}: ${row?.title ?? 'unknown'}`, lines };
}

/** An exit reason by its name; undefined for what else is counted. */
export function reasonHelp(name: string): SubjectHelp | undefined {
  const row = exitReasonByName(name);
  if (!row) return undefined;
  return {
    title: `${row.number} ${row.name}: ${row.title}`,
    lines: [
      ['when', TIMING[row.timing]],
      ['controls', row.controls.length ? row.controls.join('; ') : 'none prevents it'],
      ['records', row.fields.length ? row.fields.join(', ') : 'the reason only'],
      ['SDM 3D C "VMX Basic Exit Reasons"'],
    ],
  };
}

/** Every entry of the walks of an address. */
export function walkHelp(title: string, walks: readonly PageWalk[]): SubjectHelp {
  const lines: Lines = [];
  for (const walk of walks) {
    for (const level of walk.levels) {
      const last = level === walk.levels.at(-1) && walk.output !== undefined;
      const rows =
        walk.mode === 'EPT'
          ? last
            ? EPT_PAGE_ENTRY
            : EPT_TABLE_ENTRY
          : last
            ? level.table === 'PT'
              ? PAGE_ENTRY
              : LARGE_PAGE_ENTRY
            : TABLE_ENTRY;
      lines.push(
        [`${walk.mode === 'EPT' ? 'EPT ' : ''}${level.table}[${level.index}]`, hex(level.entry, 16)],
        ...bits(level.entry, rows).map(([what, text]) => [`  ${what}`, text!] as const),
      );
    }
    if (walk.failure) lines.push(['ends', walk.failure]);
    lines.push([
      walk.mode === 'EPT'
        ? 'SDM 3C 29.3.2 "EPT Translation Mechanism"'
        : 'SDM 3A 4.5.4 "Linear-Address Translation with 4-Level Paging and 5-Level Paging"',
    ]);
  }
  return { title, lines: lines.length ? lines : [['paging is off: the address is the physical one']] };
}
