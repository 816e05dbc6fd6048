// Registers by name and number, and which bits of each mean something.
import { ACCESS_RIGHTS, type BitField, CR0, CR3, CR4, DR6, DR7, EFER, RFLAGS } from './flags.js';

/** General registers in the order of their instruction encoding. @sdm 2A 2.1.5 "Addressing-Mode Encoding of ModR/M and SIB Bytes" */
export const GENERAL_64 = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;

/** Segment registers in the order of their encoding; LDTR and TR follow as in the VMCS. */
export const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;

export interface RegisterRow {
  readonly name: string;
  readonly bits: 16 | 32 | 64;
  readonly title: string;
  /** Decoding of the value, where it has one. */
  readonly fields?: readonly BitField[];
}

/** Control, flag and debug registers. @sdm 3A 2.1.6 "System Registers" */
export const SYSTEM_REGISTERS: readonly RegisterRow[] = [
  { name: 'rip', bits: 64, title: 'instruction pointer' },
  { name: 'rflags', bits: 64, title: 'flags', fields: RFLAGS },
  { name: 'cr0', bits: 64, title: 'mode, caching and paging controls', fields: CR0 },
  { name: 'cr2', bits: 64, title: 'linear address of the last page fault' },
  { name: 'cr3', bits: 64, title: 'top paging structure', fields: CR3 },
  { name: 'cr4', bits: 64, title: 'extension controls', fields: CR4 },
  { name: 'cr8', bits: 64, title: 'task priority' },
  { name: 'efer', bits: 64, title: 'extended feature enables (MSR C000_0080H)', fields: EFER },
  { name: 'dr0', bits: 64, title: 'breakpoint address 0' },
  { name: 'dr1', bits: 64, title: 'breakpoint address 1' },
  { name: 'dr2', bits: 64, title: 'breakpoint address 2' },
  { name: 'dr3', bits: 64, title: 'breakpoint address 3' },
  { name: 'dr6', bits: 64, title: 'debug status', fields: DR6 },
  { name: 'dr7', bits: 64, title: 'debug control', fields: DR7 },
];

/** Segment types with S = 1, by the type field. @sdm 3A 3.4.5.1 "Code- and Data-Segment Descriptor Types" */
export const SEGMENT_TYPES = [
  'data read-only',
  'data read-only, accessed',
  'data read/write',
  'data read/write, accessed',
  'data read-only, expand-down',
  'data read-only, expand-down, accessed',
  'data read/write, expand-down',
  'data read/write, expand-down, accessed',
  'code execute-only',
  'code execute-only, accessed',
  'code execute/read',
  'code execute/read, accessed',
  'code execute-only, conforming',
  'code execute-only, conforming, accessed',
  'code execute/read, conforming',
  'code execute/read, conforming, accessed',
] as const;

/** Descriptor types with S = 0, by the type field. @sdm 3A 3.5 "System Descriptor Types" */
export const SYSTEM_TYPES = [
  'reserved',
  '16-bit TSS, available',
  'LDT',
  '16-bit TSS, busy',
  '16-bit call gate',
  'task gate',
  '16-bit interrupt gate',
  '16-bit trap gate',
  'reserved',
  'TSS, available',
  'reserved',
  'TSS, busy',
  'call gate',
  'reserved',
  'interrupt gate',
  'trap gate',
] as const;

/** What a segment's access rights say, e.g. `code execute/read, accessed, DPL 0, 64-bit`. */
export function describeAccessRights(rights: number): string {
  if (rights & 0x10000) return 'unusable';
  const types = rights & 0x10 ? SEGMENT_TYPES : SYSTEM_TYPES;
  const parts: string[] = [types[rights & 15], `DPL ${(rights >> 5) & 3}`];
  if (rights & 0x10) {
    const code = (rights & 8) !== 0;
    parts.push(code && rights & 0x2000 ? '64-bit' : rights & 0x4000 ? '32-bit' : '16-bit');
  }
  if (!(rights & 0x80)) parts.push('not present');
  return parts.join(', ');
}

export { ACCESS_RIGHTS };
