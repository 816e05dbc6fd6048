// The same guest on two engines, side by side: both advance by the same amount, then everything that the
// architecture defines is compared. Registers that two machines do not share are masked, each by name.

import type { Debugger, ExitRecord, RegisterFile, RunState } from '../debugger.js';
import { GENERAL_REGISTERS, REGISTER_NAMES } from '../registers-view.js';
import type { Mode } from './bed.js';
import { STATUS } from './flags.js';
import { maskOf as maskOfInstruction } from './undefined.js';

/** How far both go between two comparisons. */
export type Pace = { instructions: number } | { exits: true };

/** One side: a guest under the debugger API, standing at its first instruction. */
export interface Side {
  name: string;
  target: Debugger;
}

export interface LockstepOptions {
  pace: Pace;
  /** Comparisons after which all is well. */
  limit?: number;
  /** Compare memory at every n-th comparison, and at the end; 0 never. */
  memoryEvery?: number;
  memoryBytes: number;
  /** Asked between steps: true ends the run. */
  stop?: () => boolean;
}

/** A register or place of memory on which the sides differ. */
export interface LockstepDifference {
  what: string;
  left: string;
  right: string;
}

export interface LockstepReport {
  /** Comparisons made. */
  compared: number;
  /** Steps in which the judge's engine went further than one instruction and the other was brought to the same place. */
  caughtUp: number;
  /** Why it ended: a difference, both guests ended, the limit, or a side that cannot go on. */
  ended: 'difference' | 'guests ended' | 'limit' | 'cannot go on';
  message: string;
  differences: LockstepDifference[];
  /** The instruction that was run last: linear address and bytes. */
  instruction?: { address: bigint; bytes: Uint8Array };
  before?: { left: RegisterFile; right: RegisterFile };
  after?: { left: RegisterFile; right: RegisterFile };
  exits?: { left?: ExitRecord; right?: ExitRecord };
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
  { registers: ['cr8'], reason: 'the local APIC of each machine keeps its own TPR, compared when the guest reads it' },
  {
    registers: ['debugctl', 'pat', 'tsc_aux', 'xcr0'],
    reason: 'MSRs at their reset values, which KVM takes from its host',
  },
  { registers: ['cr0'], bits: 0x20n, reason: 'CR0.NE is fixed to 1 in VMX operation' },
  { registers: ['activity', 'interruptibility'], reason: 'KVM shows neither HLT nor blocking as the VMCS does' },
  {
    registers: ['fioff', 'fiseg', 'fooff', 'foseg', 'fop'],
    reason: 'x87 pointers: CPUs keep them for unmasked exceptions only',
  },
  {
    registers: ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'].map((name) => `${name}_ar`),
    bits: 0x1_0f01n,
    reason: 'access rights: the accessed bit, reserved bits, and whether a null segment is unusable or not present',
  },
  {
    registers: ['es', 'ss', 'ds', 'fs', 'gs', 'ldtr'].flatMap((name) => [`${name}_base`, `${name}_limit`]),
    reason: 'hidden parts of segments that are null: compared only where the segment is usable on both',
  },
  {
    registers: ['cs_ar'],
    bits: 8n,
    reason: 'type of CS in real mode, which some CPUs make a data segment and some leave a code segment',
  },
  {
    registers: ['rflags'],
    bits: 0x1_0100n,
    reason:
      "TF and RF: KVM keeps TF for the debugger's steps, and its emulator leaves RF set inside repeated instructions",
  },
  {
    registers: ['rflags'],
    bits: 0n,
    reason:
      'flags that an instruction leaves undefined (difftest/undefined.ts): taken over from KVM after steps of 1; after more, all status flags are left out',
  },
  {
    registers: ['rip'],
    bits: 0n,
    reason: 'at an exit (pace exit to exit) KVM may stand behind the instruction, VT-x stands on it',
  },
  { registers: ['dr6'], reason: 'steps of the debugger leave their mark in DR6' },
];

const AR_UNUSABLE = 0x1_0000n;
const MAX_MEMORY_DIFFERENCES = 4;
const CHUNK = 1 << 20;
/** Instructions. */
const MAX_CATCH_UP = 10_000_000n;

