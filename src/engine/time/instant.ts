/** Instants of a run: what two passes of the same run have in common. */
import type { Nanoseconds } from './virtual-time.js';

/** What the vCPU whose turn it was last has come to at its instruction. */
export const PHASE = {
  /** It has exited, and nobody has handled that yet. */
  exited: 0,
  /** The exit is handled; what waits for it is delivered at the next VM entry. */
  handled: 1,
  /** It was entered since, and stands between two instructions. */
  entered: 2,
  /** It waits in HLT or for a SIPI. */
  halted: 3,
} as const;
export type Phase = (typeof PHASE)[keyof typeof PHASE];

/** All counts are since power-on, over the guest's resets. */
export interface Instant {
  /** Retired instructions of all vCPUs. */
  readonly icount: bigint;
  /** VM exits so far, a pending one included. */
  readonly exits: number;
  /** Virtual time in ns. */
  readonly at: Nanoseconds;
  /** Turns of vCPUs begun so far. */
  readonly turn: number;
  readonly phase: Phase;
}

/**
 * Whether an instant lies behind another one. Where an exit had nothing to deliver the core may have gone on by itself:
 * then it was entered, which is as good as handled.
 */
export function isBehind(here: Instant, other: Instant): boolean {
  const entered = here.phase === PHASE.entered && other.phase === PHASE.handled;
  return compareInstants(entered ? { ...here, phase: other.phase } : here, other) > 0;
}

/** Below 0: a comes before b; 0: they are the same instant. */
export function compareInstants(a: Instant, b: Instant): number {
  if (a.icount !== b.icount) return a.icount < b.icount ? -1 : 1;
  return a.exits - b.exits || a.at - b.at || a.turn - b.turn || a.phase - b.phase;
}
