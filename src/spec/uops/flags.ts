/**
 * Kinds of flags that were not computed yet, as the interpreter and compiled code hand them over: the size is added to
 * all but `stored` and `given`. See src/engine/core/exec/lazy-flags.ts.
 */
export const FLAG_KINDS = {
  stored: 0,
  given: 1,
  added: 4,
  subtracted: 8,
  'added with carry': 12,
  'subtracted with carry': 16,
  increment: 20,
  decrement: 24,
} as const;
