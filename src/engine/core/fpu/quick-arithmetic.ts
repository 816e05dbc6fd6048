// Quick ways of FADD to FDIV; see quick-operand.ts.
import { OP_VALUE, X87_FCW, X87_FSW, X87_FTW } from '../layout';
import { UF_OPCODE_SHIFT, uFlags, uModReg, uRm } from '../uop';
import { FSW_TOP } from '../generated/register-bits';
import { squareRoot128 } from './arith';
import { BIAS, EXP_MASK, INTEGER_BIT, PE, SIGN } from './float80';
import { end, hindered, inUse, normal, ordinary, place, se, setNumber, sig, takeOperand, topOf, unusual, upper } from './quick-operand';
import { C1 } from './stack';
import { divide128, remainder, upperProduct } from './wide';

/** Exponents from which no sum or product of two is out of range, and how many there are. */
const LEAST: i32 = BIAS - 0xfff;
const NEAR: u32 = 0x2000;

/**
 * Rounds sign, hi:lo * 2^(exp - 3fff - 63), bit 63 of hi set, to the precision in force, puts it at `to` and ends the
 * instruction; false where it is too large or too small.
 */
@inline function delivered(u: usize, to: usize, status: u32, control: u32, sign: u32, exp: i32, hi: u64, lo: u64): bool {
  const field = control >> 8 & 3;
  let result: u64;
  let up: bool;
  let lost: bool;
  if (field & 1) {
    up = i64(lo) < 0 && (lo << 1 != 0 || (hi & 1) != 0);
    lost = lo != 0;
    result = hi + u64(up);
  } else {
    const unit = u64(1) << (field == 2 ? 11 : 40);
    const rest = hi & (unit - 1);
    const half = unit >> 1;
    up = rest > half || (rest == half && (lo != 0 || (hi & unit) != 0));
    lost = (rest | lo) != 0;
    result = (hi & ~(unit - 1)) + (up ? unit : 0);
  }
  let e = exp;
  if (result == 0) {
    result = INTEGER_BIT;
    e++;
  }
  if (u32(e - 1) >= 0x7ffe) return false;
  setNumber(to, sign << 15 | u32(e), result);
  end(u, status & ~C1 | (lost ? PE : 0) | (up ? C1 : 0));
  return true;
}

@inline function deliveredZero(u: usize, to: usize, status: u32, sign: u32): bool {
  setNumber(to, sign << 15, 0);
  end(u, status & ~C1);
  return true;
}

/** a plus b, ordinary numbers. */
function quickAdd(u: usize, to: usize, status: u32, control: u32, aSe: u32, aSig: u64, bSe: u32, bSig: u64): bool {
  let exp = i32(aSe & EXP_MASK);
  let other = i32(bSe & EXP_MASK);
  let sign = aSe >> 15;
  let more = aSig;
  let less = bSig;
  if (exp < other || (exp == other && more < less)) {
    const swapped = exp;
    exp = other;
    other = swapped;
    more = bSig;
    less = aSig;
    sign = bSe >> 15;
  }
  // two zeros: the sign of their sum
  if (more == 0) return false;
  // of a zero nothing is added
  const distance: u32 = less == 0 ? 0 : u32(exp - other);
  if (distance > 63) return false;
  const high = less >> distance;
  const low: u64 = distance == 0 ? 0 : less << (64 - distance);
  let hi: u64;
  let lo: u64;
  if (((aSe ^ bSe) & SIGN) == 0) {
    hi = more + high;
    lo = low;
    if (hi < more) {
      lo = hi << 63 | low >> 1 | low & 1;
      hi = hi >> 1 | INTEGER_BIT;
      exp++;
    }
  } else {
    hi = more - high - u64(low != 0);
    lo = 0 - low;
    if (i64(hi) >= 0) {
      if (hi == 0) return lo == 0 && deliveredZero(u, to, status, 0);
      const zeros = clz<u64>(hi);
      hi = hi << zeros | lo >> (64 - zeros);
      lo <<= zeros;
      exp -= i32(zeros);
    }
  }
  return delivered(u, to, status, control, sign, exp, hi, lo);
}

