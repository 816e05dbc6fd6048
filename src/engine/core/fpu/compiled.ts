// The quick way of x87 arithmetic as compiled code calls it, with RIP_BASE in memory: see quick-operand.ts.
import { quickArithmetic } from './quick-arithmetic';

/** FADD to FDIVR; 1 when it is done. */
export function x87Arithmetic(u: usize, p: usize): i32 { return quickArithmetic(u, p) ? 1 : 0; }
