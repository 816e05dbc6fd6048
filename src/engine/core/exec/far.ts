// Far JMP, CALL and RET: direct, through call gates, to tasks; in real, virtual-8086, protected and IA-32e mode.
import {
  CTX_SYSTEM, OP_LINEAR, NEXT_RIP, RSP, SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS, SYSCALL_MODES, SYSCALL_PROTECTED, XS_OK,
} from '../layout';
import { code64, cpl, longMode, protectedMode, segAr, segLimit, segSelector, v8086 } from '../state';
import { accessStatus, readAs, readSlow } from '../mmu/access';
import { updateMode, updateSegment } from '../mmu/mode';
import { uImm, uImm2, uOpSize } from '../uop';
import { AR_DB, AR_L, AR_P, AR_S, AR_UNUSABLE } from '../generated/register-bits';
import { VEC_GP, VEC_NP, VEC_SS } from '../generated/events';
import { loadSized, operandLinear } from './operand';
import {
  AR_CODE, AR_CONFORMING, AR_WRITABLE, descriptor, descriptorAddress, descriptorAr, markAccessed, readDescriptor,
  reject, rejectSelector, dropSegment, setNullSegment, setRealSegment, setSegment,
} from './segment';
import { TASK_BY_CALL, TASK_BY_JMP, taskSwitch } from './task';
import {
  checkDirectCode, checkInnerStack, checkTarget, commitCode, commitNewStack, commitStack, currentStack, isCode, isCode64,
  isConforming, jumpTo, otherStack, setLevel, stackDescriptor, stackDrop, stackPeek, stackPointerNow, stackPush, stackRoom, stackValue,
  tssPointer, tssSelector, tssStack, tssStack64, wideStack,
} from './transfer';

@inline function cut(offset: u64, bytes: u32): u64 {
  return bytes == 2 ? offset & 0xffff : bytes == 4 ? offset & 0xffffffff : offset;
}

let pointerOffset: u64 = 0;
let pointerSelector: u32 = 0;

/** Reads an m16:16, m16:32 or m16:64 operand. */
function farPointer(u: usize): bool {
  const bytes = uOpSize(u);
  if (!operandLinear(u, bytes + 2, false)) return false;
  const p = readSlow(load<u64>(OP_LINEAR), bytes + 2);
  if (!p) return false;
  pointerOffset = loadSized(p, bytes);
  pointerSelector = load<u16>(p + bytes);
  return true;
}

export function execJmpFar(u: usize): i32 {
  return transfer(uImm2(u) & 0xffff, cut(uImm(u), uOpSize(u)), uOpSize(u), false);
}
export function execCallFar(u: usize): i32 {
  return transfer(uImm2(u) & 0xffff, cut(uImm(u), uOpSize(u)), uOpSize(u), true);
}
export function execJmpFarMem(u: usize): i32 {
  return farPointer(u) ? transfer(pointerSelector, pointerOffset, uOpSize(u), false) : accessStatus();
}
export function execCallFarMem(u: usize): i32 {
  return farPointer(u) ? transfer(pointerSelector, pointerOffset, uOpSize(u), true) : accessStatus();
}

@inline function status(done: bool): i32 { return done ? XS_OK : accessStatus(); }

function transfer(selector: u32, offset: u64, bytes: u32, call: bool): i32 {
  if (!protectedMode() || v8086()) return status(realTransfer(selector, offset, bytes, call));
  if ((selector & 0xfffc) == 0) return status(reject(VEC_GP, 0));
  if (!readDescriptor(selector, VEC_GP)) return accessStatus();
  const ar = descriptorAr(descriptor);
  if (ar & AR_S) return status(direct(selector, offset, bytes, call));
  const type = ar & 15;
  if (type == 12 || (type == 4 && !longMode())) return status(gate(selector, call));
  if (longMode()) return status(rejectSelector(VEC_GP, selector));
  const by = call ? TASK_BY_CALL : TASK_BY_JMP;
  if (type == 5) {
    const dpl = ar >> 5 & 3;
    if (dpl < cpl() || dpl < (selector & 3)) return status(rejectSelector(VEC_GP, selector));
    if (!(ar & AR_P)) return status(rejectSelector(VEC_NP, selector));
    return taskSwitch(<u32>(descriptor >> 16) & 0xffff, by, false);
  }
  return taskSwitch(selector, by, true);
}

function realTransfer(selector: u32, offset: u64, bytes: u32, call: bool): bool {
  if (call) {
    currentStack();
    if (!stackRoom(2, bytes)) return false;
  }
  if (offset > <u64>(v8086() ? 0xffff : segLimit(SEG_CS))) return reject(VEC_GP, 0);
  if (call) {
    if (!pushReturn(bytes)) return false;
    commitStack();
  }
  setRealSegment(SEG_CS, selector);
  jumpTo(offset);
  updateSegment(SEG_CS);
  return true;
}

@inline function pushReturn(bytes: u32): bool {
  return stackPush(segSelector(SEG_CS), bytes) && stackPush(load<u64>(NEXT_RIP), bytes);
}

