// Model-specific registers that this CPU or its VMM has: number, name, bits.
import * as flags from './flags.js';
import {
  MSR_KVM_PV_EOI_EN,
  MSR_KVM_STEAL_TIME,
  MSR_KVM_SYSTEM_TIME_NEW,
  MSR_KVM_WALL_CLOCK_NEW,
} from './kvm-paravirt.js';

export interface MsrBit {
  readonly high: number;
  readonly low: number;
  readonly name: string;
}

export interface MsrRow {
  readonly number: number;
  /** Name as the SDM prints it. */
  readonly name: string;
  readonly title: string;
  /** Who answers: the core, or the VMM after an exit. */
  readonly home: 'core' | 'vmm';
  readonly bits?: readonly MsrBit[];
}

type Row = readonly [number: number, name: string, title: string, home: 'core' | 'vmm', bits?: readonly MsrBit[]];
const bit = (n: number, name: string): MsrBit => ({ high: n, low: n, name });

const bitsOf = (rows: readonly flags.BitField[]): MsrBit[] =>
  rows.map(({ hi, lo, name }) => ({ high: hi, low: lo, name }));

const EFER = bitsOf(flags.EFER);
const APIC_BASE = bitsOf(flags.IA32_APIC_BASE);
const DEBUGCTL = bitsOf(flags.IA32_DEBUGCTL);
const FEATURE_CONTROL = [bit(0, 'lock'), bit(1, 'VMX inside SMX'), bit(2, 'VMX outside SMX')];
const MTRR_DEF_TYPE = [{ high: 7, low: 0, name: 'type' }, bit(10, 'FE'), bit(11, 'E')];
const PAT = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => ({ high: 8 * n + 2, low: 8 * n, name: `PA${n}` }));

const VMX_NAMES = [
  'IA32_VMX_BASIC',
  'IA32_VMX_PINBASED_CTLS',
  'IA32_VMX_PROCBASED_CTLS',
  'IA32_VMX_EXIT_CTLS',
  'IA32_VMX_ENTRY_CTLS',
  'IA32_VMX_MISC',
  'IA32_VMX_CR0_FIXED0',
  'IA32_VMX_CR0_FIXED1',
  'IA32_VMX_CR4_FIXED0',
  'IA32_VMX_CR4_FIXED1',
  'IA32_VMX_VMCS_ENUM',
  'IA32_VMX_PROCBASED_CTLS2',
  'IA32_VMX_EPT_VPID_CAP',
  'IA32_VMX_TRUE_PINBASED_CTLS',
  'IA32_VMX_TRUE_PROCBASED_CTLS',
  'IA32_VMX_TRUE_EXIT_CTLS',
  'IA32_VMX_TRUE_ENTRY_CTLS',
  'IA32_VMX_VMFUNC',
] as const;

const FIXED_MTRRS: readonly (readonly [number, string])[] = [
  [0x250, '64K_00000'],
  [0x258, '16K_80000'],
  [0x259, '16K_A0000'],
  ...[0xc0, 0xc8, 0xd0, 0xd8, 0xe0, 0xe8, 0xf0, 0xf8].map((at, n): readonly [number, string] => [
    0x268 + n,
    `4K_${at.toString(16).toUpperCase()}000`,
  ]),
];

