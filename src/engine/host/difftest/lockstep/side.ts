// What the two sides of a lock-step run have in common.

import type { RegisterFile } from '../../../debugger.js';
import type { LockstepDifference } from '../../../difftest/lockstep-report.js';
import type { Quick } from './state.js';

/** One access to a device, in the order in which the guest makes them. */
export interface Access {
  kind: 'in' | 'out' | 'read' | 'write';
  /** Port, or guest-physical address. */
  address: number;
  bytes: number;
  value: bigint;
}

/** What the core did in a step: the judge is given the same answers of devices and the same interrupts. */
export interface CoreStep {
  before: Quick;
  after: Quick;
  /** Bytes at RIP. */
  code: Uint8Array;
  /** Vector of the interrupt that was delivered before the instruction. */
  interrupt?: number;
  nmi?: boolean;
  accesses: Access[];
  /** Basic reasons of the VM exits on the way. */
  exits: number[];
}

/** How a step ended on the judge's side. */
export type JudgeStop =
  | { kind: 'stepped' }
  | { kind: 'halted' }
  | { kind: 'shutdown' }
  /** An access to a device that the core did not make, or made otherwise. */
  | { kind: 'other access'; difference: LockstepDifference }
  /** The judge cannot run the instruction; its state is as before. */
  | { kind: 'cannot'; reason: string }
  /** A fault of the judge's own, which shows by chance: only a fresh one can be believed. */
  | { kind: 'astray'; reason: string };

/** The side that is believed. */
export interface Judge {
  readonly name: string;
  readonly ram: Uint8Array;
  /** The present state in the common order; filled anew by each step. */
  readonly quick: Quick;
  step(step: CoreStep): JudgeStop;
  /** One more instruction, to come to where the core stands. */
  again(step: CoreStep): JudgeStop;
  /**
   * Runs until the guest is about to make the first of these accesses, halts, or shuts down, at most `ms`; `tick` hears
   * about once a second where it is.
   */
  runToAccess(step: CoreStep, ms: number, tick?: (rip: bigint) => void): JudgeStop;
  /** Takes a pending device access of runToAccess to its end. */
  finishAccess(step: CoreStep): JudgeStop;
  registers(): RegisterFile;
  /** Addresses of the pages that the guest has written since the last call; absent where nobody notes them. */
  written?(): number[];
  /** Puts the registers in that differ, and pages of memory. */
  takeOver(registers: RegisterFile, names: readonly string[], ram: Uint8Array | undefined): void;
  close(): void;
}
