// What far transfers, event delivery and IRET share: stacks that are not (yet) the current one,
// code-segment checks and the stacks of the TSS. Nothing is committed before commitStack and commitCode.
import {
  ACCESS_NONCANONICAL, CPL, CTX_PLAIN, CTX_SYSTEM, EFER, NEXT_RIP, RIP, RSP, SEGMENTS, SEGMENT_BYTES, SEG_AR, SEG_CS, SEG_SS, SEG_TR,
} from '../layout';
import { canonicalAddress, code64, cpl, longMode, segAr, segBase, segLimit, segSelector } from '../state';
import { AR_DB, AR_L, AR_P, AR_S } from '../generated/register-bits';
import { VEC_GP, VEC_NP, VEC_SS, VEC_TS } from '../generated/events';
import { readAs, writeAs, wroteAs } from '../mmu/access';
import { contextFor } from '../mmu/tlb';
import {
  AR_CODE, AR_CONFORMING, AR_WRITABLE, descriptor, descriptorAddress, descriptorAr, descriptorBase, descriptorLimit,
  markAccessed, readDescriptor, reject, rejectSelector, setSegment, withinLimit,
} from './segment';
import { loadSized, storeSized } from './operand';

// ---- a stack ----

let wide: bool = false; // 64-bit: no base, no limit
let ar: u32 = 0;
let limit: u32 = 0;
let base: u64 = 0;
let pointer: u64 = 0;
let context: u32 = 0;
/** Selector in the error code of #SS: that of a new stack, 0 for the current one. */
let errorCode: u32 = 0;

/** What stackPeek read. */
export let stackValue: u64 = 0;

/** Works on the current stack. */
export function currentStack(): void {
  wide = code64();
  ar = segAr(SEG_SS);
  limit = segLimit(SEG_SS);
  base = segBase(SEG_SS);
  pointer = load<u64>(RSP);
  context = load<u32>(CTX_PLAIN);
  errorCode = 0;
}

/** Works on the stack that a descriptor describes, with the rights of the privilege level it is for. */
export function otherStack(selector: u32, d: u64, sp: u64, level: u32): void {
  wide = false;
  ar = descriptorAr(d);
  limit = descriptorLimit(d);
  base = descriptorBase(d);
  pointer = sp;
  context = contextFor(level);
  errorCode = selector & 0xfffc;
}

/** Works on a stack of 64-bit mode. */
export function wideStack(sp: u64, level: u32): void {
  wide = true;
  pointer = sp;
  context = contextFor(level);
  errorCode = 0;
}

/** True when the stack wraps at 16 bits. */
@inline function narrow(): bool { return !wide && !(ar & AR_DB); }

/** The pointer moved by a distance, in the stack's width. */
function moved(distance: i64): u64 {
  const sp = pointer + <u64>distance;
  return wide ? sp : narrow() ? (pointer & ~(<u64>0xffff)) | (sp & 0xffff) : sp & 0xffffffff;
}

function linear(sp: u64, bytes: u32): bool {
  if (wide) {
    place = sp;
    return canonicalAddress(sp) && canonicalAddress(sp + bytes - 1) ? true : reject(VEC_SS, errorCode);
  }
  const offset = narrow() ? sp & 0xffff : sp & 0xffffffff;
  if (!withinLimit(ar, limit, offset, bytes)) return reject(VEC_SS, errorCode);
  place = (base + offset) & 0xffffffff;
  return true;
}
let place: u64 = 0;

export function stackPush(value: u64, bytes: u32): bool {
  const sp = moved(-(<i64>bytes));
  if (!linear(sp, bytes)) return false;
  const p = writeAs(place, bytes, false, context);
  if (!p) return false;
  storeSized(p, bytes, value);
  if (!wroteAs(p, bytes)) return false;
  pointer = sp;
  return true;
}

/** The segment has room for `count` pushes of `bytes`; otherwise #SS. Checked before the target, which is before any push. */
export function stackRoom(count: u32, bytes: u32): bool {
  for (let i: u32 = 1; i <= count; i++) if (!linear(moved(-(<i64>(i * bytes))), bytes)) return false;
  return true;
}

/** Reads `bytes` at a distance above the top into stackValue. */
export function stackPeek(distance: u32, bytes: u32): bool {
  if (!linear(moved(distance), bytes)) return false;
  const p = readAs(place, bytes, context);
  if (!p) return false;
  stackValue = loadSized(p, bytes);
  return true;
}

export function stackDrop(bytes: u32): void { pointer = moved(bytes); }
export function stackPointerNow(): u64 { return pointer; }

/** RSP takes the pointer of the stack worked on; a stack that is 16 bits wide leaves the upper bits of RSP. */
export function commitStack(): void {
  store<u64>(RSP, narrow() ? (load<u64>(RSP) & ~(<u64>0xffff)) | (pointer & 0xffff) : pointer);
}