/** Straight to a code segment; `descriptor` holds its descriptor. */
function direct(selector: u32, offset: u64, bytes: u32, call: bool): bool {
  if (!checkDirectCode(selector)) return false;
  const d = descriptor;
  const address = descriptorAddress;
  if (call) {
    currentStack();
    if (!stackRoom(2, bytes)) return false;
  }
  if (!checkTarget(d, offset)) return false;
  if (call && !pushReturn(bytes)) return false;
  if (!markAccessed(address, d)) return false;
  if (call) commitStack();
  commitCode(selector, d, cpl(), offset);
  updateMode();
  return true;
}

/** Through the call gate in `descriptor`. @sdm 3A 5.8.3 "Call Gates" 5.8.3.1 "IA-32e Mode Call Gates" */
function gate(gateSelector: u32, call: bool): bool {
  const g = descriptor;
  const gateAr = descriptorAr(g);
  const gateDpl = gateAr >> 5 & 3;
  if (gateDpl < cpl() || gateDpl < (gateSelector & 3)) return rejectSelector(VEC_GP, gateSelector);
  const long = longMode();
  let offset = (g & 0xffff) | (g >> 48 << 16);
  const bytes: u32 = long ? 8 : gateAr & 8 ? 4 : 2;
  if (long) {
    const p = readAs(descriptorAddress + 8, 8, load<u32>(CTX_SYSTEM));
    if (!p) return false;
    const upper = load<u64>(p);
    if (upper >> 40 & 0x1f) return rejectSelector(VEC_GP, gateSelector);
    offset |= upper << 32;
  } else if (bytes == 2) offset &= 0xffff;
  if (!(gateAr & AR_P)) return rejectSelector(VEC_NP, gateSelector);
  const selector = <u32>(g >> 16) & 0xffff;
  if ((selector & 0xfffc) == 0) return reject(VEC_GP, 0);
  if (!readDescriptor(selector, VEC_GP)) return false;
  const d = descriptor;
  const address = descriptorAddress;
  const ar = descriptorAr(d);
  const dpl = ar >> 5 & 3;
  if (!isCode(d) || dpl > cpl() || (long && (ar & (AR_L | AR_DB)) != AR_L)) return rejectSelector(VEC_GP, selector);
  if (!call && !isConforming(d) && dpl != cpl()) return rejectSelector(VEC_GP, selector);
  if (!(ar & AR_P)) return rejectSelector(VEC_NP, selector);
  if (!call || isConforming(d) || dpl == cpl()) {
    if (call) {
      currentStack();
      if (!stackRoom(2, bytes)) return false;
    }
    if (!checkTarget(d, offset)) return false;
    // in IA-32e mode the gate's pushes are 8 bytes, also from compatibility mode
    if (call && !pushReturn(bytes)) return false;
    if (!markAccessed(address, d)) return false;
    if (call) commitStack();
    commitCode(selector, d, cpl(), offset);
    updateMode();
    return true;
  }
  return innerCall(selector, d, address, dpl, offset, bytes, <u32>(g >> 32) & 31);
}

/** A call gate to a more privileged level: the stack of the TSS, with the caller's SS:eSP and parameters on it. */
function innerCall(selector: u32, d: u64, address: u64, level: u32, offset: u64, bytes: u32, parameters: u32): bool {
  const oldSp = load<u64>(RSP);
  const long = bytes == 8;
  let inner: u32 = 0;
  let ss: u64 = 0;
  if (long) {
    if (!tssStack64(level, 0)) return false;
    wideStack(tssPointer, level);
  } else {
    if (!tssStack(level)) return false;
    inner = tssSelector;
    if (!checkInnerStack(inner, level)) return false;
    ss = stackDescriptor;
    otherStack(inner, ss, tssPointer, level);
  }
  if (!stackRoom(4 + (long ? 0 : parameters), bytes) || !checkTarget(d, offset)) return false;
  if (!stackPush(segSelector(SEG_SS), bytes) || !stackPush(oldSp, bytes)) return false;
  if (!long) {
    for (let i = parameters; i > 0; i--) {
      const sp = stackPointerNow();
      currentStack();
      if (!stackPeek((i - 1) * bytes, bytes)) return false;
      const value = stackValue;
      otherStack(inner, ss, sp, level);
      if (!stackPush(value, bytes)) return false;
    }
  }
  if (!pushReturn(bytes) || !markAccessed(address, d)) return false;
  if (long) setNullSegment(SEG_SS, level, level);
  else setSegment(SEG_SS, inner, ss);
  commitNewStack();
  setLevel(level);
  commitCode(selector, d, level, offset);
  updateMode();
  return true;
}

