// Multiplication and division. WebAssembly has neither a high product nor a 128-bit dividend.
import { OP_VALUE, RAX, RDX, XS_OK } from '../layout';
import { fault } from '../state';
import { accessStatus } from '../mmu/access';
import { uImm, uOpSize } from '../uop';
import { VEC_DE } from '../generated/events';
import { CF, OF, STATUS, resultFlags, setFlags, signExtend, sizeMask } from './flags';
import { operandRead, registerRead, registerWrite, storeRegister } from './operand';

/** High half of the unsigned 128-bit product. */
export function mulHigh(a: u64, b: u64): u64 {
  const al = a & 0xffffffff;
  const ah = a >> 32;
  const bl = b & 0xffffffff;
  const bh = b >> 32;
  const middle = ah * bl + ((al * bl) >> 32);
  const other = al * bh + (middle & 0xffffffff);
  return ah * bh + (middle >> 32) + (other >> 32);
}

/** High half of the signed 128-bit product. */
export function mulHighSigned(a: i64, b: i64): i64 {
  return i64(mulHigh(u64(a), u64(b))) - (a < 0 ? b : 0) - (b < 0 ? a : 0);
}

/** Does the signed product of two values not fit `bytes`? */
export function signedOverflow(a: i64, b: i64, bytes: u32): bool {
  const low = a * b;
  if (bytes == 8) return mulHighSigned(a, b) != low >> 63;
  return low != signExtend(u64(low), bytes);
}

/** Writes a double-width product: AX, DX:AX, EDX:EAX or RDX:RAX. */
function storeProduct(low: u64, high: u64, bytes: u32): void {
  if (bytes == 1) store<u16>(RAX, u16(low));
  else {
    storeRegister(RAX, bytes, low);
    storeRegister(RDX, bytes, high);
  }
}

/** SF, ZF and PF are undefined; they follow the low half as on current CPUs. */
function productFlags(low: u64, bytes: u32, overflow: bool): void {
  setFlags(STATUS, (overflow ? CF | OF : 0) | resultFlags(low & sizeMask(bytes), bytes));
}

export function execMul(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const b = load<u64>(OP_VALUE);
  const a = load<u64>(RAX) & sizeMask(bytes);
  const low = a * b;
  const high = bytes == 8 ? mulHigh(a, b) : low >> u64(bytes * 8);
  storeProduct(low, high, bytes);
  productFlags(low, bytes, (high & sizeMask(bytes)) != 0);
  return XS_OK;
}

export function execImul1(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const b = signExtend(load<u64>(OP_VALUE), bytes);
  const a = signExtend(load<u64>(RAX), bytes);
  const low = u64(a * b);
  const high = bytes == 8 ? u64(mulHighSigned(a, b)) : u64(i64(low) >> u64(bytes * 8));
  storeProduct(low, high, bytes);
  productFlags(low, bytes, signedOverflow(a, b, bytes));
  return XS_OK;
}

export function execImul2(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  return multiplyInto(u, signExtend(registerRead(u, bytes), bytes), bytes);
}

export function execImul3(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  return multiplyInto(u, signExtend(uImm(u), bytes), bytes);
}

function multiplyInto(u: usize, a: i64, bytes: u32): i32 {
  const b = signExtend(load<u64>(OP_VALUE), bytes);
  registerWrite(u, bytes, u64(a * b) & sizeMask(bytes));
  productFlags(u64(a * b), bytes, signedOverflow(a, b, bytes));
  return XS_OK;
}

let remainder: u64 = 0;

/** high:low / divisor with high < divisor: quotient; the remainder in `remainder`. */
function divide128(high: u64, low: u64, divisor: u64): u64 {
  if (high == 0) {
    remainder = low % divisor;
    return low / divisor;
  }
  let rest = high;
  let bits = low;
  for (let i = 0; i < 64; i++) {
    const carry = rest >> 63;
    rest = (rest << 1) | (bits >> 63);
    bits <<= 1;
    if (carry || rest >= divisor) {
      rest -= divisor;
      bits |= 1;
    }
  }
  remainder = rest;
  return bits;
}

/** Stores quotient and remainder: AL and AH, or the A and D registers. */
function storeQuotient(quotient: u64, rest: u64, bytes: u32): void {
  if (bytes == 1) store<u16>(RAX, u16((quotient & 0xff) | ((rest & 0xff) << 8)));
  else {
    storeRegister(RAX, bytes, quotient & sizeMask(bytes));
    storeRegister(RDX, bytes, rest & sizeMask(bytes));
  }
}

export function execDiv(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const divisor = load<u64>(OP_VALUE);
  const mask = sizeMask(bytes);
  if (divisor == 0) return fault(VEC_DE);
  let quotient: u64;
  if (bytes == 8) {
    if (load<u64>(RDX) >= divisor) return fault(VEC_DE);
    quotient = divide128(load<u64>(RDX), load<u64>(RAX), divisor);
  } else {
    const dividend = bytes == 1
      ? u64(load<u16>(RAX))
      : (load<u64>(RAX) & mask) | ((load<u64>(RDX) & mask) << u64(bytes * 8));
    quotient = dividend / divisor;
    remainder = dividend % divisor;
    if (quotient > mask) return fault(VEC_DE);
  }
  storeQuotient(quotient, remainder, bytes);
  return XS_OK;
}

export function execIdiv(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const divisor = signExtend(load<u64>(OP_VALUE), bytes);
  if (divisor == 0) return fault(VEC_DE);
  if (bytes == 8) return divideSigned128(divisor);
  const mask = sizeMask(bytes);
  const dividend = bytes == 1
    ? i64(i16(load<u16>(RAX)))
    : signExtend((load<u64>(RAX) & mask) | ((load<u64>(RDX) & mask) << u64(bytes * 8)), bytes * 2);
  // The one 64-bit quotient that overflows traps in WebAssembly: -2^63 / -1.
  if (dividend == i64.MIN_VALUE && divisor == -1) return fault(VEC_DE);
  const quotient = dividend / divisor;
  if (quotient != signExtend(u64(quotient), bytes)) return fault(VEC_DE);
  storeQuotient(u64(quotient), u64(dividend % divisor), bytes);
  return XS_OK;
}

function divideSigned128(divisor: i64): i32 {
  let high = load<u64>(RDX);
  let low = load<u64>(RAX);
  const negative = i64(high) < 0;
  if (negative) {
    low = 0 - low;
    high = ~high + (low == 0 ? 1 : 0);
  }
  const magnitude = divisor < 0 ? 0 - u64(divisor) : u64(divisor);
  if (high >= magnitude) return fault(VEC_DE);
  const quotient = divide128(high, low, magnitude);
  const sign = negative != divisor < 0;
  if (quotient > (sign ? u64(1) << 63 : ~u64(0) >> 1)) return fault(VEC_DE);
  store<u64>(RAX, sign ? 0 - quotient : quotient);
  store<u64>(RDX, negative ? 0 - remainder : remainder);
  return XS_OK;
}
