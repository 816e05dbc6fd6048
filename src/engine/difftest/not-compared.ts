// Instructions that a lock-step run does not compare, because the judge's machine is another one or its KVM cannot run
// them: the judge takes over what the core made of them, and the run goes on.
import { RFLAGS } from '../../spec/masks.js';
import type { LockstepDifference } from './lockstep-report.js';

/** An instruction and what came of it. */
export interface Step {
  /** Bytes from the first prefix on. */
  code: Uint8Array;
  /** Of the mode before it. */
  real: boolean;
  longMode: boolean;
  cplBefore: number;
  cplAfter: number;
  /** None where the judge could not run it. */
  differences: readonly LockstepDifference[];
  /** VM exits of the core in this step that a guest of KVM does not have, by name. */
  exits: readonly string[];
  /** What the judge's runner said when it could not. */
  cannot?: string;
}

interface Row {
  reason: string;
  /** Not even tried on the judge's side. */
  always?: boolean;
  /** Where KVM is paravirtual and does without VT-x or SVM. */
  paravirtual?: boolean;
  applies(step: Step): boolean;
}

/** Offset of the opcode behind prefixes. */
export function opcodeAt(code: Uint8Array, longMode: boolean): number {
  let at = 0;
  while (at < code.length - 3 && PREFIXES.has(code[at])) at++;
  if (longMode && (code[at] & 0xf0) === 0x40) at++;
  return at;
}

const PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

/** A string instruction with REP. */
export function isRepeated(code: Uint8Array, longMode: boolean): boolean {
  const at = opcodeAt(code, longMode);
  const opcode = code[at];
  if (!((opcode >= 0xa4 && opcode <= 0xaf && opcode !== 0xa8 && opcode !== 0xa9) || (opcode >= 0x6c && opcode <= 0x6f)))
    return false;
  for (let i = 0; i < at; i++) if (code[i] === 0xf2 || code[i] === 0xf3) return true;
  return false;
}

/** The instruction may change x87, SSE or AVX state, MSRs or debug registers. */
export function touchesOtherState(code: Uint8Array, longMode: boolean): boolean {
  const at = opcodeAt(code, longMode);
  const opcode = code[at];
  if (opcode >= 0xd8 && opcode <= 0xdf) return true;
  if (opcode === 0xc4 || opcode === 0xc5) return longMode || (code[at + 1] & 0xc0) === 0xc0;
  if (opcode !== 0x0f) return false;
  const second = code[at + 1];
  return (
    (second >= 0x10 && second <= 0x17) ||
    (second >= 0x20 && second <= 0x30) ||
    (second >= 0x50 && second <= 0x7f) ||
    second === 0xae ||
    second === 0x38 ||
    second === 0x3a ||
    second >= 0xd0 ||
    (second >= 0xc2 && second <= 0xc6)
  );
}

const opcode = ({ code, longMode }: Step): number => code[opcodeAt(code, longMode)];
const isTwoByte = (step: Step, ...seconds: number[]): boolean =>
  opcode(step) === 0x0f && seconds.includes(step.code[opcodeAt(step.code, step.longMode) + 1]);
const modrm = (step: Step): number => step.code[opcodeAt(step.code, step.longMode) + 2];
const only = ({ differences }: Step, names: RegExp): boolean =>
  differences.length > 0 && differences.every(({ what }) => names.test(what));
/** IF and IOPL. */
const HOST_FLAGS = RFLAGS.IF | RFLAGS.IOPL;
/** Where Linux maps its own code. */
const HOST_KERNEL = 0xffff_ffff_8000_0000n;
const onlyHostFlags = ({ differences }: Step): boolean =>
  differences.length > 0 &&
  differences.every(
    ({ what, left, right }) =>
      (what === 'rflags' || what === 'r11') && ((BigInt(left) ^ BigInt(right)) & ~HOST_FLAGS) === 0n,
  );

const ROWS: readonly Row[] = [
  {
    reason: 'RDTSC, RDTSCP: each engine has a time of its own',
    always: true,
    applies: (step) => isTwoByte(step, 0x31) || (isTwoByte(step, 0x01) && modrm(step) === 0xf9),
  },
  {
    reason: 'RDRAND, RDSEED: random',
    always: true,
    applies: (step) => isTwoByte(step, 0xc7) && modrm(step) >= 0xf0,
  },
  {
    reason: "VMCALL, VMMCALL: hypercalls of vmscope's own, which no KVM has",
    always: true,
    applies: (step) => isTwoByte(step, 0x01) && (modrm(step) === 0xc1 || modrm(step) === 0xd9),
  },
  {
    reason:
      'SYSCALL of ring 3: this paravirtual KVM jumps to IA32_LSTAR without leaving ring 3, and faults on its page',
    always: true,
    paravirtual: true,
    applies: (step) => isTwoByte(step, 0x05) && step.cplBefore === 3,
  },
  {
    reason: 'INT n of ring 3: this paravirtual KVM raises #UD',
    paravirtual: true,
    applies: (step) => step.cplBefore === 3 && opcode(step) === 0xcd,
  },
  {
    reason: "this paravirtual KVM raised #PF for an address of the host's kernel, which it left in CR2",
    paravirtual: true,
    applies: (step) =>
      step.longMode && step.differences.some(({ what, right }) => what === 'cr2' && BigInt(right) >= HOST_KERNEL),
  },
  {
    reason: 'INT n in real mode: this paravirtual KVM stays on it',
    paravirtual: true,
    applies: (step) => step.real && opcode(step) === 0xcd && step.differences.some(({ what }) => what === 'rip'),
  },
  {
    reason: 'RDMSR: MSRs of the local APIC and of time belong to the machine',
    applies: (step) => isTwoByte(step, 0x32) && only(step, /^r[ad]x$/),
  },
  {
    reason: 'WRMSR: of an MSR that KVM leaves to user space',
    applies: (step) => isTwoByte(step, 0x30) && step.differences.some(({ what }) => what === 'rip'),
  },
  {
    reason: "this KVM is paravirtual: IF and IOPL of ring 3 of long mode are the host kernel's",
    paravirtual: true,
    applies: (step) => step.longMode && (step.cplBefore === 3 || step.cplAfter === 3) && onlyHostFlags(step),
  },
];

/** Why the judge is not asked at all; undefined when it is. */
export const notTried = (step: Step, paravirtual: boolean): string | undefined =>
  ROWS.find((row) => row.always === true && (row.paravirtual !== true || paravirtual) && row.applies(step))?.reason;

/** Why a difference, or a judge that could not, does not count; undefined when it does. */
export function notComparable(step: Step, paravirtual: boolean): string | undefined {
  if (step.exits.length > 0) return `VM exit ${step.exits.join(', ')}, which the guest asked vmscope for`;
  if (step.cannot !== undefined) return step.cannot;
  return ROWS.find((row) => (row.paravirtual !== true || paravirtual) && row.applies(step))?.reason;
}
