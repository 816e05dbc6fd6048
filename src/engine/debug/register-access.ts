import { type VmcsField, vmcsField } from '../../spec/vmx/vmcs-fields.js';
import * as L from '../core/layout.js';
import type { RegisterFile } from '../debugger.js';
import { GENERAL_REGISTERS, SEGMENT_REGISTERS } from '../registers-view.js';
import type { Vcpu } from '../vmm/vcpu.js';
import type { Vm } from '../vmm/vm.js';

/** Registers that the VMCS guest area holds, and the field of each. */
export const IN_VMCS = new Map<string, string>([
  ['rip', 'GUEST_RIP'],
  ['rsp', 'GUEST_RSP'],
  ['rflags', 'GUEST_RFLAGS'],
  ['cr3', 'GUEST_CR3'],
  ['dr7', 'GUEST_DR7'],
  ['efer', 'GUEST_IA32_EFER'],
  ['pat', 'GUEST_IA32_PAT'],
  ['debugctl', 'GUEST_IA32_DEBUGCTL'],
  ['sysenter_cs', 'GUEST_SYSENTER_CS'],
  ['sysenter_esp', 'GUEST_SYSENTER_ESP'],
  ['sysenter_eip', 'GUEST_SYSENTER_EIP'],
  ['gdtr_base', 'GUEST_GDTR_BASE'],
  ['gdtr_limit', 'GUEST_GDTR_LIMIT'],
  ['idtr_base', 'GUEST_IDTR_BASE'],
  ['idtr_limit', 'GUEST_IDTR_LIMIT'],
  ['interruptibility', 'GUEST_INTERRUPTIBILITY_INFO'],
  ['activity', 'GUEST_ACTIVITY_STATE'],
  ...SEGMENT_REGISTERS.flatMap((segment): [string, string][] => {
    const field = `GUEST_${segment.toUpperCase()}`;
    return [
      [segment, `${field}_SELECTOR`],
      [`${segment}_base`, `${field}_BASE`],
      [`${segment}_limit`, `${field}_LIMIT`],
      [`${segment}_ar`, `${field}_AR_BYTES`],
    ];
  }),
]);

/** Registers that live in the vCPU's state block, 64 bits each. */
export const IN_STATE = new Map<string, number>([
  ...GENERAL_REGISTERS.map((name, i): [string, number] => [name, L.GPR + i * 8]),
  ['cr2', L.CR2],
  ['xcr0', L.XCR0],
  ['dr0', L.DR0],
  ['dr1', L.DR0 + 8],
  ['dr2', L.DR0 + 16],
  ['dr3', L.DR0 + 24],
  ['dr6', L.DR6],
  ['star', L.STAR],
  ['lstar', L.LSTAR],
  ['cstar', L.CSTAR],
  ['fmask', L.FMASK],
  ['kernel_gs_base', L.KERNEL_GS_BASE],
  ['tsc_aux', L.TSC_AUX],
]);
IN_STATE.delete('rsp');

/** Registers that the state block holds while the vCPU is in the guest. */
export const LIVE = new Map<string, number>([
  ...IN_STATE,
  ...[...GENERAL_REGISTERS].map((name, i): [string, number] => [name, L.GPR + i * 8]),
  ['rip', L.RIP],
  ['cr3', L.CR3],
  ['fs_base', L.SEGMENTS + SEGMENT_REGISTERS.indexOf('fs') * L.SEGMENT_BYTES + L.SEG_BASE],
  ['gs_base', L.SEGMENTS + SEGMENT_REGISTERS.indexOf('gs') * L.SEGMENT_BYTES + L.SEG_BASE],
]);

const CONTROL_WORDS: [string, number, number][] = [
  ['fctrl', L.X87_FCW, 2],
  ['fstat', L.X87_FSW, 2],
  ['fop', L.X87_FOP, 2],
  ['fiseg', L.X87_FCS, 2],
  ['fioff', L.X87_FIP, 4],
  ['foseg', L.X87_FDS, 2],
  ['fooff', L.X87_FDP, 4],
  ['mxcsr', L.MXCSR, 4],
];

/** Bit widths of what is narrower than 64 bits. */
const WIDTHS = new Map<string, number>([
  ...SEGMENT_REGISTERS.flatMap((segment): [string, number][] => [
    [segment, 16],
    [`${segment}_limit`, 32],
    [`${segment}_ar`, 32],
  ]),
  ['gdtr_limit', 32],
  ['idtr_limit', 32],
  ['mxcsr', 32],
  ['cr8', 4],
]);

