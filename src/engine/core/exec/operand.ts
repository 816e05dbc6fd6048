// Operands of the instructions that are not hot: any segment, any address size, any width.
import {
  GPR, MODE, MODE_CODE64, MODE_STACK32, OP_LINEAR, OP_VALUE, READ_ROOMS, RSP, SEG_SS, TLB_READ, TLB_WRITE, WRITE_ROOMS,
} from '../layout';
import {
  UF_HIGH_R, UF_HIGH_RM, UF_MOFFS, uAddrSize, uBase, uDisp, uFlags, uImm, uIndex, uIsMem, uReg, uRm, uScale, uSeg,
} from '../uop';
import { code64, segBase } from '../state';
import { cached, modifiable, readable, writable, wrote } from '../mmu/access';
import { segmentLinear } from './segment';

/** Offset of the memory operand in its segment, cut to the address size. */
export function effectiveAddress(u: usize): u64 {
  let offset: u64;
  if (uFlags(u) & UF_MOFFS) offset = uImm(u);
  else {
    offset = load<u64>(uBase(u) << 3, GPR) + (load<u64>(uIndex(u) << 3, GPR) << u64(uScale(u))) + u64(i64(uDisp(u)));
  }
  return cutAddress(offset, uAddrSize(u));
}

/** Cuts an offset to an address size of 2, 4 or 8 bytes. */
@inline export function cutAddress(offset: u64, size: u32): u64 {
  return size == 8 ? offset : size == 4 ? offset & 0xffffffff : offset & 0xffff;
}

/** Linear address of the memory operand in OP_LINEAR after the segment checks; false: fault recorded. */
export function operandLinear(u: usize, bytes: u32, write: bool): bool {
  return segmentLinear(uSeg(u), effectiveAddress(u), bytes, write);
}

/** Where the bytes of register `index` lie; `high`: ah, ch, dh or bh (numbers 4-7). */
@inline export function registerPointer(index: u32, high: bool): usize {
  return high ? GPR + ((index & 3) << 3) + 1 : GPR + (index << 3);
}

@inline export function loadSized(p: usize, bytes: u32): u64 {
  return bytes == 8 ? load<u64>(p) : bytes == 4 ? load<u32>(p) : bytes == 2 ? load<u16>(p) : load<u8>(p);
}

@inline export function storeSized(p: usize, bytes: u32, value: u64): void {
  if (bytes == 8) store<u64>(p, value);
  else if (bytes == 4) store<u32>(p, u32(value));
  else if (bytes == 2) store<u16>(p, u16(value));
  else store<u8>(p, u8(value));
}

/** Writes a register with the rule of 64-bit mode: 32 bits clear the upper half, 8 and 16 keep it. */
@inline export function storeRegister(p: usize, bytes: u32, value: u64): void {
  if (bytes == 4) store<u64>(p, value & 0xffffffff);
  else storeSized(p, bytes, value);
}

/** Value of the r operand. */
export function registerRead(u: usize, bytes: u32): u64 {
  return loadSized(registerPointer(uReg(u), bytes == 1 && (uFlags(u) & UF_HIGH_R) != 0), bytes);
}

/** Writes the r operand. */
export function registerWrite(u: usize, bytes: u32, value: u64): void {
  storeRegister(registerPointer(uReg(u), bytes == 1 && (uFlags(u) & UF_HIGH_R) != 0), bytes, value);
}

/** Reads memory at a linear address into OP_VALUE; false: see accessStatus(). */
export function readLinear(la: u64, bytes: u32): bool {
  const p = bytes == 8 ? readable<u64>(la) : bytes == 4 ? readable<u32>(la) : bytes == 2 ? readable<u16>(la) : readable<u8>(la);
  if (!p) return false;
  store<u64>(OP_VALUE, loadSized(p, bytes));
  return true;
}

/** Writes memory at a linear address; false: see accessStatus(). */
export function writeLinear(la: u64, bytes: u32, value: u64): bool {
  if (bytes == 8) {
    const p = writable<u64>(la);
    if (!p) return false;
    store<u64>(p, value);
    return wrote<u64>(p);
  }
  if (bytes == 4) {
    const p = writable<u32>(la);
    if (!p) return false;
    store<u32>(p, u32(value));
    return wrote<u32>(p);
  }
  if (bytes == 2) {
    const p = writable<u16>(la);
    if (!p) return false;
    store<u16>(p, u16(value));
    return wrote<u16>(p);
  }
  const p = writable<u8>(la);
  if (!p) return false;
  store<u8>(p, u8(value));
  return wrote<u8>(p);
}

/** Reads the rm operand, register or memory, zero-extended into OP_VALUE; false: see accessStatus(). */
export function operandRead(u: usize, bytes: u32): bool {
  if (!uIsMem(u)) {
    store<u64>(OP_VALUE, loadSized(registerPointer(uRm(u), bytes == 1 && (uFlags(u) & UF_HIGH_RM) != 0), bytes));
    return true;
  }
  return operandLinear(u, bytes, false) && readLinear(load<u64>(OP_LINEAR), bytes);
}

