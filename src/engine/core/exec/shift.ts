// Shifts and rotates, double shifts included. @sdm 2B "RCL/RCR/ROL/ROR", "SAL/SAR/SHL/SHR"
import { RCX, RFLAGS, XS_OK } from '../layout';
import { accessStatus } from '../mmu/access';
import { UF_IMM, uFlags, uImm, uModReg, uOpSize } from '../uop';
import { AF, CF, OF, STATUS, resultFlags, setFlags, signExtend, sizeMask } from './flags';
import { loadSized, operandCommit, operandModify, registerRead } from './operand';

let flagsOut: u32 = 0;

@inline function carryAndOverflow(carry: u32, overflow: u32): u32 { return carry | (overflow << 11); }

/**
 * Rotates and shifts of a value cut to `bytes`, count not 0 and masked to 5 or 6 bits; CF and OF (with the
 * definition of a count of 1 for all counts, as CPUs do) or all status flags in flagsOut.
 */
function shiftResult(operation: u32, value: u64, count: u32, bytes: u32): u64 {
  const bits = bytes * 8;
  const top = u64(bits - 1);
  const mask = sizeMask(bytes);
  let r: u64;
  let n = u64(count);
  let carry = load<u32>(RFLAGS) & CF;
  switch (operation) {
    case 0:
      n = u64(count % bits);
      r = n ? ((value << n) | (value >> (u64(bits) - n))) & mask : value;
      carry = u32(r) & 1;
      flagsOut = carryAndOverflow(carry, carry ^ u32(r >> top));
      return r;
    case 1:
      n = u64(count % bits);
      r = n ? ((value >> n) | (value << (u64(bits) - n))) & mask : value;
      carry = u32(r >> top);
      flagsOut = carryAndOverflow(carry, carry ^ (u32(r >> (top - 1)) & 1));
      return r;
    case 2:
      r = value;
      for (let i = count % (bits + 1); i > 0; i--) {
        const out = u32(r >> top) & 1;
        r = ((r << 1) | u64(carry)) & mask;
        carry = out;
      }
      flagsOut = carryAndOverflow(carry, carry ^ u32(r >> top));
      return r;
    case 3:
      r = value;
      for (let i = count % (bits + 1); i > 0; i--) {
        const out = u32(r) & 1;
        r = (r >> 1) | (u64(carry) << top);
        carry = out;
      }
      flagsOut = carryAndOverflow(carry, u32(r >> top) ^ (u32(r >> (top - 1)) & 1));
      return r;
    case 5:
      r = count < bits ? value >> n : 0;
      carry = count <= bits ? u32(value >> (n - 1)) & 1 : 0;
      flagsOut = carryAndOverflow(carry, u32(value >> top) & (count == 1 ? 1 : 0));
      break;
    case 7: {
      const signed = signExtend(value, bytes);
      const cut = min<u64>(n, 63);
      r = u64(signed >> cut) & mask;
      carry = u32(signed >> min<u64>(n - 1, 63)) & 1;
      flagsOut = carry;
      break;
    }
    default:
      r = count < bits ? (value << n) & mask : 0;
      carry = count <= bits ? u32(value >> (u64(bits) - n)) & 1 : 0;
      flagsOut = carryAndOverflow(carry, carry ^ u32(r >> top));
  }
  flagsOut |= resultFlags(r, bytes);
  return r;
}

export function execShift(u: usize): i32 {
  const bytes = uOpSize(u);
  const p = operandModify(u, bytes);
  if (!p) return accessStatus();
  const count = (uFlags(u) & UF_IMM ? u32(uImm(u)) : load<u32>(RCX)) & (bytes == 8 ? 63 : 31);
  const value = loadSized(p, bytes);
  if (count == 0) return operandCommit(u, p, bytes, value) ? XS_OK : accessStatus();
  const operation = uModReg(u);
  const r = shiftResult(operation, value, count, bytes);
  if (!operandCommit(u, p, bytes, r)) return accessStatus();
  setFlags(operation < 4 ? CF | OF : STATUS, flagsOut);
  return XS_OK;
}

/** Double shifts; a count above the operand size (16 bits only) is undefined and shifts the pair round, as CPUs do. */
function doubleShift(u: usize, left: bool): i32 {
  const bytes = uOpSize(u);
  const bits = bytes * 8;
  const p = operandModify(u, bytes);
  if (!p) return accessStatus();
  const count = (uFlags(u) & UF_IMM ? u32(uImm(u)) : load<u32>(RCX)) & (bytes == 8 ? 63 : 31);
  const value = loadSized(p, bytes);
  if (count == 0) return operandCommit(u, p, bytes, value) ? XS_OK : accessStatus();
  const fill = registerRead(u, bytes);
  const n = u64(count);
  let r: u64;
  let carry: u32;
  if (bytes == 2) {
    // value:fill:value, so that counts above 16 bring in the destination again
    if (left) {
      const wide = (value << 32) | (fill << 16) | value;
      r = (wide << n) >> 32;
      carry = u32(wide >> (48 - n)) & 1;
    } else {
      const wide = (value << 32) | (fill << 16) | value;
      r = wide >> n;
      carry = u32(wide >> (n - 1)) & 1;
    }
    r &= 0xffff;
  } else {
    const rest = u64(bits) - n;
    r = (left ? (value << n) | (fill >> rest) : (value >> n) | (fill << rest)) & sizeMask(bytes);
    carry = u32(value >> (left ? rest : n - 1)) & 1;
  }
  if (!operandCommit(u, p, bytes, r)) return accessStatus();
  const overflow = u32((r ^ value) >> u64(bits - 1)) & 1;
  setFlags(STATUS & ~AF, carry | (overflow << 11) | resultFlags(r, bytes));
  return XS_OK;
}

export function execShld(u: usize): i32 { return doubleShift(u, true); }
export function execShrd(u: usize): i32 { return doubleShift(u, false); }