/** CR0 or CR4 as the guest reads it: bits of the guest/host mask come from the read shadow. */
function shadowed(vcpu: Vcpu, cr: 'CR0' | 'CR4'): bigint {
  const mask = vcpu.vmcs.get(`${cr}_GUEST_HOST_MASK`);
  return (vcpu.vmcs.get(`GUEST_${cr}`) & ~mask) | (vcpu.vmcs.get(`${cr}_READ_SHADOW`) & mask);
}

type Reader = (vm: Vm, vcpu: Vcpu) => bigint;

const inVmcs = (field: string): Reader => {
  const row = vmcsField(field) as VmcsField;
  return (_, vcpu) => vcpu.vmcs.readField(row);
};
const inState = (address: number): Reader => {
  return (_, vcpu) => vcpu.host.get64(vcpu.at(address));
};

/** Of each register that is no one of the FPU's. */
const SYSTEM_READERS = new Map<string, Reader>([
  ...GENERAL_REGISTERS.map((name): [string, Reader] => [name, inState(IN_STATE.get(name) ?? 0)]),
  ...[...IN_STATE].map(([name, address]): [string, Reader] => [name, inState(address)]),
  ...[...IN_VMCS].map(([name, field]): [string, Reader] => [name, inVmcs(field)]),
  ['cr0', (_, vcpu) => shadowed(vcpu, 'CR0')],
  ['cr4', (_, vcpu) => shadowed(vcpu, 'CR4')],
  ['cr8', (vm, vcpu) => BigInt(vm.tpr(vcpu) >> 4)],
  ['tsc', (vm, vcpu) => vm.tsc(vcpu.index)],
]);

/** Of the FPU's. */
const FPU_READERS = new Map<string, (vcpu: Vcpu) => bigint>([
  ...Array.from({ length: 8 }, (_, i): [string, (vcpu: Vcpu) => bigint] => [`st${i}`, (vcpu) => readStack(vcpu, i)]),
  ...CONTROL_WORDS.map(([name, address, bytes]): [string, (vcpu: Vcpu) => bigint] => [
    name,
    bytes === 2
      ? (vcpu) => BigInt(vcpu.host.u16[vcpu.at(address) >>> 1])
      : (vcpu) => BigInt(vcpu.host.get32(vcpu.at(address))),
  ]),
  ['ftag', (vcpu) => BigInt(fullTag(vcpu))],
  ...Array.from({ length: 16 }, (_, i): [string, (vcpu: Vcpu) => bigint][] => [
    [`xmm${i}`, (vcpu) => read128(vcpu, L.YMM + i * 32)],
    [`ymm${i}h`, (vcpu) => read128(vcpu, L.YMM + i * 32 + 16)],
  ]).flat(),
]);

const READERS = new Map<string, Reader>([
  ...SYSTEM_READERS,
  ...[...FPU_READERS].map(([name, read]): [string, Reader] => [name, (_, vcpu) => read(vcpu)]),
]);

/** Reads every register of a vCPU whose guest state is in the VMCS (see Vm.synchronize). */
export function readRegisters(vm: Vm, vcpu: Vcpu): RegisterFile {
  const file: RegisterFile = {};
  for (const [name, read] of SYSTEM_READERS) file[name] = read(vm, vcpu);
  readFpu(vcpu, file);
  return file;
}

/** As readRegisters, of these only; a name that is none brings all. */
export function readNamedRegisters(vm: Vm, vcpu: Vcpu, names: readonly string[]): RegisterFile {
  const file: RegisterFile = {};
  for (const name of names) {
    const read = READERS.get(name);
    if (read === undefined) return readRegisters(vm, vcpu);
    file[name] = read(vm, vcpu);
  }
  return file;
}

export function readFpu(vcpu: Vcpu, file: RegisterFile): void {
  for (const [name, read] of FPU_READERS) file[name] = read(vcpu);
}

const stackTop = (vcpu: Vcpu): number => (vcpu.host.u16[vcpu.at(L.X87_FSW) >>> 1] >> 11) & 7;

function readStack(vcpu: Vcpu, index: number): bigint {
  const at = vcpu.at(L.X87 + ((stackTop(vcpu) + index) & 7) * 16);
  return joined(vcpu.host.get64(at), BigInt(vcpu.host.u16[(at + 8) >>> 1]));
}

