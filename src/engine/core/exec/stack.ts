// Pushes, pops and stack frames.
import { OP_LINEAR, OP_VALUE, RAX, RBP, RSP, SEG_SS, XS_OK } from '../layout';
import { accessStatus } from '../mmu/access';
import { UF_IMM, uFlags, uImm, uImm2, uIsMem, uOpSize } from '../uop';
import { sizeMask } from './flags';
import {
  cutAddress, loadSized, modifyLinear, operandLinear, operandRead, operandWrite, peek, pop, popCommit, push, readLinear, setStackPointer,
  stackPointer, stackSize, storeRegister, writeLinear,
} from './operand';
import { segmentLinear } from './segment';

export function execPush(u: usize): i32 {
  const bytes = uOpSize(u);
  let value: u64;
  if (uFlags(u) & UF_IMM) value = uImm(u) & sizeMask(bytes);
  else {
    if (!operandRead(u, bytes)) return accessStatus();
    value = load<u64>(OP_VALUE);
  }
  return push(value, bytes) ? XS_OK : accessStatus();
}

/**
 * The address of a memory destination is taken after RSP has moved; RSP itself moves last, for the write may exit.
 * @sdm 2B "POP"
 */
export function execPop(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!pop(bytes)) return accessStatus();
  const value = load<u64>(OP_VALUE);
  if (uIsMem(u)) {
    const before = load<u64>(RSP);
    popCommit(bytes);
    const found = operandLinear(u, bytes, true);
    store<u64>(RSP, before);
    if (!found || !writeLinear(load<u64>(OP_LINEAR), bytes, value)) return accessStatus();
    popCommit(bytes);
    return XS_OK;
  }
  popCommit(bytes);
  return operandWrite(u, bytes, value) ? XS_OK : accessStatus();
}

export function execPusha(u: usize): i32 {
  const bytes = uOpSize(u);
  const size = stackSize();
  const sp = stackPointer();
  for (let n: u32 = 0; n < 8; n++) {
    if (!segmentLinear(SEG_SS, cutAddress(sp - u64((n + 1) * bytes), size), bytes, true)) return accessStatus();
    if (!writeLinear(load<u64>(OP_LINEAR), bytes, loadSized(RAX + n * 8, bytes))) return accessStatus();
  }
  setStackPointer(sp - u64(8 * bytes));
  return XS_OK;
}

/** The slot of SP is skipped. Nothing is loaded before all eight are read. */
export function execPopa(u: usize): i32 {
  const bytes = uOpSize(u);
  for (let n: u32 = 0; n < 8; n++) if (!peek(u64(n * bytes), bytes)) return accessStatus();
  for (let n: u32 = 0; n < 8; n++) {
    if (n == 3) continue;
    if (!peek(u64(n * bytes), bytes)) return accessStatus();
    storeRegister(RAX + (7 - n) * 8, bytes, load<u64>(OP_VALUE));
  }
  popCommit(u64(8 * bytes));
  return XS_OK;
}

/** Writes a value to the stack at an offset, which RSP does not follow yet. */
function place(sp: u64, bytes: u32, value: u64): bool {
  return segmentLinear(SEG_SS, sp, bytes, true) && writeLinear(load<u64>(OP_LINEAR), bytes, value);
}

/**
 * RSP and RBP change when nothing can fault or exit any more. The frame pointer is as wide as the operand, so that of a
 * 16-bit stack has above SP what ESP has. @sdm 2A "ENTER"
 */
export function execEnter(u: usize): i32 {
  const bytes = uOpSize(u);
  const size = stackSize();
  const level = uImm2(u) & 31;
  const frame = cutAddress(stackPointer() - bytes, size);
  const pointer = size == 2 ? (load<u64>(RSP) & ~(<u64>0xffff)) | frame : frame;
  let sp = frame;
  if (!place(sp, bytes, load<u64>(RBP) & sizeMask(bytes))) return accessStatus();
  for (let n: u32 = 1; n < level; n++) {
    const from = cutAddress(cutAddress(load<u64>(RBP), size) - u64(n * bytes), size);
    if (!segmentLinear(SEG_SS, from, bytes, false) || !readLinear(load<u64>(OP_LINEAR), bytes)) return accessStatus();
    sp = cutAddress(sp - bytes, size);
    if (!place(sp, bytes, load<u64>(OP_VALUE))) return accessStatus();
  }
  if (level > 0) {
    sp = cutAddress(sp - bytes, size);
    if (!place(sp, bytes, pointer & sizeMask(bytes))) return accessStatus();
  }
  const bottom = cutAddress(sp - (uImm(u) & 0xffff), size);
  // the new top must be writable, though nothing is written there
  if (!segmentLinear(SEG_SS, bottom, bytes, true) || !modifyLinear(load<u64>(OP_LINEAR), bytes)) return accessStatus();
  storeRegister(RBP, bytes, pointer & sizeMask(bytes));
  setStackPointer(bottom);
  return XS_OK;
}

export function execLeave(u: usize): i32 {
  const bytes = uOpSize(u);
  const frame = cutAddress(load<u64>(RBP), stackSize());
  if (!segmentLinear(SEG_SS, frame, bytes, false) || !readLinear(load<u64>(OP_LINEAR), bytes)) return accessStatus();
  setStackPointer(frame + bytes);
  storeRegister(RBP, bytes, load<u64>(OP_VALUE));
  return XS_OK;
}
