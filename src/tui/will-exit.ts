/** Which instructions will cause a VM exit, from the VMCS controls and the instruction. */
import type { Instruction } from '../disasm/index.js';
import type { RegisterFile } from '../engine/debugger.js';
import type { FieldReader } from './explain.js';
import { ENCODING } from './facts.js';
import { privilegeLevel } from './guest-mode.js';

/** `will`: whenever it runs at CPL 0; `may`: depends on a value that is not known before it runs. */
export type ExitMark = 'will' | 'may';

/** Reads a byte of host-physical memory, for the bitmaps; undefined when it is not known. */
export type ByteReader = (hpa: bigint) => number | undefined;

export interface ExitControls {
  field: FieldReader;
  byte: ByteReader;
  /** Registers, when the instruction is the one that runs next. */
  registers?: RegisterFile;
  /** Current registers, for the privilege level. */
  current?: RegisterFile;
}

const ALWAYS = new Set(
  'cpuid getsec invd xsetbv vmcall vmclear vmlaunch vmptrld vmptrst vmread vmresume vmwrite vmxoff vmxon invept invvpid'.split(
    ' ',
  ),
);
/** Instruction -> bit of the primary controls. @sdm 3C 25.1.3 "Instructions That Cause VM Exits Conditionally" */
const PRIMARY: Record<string, number> = {
  hlt: 7,
  invlpg: 9,
  mwait: 10,
  rdpmc: 11,
  rdtsc: 12,
  rdtscp: 12,
  monitor: 29,
  pause: 30,
};
const SECONDARY: Record<string, number> = {
  lgdt: 2,
  lidt: 2,
  lldt: 2,
  ltr: 2,
  sgdt: 2,
  sidt: 2,
  sldt: 2,
  str: 2,
  wbinvd: 6,
  wbnoinvd: 6,
  rdrand: 11,
  rdseed: 16,
};
const PRIVILEGED = new Set(
  'hlt invlpg invd wbinvd rdmsr wrmsr lgdt lidt lldt ltr clts lmsw xsetbv vmclear vmlaunch vmptrld vmptrst vmread vmresume vmwrite vmxoff vmxon invept invvpid invpcid'.split(
    ' ',
  ),
);
const VECTOR: Record<string, number> = { int3: 3, ud2: 6, ud1: 6, ud0: 6 };
const SECONDARY_ACTIVE = 31n;
const CR_MOVE = /^(cr\d+), (\w+)$/;
const CR_READ = /^(\w+), (cr\d+)$/;

const on = (value: bigint | undefined, n: number | bigint) => (((value ?? 0n) >> BigInt(n)) & 1n) === 1n;

/** Whether an instruction in Intel syntax exits under these controls; undefined when it does not. */
export function willExit(instruction: Instruction, controls: ExitControls): ExitMark | undefined {
  const { field, registers } = controls;
  const primary = field(ENCODING.primary);
  if (primary === undefined) return undefined;
  // `rep outsb`, `lock`: the last word is the mnemonic.
  const name = instruction.mnemonic.split(' ').at(-1)!.toLowerCase();
  const operands = instruction.operands;
  const cpl = controls.current ? privilegeLevel(controls.current) : 0;
  const control = /\b(?:cr|dr)\d/.test(operands) && name === 'mov';
  // The #GP of a privileged instruction comes before its VM exit.
  if (cpl > 0 && (PRIVILEGED.has(name) || control)) return undefined;
  if (ALWAYS.has(name)) return 'will';
  if (name in PRIMARY) return on(primary, PRIMARY[name]!) ? 'will' : undefined;
  const secondary = on(primary, SECONDARY_ACTIVE) ? field(ENCODING.secondary) : 0n;
  if (name === 'invpcid') return on(primary, 9) && on(secondary, 12) ? 'will' : undefined;
  if (name in SECONDARY) return on(secondary, SECONDARY[name]!) ? 'will' : undefined;
  if (name in VECTOR) return on(field(ENCODING.exceptionBitmap), VECTOR[name]!) ? 'will' : undefined;
  if (/^(?:in|out|ins[bwd]|outs[bwd])$/.test(name)) return io(operands, primary, controls);
  if (name === 'rdmsr' || name === 'wrmsr') return msr(name === 'wrmsr', primary, controls);
  if (name === 'clts' || name === 'lmsw')
    return on(field(ENCODING.cr0Mask), 3) || name === 'lmsw' ? mayIf(field(ENCODING.cr0Mask)) : undefined;
  if (name !== 'mov') return undefined;
  if (/\bdr\d/.test(operands)) return on(primary, 23) ? 'will' : undefined;
  const load = CR_MOVE.exec(operands);
  if (load) return loadsControl(load[1]!, load[2]!, primary, field, registers);
  const store = CR_READ.exec(operands);
  if (store?.[2] === 'cr3') return on(primary, 16) ? 'will' : undefined;
  if (store?.[2] === 'cr8') return on(primary, 20) ? 'will' : undefined;
  return undefined;
}