function read128(vcpu: Vcpu, address: number): bigint {
  const at = vcpu.at(address);
  return joined(vcpu.host.get64(at), vcpu.host.get64(at + 8));
}

const joined = (low: bigint, high: bigint): bigint => (high === 0n ? low : (high << 64n) | low);

/** The x87 tag word of 2 bits a register, from the abridged one. @sdm 2A 3.3 "FXSAVE" */
function fullTag(vcpu: Vcpu): number {
  const abridged = vcpu.host.u8[vcpu.at(L.X87_FTW)];
  let tags = 0;
  for (let i = 0; i < 8; i++) {
    const at = vcpu.at(L.X87 + i * 16);
    let tag = 3;
    if ((abridged & (1 << i)) !== 0) {
      const significand = vcpu.host.get64(at);
      const exponent = vcpu.host.u16[(at + 8) >>> 1] & 0x7fff;
      const zero = exponent === 0 && significand === 0n;
      const special = exponent === 0x7fff || exponent === 0 || significand >> 63n === 0n;
      tag = zero ? 1 : special ? 2 : 0;
    }
    tags |= tag << (i * 2);
  }
  return tags;
}

/** @throws Error naming the register when it does not exist or the value does not fit. */
export function writeRegister(vm: Vm, vcpu: Vcpu, name: string, value: bigint): void {
  const width =
    WIDTHS.get(name) ??
    (name.startsWith('xmm') || name.startsWith('ymm') ? 128 : name.startsWith('st') && /^st\d$/.test(name) ? 80 : 64);
  if (value < 0n || value >> BigInt(width) !== 0n)
    throw new Error(`${name}: 0x${value.toString(16)} does not fit ${width} bits`);
  const field = IN_VMCS.get(name);
  if (field) {
    if (name === 'rflags') value = (value & 0x3f7fd7n) | 2n;
    vcpu.vmcs.set(field, value);
  } else if (IN_STATE.has(name)) {
    vcpu.host.set64(vcpu.at(IN_STATE.get(name)!), value);
  } else if (name === 'cr0' || name === 'cr4') {
    const cr = name.toUpperCase();
    const mask = vcpu.vmcs.get(`${cr}_GUEST_HOST_MASK`);
    vcpu.vmcs.set(`${cr}_READ_SHADOW`, value);
    // NE and VMXE stay set in the real register, as VMX operation demands
    vcpu.vmcs.set(`GUEST_${cr}`, value | (name === 'cr0' ? 0x20n & mask : 0x2000n & mask));
  } else if (name === 'cr8') {
    vm.setTpr(vcpu, Number(value) << 4);
  } else if (name === 'tsc') {
    const delta = value - vm.tsc(vcpu.index);
    vcpu.host.set64(vcpu.at(L.TSC_ADJUST), BigInt.asUintN(64, vcpu.host.get64(vcpu.at(L.TSC_ADJUST)) + delta));
  } else if (!writeFpu(vcpu, name, value)) {
    throw new Error(`no register ${name}; info registers lists them`);
  }
  if (/^(cr|efer|pat)/.test(name)) vm.flushTlb(vcpu);
}

function writeBytes(vcpu: Vcpu, address: number, bytes: number, value: bigint): void {
  for (let i = 0; i < bytes; i++) vcpu.host.u8[vcpu.at(address) + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

function writeFpu(vcpu: Vcpu, name: string, value: bigint): boolean {
  const word = CONTROL_WORDS.find(([control]) => control === name);
  if (word) {
    writeBytes(vcpu, word[1], word[2], value);
    return true;
  }
  const match = /^(st|xmm|ymm)(\d+)(h?)$/.exec(name);
  if (name === 'ftag') {
    let abridged = 0;
    for (let i = 0; i < 8; i++) if (((value >> BigInt(i * 2)) & 3n) !== 3n) abridged |= 1 << i;
    writeBytes(vcpu, L.X87_FTW, 1, BigInt(abridged));
    return true;
  }
  if (!match) return false;
  const index = Number(match[2]);
  if (match[1] === 'st' && index < 8) writeBytes(vcpu, L.X87 + ((stackTop(vcpu) + index) & 7) * 16, 10, value);
  else if (match[1] === 'xmm' && index < 16) writeBytes(vcpu, L.YMM + index * 32, 16, value);
  else if (match[1] === 'ymm' && index < 16 && match[3] === 'h') writeBytes(vcpu, L.YMM + index * 32 + 16, 16, value);
  else return false;
  return true;
}
