/** The registers that GDB sees beyond its standard features: system registers and the VMCS, decoded. */

import type { EnumType, ExtraRegister, FlagsType } from '../gdbstub/target.js';
import { EXIT_REASONS } from '../spec/vmx/exit-reasons.js';
import { VMCS_FIELDS } from '../spec/vmx/vmcs-fields.js';

function flags(id: string, bits: Record<number, string>): FlagsType {
  const fields = Object.entries(bits).map(([bit, name]) => ({ name, start: Number(bit), end: Number(bit) }));
  return { kind: 'flags', id, fields };
}

/** @sdm 3A 2.5 "Control Registers" */
const CR0 = flags('x86_cr0', {
  0: 'PE',
  1: 'MP',
  2: 'EM',
  3: 'TS',
  4: 'ET',
  5: 'NE',
  16: 'WP',
  18: 'AM',
  29: 'NW',
  30: 'CD',
  31: 'PG',
});

/** @sdm 3A 2.5 "Control Registers" */
const CR4 = flags('x86_cr4', {
  0: 'VME',
  1: 'PVI',
  2: 'TSD',
  3: 'DE',
  4: 'PSE',
  5: 'PAE',
  6: 'MCE',
  7: 'PGE',
  8: 'PCE',
  9: 'OSFXSR',
  10: 'OSXMMEXCPT',
  11: 'UMIP',
  12: 'LA57',
  13: 'VMXE',
  14: 'SMXE',
  16: 'FSGSBASE',
  17: 'PCIDE',
  18: 'OSXSAVE',
  20: 'SMEP',
  21: 'SMAP',
  22: 'PKE',
});

/** @sdm 3A 2.2.1 "Extended Feature Enable Register" */
const EFER = flags('x86_efer', { 0: 'SCE', 8: 'LME', 10: 'LMA', 11: 'NXE' });

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
  { name: 'cr0', bits: 64, type: CR0 },
  { name: 'cr2', bits: 64 },
  { name: 'cr3', bits: 64 },
  { name: 'cr4', bits: 64, type: CR4 },
  { name: 'cr8', bits: 64 },
  { name: 'efer', bits: 64, type: EFER },
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

const MSRS: ExtraRegister[] = [
  ...['xcr0', 'dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7', 'sysenter_cs', 'sysenter_esp', 'sysenter_eip', 'star', 'lstar'],
  ...['cstar', 'fmask', 'tsc', 'tsc_aux', 'pat', 'debugctl'],
].map((name) => ({ name, bits: 64, group: SYSTEM }));

export const SYSTEM_REGISTERS: readonly ExtraRegister[] = [...CONTROL, ...SEGMENT_CACHE, ...TABLES, ...MSRS];

/** GDB's name of a VMCS field: `vmcs_guest_rip`, `vmcs_exit_reason`. */
export function vmcsRegisterName(field: string): string {
  return `vmcs_${field.toLowerCase().replace(/^vm_exit_reason$/, 'exit_reason')}`;
}

/** GDB's name -> encoding of every VMCS field. */
export const VMCS_ENCODINGS: ReadonlyMap<string, number> = new Map(
  VMCS_FIELDS.map(({ name, encoding }) => [vmcsRegisterName(name), encoding]),
);

export const VMCS_REGISTERS: readonly ExtraRegister[] = VMCS_FIELDS.map(({ name, width, decoder }) => ({
  name: vmcsRegisterName(name),
  bits: width === 'natural' ? 64 : width,
  group: 'vmcs',
  ...(decoder === 'exit-reason' ? { type: EXIT_REASON } : {}),
}));
