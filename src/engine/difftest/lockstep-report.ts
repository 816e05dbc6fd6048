// What a lock-step run compares and what it tells: registers that two machines do not share are masked, each by name.
import { RFLAGS } from '../../spec/masks.js';
import type { RegisterFile } from '../debugger.js';
import { REGISTER_NAMES } from '../registers-view.js';

/** A register, a place of memory or an access on which the sides differ. */
export interface LockstepDifference {
  what: string;
  left: string;
  right: string;
}

/** Instructions of one kind that the judge did not run. */
export interface NotCompared {
  reason: string;
  count: number;
  /** Linear address of the first one. */
  first: bigint;
  code: Uint8Array;
  bits: 16 | 32 | 64;
}

export interface LockstepReport {
  /** Comparisons made. */
  compared: number;
  /** Instructions that the core retired. */
  instructions: number;
  /** Those of them that ran between two accesses to devices without a comparison. */
  freely: number;
  /** Accesses to devices, compared each. */
  accesses: number;
  /** Interrupts that were delivered at the same instruction on both sides. */
  interrupts: number;
  /** Times that memory was compared as a whole. */
  memories: number;
  /** Pages compared since the judge's guest had written them. */
  writtenPages: number;
  /** Instructions whose undefined flags or results were taken over from the core. */
  undefined: number;
  notCompared: NotCompared[];
  /** Faults of the judge's own, after each of which both began anew. */
  astray: number;
  ended: 'difference' | 'guest ended' | 'waits for input' | 'limit' | 'cannot go on';
  message: string;
  differences: LockstepDifference[];
  /** The instruction that was run last: linear address and bytes. */
  instruction?: { address: bigint; bytes: Uint8Array };
  before?: { left: RegisterFile; right: RegisterFile };
  after?: { left: RegisterFile; right: RegisterFile };
  /** Accesses of the core to devices in this step. */
  exits?: readonly string[];
  /** Names of the masks in effect, with the reason of each. */
  masks: readonly Mask[];
}

export interface Mask {
  registers: readonly string[];
  /** Bits that are not compared; all when absent. */
  bits?: bigint;
  reason: string;
}

/** What two machines do not share, whoever is right. */
export const LOCKSTEP_MASKS: readonly Mask[] = [
  { registers: ['tsc'], reason: 'time stamp counter: instructions on one engine, host time on the other' },
  { registers: ['cr8'], reason: 'TPR of the local APIC, which is a device: compared when the guest reads it' },
  { registers: ['debugctl', 'pat', 'tsc_aux', 'xcr0'], reason: 'values at reset that KVM takes from its host' },
  { registers: ['cr0'], bits: 0x20n, reason: 'CR0.NE is fixed to 1 in VMX operation' },
  { registers: ['activity', 'interruptibility'], reason: 'KVM shows neither HLT nor blocking as the VMCS does' },
  {
    registers: ['fioff', 'fiseg', 'fooff', 'foseg', 'fop'],
    reason: 'x87 pointers: CPUs of AMD keep them for unmasked exceptions only',
  },
  {
    registers: ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'].map((name) => `${name}_ar`),
    bits: 0x1_0f01n,
    reason: 'access rights: the accessed bit, reserved bits, and whether a null segment is unusable or not present',
  },
  {
    registers: ['es', 'ss', 'ds', 'fs', 'gs', 'ldtr'].flatMap((name) => [`${name}_base`, `${name}_limit`]),
    reason: 'hidden parts of segments that are null on one side',
  },
  {
    registers: ['cs_ar'],
    bits: 8n,
    reason: 'type of CS in real mode, which some CPUs make a data segment and some leave a code segment',
  },
  { registers: ['rflags'], bits: RFLAGS.TF | RFLAGS.RF, reason: 'TF and RF: the debugger of KVM steps by TF' },
  { registers: ['dr6'], reason: 'steps of the debugger leave their mark in DR6' },
];

const AR_UNUSABLE = 0x1_0000n;
const HIDDEN = /^(es|ss|ds|fs|gs|ldtr)_(base|limit)$/;

const MASKS = new Map<string, bigint>();
for (const { registers, bits } of LOCKSTEP_MASKS) {
  for (const name of registers) MASKS.set(name, (MASKS.get(name) ?? 0n) | (bits ?? (1n << 128n) - 1n));
}

/** Names whose value one side never takes over from the other. */
export const UNSHARED: readonly string[] = ['tsc', 'cr8', 'debugctl', 'activity', 'interruptibility', 'dr6', 'xcr0'];

export const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** Registers of both files that differ, masks applied. */
export function compareRegisters(left: RegisterFile, right: RegisterFile): LockstepDifference[] {
  const differences: LockstepDifference[] = [];
  for (const name of REGISTER_NAMES) {
    const [a, b] = [left[name], right[name]];
    if (a === b || a === undefined || b === undefined) continue;
    let mask = MASKS.get(name) ?? 0n;
    const segment = HIDDEN.exec(name)?.[1];
    if (segment) {
      const unusable = [left, right].some((file) => (file[`${segment}_ar`] & AR_UNUSABLE) !== 0n || file[segment] < 4n);
      if (!unusable) mask = 0n;
    }
    if (((a ^ b) & ~mask) !== 0n) differences.push({ what: name, left: hex(a), right: hex(b) });
  }
  return differences;
}