/** a times b, ordinary numbers. */
function quickMultiply(u: usize, to: usize, status: u32, control: u32, aSe: u32, aSig: u64, bSe: u32, bSig: u64): bool {
  const sign = (aSe ^ bSe) >> 15 & 1;
  if (aSig == 0 || bSig == 0) return deliveredZero(u, to, status, sign);
  let lo = aSig * bSig;
  let hi = upperProduct(aSig, bSig);
  let exp = i32(aSe & EXP_MASK) + i32(bSe & EXP_MASK) - (BIAS - 1);
  if (i64(hi) >= 0) {
    hi = hi << 1 | lo >> 63;
    lo <<= 1;
    exp--;
  }
  return delivered(u, to, status, control, sign, exp, hi, lo);
}

/** a divided by b, ordinary numbers. */
function quickDivide(u: usize, to: usize, status: u32, control: u32, aSe: u32, aSig: u64, bSe: u32, bSig: u64): bool {
  if (bSig == 0) return false;
  const sign = (aSe ^ bSe) >> 15 & 1;
  if (aSig == 0) return deliveredZero(u, to, status, sign);
  const below = aSig < bSig;
  const exp = i32(aSe & EXP_MASK) - i32(bSe & EXP_MASK) + BIAS - i32(below);
  const hi = divide128(below ? aSig : aSig >> 1, below ? 0 : aSig << 63, bSig);
  const rest = remainder;
  // what lies behind matters as nothing, less than a half, a half, more
  const lo: u64 = (rest != 0 && rest >= bSig - rest ? INTEGER_BIT : 0) | u64(rest != 0 && rest != bSig - rest);
  return delivered(u, to, status, control, sign, exp, hi, lo);
}

@inline function free(index: u32): void { store<u8>(X87_FTW, u8(u32(load<u8>(X87_FTW)) & ~(1 << index))); }

/** Ordinary operands that are at hand; `left` is FSW to be but for what the result changes. */
function ordinaryArithmetic(u: usize, to: usize, left: u32, control: u32, aSe: u32, aSig: u64, bSe: u32, bSig: u64): bool {
  if (!ordinary(aSe, aSig) || !ordinary(bSe, bSig)) return false;
  switch (uModReg(u)) {
    case 1: return quickMultiply(u, to, left, control, aSe, aSig, bSe, bSig);
    case 4: return quickAdd(u, to, left, control, aSe, aSig, bSe ^ SIGN, bSig);
    case 5: return quickAdd(u, to, left, control, aSe ^ SIGN, aSig, bSe, bSig);
    case 6: return quickDivide(u, to, left, control, aSe, aSig, bSe, bSig);
    case 7: return quickDivide(u, to, left, control, bSe, bSig, aSe, aSig);
    default: return quickAdd(u, to, left, control, aSe, aSig, bSe, bSig);
  }
}

/**
 * The same, where sums and products of normal numbers so near to 1 that no result is out of range, doubles among them, are made at
 * once, as compiled code makes them (src/engine/jit/x87-arithmetic.ts).
 */
@inline function arithmetic(u: usize, flags: u32, to: usize, left: u32, control: u32, aSe: u32, aSig: u64, bSe: u32, bSig: u64): bool {
  let exp = i32(aSe & EXP_MASK);
  const other = i32(bSe & EXP_MASK);
  const operation = flags >> 24 & 7;
  if ((u32(exp - LEAST) | u32(other - LEAST)) >= NEAR || i64(aSig & bSig) >= 0 || operation >= 6) {
    return ordinaryArithmetic(u, to, left, control, aSe, aSig, bSe, bSig);
  }
  let hi: u64;
  let lo: u64;
  let sign: u32;
  if (operation == 1) {
    sign = aSe ^ bSe;
    lo = aSig * bSig;
    hi = upperProduct(aSig, bSig);
    const zeros = hi >> 63 ^ 1;
    hi = hi << zeros | lo >> 63 & zeros;
    lo <<= zeros;
    exp += other - (BIAS - 1) - i32(zeros);
  } else {
    // FSUB and FSUBR; the latter's sign is the other one
    const minus = (operation & 4) << 13;
    const distance = exp - other;
    const swapped = distance < 0;
    const less = select<u64>(aSig, bSig, swapped);
    hi = select<u64>(bSig, aSig, swapped);
    sign = select<u32>(bSe ^ minus, aSe, swapped) ^ (operation & 1) << 15;
    exp = select<i32>(other, exp, swapped);
    const down = u64(abs(distance));
    if (down > 63) return ordinaryArithmetic(u, to, left, control, aSe, aSig, bSe, bSig);
    const high = less >> down;
    lo = rotr<u64>(less, down) ^ high;
    if ((aSe ^ bSe ^ minus) & SIGN) {
      // exponents are alike: either may be the larger one
      if (hi < high) {
        hi = high - hi;
        sign ^= SIGN;
      } else hi -= high + u64(lo != 0);
      if (hi == 0) return ordinaryArithmetic(u, to, left, control, aSe, aSig, bSe, bSig);
      lo = 0 - lo;
      const zeros = clz<u64>(hi);
      hi = hi << zeros | lo >> 1 >> (63 ^ zeros);
      lo <<= zeros;
      exp -= i32(zeros);
    } else {
      hi += high;
      if (hi < high) {
        lo = hi << 63 | lo >> 1 | lo & 1;
        hi = hi >> 1 | INTEGER_BIT;
        exp++;
      }
    }
  }
  let dropped: u64 = 0;
  if (!(control & 0x100)) {
    dropped = control & 0x200 ? 11 : 40;
    lo = hi << (64 - dropped) | u64(lo != 0);
    hi >>= dropped;
  }
  // more than a half, or a half and the last bit is 1
  const up = u64(lo > INTEGER_BIT - (hi & 1));
  hi = (hi + up) << dropped;
  if (hi == 0) {
    hi = INTEGER_BIT;
    exp++;
  }
  setNumber(to, sign & SIGN | u32(exp), hi);
  end(u, left | u32(lo != 0) << 5 | u32(up) << 9);
  return true;
}

