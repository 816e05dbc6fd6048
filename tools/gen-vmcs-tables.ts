// Emits the core's constants of VMX from src/spec/vmx: offsets of VMCS fields with their lookup by
// encoding, masks of control bits with their allowed settings, exit reasons, numbers of VM-entry checks.

import { CAPABILITIES } from '../src/spec/vmx/capabilities.js';
import { CONTROL_PREFIX, CONTROLS, type ControlWord, DEFAULT1, mayBeOne, mustBeOne } from '../src/spec/vmx/controls.js';
import { ENTRY_CHECKS } from '../src/spec/vmx/entry-checks.js';
import { EXIT_REASONS } from '../src/spec/vmx/exit-reasons.js';
import { VMCS_FIELDS, VMCS_REVISION_ID, type VmcsField } from '../src/spec/vmx/vmcs-fields.js';

const HEAD = '// Made by tools/gen-vmcs-tables.ts from src/spec/vmx; not edited by hand.\n';

/** Fields that the VMM may change between exits with checks that are cheap enough to run at every VM entry. */
const LIGHT = new Set([
  'GUEST_RIP',
  'GUEST_RSP',
  'GUEST_RFLAGS',
  'GUEST_INTERRUPTIBILITY_INFO',
  'GUEST_ACTIVITY_STATE',
  'GUEST_PENDING_DBG_EXCEPTIONS',
  'VM_ENTRY_INTR_INFO',
  'VM_ENTRY_EXCEPTION_ERROR_CODE',
  'VM_ENTRY_INSTRUCTION_LEN',
  'VMX_PREEMPTION_TIMER_VALUE',
  'TSC_OFFSET',
]);

/** Dirty class of a field: see DIRTY_* in vmx/vmcs.ts. */
function dirtyClass(field: VmcsField): number {
  if (field.type === 'read-only') return 8;
  if (LIGHT.has(field.name)) return 0;
  if (field.type === 'host') return 2;
  return field.type === 'guest' ? 4 : 1;
}

/** Key of the lookup table: width and type (4 bits), then the index (6 bits). */
function lookupKey(encoding: number): number {
  return (((encoding >> 13) & 3) << 8) | (((encoding >> 10) & 3) << 6) | ((encoding >> 1) & 0x3f);
}

function vmcsModule(): string {
  const lines = [HEAD, `export const VMCS_REVISION: u32 = 0x${VMCS_REVISION_ID.toString(16)};`];
  for (const field of VMCS_FIELDS) lines.push(`export const ${field.name}: usize = 0x${field.offset.toString(16)};`);
  const table = new Array<number>(1024).fill(0);
  for (const field of VMCS_FIELDS) {
    table[lookupKey(field.encoding)] = field.offset | (dirtyClass(field) << 12);
  }
  lines.push(
    '/** Offset (bits 0-11) and dirty class (bits 12-15) by width, type and index of the encoding; 0: no such field. */',
    'export const VMCS_LOOKUP: usize = memory.data<u16>([',
    ...chunks(table, 24).map((row) => `  ${row.join(', ')},`),
    ']);',
  );
  return `${lines.join('\n')}\n`;
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  const out: T[][] = [];
  for (let i = 0; i < list.length; i += size) out.push(list.slice(i, i + size));
  return out;
}

function controlsModule(): string {
  const lines = [HEAD];
  for (const [word, rows] of Object.entries(CONTROLS)) {
    for (const row of rows) lines.push(`export const ${row.constant}: u32 = 0x${((1 << row.bit) >>> 0).toString(16)};`);
    const name = CONTROL_PREFIX[word as ControlWord];
    lines.push(`export const ${name}_MUST_BE_ONE: u32 = 0x${mustBeOne(word as ControlWord).toString(16)};`);
    lines.push(`export const ${name}_MAY_BE_ONE: u32 = 0x${mayBeOne(word as ControlWord).toString(16)};`);
    lines.push(`export const ${name}_DEFAULT1: u32 = 0x${(DEFAULT1[word as ControlWord] >>> 0).toString(16)};`);
  }
  for (const [name, value] of Object.entries(CAPABILITIES))
    lines.push(`export const ${name}: u64 = 0x${value.toString(16)};`);
  return `${lines.join('\n')}\n`;
}

function exitsModule(): string {
  const lines = [HEAD];
  for (const row of EXIT_REASONS) lines.push(`export const EXIT_REASON_${row.name}: u32 = ${row.number};`);
  const lengths = new Array<number>(128).fill(0);
  for (const row of EXIT_REASONS) if (row.fields.includes('length')) lengths[row.number] = 1;
  lines.push(
    '/** 1 for the reasons that record the length of the instruction. */',
    'export const EXIT_HAS_LENGTH: usize = memory.data<u8>([',
    ...chunks(lengths, 32).map((row) => `  ${row.join(', ')},`),
    ']);',
  );
  return `${lines.join('\n')}\n`;
}

function checksModule(): string {
  const lines = [HEAD];
  ENTRY_CHECKS.forEach((check, i) => {
    lines.push(`export const ${check.constant}: u32 = ${i};`);
  });
  lines.push(`export const ENTRY_CHECK_COUNT: u32 = ${ENTRY_CHECKS.length};`);
  const first = (area: string) => ENTRY_CHECKS.findIndex((check) => check.area === area);
  lines.push(`export const FIRST_HOST_CHECK: u32 = ${first('host state')};`);
  lines.push(`export const FIRST_GUEST_CHECK: u32 = ${first('guest state')};`);
  return `${lines.join('\n')}\n`;
}

/** Files below src/engine/core/generated with their text. */
export function vmcsTables(): Record<string, string> {
  return {
    'vmcs.ts': vmcsModule(),
    'controls.ts': controlsModule(),
    'exits.ts': exitsModule(),
    'entry-checks.ts': checksModule(),
  };
}
