/** Which instructions will cause a VM exit: from the VMCS controls, the bitmaps, the page tables and EPT. */

import type { Instruction } from '../disasm/index.js';
import type { FieldReader } from '../engine/debug/explain-exit.js';
import { privilegeLevel } from '../engine/debug/guest-mode.js';
import type { PageWalk, RegisterFile } from '../engine/debugger.js';
import { VECTOR } from '../spec/exceptions.js';
import { ENCODING } from './facts.js';
import { type MemoryAccess, memoryAccesses, readRegister } from './memory-operands.js';

/** `will`: whenever it runs in this state; `may`: depends on a value that is not known before it runs. */
export interface ExitMark {
  certain: boolean;
  /** Name of the exit reason. */
  reason: string;
}

/** Reads a byte of host-physical memory, for the bitmaps; undefined when it is not known. */
export type ByteReader = (hpa: bigint) => number | undefined;

export interface ExitControls {
  field: FieldReader;
  byte: ByteReader;
  /** Registers, when the instruction is the one that runs next. */
  registers?: RegisterFile;
  /** Current registers, for the mode and the privilege level. */
  current?: RegisterFile;
  /** Walks of guest page tables and EPT; absent: memory accesses are not looked at. */
  walk?: (gva: bigint) => PageWalk | undefined;
  eptWalk?: (gpa: bigint) => PageWalk | undefined;
}

/** Instructions that exit whatever the controls say. @sdm 3C 25.1.2 "Instructions That Cause VM Exits Unconditionally" */
const ALWAYS: Record<string, string> = {
  cpuid: 'CPUID',
  getsec: 'GETSEC',
  invd: 'INVD',
  xsetbv: 'XSETBV',
  ...Object.fromEntries(
    ['call', 'clear', 'launch', 'ptrld', 'ptrst', 'read', 'resume', 'write', 'xoff', 'xon'].map((name) => [
      `vm${name}`,
      `VM${name.toUpperCase()}`,
    ]),
  ),
  invept: 'INVEPT',
  invvpid: 'INVVPID',
};
type Conditional = Record<string, readonly [bit: number, reason: string]>;
/** Instruction -> bit of the primary controls. @sdm 3C 25.1.3 "Instructions That Cause VM Exits Conditionally" */
const PRIMARY: Conditional = {
  hlt: [7, 'HLT'],
  invlpg: [9, 'INVLPG'],
  mwait: [10, 'MWAIT_INSTRUCTION'],
  rdpmc: [11, 'RDPMC'],
  rdtsc: [12, 'RDTSC'],
  rdtscp: [12, 'RDTSCP'],
  monitor: [29, 'MONITOR_INSTRUCTION'],
  pause: [30, 'PAUSE_INSTRUCTION'],
};
const SECONDARY: Conditional = {
  ...Object.fromEntries(['lgdt', 'lidt', 'sgdt', 'sidt'].map((name) => [name, [2, 'GDTR_IDTR'] as const])),
  ...Object.fromEntries(['lldt', 'ltr', 'sldt', 'str'].map((name) => [name, [2, 'LDTR_TR'] as const])),
  wbinvd: [6, 'WBINVD'],
  wbnoinvd: [6, 'WBINVD'],
  rdrand: [11, 'RDRAND'],
  rdseed: [16, 'RDSEED'],
};
const PRIVILEGED = new Set(
  'hlt invlpg invd wbinvd rdmsr wrmsr lgdt lidt lldt ltr clts lmsw xsetbv vmclear vmlaunch vmptrld vmptrst vmread vmresume vmwrite vmxoff vmxon invept invvpid invpcid'.split(
    ' ',
  ),
);
const { DE, DB, BP, OF, UD, NM, GP, PF } = VECTOR;
const VECTOR_OF: Record<string, number> = { int3: BP, int1: DB, ud2: UD, ud1: UD, ud0: UD };
const SECONDARY_ACTIVE = 31n;
const CR_MOVE = /^(cr\d+), (\w+)$/;
const CR_READ = /^(\w+), (cr\d+)$/;

const on = (value: bigint | undefined, n: number | bigint) => (((value ?? 0n) >> BigInt(n)) & 1n) === 1n;
const will = (reason: string, set: boolean | undefined): ExitMark | undefined =>
  set ? { certain: true, reason } : undefined;
const may = (reason: string): ExitMark => ({ certain: false, reason });

