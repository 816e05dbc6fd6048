/** The registers that GDB sees beyond its standard features: system registers and the VMCS, decoded. */

import type { EnumType, ExtraRegister, FlagsType } from '../gdbstub/target.js';
import { type BitField, CR0, CR4, DR6, DR7, EFER } from '../spec/flags.js';
import { EXIT_REASONS } from '../spec/vmx/exit-reasons.js';
import { VMCS_FIELDS } from '../spec/vmx/vmcs-fields.js';

function flags(id: string, rows: readonly BitField[]): FlagsType {
  return { kind: 'flags', id, fields: rows.map(({ name, hi, lo }) => ({ name, start: lo, end: hi })) };
}

const EXIT_REASON: EnumType = {
  kind: 'enum',
  id: 'vmx_exit_reason',
  values: EXIT_REASONS.map(({ name, number }) => ({ name, value: number })),
};

const SYSTEM = 'system';

/** The debugger's name of a register whose GDB name differs: QEMU's, which plug-ins know. */
export const DEBUGGER_NAMES: Readonly<Record<string, string>> = { k_gs_base: 'kernel_gs_base' };

/** Part of `info registers`, as with QEMU. */
const CONTROL: ExtraRegister[] = [
  { name: 'k_gs_base', bits: 64 },
  { name: 'cr0', bits: 64, type: flags('x86_cr0', CR0) },
  { name: 'cr2', bits: 64 },
  { name: 'cr3', bits: 64 },
  { name: 'cr4', bits: 64, type: flags('x86_cr4', CR4) },
  { name: 'cr8', bits: 64 },
  { name: 'efer', bits: 64, type: flags('x86_efer', EFER) },
];

const SEGMENT_CACHE: ExtraRegister[] = ['cs', 'ss', 'ds', 'es', 'fs', 'gs', 'ldtr', 'tr'].flatMap((segment) => [
  ...(segment.length > 2 || segment === 'tr' ? [{ name: segment, bits: 16 as const, group: SYSTEM }] : []),
  // The fs and gs bases have a standard feature.
  ...(segment === 'fs' || segment === 'gs' ? [] : [{ name: `${segment}_base`, bits: 64 as const, group: SYSTEM }]),
  { name: `${segment}_limit`, bits: 32 as const, group: SYSTEM },
  { name: `${segment}_ar`, bits: 32 as const, group: SYSTEM },
]);

const TABLES: ExtraRegister[] = ['gdtr', 'idtr'].flatMap((table) => [
  { name: `${table}_base`, bits: 64 as const, group: SYSTEM },
  { name: `${table}_limit`, bits: 32 as const, group: SYSTEM },
]);

const OTHERS: ExtraRegister[] = [
  ...['xcr0', 'dr0', 'dr1', 'dr2', 'dr3', 'sysenter_cs', 'sysenter_esp', 'sysenter_eip', 'star', 'lstar', 'cstar'],
  ...['fmask', 'tsc', 'tsc_aux', 'pat', 'debugctl'],
].map((name) => ({ name, bits: 64, group: SYSTEM, ...(name === 'tsc' ? { moves: true } : {}) }));

const DEBUG: ExtraRegister[] = [
  { name: 'dr6', bits: 64, group: SYSTEM, type: flags('x86_dr6', DR6) },
  { name: 'dr7', bits: 64, group: SYSTEM, type: flags('x86_dr7', DR7) },
];

export const SYSTEM_REGISTERS: readonly ExtraRegister[] = [
  ...CONTROL,
  ...SEGMENT_CACHE,
  ...TABLES,
  ...DEBUG,
  ...OTHERS,
];

/**
 * The fields that are registers: what an exit recorded, and the controls that decide what exits. GDB prints every
 * integer register in `info registers` whatever its group, so the other fields are left to `info os vmcs`.
 */
const SHOWN_FIELDS = VMCS_FIELDS.filter(
  ({ area, name, width, type }) =>
    (area === 'exit information' && !/^IO_|^ORIGINAL_/.test(name)) ||
    (type === 'control' && width === 32 && /_CONTROLS?$|^EXCEPTION_BITMAP$/.test(name)),
);

/** GDB's name of a VMCS field: `vmcs_exception_bitmap`, `vmcs_exit_reason`. */
function vmcsRegisterName(field: string): string {
  return `vmcs_${field.toLowerCase().replace(/^vm_exit_reason$/, 'exit_reason')}`;
}

/** GDB's name -> encoding of the VMCS fields that are registers. */
export const VMCS_ENCODINGS: ReadonlyMap<string, number> = new Map(
  SHOWN_FIELDS.map(({ name, encoding }) => [vmcsRegisterName(name), encoding]),
);

export const VMCS_REGISTERS: readonly ExtraRegister[] = SHOWN_FIELDS.map(({ name, width, decoder }) => ({
  name: vmcsRegisterName(name),
  bits: width === 'natural' ? 64 : width,
  group: 'vmcs',
  moves: true,
  ...(decoder === 'exit-reason' ? { type: EXIT_REASON } : {}),
}));
