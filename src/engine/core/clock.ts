// Virtual time, the clock of the whole machine: what an instruction takes, times those that have retired, and what has passed beside
// them. Nothing else in the core knows how long an instruction takes; the VMM's side is vmm/vcpu.ts.
import { CLOCK_OFFSET, ICOUNT } from './layout';

/** ns that an instruction takes. */
@inline export function instructionNs(): u64 { return 1; }

/** Virtual time in ns. */
@inline export function clock(): u64 { return load<u64>(ICOUNT) + load<u64>(CLOCK_OFFSET); }

/** Virtual time when the running instruction has retired. */
@inline export function clockBehind(): u64 { return clock() + instructionNs(); }

/** Lets ns pass beside what instructions take. */
@inline export function passTime(ns: u64): void { store<u64>(CLOCK_OFFSET, load<u64>(CLOCK_OFFSET) + ns); }

/** ICOUNT at which it is this time, or later for the first time. */
@inline export function countAt(time: u64): u64 {
  const offset = load<u64>(CLOCK_OFFSET);
  return time > offset ? time - offset : 0;
}
