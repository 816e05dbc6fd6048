// The quick ways of x87 as compiled code calls them, with RIP_BASE in memory: see quick-operand.ts.
import { uIsMem, uModReg, uOpcode } from '../uop';
import { quickArithmetic } from './quick-arithmetic';
import { quickCompare, quickCompareFlags, quickCompareMemory } from './quick-compare';
import { quickLoad, quickLoadInteger, quickStore, quickStoreInteger } from './quick-move';

@inline function isReal(u: usize): bool { return uOpcode(u) == 0xd9 || uOpcode(u) == 0xdd; }

/** FADD to FDIVR; 1 when it is done. */
export function x87Arithmetic(u: usize, p: usize): i32 { return quickArithmetic(u, p) ? 1 : 0; }

/** FLD, FILD; 1 when it is done. */
export function x87Load(u: usize, p: usize): i32 { return (isReal(u) ? quickLoad(u, p) : quickLoadInteger(u, p)) ? 1 : 0; }

/** FST, FSTP, FIST, FISTP, FISTTP; 1 when it is done. */
export function x87Store(u: usize, p: usize): i32 {
  return (isReal(u) && uModReg(u) != 1 ? quickStore(u, p) : quickStoreInteger(u, p)) ? 1 : 0;
}

/** FCOM, FUCOM, FCOMI, FUCOMI: what the latter set of RFLAGS, or -1 where nothing was done. */
export function x87Compare(u: usize, p: usize): i32 {
  if (uIsMem(u)) return quickCompareMemory(u, p) ? 0 : -1;
  // FCOMI and its like: DB and DF, 5 and 6; DA and DE are FUCOMPP and FCOMPP
  if ((uOpcode(u) == 0xdb || uOpcode(u) == 0xdf) && uModReg(u) >= 5) return quickCompareFlags(u);
  return quickCompare(u) ? 0 : -1;
}
