// Quick ways of loads, stores and exchanges; see quick-operand.ts.
import { X87_FCW, X87_FSW, X87_FTW } from '../layout';
import { uModReg, uOpcode, uRm } from '../uop';
import { FCW_MASKS, FCW_RC } from '../generated/register-bits';
import { BIAS, EXP_MASK, INTEGER_BIT, PE, SIGN } from './float80';
import { end, inUse, normal, ordinary, place, popped, pushed, runs, se, setNumber, sig, takeInteger, takeReal, topOf, upper, usual, zero } from './quick-operand';
import { C1 } from './stack';

/** FLD m32fp, m64fp. */
export function quickLoad(u: usize, p: usize): bool {
  const status: u32 = load<u16>(X87_FSW);
  if (!runs(status)) return false;
  const double = uOpcode(u) == 0xdd;
  return p != 0 && takeReal(p, double) && pushed(u, status, se, sig);
}

/** Bytes of the operand of FLD and FILD. */
@inline export function loadedBytes(u: usize): u32 {
  switch (uOpcode(u)) {
    case 0xd9: case 0xdb: return 4;
    case 0xdd: return 8;
    default: return uModReg(u) == 5 ? 8 : 2;
  }
}

/** Bytes of the operand of FST, FIST, FISTTP and their popping forms. */
@inline export function storedBytes(u: usize): u32 {
  switch (uOpcode(u)) {
    case 0xd9: case 0xdb: return 4;
    case 0xdd: return 8;
    default: return uModReg(u) == 7 ? 8 : 2;
  }
}

/** FILD m16int, m32int, m64int. */
export function quickLoadInteger(u: usize, p: usize): bool {
  const status: u32 = load<u16>(X87_FSW);
  if (!runs(status) || !p) return false;
  const bytes = loadedBytes(u);
  takeInteger(bytes == 8 ? load<i64>(p) : bytes == 4 ? i64(load<i32>(p)) : i64(load<i16>(p)));
  return pushed(u, status, se, sig);
}

/** FLD ST(i). */
export function quickLoadRegister(u: usize): bool {
  const status: u32 = load<u16>(X87_FSW);
  const index = (topOf(status) + uRm(u)) & 7;
  if (!runs(status) || !inUse(index)) return false;
  const p = place(index);
  return pushed(u, status, upper(p), load<u64>(p));
}

/** FLD1 and FLDZ, which no rounding mode changes. */
export function quickConstant(u: usize): bool {
  const status: u32 = load<u16>(X87_FSW);
  const which = uRm(u) & 7;
  if (!runs(status) || (which != 0 && which != 6)) return false;
  return pushed(u, status, which == 0 ? u32(BIAS) : 0, which == 0 ? INTEGER_BIT : 0);
}

/** FST and FSTP m32fp, m64fp. */
export function quickStore(u: usize, p: usize): bool {
  const status: u32 = load<u16>(X87_FSW);
  const top = topOf(status);
  if (!p || !runs(status) || !usual(load<u16>(X87_FCW)) || !inUse(top)) return false;
  const from = place(top);
  const se = upper(from);
  const sig = load<u64>(from);
  const double = uOpcode(u) == 0xdd;
  let value: u64 = 0;
  let marks: u32 = 0;
  if (normal(se, sig)) {
    const drop: u64 = double ? 11 : 40;
    const rest = sig & ((u64(1) << drop) - 1);
    const half = u64(1) << (drop - 1);
    const kept = sig >> drop;
    const up = rest > half || (rest == half && (kept & 1) != 0);
    // bit 63 adds one to the exponent; so does a carry
    const exp = i32(se & EXP_MASK) - (double ? BIAS - 1023 : BIAS - 127);
    if (u32(exp - 1) >= u32(double ? 0x7fe : 0xfe)) return false;
    value = (u64(exp - 1) << (double ? 52 : 23)) + kept + u64(up);
    if (value >= (double ? u64(0x7ff) << 52 : u64(0xff) << 23)) return false;
    marks = (rest != 0 ? PE : 0) | (up ? C1 : 0);
  } else if (!zero(se, sig)) return false;
  const sign = u64(se >> 15);
  if (double) store<u64>(p, value | sign << 63);
  else store<u32>(p, u32(value | sign << 31));
  const left = status & ~C1 | marks;
  end(u, uModReg(u) == 3 ? popped(left, top) : left);
  return true;
}

/** FIST, FISTP, FISTTP; the largest negative integer is not usual. */
export function quickStoreInteger(u: usize, p: usize): bool {
  const status: u32 = load<u16>(X87_FSW);
  const control: u32 = load<u16>(X87_FCW);
  const top = topOf(status);
  if (!p || !runs(status) || (control & FCW_MASKS) != FCW_MASKS || !inUse(top)) return false;
  const form = uModReg(u);
  const mode = form == 1 ? FCW_RC : control & FCW_RC;
  if (mode != 0 && mode != FCW_RC) return false;
  const bytes = storedBytes(u);
  const from = place(top);
  const se = upper(from);
  const sig = load<u64>(from);
  if (!ordinary(se, sig)) return false;
  const below = BIAS + 63 - i32(se & EXP_MASK);
  if (below <= 0) return false;
  const whole: u64 = below < 64 ? sig >> below : 0;
  // of what is less than a half only that there is something matters
  const fraction: u64 = below < 64 ? sig << (64 - below) : below == 64 ? sig : u64(sig != 0);
  const up = mode == 0 && (fraction > INTEGER_BIT || (fraction == INTEGER_BIT && (whole & 1) != 0));
  const magnitude = whole + u64(up);
  if (magnitude >> (bytes * 8 - 1) != 0) return false;
  const value = se & SIGN ? 0 - magnitude : magnitude;
  if (bytes == 4) store<u32>(p, u32(value));
  else if (bytes == 8) store<u64>(p, value);
  else store<u16>(p, u16(value));
  const left = status & ~C1 | (fraction != 0 ? PE : 0) | (up ? C1 : 0);
  end(u, form != 2 ? popped(left, top) : left);
  return true;
}

/** FST and FSTP ST(i). */
export function quickStoreRegister(u: usize): bool {
  const status: u32 = load<u16>(X87_FSW);
  const top = topOf(status);
  if (!runs(status) || !inUse(top)) return false;
  const index = (top + uRm(u)) & 7;
  const from = place(top);
  setNumber(place(index), upper(from), load<u64>(from));
  store<u8>(X87_FTW, u8(u32(load<u8>(X87_FTW)) | 1 << index));
  const left = status & ~C1;
  end(u, uModReg(u) == 3 || uOpcode(u) == 0xdf ? popped(left, top) : left);
  return true;
}

/** FXCH. */
export function quickExchange(u: usize): bool {
  const status: u32 = load<u16>(X87_FSW);
  const top = topOf(status);
  const index = (top + uRm(u)) & 7;
  if (!runs(status) || !inUse(top) || !inUse(index)) return false;
  const p = place(top);
  const q = place(index);
  const se = upper(p);
  const sig = load<u64>(p);
  setNumber(p, upper(q), load<u64>(q));
  setNumber(q, se, sig);
  end(u, status & ~C1);
  return true;
}

/** FCHS, FABS. */
export function quickSign(u: usize): bool {
  const status: u32 = load<u16>(X87_FSW);
  const top = topOf(status);
  if (!runs(status) || !inUse(top)) return false;
  const p = place(top);
  const se = upper(p);
  store<u16>(p, u16(uRm(u) & 1 ? se & ~SIGN : se ^ SIGN), 8);
  end(u, status & ~C1);
  return true;
}