const NAMED = [
  [0x10, 'IA32_TIME_STAMP_COUNTER', 'time-stamp counter', 'core'],
  [0x17, 'IA32_PLATFORM_ID', 'platform', 'vmm'],
  [0x1b, 'IA32_APIC_BASE', 'local APIC base and state', 'vmm', APIC_BASE],
  [0x3a, 'IA32_FEATURE_CONTROL', 'VMX and SMX enables', 'core', FEATURE_CONTROL],
  [0x3b, 'IA32_TSC_ADJUST', 'offset of the time-stamp counter', 'core'],
  [0x79, 'IA32_BIOS_UPDT_TRIG', 'microcode update trigger', 'vmm'],
  [0x8b, 'IA32_BIOS_SIGN_ID', 'microcode revision', 'vmm'],
  [0xce, 'MSR_PLATFORM_INFO', 'platform information', 'vmm'],
  [0xfe, 'IA32_MTRRCAP', 'memory type range registers there are', 'vmm'],
  [
    0x10a,
    'IA32_ARCH_CAPABILITIES',
    'side channels that do not exist',
    'vmm',
    [bit(0, 'RDCL_NO'), bit(4, 'SSB_NO'), bit(5, 'MDS_NO'), bit(8, 'TAA_NO'), bit(26, 'GDS_NO'), bit(27, 'RFDS_NO')],
  ],
  [0x174, 'IA32_SYSENTER_CS', 'code segment of SYSENTER', 'core'],
  [0x175, 'IA32_SYSENTER_ESP', 'stack pointer of SYSENTER', 'core'],
  [0x176, 'IA32_SYSENTER_EIP', 'entry point of SYSENTER', 'core'],
  [0x179, 'IA32_MCG_CAP', 'machine-check banks', 'vmm'],
  [0x17a, 'IA32_MCG_STATUS', 'machine-check status', 'vmm'],
  [
    0x1a0,
    'IA32_MISC_ENABLE',
    'miscellaneous enables',
    'vmm',
    [bit(0, 'fast strings'), bit(18, 'MONITOR'), bit(34, 'XD disable')],
  ],
  [0x1d9, 'IA32_DEBUGCTL', 'branch tracing and single-step on branches', 'core', DEBUGCTL],
  [0x277, 'IA32_PAT', 'page attribute table', 'core', PAT],
  [0x2ff, 'IA32_MTRR_DEF_TYPE', 'default memory type', 'vmm', MTRR_DEF_TYPE],
  [0x6e0, 'IA32_TSC_DEADLINE', 'local APIC timer deadline', 'vmm'],
  [0x6e1, 'IA32_PKRS', 'protection-key rights of supervisor pages', 'vmm'],
  [MSR_KVM_WALL_CLOCK_NEW, 'MSR_KVM_WALL_CLOCK_NEW', "where KVM's wall clock goes", 'vmm'],
  [MSR_KVM_SYSTEM_TIME_NEW, 'MSR_KVM_SYSTEM_TIME_NEW', "where the vCPU's kvmclock goes", 'vmm', [bit(0, 'enable')]],
  [MSR_KVM_STEAL_TIME, 'MSR_KVM_STEAL_TIME', 'where stolen time goes', 'vmm', [bit(0, 'enable')]],
  [MSR_KVM_PV_EOI_EN, 'MSR_KVM_PV_EOI_EN', 'word for the end of interrupt', 'vmm', [bit(0, 'enable')]],
  [0xc0000080, 'IA32_EFER', 'extended feature enables', 'core', EFER],
  [0xc0000081, 'IA32_STAR', 'segments of SYSCALL and SYSRET', 'core'],
  [0xc0000082, 'IA32_LSTAR', 'entry point of SYSCALL', 'core'],
  [0xc0000083, 'IA32_CSTAR', 'entry point of SYSCALL from compatibility mode', 'core'],
  [0xc0000084, 'IA32_FMASK', 'flags that SYSCALL clears', 'core'],
  [0xc0000100, 'IA32_FS_BASE', 'base of FS', 'core'],
  [0xc0000101, 'IA32_GS_BASE', 'base of GS', 'core'],
  [0xc0000102, 'IA32_KERNEL_GS_BASE', 'base that SWAPGS exchanges', 'core'],
  [0xc0000103, 'IA32_TSC_AUX', 'value that RDTSCP and RDPID give', 'core'],
] as const satisfies readonly Row[];

const ROWS: readonly Row[] = [
  ...NAMED,
  ...Array.from(
    { length: 16 },
    (_, n): Row => [
      0x200 + n,
      `IA32_MTRR_PHYS${n & 1 ? 'MASK' : 'BASE'}${n >> 1}`,
      'variable memory type range',
      'vmm',
      n & 1 ? [bit(11, 'V')] : [{ high: 7, low: 0, name: 'type' }],
    ],
  ),
  ...FIXED_MTRRS.map(([number, name]): Row => [number, `IA32_MTRR_FIX${name}`, 'fixed memory type range', 'vmm']),
  ...VMX_NAMES.map((name, n): Row => [0x480 + n, name, 'VMX capability', 'core']),
];

/** All rows in numerical order. @sdm 4 2.1 "Architectural MSRs" */
export const MSRS: readonly MsrRow[] = ROWS.map(([number, name, title, home, bits]) => ({
  number,
  name,
  title,
  home,
  bits,
})).sort((a, b) => a.number - b.number);

type MsrName = (typeof NAMED)[number][1] | (typeof VMX_NAMES)[number];

/** Numbers by name: `MSR.IA32_EFER`. */
export const MSR = Object.fromEntries(MSRS.map(({ name, number }) => [name, number])) as Readonly<
  Record<MsrName, number>
>;

const BY_NUMBER = new Map(MSRS.map((row) => [row.number, row]));
const BY_NAME = new Map(MSRS.map((row) => [row.name, row]));

/** The x2APIC's registers have numbers of their own, with no row each. @sdm 3A 11.12.1.2 "x2APIC Register Address Space" */
export const X2APIC_FIRST = 0x800;
export const X2APIC_COUNT = 0x100;

/** The row of an MSR number, or undefined. */
export function msr(number: number): MsrRow | undefined {
  return BY_NUMBER.get(number);
}

/** Name of an MSR, or its number in hexadecimal. */
export function msrName(number: number): string {
  if (number >= X2APIC_FIRST && number < X2APIC_FIRST + X2APIC_COUNT)
    return `IA32_X2APIC_${(number - X2APIC_FIRST).toString(16).toUpperCase().padStart(2, '0')}`;
  return BY_NUMBER.get(number)?.name ?? `0x${(number >>> 0).toString(16)}`;
}

/** The row of a name, with or without the prefix IA32_ (any case). */
export function msrByName(name: string): MsrRow | undefined {
  const key = name.toUpperCase();
  return BY_NAME.get(key) ?? BY_NAME.get(`IA32_${key}`);
}