/** Writes the rm operand; false: see accessStatus(). */
export function operandWrite(u: usize, bytes: u32, value: u64): bool {
  if (!uIsMem(u)) {
    storeRegister(registerPointer(uRm(u), bytes == 1 && (uFlags(u) & UF_HIGH_RM) != 0), bytes, value);
    return true;
  }
  return operandLinear(u, bytes, true) && writeLinear(load<u64>(OP_LINEAR), bytes, value);
}

/** Pointer to the rm operand for read-modify-write, or 0: see accessStatus(). Finish with operandCommit(). */
export function operandModify(u: usize, bytes: u32): usize {
  if (!uIsMem(u)) return registerPointer(uRm(u), bytes == 1 && (uFlags(u) & UF_HIGH_RM) != 0);
  if (!operandLinear(u, bytes, true)) return 0;
  return modifyLinear(load<u64>(OP_LINEAR), bytes);
}

/** Pointer for read-modify-write at a linear address, or 0. */
export function modifyLinear(la: u64, bytes: u32): usize {
  return bytes == 8 ? modifiable<u64>(la)
    : bytes == 4 ? modifiable<u32>(la)
    : bytes == 2 ? modifiable<u16>(la)
    : modifiable<u8>(la);
}

/** Stores through a pointer of operandModify(); false: see accessStatus(), the instruction is not complete. */
export function operandCommit(u: usize, p: usize, bytes: u32, value: u64): bool {
  if (!uIsMem(u)) {
    storeRegister(p, bytes, value);
    return true;
  }
  return commitLinear(p, bytes, value);
}

/** Stores through a pointer of modifyLinear(). */
export function commitLinear(p: usize, bytes: u32, value: u64): bool {
  storeSized(p, bytes, value);
  return bytes == 8 ? wrote<u64>(p) : bytes == 4 ? wrote<u32>(p) : bytes == 2 ? wrote<u16>(p) : wrote<u8>(p);
}

/** Width of the stack pointer in bytes: 8, 4 or 2. */
@inline export function stackSize(): u32 {
  const mode = load<u32>(MODE);
  return mode & MODE_CODE64 ? 8 : mode & MODE_STACK32 ? 4 : 2;
}

/** RSP cut to the stack's width. */
@inline export function stackPointer(): u64 { return cutAddress(load<u64>(RSP), stackSize()); }

/** Writes the stack pointer: with a 16-bit stack only SP changes. */
export function setStackPointer(value: u64): void {
  const size = stackSize();
  if (size == 8) store<u64>(RSP, value);
  else if (size == 4) store<u64>(RSP, value & 0xffffffff);
  else store<u16>(RSP, u16(value));
}

/** Host address of bytes on the stack that a table of the TLB has, inside the segment, or 0. */
function cachedOnStack(table: usize, sp: u64, bytes: u32): usize {
  if (code64()) return cached(table, sp, bytes);
  const rooms: usize = table == TLB_WRITE ? WRITE_ROOMS : READ_ROOMS;
  if (sp + bytes > load<u64>(rooms + (SEG_SS << 3))) return 0;
  return cached(table, (segBase(SEG_SS) + sp) & 0xffffffff, bytes);
}

/** Pushes 2, 4 or 8 bytes; RSP moves only when the write was done. false: see accessStatus(). */
export function push(value: u64, bytes: u32): bool {
  const sp = cutAddress(stackPointer() - bytes, stackSize());
  const p = cachedOnStack(TLB_WRITE, sp, bytes);
  if (p) {
    storeSized(p, bytes, value);
    setStackPointer(sp);
    return true;
  }
  if (!segmentLinear(SEG_SS, sp, bytes, true)) return false;
  if (!writeLinear(load<u64>(OP_LINEAR), bytes, value)) return false;
  setStackPointer(sp);
  return true;
}

/** Reads the top of the stack into OP_VALUE and leaves RSP; finish with popCommit(). */
export function pop(bytes: u32): bool { return peek(0, bytes); }

/** Reads the stack `offset` bytes above its top into OP_VALUE. */
export function peek(offset: u64, bytes: u32): bool {
  const p = cachedOnStack(TLB_READ, cutAddress(stackPointer() + offset, stackSize()), bytes);
  if (p) {
    store<u64>(OP_VALUE, loadSized(p, bytes));
    return true;
  }
  if (!segmentLinear(SEG_SS, cutAddress(stackPointer() + offset, stackSize()), bytes, false)) return false;
  return readLinear(load<u64>(OP_LINEAR), bytes);
}

/** Moves RSP up over what pop() read. */
export function popCommit(bytes: u64): void { setStackPointer(stackPointer() + bytes); }
