/** The clock that devices see: virtual nanoseconds from the retired-instruction count. */

import { Deadlines } from './deadlines.js';
import type { Clock, Nanoseconds, Timer } from './virtual-time.js';

export class VirtualClock implements Clock {
  readonly deadlines = new Deadlines();

  /** `now` answers the virtual time of the instruction that runs now; it never goes back but by a restore. */
  constructor(readonly now: () => Nanoseconds) {}

  timer(name: string, fire: () => void): Timer {
    return this.deadlines.timer(name, fire);
  }
}

const SECOND = 1_000_000_000;

/** Whole periods of a `hz` oscillator in `ns`. Exact for hz below 9 MHz (products stay under 2^53). */
export function ticksOf(ns: Nanoseconds, hz: number): number {
  const seconds = Math.floor(ns / SECOND);
  return seconds * hz + Math.floor(((ns - seconds * SECOND) * hz) / SECOND);
}

/** First nanosecond at which `ticksOf` answers `ticks`. */
export function timeOfTick(ticks: number, hz: number): Nanoseconds {
  const seconds = Math.floor(ticks / hz);
  return seconds * SECOND + Math.ceil(((ticks - seconds * hz) * SECOND) / hz);
}
