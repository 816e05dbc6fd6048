// Integer arithmetic and logic: ADD to CMP, TEST, INC, DEC, NEG, NOT, exchanges with arithmetic, BCD.
import { OP_LINEAR, OP_VALUE, RAX, RBX, RCX, RDX, RFLAGS, XS_OK } from '../layout';
import { fault, faultCode } from '../state';
import { accessStatus, modifiable, wrote } from '../mmu/access';
import { UF_DST_REG, UF_IMM, uFlags, uImm, uIsMem, uModReg, uOpSize, uOpcode } from '../uop';
import { RFLAGS_ALWAYS_ONE } from '../generated/register-bits';
import { VEC_DE, VEC_GP } from '../generated/events';
import { AF, CF, DF, OF, PF, SF, STATUS, ZF, addFlags, carryFlag, resultFlags, setFlags, sizeMask, subFlags } from './flags';
import {
  loadSized, operandCommit, operandLinear, operandModify, operandRead, registerRead, registerWrite, storeRegister,
} from './operand';

const ALU_CMP: u32 = 7;

/** Flags of the last aluResult(). */
let flagsOut: u32 = 0;

/** One of ADD OR ADC SBB AND SUB XOR CMP on values cut to `bytes`; flags in flagsOut. */
function aluResult(operation: u32, a: u64, b: u64, bytes: u32): u64 {
  const mask = sizeMask(bytes);
  let r: u64;
  switch (operation) {
    case 0: case 2:
      r = (a + b + (operation == 2 ? carryFlag() : 0)) & mask;
      flagsOut = addFlags(a, b, r, bytes);
      return r;
    case 3: case 5: case 7:
      r = (a - b - (operation == 3 ? carryFlag() : 0)) & mask;
      flagsOut = subFlags(a, b, r, bytes);
      return r;
    case 1: r = a | b; break;
    case 4: r = a & b; break;
    default: r = a ^ b;
  }
  flagsOut = resultFlags(r, bytes);
  return r;
}

/** ADD OR ADC SBB AND SUB XOR CMP in all forms. */
export function execAlu(u: usize): i32 {
  const operation = uOpcode(u) < 0x40 ? uOpcode(u) >> 3 : uModReg(u);
  const bytes = uOpSize(u);
  const flags = uFlags(u);
  if (flags & UF_DST_REG) {
    if (!operandRead(u, bytes)) return accessStatus();
    const r = aluResult(operation, registerRead(u, bytes), load<u64>(OP_VALUE), bytes);
    if (operation != ALU_CMP) registerWrite(u, bytes, r);
    setFlags(STATUS, flagsOut);
    return XS_OK;
  }
  const b = flags & UF_IMM ? uImm(u) & sizeMask(bytes) : registerRead(u, bytes);
  if (operation == ALU_CMP) {
    if (!operandRead(u, bytes)) return accessStatus();
    aluResult(operation, load<u64>(OP_VALUE), b, bytes);
    setFlags(STATUS, flagsOut);
    return XS_OK;
  }
  const p = operandModify(u, bytes);
  if (!p) return accessStatus();
  const r = aluResult(operation, loadSized(p, bytes), b, bytes);
  if (!operandCommit(u, p, bytes, r)) return accessStatus();
  setFlags(STATUS, flagsOut);
  return XS_OK;
}

export function execTest(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!operandRead(u, bytes)) return accessStatus();
  const b = uFlags(u) & UF_IMM ? uImm(u) : registerRead(u, bytes);
  setFlags(STATUS, resultFlags(load<u64>(OP_VALUE) & b & sizeMask(bytes), bytes));
  return XS_OK;
}

/** INC and DEC keep CF. */
export function execIncDec(u: usize): i32 {
  const bytes = uOpSize(u);
  const p = operandModify(u, bytes);
  if (!p) return accessStatus();
  const opcode = uOpcode(u);
  const decrement = opcode < 0xf0 ? (opcode & 8) != 0 : uModReg(u) == 1;
  const a = loadSized(p, bytes);
  const r = (decrement ? a - 1 : a + 1) & sizeMask(bytes);
  if (!operandCommit(u, p, bytes, r)) return accessStatus();
  setFlags(STATUS & ~CF, decrement ? subFlags(a, 1, r, bytes) : addFlags(a, 1, r, bytes));
  return XS_OK;
}

