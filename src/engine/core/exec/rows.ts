// Micro-ops that are functions of their own (generated/rows.ts): called with the lazy flags in memory, as tellFlags() puts
// them, which they keep there unless they fail.
import { OP_VECTOR } from '../generated/ops';
import { JIT_FIRST, JIT_KIND, JIT_RESULT } from '../layout';

/** How one ends: at the next micro-op, or at JIT_RIP. */
export const ROW_GOES_ON: i32 = 0;
export const ROW_JUMPED: i32 = 1;
/** Nothing of it was done: a fault, exit or retry, as accessStatus() tells; or what its handler has to look at. */
export const ROW_FAILED: i32 = -1;
export const ROW_FOR_HANDLER: i32 = -2;

/** Places in the function table, by the micro-op's number. */
export const ROW_CALLS: usize = memory.data(OP_VECTOR * 4);

/** For such a function, or for a region. */
@inline export function tellFlags(k: u32, fr: i64, fs: u64): void {
  store<u32>(JIT_KIND, k);
  store<i64>(JIT_RESULT, fr);
  store<u64>(JIT_FIRST, fs);
}

@inline export function callRow(op: u32, u: usize, mask: u64): i32 {
  return call_indirect<i32>(load<u32>(ROW_CALLS + (op << 2)), u, mask);
}
