/** Bits of registers as the register view prints them, and the VMCS encodings that the views look up. */
export { exitReason, exitReasonByName, exitReasonName } from '../spec/vmx/exit-reasons.js';

/** Names of the set bits; multi-bit fields as `IOPL=3`. */
type Bit = readonly [bit: number, name: string];

const RFLAGS: readonly Bit[] = [
  [0, 'cf'],
  [2, 'pf'],
  [4, 'af'],
  [6, 'zf'],
  [7, 'sf'],
  [8, 'tf'],
  [9, 'if'],
  [10, 'df'],
  [11, 'of'],
  [14, 'nt'],
  [16, 'rf'],
  [17, 'vm'],
  [18, 'ac'],
  [19, 'vif'],
  [20, 'vip'],
  [21, 'id'],
];
const CR0: readonly Bit[] = [
  [0, 'PE'],
  [1, 'MP'],
  [2, 'EM'],
  [3, 'TS'],
  [4, 'ET'],
  [5, 'NE'],
  [16, 'WP'],
  [18, 'AM'],
  [29, 'NW'],
  [30, 'CD'],
  [31, 'PG'],
];
const CR4: readonly Bit[] = [
  [0, 'VME'],
  [1, 'PVI'],
  [2, 'TSD'],
  [3, 'DE'],
  [4, 'PSE'],
  [5, 'PAE'],
  [6, 'MCE'],
  [7, 'PGE'],
  [8, 'PCE'],
  [9, 'OSFXSR'],
  [10, 'OSXMMEXCPT'],
  [11, 'UMIP'],
  [12, 'LA57'],
  [13, 'VMXE'],
  [16, 'FSGSBASE'],
  [17, 'PCIDE'],
  [18, 'OSXSAVE'],
  [20, 'SMEP'],
  [21, 'SMAP'],
  [22, 'PKE'],
];
const EFER: readonly Bit[] = [
  [0, 'SCE'],
  [8, 'LME'],
  [10, 'LMA'],
  [11, 'NXE'],
];
const DR6: readonly Bit[] = [
  [0, 'B0'],
  [1, 'B1'],
  [2, 'B2'],
  [3, 'B3'],
  [13, 'BD'],
  [14, 'BS'],
  [15, 'BT'],
];
const TABLES: Readonly<Record<string, readonly Bit[]>> = { rflags: RFLAGS, cr0: CR0, cr4: CR4, efer: EFER, dr6: DR6 };

/** Set bits of a register by name, lowest first; empty for a register without named bits. */
export function registerBits(name: string, value: bigint): string[] {
  const result = (TABLES[name] ?? []).filter(([bit]) => (value >> BigInt(bit)) & 1n).map(([, bitName]) => bitName);
  if (name === 'rflags' && (value >> 12n) & 3n) result.push(`iopl=${(value >> 12n) & 3n}`);
  return result;
}

/** @sdm 3A 6.3.1 "External Interrupts", table 6-1. */
const VECTORS = [
  '#DE',
  '#DB',
  'NMI',
  '#BP',
  '#OF',
  '#BR',
  '#UD',
  '#NM',
  '#DF',
  'COPROCESSOR_OVERRUN',
  '#TS',
  '#NP',
  '#SS',
  '#GP',
  '#PF',
  'VECTOR_15',
  '#MF',
  '#AC',
  '#MC',
  '#XM',
  '#VE',
  '#CP',
];

export function vectorName(vector: number): string {
  return VECTORS[vector] ?? `vector 0x${vector.toString(16)}`;
}

/** VMCS field encodings. @sdm 3D B "Field Encoding in VMCS" */
export const ENCODING = {
  pin: 0x4000,
  primary: 0x4002,
  exceptionBitmap: 0x4004,
  pfecMask: 0x4006,
  pfecMatch: 0x4008,
  exitControls: 0x400c,
  entryControls: 0x4012,
  secondary: 0x401e,
  ioBitmapA: 0x2000,
  ioBitmapB: 0x2002,
  msrBitmap: 0x2004,
  eptPointer: 0x201a,
  cr0Mask: 0x6000,
  cr4Mask: 0x6002,
  cr0Shadow: 0x6004,
  cr4Shadow: 0x6006,
  cr3TargetCount: 0x400a,
  cr3Target0: 0x6008,
  guestPhysical: 0x2400,
} as const;