export function execNot(u: usize): i32 {
  const bytes = uOpSize(u);
  const p = operandModify(u, bytes);
  if (!p) return accessStatus();
  return operandCommit(u, p, bytes, ~loadSized(p, bytes) & sizeMask(bytes)) ? XS_OK : accessStatus();
}

export function execNeg(u: usize): i32 {
  const bytes = uOpSize(u);
  const p = operandModify(u, bytes);
  if (!p) return accessStatus();
  const a = loadSized(p, bytes);
  const r = (0 - a) & sizeMask(bytes);
  if (!operandCommit(u, p, bytes, r)) return accessStatus();
  setFlags(STATUS, subFlags(0, a, r, bytes));
  return XS_OK;
}

export function execXadd(u: usize): i32 {
  const bytes = uOpSize(u);
  const p = operandModify(u, bytes);
  if (!p) return accessStatus();
  const a = loadSized(p, bytes);
  const b = registerRead(u, bytes);
  const r = (a + b) & sizeMask(bytes);
  if (uIsMem(u)) {
    if (!operandCommit(u, p, bytes, r)) return accessStatus();
    registerWrite(u, bytes, a);
  } else {
    // XADD r, r with one register: the sum stays.
    registerWrite(u, bytes, a);
    storeRegister(p, bytes, r);
  }
  setFlags(STATUS, addFlags(a, b, r, bytes));
  return XS_OK;
}

/** A memory operand is written in either case; a register keeps its upper half when the values differ. @sdm 2A "CMPXCHG" */
export function execCmpxchg(u: usize): i32 {
  const bytes = uOpSize(u);
  const p = operandModify(u, bytes);
  if (!p) return accessStatus();
  const found = loadSized(p, bytes);
  const wanted = load<u64>(RAX) & sizeMask(bytes);
  const equal = found == wanted;
  if ((equal || uIsMem(u)) && !operandCommit(u, p, bytes, equal ? registerRead(u, bytes) : found)) return accessStatus();
  if (!equal) storeRegister(RAX, bytes, found);
  setFlags(STATUS, subFlags(wanted, found, (wanted - found) & sizeMask(bytes), bytes));
  return XS_OK;
}

export function execCmpxchg8b(u: usize): i32 {
  if (uOpSize(u) == 8) return compareExchange16(u);
  if (!operandLinear(u, 8, true)) return accessStatus();
  const p = modifiable<u64>(load<u64>(OP_LINEAR));
  if (!p) return accessStatus();
  const found = load<u64>(p);
  const equal = found == (u64(load<u32>(RAX)) | (u64(load<u32>(RDX)) << 32));
  store<u64>(p, equal ? u64(load<u32>(RBX)) | (u64(load<u32>(RCX)) << 32) : found);
  if (!wrote<u64>(p)) return accessStatus();
  if (!equal) {
    store<u64>(RAX, found & 0xffffffff);
    store<u64>(RDX, found >> 32);
  }
  setFlags(ZF, equal ? ZF : 0);
  return XS_OK;
}

/** Sixteen aligned bytes lie in one page, so a host pointer to the first half serves both. */
function compareExchange16(u: usize): i32 {
  if (!operandLinear(u, 16, true)) return accessStatus();
  const la = load<u64>(OP_LINEAR);
  if (la & 15) return faultCode(VEC_GP, 0);
  // a page fault names the first byte
  if (!modifiable<u64>(la)) return accessStatus();
  const high = modifiable<u64>(la + 8);
  if (!high) return accessStatus();
  const highFound = load<u64>(high);
  const p = modifiable<u64>(la);
  if (!p) return accessStatus();
  const found = load<u64>(p);
  const equal = found == load<u64>(RAX) && highFound == load<u64>(RDX);
  store<u64>(p, equal ? load<u64>(RBX) : found);
  if (!wrote<u64>(p)) return accessStatus();
  const q = modifiable<u64>(la + 8);
  if (!q) return accessStatus();
  store<u64>(q, equal ? load<u64>(RCX) : highFound);
  if (!wrote<u64>(q)) return accessStatus();
  if (!equal) {
    store<u64>(RAX, found);
    store<u64>(RDX, highFound);
  }
  setFlags(ZF, equal ? ZF : 0);
  return XS_OK;
}

