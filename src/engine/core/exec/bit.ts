// Bit tests and scans, BMI1, BMI2, ADX, CRC32.
import { MODE, MODE_CODE32, MODE_CODE64, OP_LINEAR, OP_VALUE, RDX, RFLAGS, XS_OK } from '../layout';
import { fault, protectedMode, v8086 } from '../state';
import { accessStatus } from '../mmu/access';
import { UF_IMM, UF_PREFIX_66, uAddrSize, uFlags, uImm, uImm2, uIsMem, uModReg, uOpSize, uOpcode, uRm, uSeg } from '../uop';
import { VEC_UD } from '../generated/events';
import { CF, OF, PF, SF, STATUS, ZF, resultFlags, setFlags, signExtend, sizeMask } from './flags';
import { crc32 } from './checksum';
import { mulHigh } from './muldiv';
import {
  commitLinear, cutAddress, effectiveAddress, loadSized, modifyLinear, operandRead, readLinear, registerPointer, registerRead,
  registerWrite, storeRegister,
} from './operand';
import { segmentLinear } from './segment';

/** BT BTS BTR BTC. With a register offset the memory operand is a bit string. @sdm 2A "BT" */
export function execBt(u: usize): i32 {
  const bytes = uOpSize(u);
  const immediate = (uFlags(u) & UF_IMM) != 0;
  const operation = immediate ? uModReg(u) & 3 : (uOpcode(u) >> 3) & 3;
  const offset = immediate ? uImm(u) : registerRead(u, bytes);
  const bit = offset & u64(bytes * 8 - 1);
  let p: usize;
  if (uIsMem(u)) {
    let ea = effectiveAddress(u);
    if (!immediate) {
      const step = signExtend(offset, bytes) >> (bytes == 8 ? 6 : bytes == 4 ? 5 : 4);
      ea = cutAddress(ea + u64(step * i64(bytes)), uAddrSize(u));
    }
    if (!segmentLinear(uSeg(u), ea, bytes, operation != 0)) return accessStatus();
    if (operation == 0) {
      if (!readLinear(load<u64>(OP_LINEAR), bytes)) return accessStatus();
      p = OP_VALUE;
    } else {
      p = modifyLinear(load<u64>(OP_LINEAR), bytes);
      if (!p) return accessStatus();
    }
  } else p = registerPointer(uRm(u), false);
  const value = loadSized(p, bytes);
  const carry = u32(value >> bit) & 1;
  if (operation != 0) {
    const one = u64(1) << bit;
    const r = operation == 1 ? value | one : operation == 2 ? value & ~one : value ^ one;
    if (!uIsMem(u)) storeRegister(p, bytes, r);
    else if (!commitLinear(p, bytes, r)) return accessStatus();
  }
  setFlags(CF, carry);
  return XS_OK;
}

/** A source of 0 sets ZF and leaves the destination; the other flags follow the source, as current CPUs leave them. */
function scan(u: usize, forward: bool): i32 {
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const source = load<u64>(OP_VALUE);
  if (source == 0) {
    setFlags(ZF, ZF);
    return XS_OK;
  }
  registerWrite(u, bytes, forward ? ctz(source) : 63 - clz(source));
  setFlags(ZF, 0);
  return XS_OK;
}

export function execBsf(u: usize): i32 { return scan(u, true); }
export function execBsr(u: usize): i32 { return scan(u, false); }

export function execTzcnt(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const source = load<u64>(OP_VALUE);
  const r = source ? ctz(source) : u64(bytes * 8);
  registerWrite(u, bytes, r);
  setFlags(CF | ZF, (source ? 0 : CF) | (r ? 0 : ZF));
  return XS_OK;
}

export function execLzcnt(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const source = load<u64>(OP_VALUE);
  const r = clz(source) - u64(64 - bytes * 8);
  registerWrite(u, bytes, r);
  setFlags(CF | ZF, (source ? 0 : CF) | (r ? 0 : ZF));
  return XS_OK;
}

export function execPopcnt(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const r = popcnt(load<u64>(OP_VALUE));
  registerWrite(u, bytes, r);
  setFlags(STATUS, r ? 0 : ZF);
  return XS_OK;
}

/** VEX-encoded instructions do not exist in real-address and virtual-8086 mode. */
@inline function vexUndefined(): bool { return !protectedMode() || v8086(); }
@inline function vexRegister(u: usize, bytes: u32): u64 { return loadSized(registerPointer(uImm2(u), false), bytes); }
@inline function setVexRegister(u: usize, bytes: u32, value: u64): void {
  storeRegister(registerPointer(uImm2(u), false), bytes, value & sizeMask(bytes));
}

export function execAndn(u: usize): i32 {
  if (vexUndefined()) return fault(VEC_UD);
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const r = ~vexRegister(u, bytes) & load<u64>(OP_VALUE);
  registerWrite(u, bytes, r);
  setFlags(STATUS & ~PF, resultFlags(r, bytes));
  return XS_OK;
}

/** BLSR, BLSMSK, BLSI: ModRM.reg 1, 2, 3. */
export function execBls(u: usize): i32 {
  if (vexUndefined()) return fault(VEC_UD);
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const source = load<u64>(OP_VALUE);
  let r: u64;
  let carry = source == 0;
  switch (uModReg(u)) {
    case 1: r = (source - 1) & source; break;
    case 2: r = (source - 1) ^ source; break;
    default:
      r = (0 - source) & source;
      carry = !carry;
  }
  r &= sizeMask(bytes);
  setVexRegister(u, bytes, r);
  setFlags(CF | OF | SF | ZF, (carry ? CF : 0) | resultFlags(r, bytes));
  return XS_OK;
}

