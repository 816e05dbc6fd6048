/** Registers of a vCPU at any moment of its turn, also where its guest state is the core's, and what they are made of. */
import * as L from '../core/layout.js';
import type { RegisterFile } from '../debugger.js';
import { SEGMENT_REGISTERS } from '../registers-view.js';
import type { Vcpu } from '../vmm/vcpu.js';
import type { Vm } from '../vmm/vm.js';
import { IN_STATE, IN_VMCS, readFpu } from './register-access.js';

type Read = (vm: Vm, vcpu: Vcpu) => bigint;

export interface RegisterWords {
  /** Words of the vCPU's block that it is made of; none: the guest's instructions do not change it. */
  readonly words: readonly number[];
  readonly read: Read;
}

const low = (value: bigint, bits: number): bigint => BigInt.asUintN(bits, value);

/** In the VMCS, and in a word of the block while the vCPU is in the guest. */
function guestField(field: string, address: number, shift = 0, bits = 64): RegisterWords {
  return {
    words: [address],
    read: (_, vcpu) =>
      vcpu.inGuest ? low(vcpu.host.get64(vcpu.at(address)) >> BigInt(shift), bits) : vcpu.vmcs.get(field),
  };
}

const controlRegister = (cr: 'CR0' | 'CR4', address: number): RegisterWords => ({
  words: [address],
  read: (_, vcpu) => {
    const mask = vcpu.vmcs.get(`${cr}_GUEST_HOST_MASK`);
    const real = vcpu.inGuest ? vcpu.host.get64(vcpu.at(address)) : vcpu.vmcs.get(`GUEST_${cr}`);
    return (real & ~mask) | (vcpu.vmcs.get(`${cr}_READ_SHADOW`) & mask);
  },
});

const BLOCK: readonly [name: string, address: number, shift?: number, bits?: number][] = [
  ['rip', L.RIP],
  ['rsp', L.RSP],
  ['rflags', L.RFLAGS],
  ['cr3', L.CR3],
  ['dr7', L.DR7],
  ['efer', L.EFER],
  ['pat', L.PAT],
  ['debugctl', L.DEBUGCTL],
  ['sysenter_cs', L.SYSENTER_CS],
  ['sysenter_esp', L.SYSENTER_ESP],
  ['sysenter_eip', L.SYSENTER_EIP],
  ['gdtr_base', L.GDTR_BASE],
  ['gdtr_limit', L.GDTR_LIMIT, 0, 32],
  ['idtr_base', L.IDTR_BASE],
  ['idtr_limit', L.IDTR_LIMIT, 0, 32],
  ['interruptibility', L.INTERRUPTIBILITY, 0, 32],
  ['activity', L.INTERRUPTIBILITY, 32, 32],
  ...SEGMENT_REGISTERS.flatMap((segment, n): [string, number, number?, number?][] => {
    const at = L.SEGMENTS + n * L.SEGMENT_BYTES;
    return [
      [segment, at + L.SEG_SELECTOR, 0, 16],
      [`${segment}_ar`, at, 32, 32],
      [`${segment}_limit`, at + L.SEG_LIMIT, 0, 32],
      [`${segment}_base`, at + L.SEG_BASE],
    ];
  }),
];

const FPU_WORDS = Array.from({ length: (L.X87_FDS + 2 - L.X87 + 7) >> 3 }, (_, n) => L.X87 + n * 8);

const REGISTERS = new Map<string, RegisterWords>([
  ...[...IN_STATE].map(([name, address]): [string, RegisterWords] => [
    name,
    { words: [address], read: (_, vcpu) => vcpu.host.get64(vcpu.at(address)) },
  ]),
  ...BLOCK.map(([name, address, shift, bits]): [string, RegisterWords] => [
    name,
    guestField(IN_VMCS.get(name)!, address, shift, bits),
  ]),
  ['cr0', controlRegister('CR0', L.CR0)],
  ['cr4', controlRegister('CR4', L.CR4)],
  ['cr8', { words: [], read: (vm, vcpu) => BigInt(vm.tpr(vcpu) >> 4) }],
]);

/** A register by its name of REGISTER_NAMES; undefined: there is none, or it counts time. */
export function registerWords(name: string): RegisterWords | undefined {
  const known = REGISTERS.get(name);
  if (known) return known;
  const vector = /^(?:xmm(\d+)|ymm(\d+)h)$/.exec(name);
  const fpu = /^(?:st[0-7]|fctrl|fstat|ftag|fop|fiseg|fioff|foseg|fooff|mxcsr)$/.test(name);
  if (!fpu && !(vector && Number(vector[1] ?? vector[2]) < 16)) return undefined;
  const at = vector && L.YMM + Number(vector[1] ?? vector[2]) * 32 + (vector[2] === undefined ? 0 : 16);
  return {
    words: at === null ? FPU_WORDS : [at, at + 8],
    read: (_, vcpu) => {
      const file: RegisterFile = {};
      readFpu(vcpu, file);
      return file[name];
    },
  };
}

/** The VMCS's guest area follows the guest's registers: by a field's name. */
const FIELDS = new Map<string, RegisterWords>([
  ...[...IN_VMCS].map(([register, field]): [string, RegisterWords] => [field, REGISTERS.get(register)!]),
  ['GUEST_CR0', guestField('GUEST_CR0', L.CR0)],
  ['GUEST_CR4', guestField('GUEST_CR4', L.CR4)],
  ...[0, 1, 2, 3].map((n): [string, RegisterWords] => [
    `GUEST_PDPTR${n}`,
    guestField(`GUEST_PDPTR${n}`, L.PDPTES + n * 8),
  ]),
]);

/** Where a field of the guest area is while the guest runs; undefined: it is in the VMCS alone. */
export const fieldWords = (field: string): RegisterWords | undefined => FIELDS.get(field);
