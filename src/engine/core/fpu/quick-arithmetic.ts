// Quick ways of FADD to FDIV; see quick-operand.ts.
import { X87_FCW, X87_FSW } from '../layout';
import { uIsMem, uModReg, uOpcode, uRm } from '../uop';
import { BIAS, EXP_MASK, INTEGER_BIT, PE, SIGN } from './float80';
import { end, inUse, ordinary, place, popped, runs, se, setNumber, sig, takeOperand, TOP, topOf, upper, usual } from './quick-operand';
import { C1 } from './stack';
import { divide128, remainder } from './wide';

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
  const a0 = aSig & 0xffffffff;
  const a1 = aSig >> 32;
  const b0 = bSig & 0xffffffff;
  const b1 = bSig >> 32;
  const low = a0 * b0;
  const one = a0 * b1;
  const two = a1 * b0;
  const middle = (low >> 32) + (one & 0xffffffff) + (two & 0xffffffff);
  let lo = middle << 32 | low & 0xffffffff;
  let hi = a1 * b1 + (one >> 32) + (two >> 32) + (middle >> 32);
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

/** FADD, FMUL, FSUB, FSUBR, FDIV, FDIVR in all their forms. */
export function quickArithmetic(u: usize, p: usize): bool {
  const status: u32 = load<u16>(X87_FSW);
  const control: u32 = load<u16>(X87_FCW);
  const top = topOf(status);
  if (!runs(status) || !usual(control) || !inUse(top)) return false;
  let to = place(top);
  let aSe = upper(to);
  let aSig = load<u64>(to);
  if (!ordinary(aSe, aSig)) return false;
  let bSe: u32;
  let bSig: u64;
  let pops = false;
  let left = status;
  if (uIsMem(u)) {
    if (!takeOperand(u, p)) return false;
    bSe = se;
    bSig = sig;
  } else {
    const index = (top + uRm(u)) & 7;
    const other = place(index);
    bSe = upper(other);
    bSig = load<u64>(other);
    if (!inUse(index) || !ordinary(bSe, bSig)) return false;
    const opcode = uOpcode(u);
    if (opcode != 0xd8) to = other;
    if (opcode == 0xde) {
      pops = true;
      left = status & ~TOP | ((top + 1) & 7) << 11;
    }
  }
  const operation = uModReg(u);
  if (operation & 1 && operation != 1) {
    const upperBits = aSe;
    aSe = bSe;
    bSe = upperBits;
    const significand = aSig;
    aSig = bSig;
    bSig = significand;
  }
  let done: bool;
  if (operation == 1) done = quickMultiply(u, to, left, control, aSe, aSig, bSe, bSig);
  else if (operation >= 6) done = quickDivide(u, to, left, control, aSe, aSig, bSe, bSig);
  else done = quickAdd(u, to, left, control, aSe, aSig, operation >= 4 ? bSe ^ SIGN : bSe, bSig);
  if (done && pops) popped(left, top);
  return done;
}