export function execBextr(u: usize): i32 {
  if (vexUndefined()) return fault(VEC_UD);
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const control = u32(vexRegister(u, bytes));
  const start = u64(control & 0xff);
  const length = u64((control >> 8) & 0xff);
  let r = start < 64 ? load<u64>(OP_VALUE) >> start : 0;
  if (length < 64) r &= (u64(1) << length) - 1;
  registerWrite(u, bytes, r);
  setFlags(CF | OF | ZF, r ? 0 : ZF);
  return XS_OK;
}

export function execBzhi(u: usize): i32 {
  if (vexUndefined()) return fault(VEC_UD);
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const n = vexRegister(u, bytes) & 0xff;
  const beyond = n >= u64(bytes * 8);
  let r = load<u64>(OP_VALUE);
  if (!beyond) r &= (u64(1) << n) - 1;
  registerWrite(u, bytes, r);
  setFlags(CF | OF | SF | ZF, (beyond ? CF : 0) | resultFlags(r, bytes));
  return XS_OK;
}

export function execPext(u: usize): i32 {
  if (vexUndefined()) return fault(VEC_UD);
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const source = vexRegister(u, bytes);
  let mask = load<u64>(OP_VALUE);
  let r: u64 = 0;
  for (let place: u64 = 1; mask != 0; place <<= 1) {
    if (source & mask & (0 - mask)) r |= place;
    mask &= mask - 1;
  }
  registerWrite(u, bytes, r);
  return XS_OK;
}

export function execPdep(u: usize): i32 {
  if (vexUndefined()) return fault(VEC_UD);
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const source = vexRegister(u, bytes);
  let mask = load<u64>(OP_VALUE);
  let r: u64 = 0;
  for (let place: u64 = 1; mask != 0; place <<= 1) {
    if (source & place) r |= mask & (0 - mask);
    mask &= mask - 1;
  }
  registerWrite(u, bytes, r);
  return XS_OK;
}

/** The high half is written last: with one register for both it wins. */
export function execMulx(u: usize): i32 {
  if (vexUndefined()) return fault(VEC_UD);
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const a = load<u64>(RDX) & sizeMask(bytes);
  const b = load<u64>(OP_VALUE);
  setVexRegister(u, bytes, a * b);
  registerWrite(u, bytes, bytes == 8 ? mulHigh(a, b) : (a * b) >> 32);
  return XS_OK;
}

export function execRorx(u: usize): i32 {
  if (vexUndefined()) return fault(VEC_UD);
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const value = load<u64>(OP_VALUE);
  registerWrite(u, bytes, bytes == 8 ? rotr<u64>(value, uImm(u)) : u64(rotr<u32>(u32(value), u32(uImm(u)))));
  return XS_OK;
}

export function execShlx(u: usize): i32 {
  if (vexUndefined()) return fault(VEC_UD);
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const n = vexRegister(u, bytes) & u64(bytes * 8 - 1);
  registerWrite(u, bytes, (load<u64>(OP_VALUE) << n) & sizeMask(bytes));
  return XS_OK;
}

export function execShrx(u: usize): i32 {
  if (vexUndefined()) return fault(VEC_UD);
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  registerWrite(u, bytes, load<u64>(OP_VALUE) >> (vexRegister(u, bytes) & u64(bytes * 8 - 1)));
  return XS_OK;
}

export function execSarx(u: usize): i32 {
  if (vexUndefined()) return fault(VEC_UD);
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const n = vexRegister(u, bytes) & u64(bytes * 8 - 1);
  registerWrite(u, bytes, u64(signExtend(load<u64>(OP_VALUE), bytes) >> n) & sizeMask(bytes));
  return XS_OK;
}

/** ADCX (66) carries through CF, ADOX (F3) through OF. */
function addWithFlag(u: usize, flag: u32): i32 {
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const a = registerRead(u, bytes);
  const b = load<u64>(OP_VALUE);
  const r = (a + b + (load<u32>(RFLAGS) & flag ? 1 : 0)) & sizeMask(bytes);
  const carry = ((a & b) | ((a | b) & ~r)) >> u64(bytes * 8 - 1);
  registerWrite(u, bytes, r);
  setFlags(flag, carry & 1 ? flag : 0);
  return XS_OK;
}

export function execAdcx(u: usize): i32 { return addWithFlag(u, CF); }
export function execAdox(u: usize): i32 { return addWithFlag(u, OF); }

/** CRC-32C (polynomial 11EDC6F41, bit-reflected). The destination is 4 or 8 bytes; a source that is no byte has the operand size. */
export function execCrc32(u: usize): i32 {
  const wide = uOpSize(u);
  let bytes: u32 = 1;
  if (uOpcode(u) & 1) {
    const default32 = (load<u32>(MODE) & (MODE_CODE64 | MODE_CODE32)) != 0;
    const prefix66 = (uFlags(u) & UF_PREFIX_66) != 0;
    bytes = wide == 8 ? 8 : prefix66 == default32 ? 2 : 4;
  }
  if (!operandRead(u, bytes)) return accessStatus();
  registerWrite(u, wide, u64(crc32(u32(registerRead(u, 4)), load<u64>(OP_VALUE), bytes)));
  return XS_OK;
}