/** Whether an instruction in Intel syntax exits under these controls; undefined when it does not. */
export function willExit(instruction: Instruction, controls: ExitControls): ExitMark | undefined {
  const primary = controls.field(ENCODING.primary);
  if (primary === undefined) return undefined;
  return (
    byInstruction(instruction, primary, controls) ??
    byMemory(instruction, controls) ??
    will('MONITOR_TRAP_FLAG', on(primary, 27) && controls.registers !== undefined)
  );
}

function byInstruction(instruction: Instruction, primary: bigint, controls: ExitControls): ExitMark | undefined {
  const { field, registers } = controls;
  // `rep outsb`, `lock`: the last word is the mnemonic.
  const name = instruction.mnemonic.split(' ').at(-1)!.toLowerCase();
  const { operands } = instruction;
  const cpl = controls.current ? privilegeLevel(controls.current) : 0;
  const control = /\b(?:cr|dr)\d/.test(operands) && name === 'mov';
  // The #GP of a privileged instruction comes before its VM exit.
  if (cpl > 0 && (PRIVILEGED.has(name) || control)) return exception(GP, field);
  const always = ALWAYS[name];
  if (always) return will(always, true);
  const conditional = PRIMARY[name];
  if (conditional) return will(conditional[1], on(primary, conditional[0]));
  const secondary = on(primary, SECONDARY_ACTIVE) ? field(ENCODING.secondary) : 0n;
  if (name === 'invpcid') return will('INVPCID', on(primary, 9) && on(secondary, 12));
  const second = SECONDARY[name];
  if (second) return will(second[1], on(secondary, second[0]));
  const vector = VECTOR_OF[name] ?? arithmetic(name, operands, registers);
  if (vector !== undefined) return exception(vector, field);
  if (/^(?:in|out|ins[bwd]|outs[bwd])$/.test(name)) return io(operands, primary, controls);
  if (name === 'rdmsr' || name === 'wrmsr') return msr(name === 'wrmsr', primary, controls);
  if (name === 'clts' || name === 'lmsw')
    return field(ENCODING.cr0Mask) && (on(field(ENCODING.cr0Mask), 3) || name === 'lmsw')
      ? may('CR_ACCESS')
      : undefined;
  if (name !== 'mov') return undefined;
  if (/\bdr\d/.test(operands)) return will('DR_ACCESS', on(primary, 23));
  const load = CR_MOVE.exec(operands);
  if (load) return loadsControl(load[1]!, load[2]!, primary, field, registers);
  const store = CR_READ.exec(operands);
  if (store?.[2] === 'cr3') return will('CR_ACCESS', on(primary, 16));
  if (store?.[2] === 'cr8') return will('CR_ACCESS', on(primary, 20));
  return undefined;
}

/** The exception that the instruction raises with these registers. */
function arithmetic(name: string, operands: string, registers: RegisterFile | undefined): number | undefined {
  if (!registers) return undefined;
  if (name === 'div' || name === 'idiv') return readRegister(registers, operands)?.value === 0n ? DE : undefined;
  if (name === 'into') return on(registers.rflags, 11) ? OF : undefined;
  const fpu = /^f(?!xsave|xrstor|emms)[a-z0-9]+$/.test(name) || /\b[xy]?mm\d/.test(operands);
  return fpu && (on(registers.cr0, 3) || (name.startsWith('f') && on(registers.cr0, 2))) ? NM : undefined;
}

/** The exit of an exception that is certain to be raised. @sdm 3C 25.2 "Other Causes of VM Exits" */
function exception(vector: number, field: FieldReader, errorCode = 0n): ExitMark | undefined {
  let exits = on(field(ENCODING.exceptionBitmap), vector);
  if (vector === PF) {
    const mask = field(ENCODING.pfecMask) ?? 0n;
    // A mismatch turns the meaning of the bitmap's bit round.
    if ((errorCode & mask) !== (field(ENCODING.pfecMatch) ?? 0n)) exits = !exits;
  }
  return will('EXCEPTION_NMI', exits);
}

function byMemory(instruction: Instruction, controls: ExitControls): ExitMark | undefined {
  const { current, registers, walk } = controls;
  if (!current || !walk) return undefined;
  for (const access of memoryAccesses(instruction, current, registers)) {
    const mark = ofAccess(access, current, controls);
    if (mark) return mark;
  }
  return undefined;
}

