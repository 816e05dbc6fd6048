// Micro-ops that are functions of their own (generated/rows.ts): called with the lazy flags in JIT_KIND, JIT_RESULT and
// JIT_FIRST, which they keep there unless they fail.

/** How one ends: at the next micro-op, or at JIT_RIP. */
export const ROW_GOES_ON: i32 = 0;
export const ROW_JUMPED: i32 = 1;
/** Nothing of it was done: a fault, exit or retry, as accessStatus() tells; or what its handler has to look at. */
export const ROW_FAILED: i32 = -1;
export const ROW_FOR_HANDLER: i32 = -2;

/** Places in the function table, by the micro-op's number. */
export const ROW_CALLS: usize = memory.data(4096);

@inline export function callRow(op: u32, u: usize, mask: u64): i32 {
  return call_indirect<i32>(load<u32>(ROW_CALLS + (op << 2)), u, mask);
}
