// The six status flags: from operands and results, and as conditions.
import { RFLAGS } from '../layout';
import {
  RFLAGS_AF, RFLAGS_CF, RFLAGS_DF, RFLAGS_OF, RFLAGS_PF, RFLAGS_SF, RFLAGS_STATUS, RFLAGS_ZF,
} from '../generated/register-bits';

export const CF: u32 = <u32>RFLAGS_CF;
export const PF: u32 = <u32>RFLAGS_PF;
export const AF: u32 = <u32>RFLAGS_AF;
export const ZF: u32 = <u32>RFLAGS_ZF;
export const SF: u32 = <u32>RFLAGS_SF;
export const DF: u32 = <u32>RFLAGS_DF;
export const OF: u32 = <u32>RFLAGS_OF;
export const STATUS: u32 = <u32>RFLAGS_STATUS;

/** Replaces the flags of `mask` in RFLAGS. */
@inline export function setFlags(mask: u32, bits: u32): void {
  store<u32>(RFLAGS, (load<u32>(RFLAGS) & ~mask) | (bits & mask));
}

@inline export function carryFlag(): u64 { return u64(load<u32>(RFLAGS) & CF); }

/** All ones in the low `bytes` bytes. */
@inline export function sizeMask(bytes: u32): u64 { return ~u64(0) >> u64(64 - bytes * 8); }

/** Sign-extends a value of `bytes` bytes. */
@inline export function signExtend(value: u64, bytes: u32): i64 {
  const shift = u64(64 - bytes * 8);
  return i64(value << shift) >> shift;
}

/** PF, ZF and SF of a result that is cut to its size. */
export function resultFlags(result: u64, bytes: u32): u32 {
  return (
    (popcnt<u32>(u32(result) & 0xff) & 1 ? 0 : PF) | (result == 0 ? ZF : 0) | (u32(result >> u64(bytes * 8 - 8)) & SF)
  );
}

/** CF, AF and OF from a vector of carries (bit n: carry out of bit n). */
@inline function carryFlags(carries: u64, bytes: u32): u32 {
  const top = u64(bytes * 8 - 1);
  const carry = u32(carries >> top) & 1;
  return carry | ((u32(carries) & 8) << 1) | ((carry ^ (u32(carries >> (top - 1)) & 1)) << 11);
}

/** Status flags of a + b (+ carry) = result. */
export function addFlags(a: u64, b: u64, result: u64, bytes: u32): u32 {
  return resultFlags(result, bytes) | carryFlags((a & b) | ((a | b) & ~result), bytes);
}

/** Status flags of a - b (- borrow) = result. */
export function subFlags(a: u64, b: u64, result: u64, bytes: u32): u32 {
  return resultFlags(result, bytes) | carryFlags((~a & b) | (~(a ^ b) & result), bytes);
}

/** Condition code cc (0-15, as encoded) on flags in RFLAGS's places. @sdm 1 B.1 "Condition Codes" */
export function conditionOf(cc: u32, flags: u32): bool {
  let met: bool;
  switch (cc >> 1) {
    case 0: met = (flags & OF) != 0; break;
    case 1: met = (flags & CF) != 0; break;
    case 2: met = (flags & ZF) != 0; break;
    case 3: met = (flags & (CF | ZF)) != 0; break;
    case 4: met = (flags & SF) != 0; break;
    case 5: met = (flags & PF) != 0; break;
    case 6: met = ((flags >> 7) & 1) != ((flags >> 11) & 1); break;
    default: met = (flags & ZF) != 0 || ((flags >> 7) & 1) != ((flags >> 11) & 1);
  }
  return cc & 1 ? !met : met;
}

export function condition(cc: u32): bool { return conditionOf(cc & 15, load<u32>(RFLAGS)); }
