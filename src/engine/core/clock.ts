// Virtual time, the clock of the whole machine: 2^CLOCK_SHIFT ns for each instruction that has retired, and what has passed beside
// them. Nothing else in the core knows how long an instruction takes; the VMM's side is vmm/vcpu.ts.
import { CLOCK_OFFSET, CLOCK_SHIFT, ICOUNT } from './layout';

@inline function shift(): u64 { return load<u32>(CLOCK_SHIFT); }

/** ns that an instruction takes. */
@inline export function instructionNs(): u64 { return <u64>1 << shift(); }

/** Virtual time in ns. */
@inline export function clock(): u64 { return (load<u64>(ICOUNT) << shift()) + load<u64>(CLOCK_OFFSET); }

/** Virtual time when the running instruction has retired. */
@inline export function clockBehind(): u64 { return clock() + instructionNs(); }

/** Lets ns pass beside what instructions take. */
@inline export function passTime(ns: u64): void { store<u64>(CLOCK_OFFSET, load<u64>(CLOCK_OFFSET) + ns); }

/** ICOUNT at which it is this time, or later for the first time. */
@inline export function countAt(time: u64): u64 {
  const offset = load<u64>(CLOCK_OFFSET);
  return time > offset ? (time - offset + instructionNs() - 1) >> shift() : 0;
}
