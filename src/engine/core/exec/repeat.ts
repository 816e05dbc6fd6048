// The boundary between two iterations of a repeated string instruction: what was asked when the instruction began is
// not asked again, and whoever looks at the flags there sees RF, so that it is not asked after a return either.
// @sdm 3B 18.3.1.1 "Instruction-Breakpoint Exception Condition"
import { ICOUNT, REPEAT_ICOUNT, REPEAT_RIP, RIP, TOLD_ICOUNT } from '../layout';

/** Iterations are done, `before` to `after` in ICOUNT, and some are left. */
export function goesOn(before: u64, after: u64): void {
  store<u64>(REPEAT_RIP, load<u64>(RIP) + 1);
  store<u64>(REPEAT_ICOUNT, after);
  // a debugger's breakpoint on it stops once, not at each
  if (load<u64>(TOLD_ICOUNT) == before) store<u64>(TOLD_ICOUNT, after);
}

/** Does the instruction at RIP go on with a further iteration? */
export function isRepeating(): bool {
  return load<u64>(REPEAT_ICOUNT) == load<u64>(ICOUNT) && load<u64>(REPEAT_RIP) == load<u64>(RIP) + 1;
}

/** An event took the guest elsewhere. */
@inline export function leaveRepeat(): void { store<u64>(REPEAT_RIP, 0); }