/** RET far, with imm16 bytes of parameters. @sdm 2B 4.3 "RET - Return From Procedure" */
export function execRetFar(u: usize): i32 {
  const bytes = uOpSize(u);
  const parameters = <u32>uImm(u) & 0xffff;
  currentStack();
  if (!stackPeek(0, bytes)) return accessStatus();
  const rip = stackValue;
  if (!stackPeek(bytes, bytes)) return accessStatus();
  const selector = <u32>stackValue & 0xffff;
  if (!protectedMode() || v8086()) {
    if (rip > <u64>(v8086() ? 0xffff : segLimit(SEG_CS))) return status(reject(VEC_GP, 0));
    stackDrop(2 * bytes + parameters);
    commitStack();
    setRealSegment(SEG_CS, selector);
    jumpTo(rip);
    updateSegment(SEG_CS);
    return XS_OK;
  }
  if (!checkReturnCode(selector)) return accessStatus();
  const d = descriptor;
  const address = descriptorAddress;
  const level = selector & 3;
  if (!checkTarget(d, rip)) return accessStatus();
  if (level == cpl()) {
    if (!markAccessed(address, d)) return accessStatus();
    stackDrop(2 * bytes + parameters);
    commitStack();
    commitCode(selector, d, level, rip);
    updateMode();
    return XS_OK;
  }
  if (!stackPeek(2 * bytes + parameters, bytes)) return accessStatus();
  const sp = stackValue;
  if (!stackPeek(3 * bytes + parameters, bytes)) return accessStatus();
  return status(returnOutward(selector, d, address, rip, <u32>stackValue & 0xffff, sp, parameters));
}

/** CS on the stack of a return (RETF, IRET) -> descriptor. */
export function checkReturnCode(selector: u32): bool {
  if ((selector & 0xfffc) == 0) return reject(VEC_GP, 0);
  if (!readDescriptor(selector, VEC_GP)) return false;
  const d = descriptor;
  const level = selector & 3;
  const dpl = descriptorAr(d) >> 5 & 3;
  if (!isCode(d) || level < cpl() || (isConforming(d) ? dpl > level : dpl != level)) return rejectSelector(VEC_GP, selector);
  if (!(descriptorAr(d) & AR_P)) return rejectSelector(VEC_NP, selector);
  return true;
}

/** Last part of RETF and IRET to an outer level, or of IRET in 64-bit mode: SS:eSP from the stack. */
export function returnOutward(
  selector: u32, d: u64, address: u64, rip: u64, ss: u32, sp: u64, parameters: u32,
): bool {
  const level = selector & 3;
  let stack: u64 = 0;
  const null_ = (ss & 0xfffc) == 0;
  if (null_) {
    // 64-bit code below ring 3 may run with a null SS
    if (!isCode64(d) || level == 3 || (ss & 3) != level) return reject(VEC_GP, 0);
  } else {
    if (!readDescriptor(ss, VEC_GP)) return false;
    stack = descriptor;
    const ar = descriptorAr(stack);
    if (
      (ss & 3) != level || (ar & (AR_S | AR_CODE | AR_WRITABLE)) != (AR_S | AR_WRITABLE) || (ar >> 5 & 3) != level
    ) return rejectSelector(VEC_GP, ss);
    if (!(ar & AR_P)) return rejectSelector(VEC_SS, ss);
    if (!markAccessed(descriptorAddress, stack)) return false;
  }
  if (!markAccessed(address, d)) return false;
  const outward = level > cpl();
  if (isCode64(d)) {
    wideStack(sp, level);
    stackDrop(parameters);
    commitNewStack();
  } else {
    otherStack(ss, stack, descriptorAr(stack) & AR_DB ? sp & 0xffffffff : narrowPointer(sp), level);
    stackDrop(parameters);
    commitNewStack();
  }
  if (null_) setNullSegment(SEG_SS, ss, level);
  else setSegment(SEG_SS, ss, stack);
  setLevel(level);
  commitCode(selector, d, level, rip);
  if (outward) dropInnerSegments(level);
  updateMode();
  return true;
}

/**
 * RSP of a return to a 16-bit stack: SP alone is taken from memory. Bits 63:32 are cleared by Intel's CPUs, and left by
 * AMD's; bits 31:16 are left by all, which is what Linux has its espfix stacks for.
 */
@inline function narrowPointer(sp: u64): u64 {
  const kept: u64 = load<u32>(SYSCALL_MODES) == SYSCALL_PROTECTED ? ~(<u64>0xffff) : 0xffff0000;
  return (load<u64>(RSP) & kept) | (sp & 0xffff);
}

/** Data segments that the outer level may not use become null, and so do null selectors that are not 0. */
export function dropInnerSegments(level: u32): void {
  dropInner(SEG_ES, level);
  dropInner(SEG_DS, level);
  dropInner(SEG_FS, level);
  dropInner(SEG_GS, level);
}

function dropInner(seg: u32, level: u32): void {
  const ar = segAr(seg);
  if (ar & AR_UNUSABLE) {
    if (segSelector(seg)) dropSegment(seg);
    return;
  }
  const conforming = (ar & (AR_S | AR_CODE | AR_CONFORMING)) == (AR_S | AR_CODE | AR_CONFORMING);
  if (!conforming && (ar >> 5 & 3) < level) dropSegment(seg);
}