function mayIf(mask: bigint | undefined): ExitMark | undefined {
  return mask ? 'may' : undefined;
}

function loadsControl(
  cr: string,
  source: string,
  primary: bigint,
  field: FieldReader,
  registers: RegisterFile | undefined,
): ExitMark | undefined {
  if (cr === 'cr8') return on(primary, 19) ? 'will' : undefined;
  const value = registers?.[source] ?? (source.startsWith('e') ? registers?.[`r${source.slice(1)}`] : undefined);
  if (cr === 'cr3') {
    if (!on(primary, 15)) return undefined;
    const count = Number(field(ENCODING.cr3TargetCount) ?? 0n);
    if (count === 0) return 'will';
    if (value === undefined) return 'may';
    const targets = Array.from({ length: count }, (_, n) => field(ENCODING.cr3Target0 + 2 * n));
    return targets.includes(value) ? undefined : 'will';
  }
  if (cr !== 'cr0' && cr !== 'cr4') return undefined;
  const mask = field(cr === 'cr0' ? ENCODING.cr0Mask : ENCODING.cr4Mask);
  const shadow = field(cr === 'cr0' ? ENCODING.cr0Shadow : ENCODING.cr4Shadow);
  if (!mask) return undefined;
  if (value === undefined || shadow === undefined) return 'may';
  return (value & mask) === (shadow & mask) ? undefined : 'will';
}

/** @sdm 3C 25.1.3 and 24.6.4 "I/O-Bitmap Addresses" */
function io(operands: string, primary: bigint, controls: ExitControls): ExitMark | undefined {
  if (!on(primary, 25)) return on(primary, 24) ? 'will' : undefined;
  const immediate = /(?:^|, )(0x[0-9a-f]+|\d+)(?:,|$)/.exec(operands);
  const dx = controls.registers?.rdx;
  const port = immediate ? Number(immediate[1]) : dx === undefined ? undefined : Number(dx & 0xffffn);
  if (port === undefined) return 'may';
  const bitmap = controls.field(port < 0x8000 ? ENCODING.ioBitmapA : ENCODING.ioBitmapB);
  if (bitmap === undefined) return 'may';
  return bitmapBit(bitmap, port & 0x7fff, controls);
}

/** @sdm 3C 24.6.9 "MSR-Bitmap Address" */
function msr(write: boolean, primary: bigint, controls: ExitControls): ExitMark | undefined {
  if (!on(primary, 28)) return 'will';
  const rcx = controls.registers?.rcx;
  if (rcx === undefined) return 'may';
  const number = Number(rcx & 0xffffffffn);
  const high = number >= 0xc0000000 && number <= 0xc0001fff;
  if (!high && number > 0x1fff) return 'will';
  const bitmap = controls.field(ENCODING.msrBitmap);
  if (bitmap === undefined) return 'may';
  return bitmapBit(bitmap + (write ? 2048n : 0n) + (high ? 1024n : 0n), number & 0x1fff, controls);
}

function bitmapBit(base: bigint, index: number, controls: ExitControls): ExitMark | undefined {
  const byte = controls.byte(base + BigInt(index >> 3));
  if (byte === undefined) return 'may';
  return (byte >> (index & 7)) & 1 ? 'will' : undefined;
}