/** CMC CLC STC CLD STD. */
export function execFlagOp(u: usize): i32 {
  const flags = load<u32>(RFLAGS);
  switch (uOpcode(u)) {
    case 0xf5: store<u32>(RFLAGS, flags ^ CF); break;
    case 0xf8: store<u32>(RFLAGS, flags & ~CF); break;
    case 0xf9: store<u32>(RFLAGS, flags | CF); break;
    case 0xfc: store<u32>(RFLAGS, flags & ~DF); break;
    default: store<u32>(RFLAGS, flags | DF);
  }
  return XS_OK;
}

function setAl(value: u32, flags: u32): void {
  store<u8>(RAX, u8(value));
  setFlags(STATUS, flags | resultFlags(u64(value & 0xff), 1));
}

export function execDaa(u: usize): i32 {
  const al: u32 = load<u8>(RAX);
  const flags = load<u32>(RFLAGS);
  let result = al;
  let out: u32 = 0;
  if ((al & 15) > 9 || flags & AF) {
    result += 6;
    out |= AF | (flags & CF) | (result > 0xff ? CF : 0);
  }
  if (al > 0x99 || flags & CF) {
    result += 0x60;
    out |= CF;
  } else out &= ~CF;
  setAl(result, out);
  return XS_OK;
}

export function execDas(u: usize): i32 {
  const al: u32 = load<u8>(RAX);
  const flags = load<u32>(RFLAGS);
  let result = al;
  let out: u32 = 0;
  if ((al & 15) > 9 || flags & AF) {
    out |= AF | (flags & CF) | (al < 6 ? CF : 0);
    result -= 6;
  }
  if (al > 0x99 || flags & CF) {
    result -= 0x60;
    out |= CF;
  }
  setAl(result, out);
  return XS_OK;
}

export function execAaa(u: usize): i32 {
  const adjust = (load<u8>(RAX) & 15) > 9 || (load<u32>(RFLAGS) & AF) != 0;
  if (adjust) store<u16>(RAX, u16(load<u16>(RAX) + 0x106));
  store<u8>(RAX, load<u8>(RAX) & 15);
  setFlags(STATUS, (adjust ? AF | CF : 0) | resultFlags(load<u8>(RAX), 1));
  return XS_OK;
}

export function execAas(u: usize): i32 {
  const adjust = (load<u8>(RAX) & 15) > 9 || (load<u32>(RFLAGS) & AF) != 0;
  if (adjust) store<u16>(RAX, u16(load<u16>(RAX) - 0x106));
  store<u8>(RAX, load<u8>(RAX) & 15);
  setFlags(STATUS, (adjust ? AF | CF : 0) | resultFlags(load<u8>(RAX), 1));
  return XS_OK;
}

export function execAam(u: usize): i32 {
  const radix = u32(uImm(u)) & 0xff;
  if (radix == 0) return fault(VEC_DE);
  const al: u32 = load<u8>(RAX);
  store<u8>(RAX, u8(al / radix), 1);
  setAl(al % radix, 0);
  return XS_OK;
}

export function execAad(u: usize): i32 {
  const al = (u32(load<u8>(RAX)) + u32(load<u8>(RAX, 1)) * (u32(uImm(u)) & 0xff)) & 0xff;
  store<u16>(RAX, u16(al));
  setAl(al, 0);
  return XS_OK;
}

/** D6: AL = CF ? FF : 00. */
export function execSalc(u: usize): i32 {
  store<u8>(RAX, load<u32>(RFLAGS) & CF ? 0xff : 0);
  return XS_OK;
}

export function execLahf(u: usize): i32 {
  store<u8>(RAX, u8((load<u32>(RFLAGS) & (SF | ZF | AF | PF | CF)) | <u32>RFLAGS_ALWAYS_ONE), 1);
  return XS_OK;
}

export function execSahf(u: usize): i32 {
  setFlags(STATUS & ~OF, load<u8>(RAX, 1));
  return XS_OK;
}
