// The registers that nearly every instruction may change, as 32-bit words in one order for both sides: a step is
// compared without making a bigint.
import type { RegisterFile } from '../../../debugger.js';
import { GENERAL_REGISTERS, SEGMENT_REGISTERS } from '../../../registers-view.js';

/** In the order of the words, two words each. */
export const QUICK_REGISTERS: readonly string[] = [
  ...GENERAL_REGISTERS,
  'rip',
  'rflags',
  'cr0',
  'cr2',
  'cr3',
  'cr4',
  'efer',
  'gdtr_base',
  'gdtr_limit',
  'idtr_base',
  'idtr_limit',
  ...SEGMENT_REGISTERS.flatMap((name) => [name, `${name}_base`, `${name}_limit`, `${name}_ar`]),
];

export const QUICK_WORDS = QUICK_REGISTERS.length * 2;
const index = (name: string): number => QUICK_REGISTERS.indexOf(name) * 2;
export const RCX = index('rcx');
export const RIP = index('rip');
export const RFLAGS = index('rflags');
export const CR0 = index('cr0');
export const CR3 = index('cr3');
export const EFER = index('efer');
export const SEGMENTS_FROM = index('es');
const CS = index('cs');
const SS = index('ss');

export type Quick = Uint32Array;

export const newQuick = (): Quick => new Uint32Array(QUICK_WORDS);

export function fillFromFile(out: Quick, file: RegisterFile): void {
  QUICK_REGISTERS.forEach((name, i) => {
    out[i * 2] = Number(file[name] & 0xffff_ffffn);
    out[i * 2 + 1] = Number((file[name] >> 32n) & 0xffff_ffffn);
  });
}

export function toFile(quick: Quick): RegisterFile {
  const file: RegisterFile = {};
  QUICK_REGISTERS.forEach((name, i) => {
    file[name] = BigInt(quick[i * 2]) | (BigInt(quick[i * 2 + 1]) << 32n);
  });
  return file;
}

export const sameRip = (a: Quick, b: Quick): boolean => a[RIP] === b[RIP] && a[RIP + 1] === b[RIP + 1];

const AR = 6;
export const longMode = (q: Quick): boolean => (q[EFER] & 0x400) !== 0 && (q[CS + AR] & 0x2000) !== 0;

/** @sdm 3A 5.5 "Privilege Levels": the DPL of SS */
export const cplOf = (q: Quick): number => ((q[CR0] & 1) === 0 ? 0 : (q[SS + AR] >> 5) & 3);

/** Linear address of the next instruction. */
export function linearRip(q: Quick): bigint {
  const rip = BigInt(q[RIP]) | (BigInt(q[RIP + 1]) << 32n);
  return longMode(q) ? rip : BigInt.asUintN(32, rip + BigInt(q[CS + 2]));
}
