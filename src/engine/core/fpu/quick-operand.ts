// What the quick ways of x87 instructions share. A quick way is the usual case: ordinary numbers and zeros, all exceptions masked,
// rounding to nearest where a result is rounded, memory that the TLB knows. It answers false where anything is otherwise, and has
// then changed nothing: the whole handler begins anew. `p` is the host's pointer to the memory operand, 0 where the TLB does not know it.
import { MODE, MODE_CODE64, TLB_READ, X87, X87_FIP, X87_FSW, X87_FTW } from '../layout';
import { cr0 } from '../state';
import { UF_SIMPLE, uFlags, uOpcode } from '../uop';
import { CR0_EM, CR0_TS, FCW_MASKS, FCW_RC, FSW_ES, FSW_TOP, FSW_TOP_SHIFT } from '../generated/register-bits';
import { address } from '../exec/inline-operand';
import { cached } from '../mmu/access';
import { BIAS, EXP_MASK, INTEGER_BIT, SIGN } from './float80';
import { C1, instructionPointer } from './stack';

const CR0_EM_TS: u32 = <u32>(CR0_EM | CR0_TS);

/** Not 0: something keeps an instruction from running. */
@inline export function hindered(status: u32): u32 { return (u32(cr0()) & CR0_EM_TS) | (status & FSW_ES); }
@inline export function runs(status: u32): bool { return hindered(status) == 0; }
/** 0: all exceptions are masked and results are rounded to nearest. */
@inline export function unusual(control: u32): u32 { return (control & (FCW_MASKS | FCW_RC)) ^ FCW_MASKS; }
@inline export function usual(control: u32): bool { return unusual(control) == 0; }

@inline export function topOf(status: u32): u32 { return (status & FSW_TOP) >> FSW_TOP_SHIFT; }
@inline export function place(index: u32): usize { return X87 + (index << 4); }
@inline export function inUse(index: u32): bool { return (u32(load<u8>(X87_FTW)) >> index & 1) != 0; }
@inline export function upper(p: usize): u32 { return load<u16>(p, 8); }

/** Normal, neither infinite nor a NaN. */
@inline export function normal(se: u32, sig: u64): bool { return ((se + 1) & EXP_MASK) > 1 && i64(sig) < 0; }
@inline export function zero(se: u32, sig: u64): bool { return sig == 0 && (se & EXP_MASK) == 0; }
@inline export function ordinary(se: u32, sig: u64): bool { return normal(se, sig) || zero(se, sig); }

/** Ends an instruction that leaves FSW so. */
@inline export function end(u: usize, status: u32): void {
  store<u16>(X87_FSW, u16(status));
  store<u64>(X87_FIP, instructionPointer(u));
}

@inline export function setNumber(p: usize, se: u32, sig: u64): void {
  store<u64>(p, sig);
  store<u16>(p, u16(se), 8);
}

/** FSW with ST(0), register `top`, popped; its tag goes. */
@inline export function popped(status: u32, top: u32): u32 {
  store<u8>(X87_FTW, u8(u32(load<u8>(X87_FTW)) & ~(1 << top)));
  return status & ~FSW_TOP | ((top + 1) & 7) << FSW_TOP_SHIFT;
}

/** Pushes a number and ends the instruction; false where the register is in use. */
@inline export function pushed(u: usize, status: u32, se: u32, sig: u64): bool {
  const top = (topOf(status) - 1) & 7;
  if (inUse(top)) return false;
  setNumber(place(top), se, sig);
  store<u8>(X87_FTW, u8(u32(load<u8>(X87_FTW)) | 1 << top));
  end(u, status & ~(FSW_TOP | C1) | top << FSW_TOP_SHIFT);
  return true;
}

/** Host pointer to a flat memory operand that the TLB knows, or 0. */
@inline export function known(u: usize, bytes: u32, table: usize): usize {
  if (!(uFlags(u) & UF_SIMPLE)) return 0;
  let la = address(u);
  if (!(load<u32>(MODE) & MODE_CODE64)) la &= 0xffffffff;
  return cached(table, la, bytes);
}

/** Upper bits of the number in memory that was looked at last, and its significand. */
export let se: u32 = 0;
export let sig: u64 = 0;

/** Takes a 32- or 64-bit number, normal or zero. */
@inline export function takeReal(p: usize, double: bool): bool {
  const bits = double ? load<u64>(p) : u64(load<u32>(p)) << 32;
  const exp = u32(bits >> (double ? 52 : 55)) & (double ? 0x7ff : 0xff);
  const fraction = bits << (double ? 11 : 8);
  const sign = u32(bits >> 48) & SIGN;
  if (exp == 0) {
    if (bits << 1 != 0) return false;
    se = sign;
    sig = 0;
    return true;
  }
  if (exp == u32(double ? 0x7ff : 0xff)) return false;
  se = sign | (exp + u32(double ? BIAS - 1023 : BIAS - 127));
  sig = INTEGER_BIT | fraction;
  return true;
}

@inline export function takeInteger(value: i64): void {
  const magnitude = value < 0 ? u64(-value) : u64(value);
  const zeros = clz<u64>(magnitude);
  sig = magnitude << zeros;
  se = magnitude == 0 ? 0 : (value < 0 ? SIGN : 0) | (BIAS + 63 - u32(zeros));
}

/** Bytes of the memory operand of D8, DA, DC or DE. */
@inline export function operandBytes(u: usize): u32 {
  const form = uOpcode(u) & 6;
  return form == 4 ? 8 : form == 6 ? 2 : 4;
}

/** Host pointer to the memory operand of D8, DA, DC or DE, or 0. */
@inline export function knownOperand(u: usize): usize { return known(u, operandBytes(u), TLB_READ); }

/** Takes the memory operand of D8, DA, DC or DE at `p`; false where that is 0. */
@inline export function takeOperand(u: usize, p: usize): bool {
  if (!p) return false;
  const form = uOpcode(u) & 6;
  if (form == 4) return takeReal(p, true);
  if (form == 0) return takeReal(p, false);
  takeInteger(form == 2 ? i64(load<i32>(p)) : i64(load<i16>(p)));
  return true;
}
