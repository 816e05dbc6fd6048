// Pushes, pops and stack frames.
import { OP_LINEAR, OP_VALUE, RAX, RBP, RSP, SEG_SS, XS_OK } from '../layout';
import { accessStatus } from '../mmu/access';
import { UF_IMM, uFlags, uImm, uImm2, uOpSize } from '../uop';
import { sizeMask } from './flags';
import {
  cutAddress, loadSized, modifyLinear, operandRead, operandWrite, peek, pop, popCommit, push, readLinear, setStackPointer,
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

/** The address of a memory destination is taken after RSP has moved. @sdm 2B "POP" */
export function execPop(u: usize): i32 {
  const bytes = uOpSize(u);
  if (!pop(bytes)) return accessStatus();
  const value = load<u64>(OP_VALUE);
  const before = load<u64>(RSP);
  popCommit(bytes);
  if (operandWrite(u, bytes, value)) return XS_OK;
  store<u64>(RSP, before);
  return accessStatus();
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

export function execEnter(u: usize): i32 {
  const bytes = uOpSize(u);
  const size = stackSize();
  const level = uImm2(u) & 31;
  const before = load<u64>(RSP);
  if (!push(load<u64>(RBP) & sizeMask(bytes), bytes)) return accessStatus();
  const frame = stackPointer();
  for (let n: u32 = 1; n < level; n++) {
    const from = cutAddress(cutAddress(load<u64>(RBP), size) - u64(n * bytes), size);
    let done = segmentLinear(SEG_SS, from, bytes, false);
    if (done) done = readLinear(load<u64>(OP_LINEAR), bytes);
    if (done) done = push(load<u64>(OP_VALUE), bytes);
    if (!done) return undo(before);
  }
  if (level > 0 && !push(frame & sizeMask(bytes), bytes)) return undo(before);
  const bottom = cutAddress(stackPointer() - (uImm(u) & 0xffff), size);
  // The new top must be writable, though nothing is written there. @sdm 2A "ENTER"
  if (!segmentLinear(SEG_SS, bottom, bytes, true) || !modifyLinear(load<u64>(OP_LINEAR), bytes)) return undo(before);
  storeRegister(RBP, min<u32>(bytes, size), frame & sizeMask(bytes));
  setStackPointer(bottom);
  return XS_OK;
}

function undo(rsp: u64): i32 {
  store<u64>(RSP, rsp);
  return accessStatus();
}

export function execLeave(u: usize): i32 {
  const bytes = uOpSize(u);
  const before = load<u64>(RSP);
  setStackPointer(load<u64>(RBP));
  if (!pop(bytes)) {
    store<u64>(RSP, before);
    return accessStatus();
  }
  popCommit(bytes);
  storeRegister(RBP, bytes, load<u64>(OP_VALUE));
  return XS_OK;
}
