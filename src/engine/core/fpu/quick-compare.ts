// Quick ways of comparisons; see quick-operand.ts.
import { X87_FSW } from '../layout';
import { uModReg, uOpcode, uRm } from '../uop';
import { EQUAL, GREATER, LESS } from './compare';
import { EXP_MASK, SIGN } from './float80';
import { end, inUse, ordinary, place, popped, runs, se, sig, takeOperand, topOf, upper } from './quick-operand';
import { C1, CONDITIONS } from './stack';

/** C3, C2 and C0 for two ordinary numbers. */
@inline function order(aSe: u32, aSig: u64, bSe: u32, bSig: u64): u32 {
  const a = aSe & EXP_MASK;
  const b = bSe & EXP_MASK;
  if ((aSig | bSig) == 0) return EQUAL;
  const negative = (aSe & SIGN) != 0;
  if ((aSe ^ bSe) & SIGN) return negative ? LESS : GREATER;
  if (a == b && aSig == bSig) return EQUAL;
  return (a < b || (a == b && aSig < bSig)) != negative ? LESS : GREATER;
}

/** FCOM, FCOMP with memory. */
export function quickCompareMemory(u: usize, from: usize): bool {
  const status: u32 = load<u16>(X87_FSW);
  const top = topOf(status);
  if (!runs(status) || !inUse(top)) return false;
  const p = place(top);
  if (!ordinary(upper(p), load<u64>(p)) || !takeOperand(u, from)) return false;
  const left = status & ~CONDITIONS | order(upper(p), load<u64>(p), se, sig);
  end(u, uModReg(u) == 3 ? popped(left, top) : left);
  return true;
}

/** How ST(0) compares with ST(i), both ordinary; C1 where that is not for here. */
@inline function registerOrder(status: u32, u: usize): u32 {
  const top = topOf(status);
  const index = (top + uRm(u)) & 7;
  if (!runs(status) || !inUse(top) || !inUse(index)) return C1;
  const p = place(top);
  const q = place(index);
  if (!ordinary(upper(p), load<u64>(p)) || !ordinary(upper(q), load<u64>(q))) return C1;
  return order(upper(p), load<u64>(p), upper(q), load<u64>(q));
}

/** FCOM, FUCOM and their popping forms with ST(i). */
export function quickCompare(u: usize): bool {
  const status: u32 = load<u16>(X87_FSW);
  const found = registerOrder(status, u);
  if (found == C1) return false;
  const opcode = uOpcode(u);
  let left = status & ~CONDITIONS | found;
  if (uModReg(u) & 1 || opcode == 0xde) left = popped(left, topOf(left));
  if (opcode == 0xda || (opcode == 0xde && uModReg(u) == 3)) left = popped(left, topOf(left));
  end(u, left);
  return true;
}

/** What FCOMI sets of RFLAGS, or -1; the register is popped where it is to be. */
export function quickCompareFlags(u: usize): i32 {
  const status: u32 = load<u16>(X87_FSW);
  const found = registerOrder(status, u);
  if (found == C1) return -1;
  const left = status & ~C1;
  end(u, uOpcode(u) == 0xdf ? popped(left, topOf(status)) : left);
  return found == EQUAL ? 0x40 : found == LESS ? 1 : 0;
}