/** FADD, FMUL, FSUB, FSUBR, FDIV, FDIVR of ST(0) and ST(i). */
// budget: 130 instructions of the host, no call
@inline export function quickArithmetic(u: usize): bool {
  const status: u32 = load<u16>(X87_FSW);
  const control: u32 = load<u16>(X87_FCW);
  const top = topOf(status);
  const index = (top + uRm(u)) & 7;
  const tags: u32 = load<u8>(X87_FTW);
  if ((hindered(status) | unusual(control) | (~(tags >> top & tags >> index) & 1)) != 0) return false;
  const a = place(top);
  const b = place(index);
  const flags = uFlags(u);
  const opcode = flags >> 16 & 0xff;
  let left = status & ~C1;
  if (opcode == 0xde) left = left & ~FSW_TOP | ((top + 1) & 7) << 11;
  if (!arithmetic(u, flags, opcode == 0xd8 ? a : b, left, control, upper(a), load<u64>(a), upper(b), load<u64>(b))) return false;
  if (opcode == 0xde) free(top);
  return true;
}

/** The same of ST(0) and a number in memory. */
@inline export function quickArithmeticMemory(u: usize, p: usize): bool {
  if (!p) return false;
  const status: u32 = load<u16>(X87_FSW);
  const control: u32 = load<u16>(X87_FCW);
  const top = topOf(status);
  if ((hindered(status) | unusual(control)) != 0 || !inUse(top)) return false;
  const to = place(top);
  const flags = uFlags(u);
  let bSe: u32 = 0;
  let bSig: u64 = 0;
  let usualDouble = false;
  if ((flags & 6 << UF_OPCODE_SHIFT) == 4 << UF_OPCODE_SHIFT) {
    // doubles that are normal, without a detour
    const bits = load<u64>(p);
    const exponent = u32(bits >> 52) & 0x7ff;
    bSe = (u32(bits >> 48) & SIGN) | (exponent + u32(BIAS - 1023));
    bSig = INTEGER_BIT | bits << 11;
    usualDouble = exponent - 1 < 0x7fe;
  }
  if (!usualDouble) {
    if (!takeOperand(u, p)) return false;
    bSe = se;
    bSig = sig;
  }
  return arithmetic(u, flags, to, status & ~C1, control, upper(to), load<u64>(to), bSe, bSig);
}

/** FSQRT of a normal number above 0. */
export function quickRoot(u: usize): bool {
  const status: u32 = load<u16>(X87_FSW);
  const control: u32 = load<u16>(X87_FCW);
  const top = topOf(status);
  if ((hindered(status) | unusual(control)) != 0 || !inUse(top)) return false;
  const p = place(top);
  const number = upper(p);
  const significand = load<u64>(p);
  if (number & SIGN || !normal(number, significand)) return false;
  // an even power of two is left outside
  const even = u64(number & 1);
  const root = squareRoot128(significand >> even, even ? significand << 63 : 0);
  return delivered(u, p, status, control, 0, i32((number + BIAS) >> 1), root, load<u64>(OP_VALUE));
}