function maskOf(name: string): bigint {
  let mask = 0n;
  for (const { registers, bits } of LOCKSTEP_MASKS) {
    if (registers.includes(name)) mask |= bits ?? (1n << 128n) - 1n;
  }
  return mask;
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** Registers that differ, masks applied. */
export function compareRegisters(left: RegisterFile, right: RegisterFile): LockstepDifference[] {
  const differences: LockstepDifference[] = [];
  for (const name of REGISTER_NAMES) {
    const hidden = /^(es|ss|ds|fs|gs|ldtr)_(base|limit)$/.exec(name);
    let mask = maskOf(name);
    if (hidden) {
      const unusable = [left, right].some(
        (file) => (file[`${hidden[1]}_ar`] & AR_UNUSABLE) !== 0n || file[hidden[1]] < 4n,
      );
      mask = unusable ? mask : 0n;
    }
    const [a, b] = [left[name] ?? 0n, right[name] ?? 0n];
    if (((a ^ b) & ~mask) !== 0n) differences.push({ what: name, left: hex(a), right: hex(b) });
  }
  return differences;
}

/** First bytes of guest-physical memory that differ. */
export async function compareMemory(left: Debugger, right: Debugger, bytes: number): Promise<LockstepDifference[]> {
  const differences: LockstepDifference[] = [];
  for (let at = 0; at < bytes && differences.length < MAX_MEMORY_DIFFERENCES; at += CHUNK) {
    const length = Math.min(CHUNK, bytes - at);
    const [a, b] = await Promise.all([left, right].map((side) => side.readMemory('gpa', BigInt(at), length)));
    if (Buffer.from(a.buffer, a.byteOffset, a.length).equals(b)) continue;
    for (let i = 0; i < length && differences.length < MAX_MEMORY_DIFFERENCES; i++) {
      if (a[i] === b[i]) continue;
      const show = (memory: Uint8Array): string => Buffer.from(memory.subarray(i, i + 8)).toString('hex');
      differences.push({ what: `memory ${hex(BigInt(at + i))}`, left: show(a), right: show(b) });
      i += 7;
    }
  }
  return differences;
}

const linearRip = (r: RegisterFile): bigint =>
  (r.efer & 0x400n) !== 0n && (r.cs_ar & 0x2000n) !== 0n ? r.rip : BigInt.asUintN(32, r.rip + r.cs_base);

async function advance({ target }: Side, pace: Pace): Promise<RunState> {
  return 'exits' in pace ? target.stepToExit({ reasons: [...SHARED_EXITS] }) : target.step(0, pace.instructions);
}

/** Exit reasons that both engines bring to user space: shutdown, HLT, port I/O, MMIO. */
const SHARED_EXITS = [2, 12, 30, 48];

async function newestExit({ target }: Side): Promise<ExitRecord | undefined> {
  return (await target.exits?.records(0, 1))?.at(-1);
}

const MODE_OF = (r: RegisterFile): Mode => {
  if ((r.efer & 0x400n) !== 0n && (r.cs_ar & 0x2000n) !== 0n) return 'long';
  return (r.cs_ar & 0x4000n) !== 0n ? 'prot32' : (r.cr0 & 1n) === 0n ? 'real' : 'prot16';
};

/**
 * Flags and results that the instruction leaves undefined become the right side's on both, so that they make no
 * difference later. True when nothing else differed.
 */
async function takeOverUndefined(
  left: Side,
  before: RegisterFile,
  after: readonly [RegisterFile, RegisterFile],
  bytes: Uint8Array,
  differences: readonly LockstepDifference[],
): Promise<boolean> {
  const length = Number(after[1].rip - before.rip);
  if (length <= 0 || length > 15) return false;
  const mask = maskOfInstruction({
    mode: MODE_OF(before),
    code: bytes.subarray(0, length),
    gpr: BigUint64Array.from(GENERAL_REGISTERS, (name) => before[name]),
  });
  const undefinedHere = ({ what }: LockstepDifference): boolean => {
    if (what === 'rflags') return ((after[0].rflags ^ after[1].rflags) & ~BigInt(mask.flags)) === 0n;
    return mask.result && (GENERAL_REGISTERS as readonly string[]).includes(what);
  };
  if (!differences.every(undefinedHere)) return false;
  for (const { what } of differences) await left.target.writeRegister(0, what, after[1][what]);
  return true;
}

/**
 * A KVM may go on further than one instruction: a paravirtual one runs ring 3 without the debugger's traps, and its
 * emulator runs a repeated string instruction to its end. Brings the other side to the same address; false when it
 * does not come there.
 */
async function catchUp(left: Side, right: Side, judge: RegisterFile): Promise<boolean> {
  const here = await left.target.readRegisters(0);
  let there = judge;
  if (here.rip === there.rip && here.cs === there.cs) {
    // a repeated instruction whose count is used up: one more step ends it
    if (here.rcx === there.rcx || there.rcx !== 0n) return false;
    const { stop } = await right.target.step(0, 1);
    if (stop?.kind !== 'step') return false;
    there = await right.target.readRegisters(0);
  }
  const { icount } = await left.target.state();
  const { stop } = await left.target.runUntil({ gva: linearRip(there), icount: icount + MAX_CATCH_UP });
  return stop?.kind === 'until' && linearRip(await left.target.readRegisters(0)) === linearRip(there);
}

/** Between comparisons that are several instructions apart it cannot be told who left a flag undefined. */
const onlyStatusFlags = ({ what, left, right }: LockstepDifference): boolean =>
  what === 'rflags' && ((BigInt(left) ^ BigInt(right)) & ~BigInt(STATUS)) === 0n;

/** Runs both until they differ. The right side is the judge. */
export async function lockstep(left: Side, right: Side, options: LockstepOptions): Promise<LockstepReport> {
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const sides = [left, right] as const;
  const registers = async (): Promise<[RegisterFile, RegisterFile]> =>
    Promise.all(sides.map(({ target }) => target.readRegisters(0))) as Promise<[RegisterFile, RegisterFile]>;
  let caughtUp = 0;
  const report = (ended: LockstepReport['ended'], message: string, compared: number): LockstepReport => ({
    compared,
    ended,
    message,
    caughtUp,
    differences: [],
    masks: LOCKSTEP_MASKS,
  });
  const single = 'instructions' in options.pace && options.pace.instructions === 1;
  let before = await registers();
  let compared = 0;
  for (; compared < limit && !options.stop?.(); ) {
    const address = linearRip(before[0]);
    const bytes = await left.target.readMemory('gva', address, 15, 0);
    let states: RunState[];
    try {
      states = [await advance(left, options.pace), await advance(right, options.pace)];
    } catch (error) {
      return {
        ...report('cannot go on', error instanceof Error ? error.message : String(error), compared),
        instruction: { address, bytes },
        before: { left: before[0], right: before[1] },
      };
    }
    compared++;
    let after = await registers();
    let differences = compareRegisters(after[0], after[1]);
    if ('exits' in options.pace) differences = differences.filter(({ what }) => what !== 'rip');
    let status = !single;
    if (differences.length > 0 && single && (await catchUp(left, right, after[1]))) {
      caughtUp++;
      status = true;
      after = await registers();
      differences = compareRegisters(after[0], after[1]);
    }
    if (differences.length > 0 && single && (await takeOverUndefined(left, before[1], after, bytes, differences))) {
      after[0] = await left.target.readRegisters(0);
      differences = [];
    }
    if (status && differences.length > 0 && differences.every(onlyStatusFlags)) {
      await left.target.writeRegister(0, 'rflags', after[1].rflags);
      after[0] = await left.target.readRegisters(0);
      differences = [];
    }
    const failed = states.findIndex(({ stop }) => stop?.kind === 'ended' && stop.end.kind === 'error');
    const failure = states[failed]?.stop;
    if (failure?.kind === 'ended') {
      const why = report('cannot go on', `${sides[failed].name}: ${failure.end.message}`, compared);
      return { ...why, instruction: { address, bytes }, before: { left: before[0], right: before[1] } };
    }
    const ends = states.map(({ stop }) => (stop?.kind === 'ended' ? stop.end.kind : ''));
    if (ends[0] !== ends[1]) {
      differences.unshift({ what: 'end of the guest', left: ends[0] || 'goes on', right: ends[1] || 'goes on' });
    }
    const last = ends[0] !== '' || compared >= limit;
    const every = options.memoryEvery ?? 0;
    if (every > 0 && (last || compared % every === 0)) {
      differences.push(...(await compareMemory(left.target, right.target, options.memoryBytes)));
    }
    if (differences.length > 0) {
      const [a, b] = await Promise.all(sides.map(newestExit));
      return {
        ...report('difference', `${differences[0].what} differs after ${compared} steps`, compared),
        differences,
        instruction: { address, bytes },
        before: { left: before[0], right: before[1] },
        after: { left: after[0], right: after[1] },
        exits: { ...(a ? { left: a } : {}), ...(b ? { right: b } : {}) },
      };
    }
    if (ends[0] !== '') return report('guests ended', `both ended: ${ends[0]}`, compared);
    before = after;
  }
  return report('limit', `no difference in ${compared} steps`, compared);
}