function ofAccess({ gva, write }: MemoryAccess, current: RegisterFile, controls: ExitControls): ExitMark | undefined {
  const guest = controls.walk!(gva);
  if (!guest) return undefined;
  const user = privilegeLevel(current) === 3;
  const allows = (flag: string) => guest.levels.every((level) => level.flags.includes(flag));
  const paged = guest.levels.length > 0;
  const denied = paged && ((user && !allows('U')) || (write && !allows('W') && (user || on(current.cr0, 16))));
  if (guest.output === undefined || denied) {
    const code = (guest.output === undefined ? 0n : 1n) | (write ? 2n : 0n) | (user ? 4n : 0n);
    return exception(PF, controls.field, code);
  }
  const primary = controls.field(ENCODING.primary);
  const secondary = on(primary, SECONDARY_ACTIVE) ? controls.field(ENCODING.secondary) : 0n;
  if (!on(secondary, 1)) return undefined;
  const apicPage = controls.field(ENCODING.apicAccess);
  const ept = controls.eptWalk?.(guest.output);
  if (!ept) return undefined;
  if (ept.output === undefined)
    return will(/misconfigured/.test(ept.failure ?? '') ? 'EPT_MISCONFIG' : 'EPT_VIOLATION', true);
  if (on(secondary, 0) && apicPage !== undefined && ept.output >> 12n === apicPage >> 12n)
    return will('APIC_ACCESS', true);
  return will('EPT_VIOLATION', !ept.levels.every((level) => level.flags.includes(write ? 'W' : 'R')));
}

function loadsControl(
  cr: string,
  source: string,
  primary: bigint,
  field: FieldReader,
  registers: RegisterFile | undefined,
): ExitMark | undefined {
  if (cr === 'cr8') return will('CR_ACCESS', on(primary, 19));
  const value = registers && readRegister(registers, source)?.value;
  if (cr === 'cr3') {
    if (!on(primary, 15)) return undefined;
    const count = Number(field(ENCODING.cr3TargetCount) ?? 0n);
    if (count === 0) return will('CR_ACCESS', true);
    if (value === undefined) return may('CR_ACCESS');
    const targets = Array.from({ length: count }, (_, n) => field(ENCODING.cr3Target0 + 2 * n));
    return will('CR_ACCESS', !targets.includes(value));
  }
  if (cr !== 'cr0' && cr !== 'cr4') return undefined;
  const mask = field(cr === 'cr0' ? ENCODING.cr0Mask : ENCODING.cr4Mask);
  const shadow = field(cr === 'cr0' ? ENCODING.cr0Shadow : ENCODING.cr4Shadow);
  if (!mask) return undefined;
  if (value === undefined || shadow === undefined) return may('CR_ACCESS');
  return will('CR_ACCESS', (value & mask) !== (shadow & mask));
}

/** @sdm 3C 25.1.3 and 24.6.4 "I/O-Bitmap Addresses" */
function io(operands: string, primary: bigint, controls: ExitControls): ExitMark | undefined {
  const reason = 'IO_INSTRUCTION';
  if (!on(primary, 25)) return will(reason, on(primary, 24));
  const immediate = /(?:^|, )(0x[0-9a-f]+|\d+)(?:,|$)/.exec(operands);
  const dx = controls.registers?.rdx;
  const port = immediate ? Number(immediate[1]) : dx === undefined ? undefined : Number(dx & 0xffffn);
  if (port === undefined) return may(reason);
  const bitmap = controls.field(port < 0x8000 ? ENCODING.ioBitmapA : ENCODING.ioBitmapB);
  return bitmap === undefined ? may(reason) : bitmapBit(bitmap, port & 0x7fff, controls, reason);
}

/** @sdm 3C 24.6.9 "MSR-Bitmap Address" */
function msr(write: boolean, primary: bigint, controls: ExitControls): ExitMark | undefined {
  const reason = write ? 'MSR_WRITE' : 'MSR_READ';
  if (!on(primary, 28)) return will(reason, true);
  const rcx = controls.registers?.rcx;
  if (rcx === undefined) return may(reason);
  const number = Number(rcx & 0xffffffffn);
  const high = number >= 0xc0000000 && number <= 0xc0001fff;
  if (!high && number > 0x1fff) return will(reason, true);
  const bitmap = controls.field(ENCODING.msrBitmap);
  if (bitmap === undefined) return may(reason);
  return bitmapBit(bitmap + (write ? 2048n : 0n) + (high ? 1024n : 0n), number & 0x1fff, controls, reason);
}

function bitmapBit(base: bigint, index: number, controls: ExitControls, reason: string): ExitMark | undefined {
  const byte = controls.byte(base + BigInt(index >> 3));
  if (byte === undefined) return may(reason);
  return will(reason, ((byte >> (index & 7)) & 1) === 1);
}
