// Status flags that were not computed yet: kind, result (sign-extended) and first operand (zero-extended)
// of the last instruction that set them; see tools/core-dispatch.ts for who sets what.
//
//   kind  0 in RFLAGS | 1 result, CF AF OF in fs | 4+z a + b | 8+z a - b | 12+z a + b + 1 | 16+z a - b - 1
//         20+z INC | 24+z DEC (CF: see keepCarry)        z: log2 of the size in bytes
import { CARRY_KIND, CARRY_OPERAND, CARRY_RESULT, RFLAGS } from '../layout';
import { AF, CF, OF, PF, SF, STATUS, ZF, conditionOf } from './flags';

const KIND_INC: u32 = 20;
const KIND_DEC: u32 = 24;

@inline function cut(value: i64, z: u32): u64 { return u64(value) & (~u64(0) >> (64 - (u64(8) << u64(z)))); }

function carry(k: u32, fr: i64, fs: u64): u32 {
  const r = cut(fr, k & 3);
  switch (k >> 2) {
    case 0: return k ? u32(fs) & 1 : load<u32>(RFLAGS) & 1;
    case 1: return u32(r < fs);
    case 2: return u32(r > fs);
    case 3: return u32(r <= fs);
    default: return u32(r >= fs);
  }
}

/** CF, 0 or 1. */
export function carryOf(k: u32, fr: i64, fs: u64): u32 {
  return k >= KIND_INC ? carry(load<u32>(CARRY_KIND), load<i64>(CARRY_RESULT), load<u64>(CARRY_OPERAND)) : carry(k, fr, fs);
}

/** INC and DEC leave CF: remembers what it has to be computed from. */
@inline export function keepCarry(k: u32, fr: i64, fs: u64): void {
  store<u32>(CARRY_KIND, k);
  store<i64>(CARRY_RESULT, fr);
  store<u64>(CARRY_OPERAND, fs);
}

/** AF and OF. */
function adjustAndOverflow(k: u32, fr: i64, fs: u64): u32 {
  const z = k & 3;
  const top = (u64(8) << u64(z)) - 1;
  const r = u64(fr);
  if (k >= KIND_DEC) {
    return ((u32(fr) & 15) == 15 ? AF : 0) | (cut(fr, z) == (u64(1) << top) - 1 ? OF : 0);
  }
  if (k >= KIND_INC) return ((u32(fr) & 15) == 0 ? AF : 0) | (cut(fr, z) == u64(1) << top ? OF : 0);
  if (k == 1) return u32(fs) & (AF | OF);
  const family = k >> 2;
  const adding = (family & 1) != 0;
  const one: u64 = family > 2 ? 1 : 0;
  const b = adding ? r - fs - one : fs - r - one;
  const overflow = adding ? (fs ^ r) & (b ^ r) : (fs ^ b) & (fs ^ r);
  return (u32(fs ^ b ^ r) & AF) | ((u32(overflow >> top) & 1) << 11);
}

/** All six flags in RFLAGS's places. */
export function statusOf(k: u32, fr: i64, fs: u64): u32 {
  if (k == 0) return load<u32>(RFLAGS) & STATUS;
  return (
    carryOf(k, fr, fs) | (popcnt<u32>(u32(fr) & 0xff) & 1 ? 0 : PF) | (fr == 0 ? ZF : 0) | (fr < 0 ? SF : 0) |
    adjustAndOverflow(k, fr, fs)
  );
}

/** Puts the flags into RFLAGS. */
export function storeStatus(k: u32, fr: i64, fs: u64): void {
  store<u32>(RFLAGS, (load<u32>(RFLAGS) & ~STATUS) | statusOf(k, fr, fs));
}

/** Condition cc after a subtraction or a logical operation: what fused branches need. */
export function branchTaken(cc: u32, k: u32, fr: i64, fs: u64): bool {
  let met: bool;
  switch (cc >> 1) {
    case 1: met = carry(k, fr, fs) != 0; break;
    case 2: met = fr == 0; break;
    case 3: met = fr == 0 || carry(k, fr, fs) != 0; break;
    case 4: met = fr < 0; break;
    case 5: met = !(popcnt<u32>(u32(fr) & 0xff) & 1); break;
    default: {
      const overflow = (adjustAndOverflow(k, fr, fs) & OF) != 0;
      met = cc < 2 ? overflow : fr < 0 != overflow;
      if (cc >= 14) met = met || fr == 0;
    }
  }
  return cc & 1 ? !met : met;
}

/** The same with the two usual conditions at hand. */
@inline export function fusedTaken(cc: u32, k: u32, fr: i64, fs: u64): bool {
  return (cc & ~1) == 4 ? (fr == 0) == (cc == 4) : branchTaken(cc, k, fr, fs);
}

/** Condition cc on whatever set the flags. */
export function testCondition(cc: u32, k: u32, fr: i64, fs: u64): bool {
  if (k == 0) return conditionOf(cc, load<u32>(RFLAGS));
  if (k < KIND_INC) return branchTaken(cc, k, fr, fs);
  return conditionOf(cc, statusOf(k, fr, fs));
}