/** As commitStack for a stack whose whole pointer came from the TSS or from memory. */
export function commitNewStack(): void { store<u64>(RSP, pointer); }

// ---- inner stacks from the TSS ----

export let tssSelector: u32 = 0;
export let tssPointer: u64 = 0;

function tssRead(offset: u32, bytes: u32): bool {
  if (offset + bytes - 1 > segLimit(SEG_TR)) return rejectSelector(VEC_TS, segSelector(SEG_TR));
  const p = readAs(segBase(SEG_TR) + offset, bytes, load<u32>(CTX_SYSTEM));
  if (!p) return false;
  stackValue = loadSized(p, bytes);
  return true;
}

/** SS:eSP of a privilege level from a 16- or 32-bit TSS -> tssSelector, tssPointer. */
export function tssStack(level: u32): bool {
  if (segAr(SEG_TR) & 8) {
    if (!tssRead(4 + level * 8, 8)) return false;
    tssPointer = stackValue & 0xffffffff;
    tssSelector = <u32>(stackValue >> 32) & 0xffff;
  } else {
    if (!tssRead(2 + level * 4, 4)) return false;
    tssPointer = stackValue & 0xffff;
    tssSelector = <u32>(stackValue >> 16) & 0xffff;
  }
  return true;
}

/** RSP of a privilege level (ist 0) or of an interrupt-stack-table entry from a 64-bit TSS -> tssPointer. */
export function tssStack64(level: u32, ist: u32): bool {
  if (!tssRead(ist ? 28 + ist * 8 : 4 + level * 8, 8)) return false;
  tssPointer = stackValue;
  return true;
}

export let stackDescriptor: u64 = 0;

/** Checks the SS that a privilege level gets from the TSS; its descriptor -> stackDescriptor. */
export function checkInnerStack(selector: u32, level: u32): bool {
  if ((selector & 0xfffc) == 0) return reject(VEC_TS, 0);
  if (!readDescriptor(selector, VEC_TS)) return false;
  const rights = descriptorAr(descriptor);
  if (
    (selector & 3) != level || (rights >> 5 & 3) != level || (rights & (AR_S | AR_CODE | AR_WRITABLE)) != (AR_S | AR_WRITABLE)
  ) return rejectSelector(VEC_TS, selector);
  if (!(rights & AR_P)) return rejectSelector(VEC_SS, selector);
  stackDescriptor = descriptor;
  return markAccessed(descriptorAddress, descriptor);
}

// ---- code segments ----

@inline export function isConforming(d: u64): bool {
  return (descriptorAr(d) & (AR_CODE | AR_CONFORMING)) == (AR_CODE | AR_CONFORMING);
}

/** A code segment by type, and in IA-32e mode not both L and D. */
export function isCode(d: u64): bool {
  const rights = descriptorAr(d);
  if ((rights & (AR_S | AR_CODE)) != (AR_S | AR_CODE)) return false;
  return !(longMode() && (rights & (AR_L | AR_DB)) == (AR_L | AR_DB));
}

/** True when code of this descriptor runs in 64-bit mode. */
@inline export function isCode64(d: u64): bool { return longMode() && (descriptorAr(d) & AR_L) != 0; }

/** The target offset is canonical, or inside the limit. */
export function checkTarget(d: u64, rip: u64): bool {
  if (isCode64(d)) return canonicalAddress(rip) ? true : reject(VEC_GP, 0);
  return rip <= descriptorLimit(d) ? true : reject(VEC_GP, 0);
}

/** CS of a jump or call that is not through a gate, its descriptor in `descriptor`. */
export function checkDirectCode(selector: u32): bool {
  const d = descriptor;
  if (!isCode(d)) return rejectSelector(VEC_GP, selector);
  const dpl = descriptorAr(d) >> 5 & 3;
  if (isConforming(d) ? dpl > cpl() : (selector & 3) > cpl() || dpl != cpl()) return rejectSelector(VEC_GP, selector);
  if (!(descriptorAr(d) & AR_P)) return rejectSelector(VEC_NP, selector);
  return true;
}

/** Enters a code segment: CS with RPL = level, and the instruction pointer of helpers and of delivery. */
export function commitCode(selector: u32, d: u64, level: u32, rip: u64): void {
  setSegment(SEG_CS, (selector & 0xfffc) | level, d);
  jumpTo(rip);
}

@inline export function jumpTo(rip: u64): void {
  store<u64>(NEXT_RIP, rip);
  store<u64>(RIP, rip);
}

/** CPL is the DPL of SS: a stack for another level, or SS kept with a new level. */
export function setLevel(level: u32): void {
  const p = SEGMENTS + SEG_SS * SEGMENT_BYTES;
  store<u32>(p, (load<u32>(p, SEG_AR) & ~0x60) | level << 5, SEG_AR);
  store<u32>(CPL, level);
}
