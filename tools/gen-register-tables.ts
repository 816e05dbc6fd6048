// Emits the core's constants of registers, MSRs and events from src/spec: bits, numbers and vectors by the names of their rows.

import { SUBLEAVES } from '../src/spec/cpuid.js';
import { EXCEPTIONS } from '../src/spec/exceptions.js';
import * as flags from '../src/spec/flags.js';
import { MSRS, X2APIC_COUNT, X2APIC_FIRST } from '../src/spec/msrs.js';
import { EPT_PAGE_ENTRY, LARGE_PAGE_ENTRY, PAGE_ENTRY } from '../src/spec/paging.js';
import { ACTIVITY_STATES, INTERRUPTIBILITY, PENDING_DEBUG } from '../src/spec/vmx/guest-state.js';
import { INTERRUPTION_INFO, INTERRUPTION_TYPES } from '../src/spec/vmx/interruption-info.js';

const HEAD = '// Made by tools/gen-register-tables.ts from src/spec; not edited by hand.\n';

type Width = 'u32' | 'u64';

/** Registers by the prefix of their bits' names. */
const REGISTERS: readonly (readonly [prefix: string, rows: readonly flags.BitField[], width: Width])[] = [
  ['RFLAGS', flags.RFLAGS, 'u64'],
  ['CR0', flags.CR0, 'u64'],
  ['CR3', flags.CR3, 'u64'],
  ['CR4', flags.CR4, 'u64'],
  ['EFER', flags.EFER, 'u64'],
  ['XCR0', flags.XCR0, 'u64'],
  ['DR6', flags.DR6, 'u64'],
  ['DR7', flags.DR7, 'u64'],
  ['FSW', flags.FSW, 'u32'],
  ['FCW', flags.FCW, 'u32'],
  ['MXCSR', flags.MXCSR, 'u32'],
  ['PF', flags.PAGE_FAULT_ERROR, 'u32'],
  ['AR', flags.ACCESS_RIGHTS, 'u32'],
];

const PAGE_ENTRIES: typeof REGISTERS = [
  ['PAGE', PAGE_ENTRY, 'u64'],
  ['LARGE_PAGE', LARGE_PAGE_ENTRY, 'u64'],
  ['EPT', EPT_PAGE_ENTRY, 'u64'],
];

/** `blocking by MOV SS` is BLOCKING_BY_MOV_SS, `W/R` WR. */
const constantName = (name: string): string =>
  name
    .toUpperCase()
    .replaceAll('/', '')
    .replace(/[^A-Z0-9]+/g, '_');

const constant = (name: string, width: Width, value: bigint | number): string =>
  `export const ${name}: ${width} = 0x${value.toString(16)};`;

/** A constant per field, of wider ones also where they begin. */
function fields(prefix: string, rows: readonly flags.BitField[], width: Width): string[] {
  return rows.flatMap((row) => {
    const name = constantName(prefix === '' ? row.name : `${prefix}_${row.name}`);
    const mask = constant(name, width, flags.maskOf([row]));
    return row.hi === row.lo ? [mask] : [mask, constant(`${name}_SHIFT`, width, row.lo)];
  });
}

const allFields = (prefix: string, rows: readonly flags.BitField[], width: Width): string =>
  constant(`${prefix}_FIELDS`, width, flags.maskOf(rows));

function registerModule(): string {
  return module([
    ...REGISTERS.flatMap(([prefix, rows, width]) => [...fields(prefix, rows, width), allFields(prefix, rows, width)]),
    constant('RFLAGS_STATUS', 'u64', flags.maskOf(flags.STATUS_FLAGS)),
    constant('DR7_ENABLES', 'u64', flags.maskOf(flags.DR7_ENABLES)),
    constant('FSW_EXCEPTIONS', 'u32', flags.maskOf(flags.FSW_EXCEPTIONS)),
    constant('FSW_CONDITIONS', 'u32', flags.maskOf(flags.FSW_CONDITIONS)),
    constant('FCW_MASKS', 'u32', flags.maskOf(flags.FCW_MASKS)),
    constant('MXCSR_MASKS', 'u32', flags.maskOf(flags.MXCSR_MASKS)),
    ...Object.entries(flags.INITIAL).map(([name, bits]) => constant(`${name}_INITIAL`, 'u32', bits)),
    constant('CPUID_SUBLEAVES', 'u32', SUBLEAVES),
    ...Object.entries(flags.ALWAYS_ONE).map(([name, bits]) => constant(`${name}_ALWAYS_ONE`, 'u64', bits)),
  ]);
}

/** MSR_* are numbers, IA32_* bits: VMX's capabilities have their values by that prefix in controls.ts. */
function msrModule(): string {
  return module([
    ...MSRS.map((row) => constant(row.name.replace(/^(?:MSR_)?/, 'MSR_'), 'u32', row.number)),
    constant('MSR_X2APIC_FIRST', 'u32', X2APIC_FIRST),
    constant('MSR_X2APIC_COUNT', 'u32', X2APIC_COUNT),
    ...MSRS.flatMap((row) =>
      fields(row.name, row.bits?.map(({ name, high, low }) => ({ name, hi: high, lo: low, title: name })) ?? [], 'u64'),
    ),
  ]);
}

function eventModule(): string {
  return module([
    ...EXCEPTIONS.map((row) => constant(constantName(`VEC_${row.mnemonic.replace('#', '')}`), 'u32', row.vector)),
    ...INTERRUPTION_TYPES.map((name, type) => constant(constantName(`TYPE_${name}`), 'u32', type)),
    ...fields('INFO', INTERRUPTION_INFO, 'u32'),
    ...ACTIVITY_STATES.map((name, state) => constant(constantName(`ACTIVITY_${name}`), 'u32', state)),
    ...fields('', INTERRUPTIBILITY, 'u32'),
    ...fields('PENDING', PENDING_DEBUG, 'u64'),
    allFields('PENDING', PENDING_DEBUG, 'u64'),
  ]);
}

const module = (lines: readonly string[]): string => `${HEAD}\n${lines.join('\n')}\n`;

/** Files below src/engine/core/generated with their text. */
export function registerTables(): Record<string, string> {
  return {
    'register-bits.ts': registerModule(),
    'page-entries.ts': module(PAGE_ENTRIES.flatMap(([prefix, rows, width]) => fields(prefix, rows, width))),
    'msrs.ts': msrModule(),
    'events.ts': eventModule(),
  };
}
