// Compiled regions: finding what is worth compiling, and running it. The compiler is src/engine/jit.
import {
  ATTENTION, BLOCK_UOPS, BREAKPOINT_COUNT, BREAK_GEN, CARRY_KIND, CARRY_OPERAND, CODE_BASE, CODE_CAREFUL, CODE_MODE, COUNTERS, COUNTER_REGION_ENTRIES, COUNTER_REGION_INSTRUCTIONS,
  COUNTER_REGION_ANYWHERE, COUNTER_REGION_BREAKPOINT, COUNTER_REGION_HANDLED, COUNTER_REGION_LATE, COUNTER_REGION_LIMIT, COUNTER_REGION_MISSES, COUNTER_REGION_NO_PAGE,
  COUNTER_REGION_OUT, COUNTER_SAMPLES, CTX, CTX_GEN, CTX_PLAIN, ICOUNT, JIT_BLOCK, JIT_CARRY, JIT_HANDLED, JIT_HEAT, JIT_INSIDE, JIT_LEFT, JIT_LEFT_AT, JIT_QUEUE, JIT_QUEUE_BYTES, JIT_QUEUE_COUNT,
  JIT_QUEUE_ENTRIES, JIT_RIP, JIT_RUNNING, JIT_STALE, JIT_STATUS, JIT_UOP, JIT_WENT_ANYWHERE, JIT_WENT_LATE, JUMP_CACHE, JUMP_CACHE_ENTRIES, MODE, MODE_CODE64, NEXT_RIP, RIP, RIP_BASE, SELF_RIP, SLICE_END, TLB_CODE, TLB_ENTRIES, XS_OK, XS_RETRY,
} from '../layout';
import {
  BLOCK_HEADER, forgetRegion, REGION_BREAK_GEN, REGION_BREAK_RIP, REGION_GEN, REGION_HIGH, REGION_LISTS, REGION_LOW, REGION_MADE_GEN, REGION_MADE_RIP, REGION_RANGES, REGION_RIP,
  REGION_UNBROKEN, REGION_WAYS_OUT,
} from '../decode/cache';
import { callHandler } from '../generated/handlers';
import { OP_REGION } from '../generated/ops';
import { CTX_AC } from '../mmu/tlb';
import { codeLimit, ENTER, jumpSlot } from './block-ends';
import { breaksAt } from './breakpoints';
import { carryOf, storeStatus } from './lazy-flags';
import { tellFlags } from './rows';
import { runLimit } from '../vmx/preemption';
import { quickCpuidAt } from '../vmx/quick';
import { metDeviceSince, uLen, uNext } from '../uop';
import { countRound, runAlone } from './alone';
import { invlpgAtOnce } from './control';
import { pauseAtOnce } from './cpu';
import { portAtOnce } from './io';
import { rdmsrAtOnce, wrmsrAtOnce } from './msr';
import { loadSegmentAtOnce } from './segment';

/** Flags of kind 1: CF lies in the operand (lazy-flags.ts). */
const KIND_GIVEN: u32 = 1;
const KIND_INC: u32 = 20;

@inline function count(counter: u32, by: u64): void {
  store<u64>(COUNTERS + counter * 8, load<u64>(COUNTERS + counter * 8) + by);
}

/** Linear address of the block that begins. */
@inline function linearBase(): u64 {
  const linear = load<u64>(RIP_BASE) + load<u64>(CODE_BASE);
  return load<u32>(CODE_MODE) & MODE_CODE64 ? linear : linear & 0xffffffff;
}

function breaksBetween(linear: u64, bytes: u32): bool {
  for (let n: u32 = 0; n < bytes; n++) if (breaksAt(linear + n)) return true;
  return false;
}

/**
 * Looks for breakpoints in the code of the region at u. One that has come since it was compiled, or that it ended before
 * and that is gone, lets it be compiled anew.
 */
function lookForBreakpoints(u: usize): void {
  const rip = linearBase();
  const made = load<u64>(u, REGION_MADE_RIP);
  const ranges = u + REGION_LISTS + (load<u32>(u, 28) << 3);
  let stale = false;
  let unbroken = true;
  for (let n: u32 = 0; n < load<u32>(u, REGION_RANGES); n++) {
    const distance = u64(i64(load<i32>(ranges + (n << 3))));
    const bytes = load<u32>(ranges + (n << 3), 4);
    if (bytes == 0) stale = stale || !breaksAt(made + distance);
    else if (load<u32>(BREAKPOINT_COUNT) != 0 && breaksBetween(rip + distance, bytes)) unbroken = false;
  }
  store<u64>(u, rip, REGION_BREAK_RIP);
  store<u32>(u, load<u32>(BREAK_GEN), REGION_BREAK_GEN);
  store<u32>(u, unbroken ? 1 : 0, REGION_UNBROKEN);
  if (!stale && (unbroken || load<u32>(u, REGION_MADE_GEN) == load<u32>(BREAK_GEN))) return;
  recompile(u);
}

/** Lets the blocks of the region at u be compiled anew, when they are hot again. */
function recompile(u: usize): void {
  forgetRegion(u - BLOCK_HEADER);
  memory.fill(JUMP_CACHE, 0, JUMP_CACHE_ENTRIES * 16);
}

/** Do the further pages of the region at u lie where they lay when it was compiled? Nothing is walked to find out. */
function pagesFit(u: usize, pages: u32): bool {
  const rip = linearBase();
  if (load<u64>(u, REGION_RIP) == rip && load<u32>(u, REGION_GEN) == load<u32>(CTX_GEN)) return true;
  const context = u64(load<u32>(CTX_PLAIN) & ~CTX_AC);
  const wide = (load<u32>(CODE_MODE) & MODE_CODE64) != 0;
  for (let n: u32 = 0; n < pages; n++) {
    const page = u + (n << 3);
    let linear = (rip & ~u64(0xfff)) + u64(i64(load<i32>(page, REGION_LISTS)));
    if (!wide) linear &= 0xffffffff;
    const entry = (usize(linear >> 12) & (TLB_ENTRIES - 1)) << 4;
    if (load<u64>(entry, TLB_CODE) != (linear | context)) return false;
    if (u32(linear) + load<u32>(entry, TLB_CODE + 8) != load<u32>(page, REGION_LISTS + 4)) return false;
  }
  store<u64>(u, rip, REGION_RIP);
  store<u32>(u, load<u32>(CTX_GEN), REGION_GEN);
  return true;
}

/** Does all code of the region at u, and where it branches to, lie in the code segment? */
function reachesFit(u: usize): bool {
  const rip = load<u64>(RIP_BASE);
  return i64(rip) + load<i32>(u, REGION_LOW) >= 0 && rip + u64(i64(load<i32>(u, REGION_HIGH))) <= codeLimit();
}

function refuse(counter: u32): bool {
  count(counter, 1);
  return false;
}

/**
 * May the region at u be entered? Where it would end at once since few instructions are left, the limit of CS matters, a
 * breakpoint lies inside, or a page is not known, it may not.
 */
@inline export function regionFits(u: usize): bool {
  if (load<u64>(ICOUNT) + load<u32>(u, 8) > load<u64>(SLICE_END)) {
    store<u64>(JIT_LEFT_AT, load<u64>(SLICE_END));
    return false;
  }
  if (load<u32>(CODE_CAREFUL) && !reachesFit(u)) return refuse(COUNTER_REGION_LIMIT);
  if (load<u32>(u, REGION_BREAK_GEN) != load<u32>(BREAK_GEN) || (load<u32>(BREAKPOINT_COUNT) != 0 && load<u64>(u, REGION_BREAK_RIP) != linearBase())) {
    lookForBreakpoints(u);
  }
  if (!load<u32>(u, REGION_UNBROKEN)) return refuse(COUNTER_REGION_BREAKPOINT);
  const pages = load<u32>(u, 28);
  return pages == 0 || pagesFit(u, pages) || refuse(COUNTER_REGION_NO_PAGE);
}

/** Hands the lazy flags to the region at u. */
@inline export function giveFlags(u: usize, k: u32, fr: i64, fs: u64): void {
  if (load<u32>(u, 24)) {
    if (k) storeStatus(k, fr, fs);
    return;
  }
  tellFlags(k, fr, fs);
  store<u32>(JIT_CARRY, k >= KIND_INC ? carryOf(k, fr, fs) : 0);
}

/**
 * Runs the region whose micro-op is at u. Answers the micro-op of the interpreter's to go on at, 0 to go on at JIT_RIP,
 * or JIT_HANDLED; JIT_KIND, JIT_RESULT and JIT_FIRST are the flags.
 */
export function runRegion(u: usize): usize {
  const before = load<u64>(ICOUNT);
  // a slice is short
  const room = i32(load<u64>(SLICE_END) - before);
  store<u32>(JIT_INSIDE, JIT_RUNNING);
  call_indirect<void>(load<u32>(u, 16), load<u64>(RIP_BASE), room);
  store<u32>(JIT_INSIDE, 0);
  store<u32>(CARRY_KIND, KIND_GIVEN);
  store<u64>(CARRY_OPERAND, u64(load<u32>(JIT_CARRY)));
  count(COUNTER_REGION_ENTRIES, 1);
  const next: usize = load<u32>(JIT_UOP);
  if (next == JIT_HANDLED) {
    count(COUNTER_REGION_INSTRUCTIONS, load<u64>(ICOUNT) - before);
    count(COUNTER_REGION_HANDLED, 1);
    return next;
  }
  // a handler may have moved the slice's end
  const after = load<u64>(SLICE_END) - u64(i64(load<i32>(JIT_LEFT)));
  const done = after - before;
  if (next > <usize>JIT_WENT_ANYWHERE) {
    // in the middle of a block, whose own instructions are counted at its end
    store<u64>(ICOUNT, after);
    store<u32>(BLOCK_UOPS, load<u32>(JIT_BLOCK));
    store<u64>(RIP_BASE, load<u64>(JIT_RIP));
    // if the block leads back to itself, that is to its region
    store<u64>(SELF_RIP, ~load<u64>(JIT_RIP));
    count(COUNTER_REGION_INSTRUCTIONS, done);
    count(COUNTER_REGION_MISSES, 1);
    if (metDeviceSince(next & ~1)) recompile(u);
    return next;
  }
  store<u64>(ICOUNT, after);
  if (u32(next) == JIT_WENT_LATE) store<u64>(JIT_LEFT_AT, load<u64>(SLICE_END));
  store<u32>(BLOCK_UOPS, u32(ENTER + BLOCK_HEADER));
  store<u64>(SELF_RIP, ~load<u64>(JIT_RIP));
  count(COUNTER_REGION_INSTRUCTIONS, done);
  if (u32(next) != JIT_WENT_LATE) {
    const ways = load<u32>(u, REGION_WAYS_OUT) - 1;
    store<u32>(u, ways, REGION_WAYS_OUT);
    if (ways == 0) recompile(u);
  }
  count(u32(next) == JIT_WENT_LATE ? COUNTER_REGION_LATE : u32(next) == JIT_WENT_ANYWHERE ? COUNTER_REGION_ANYWHERE : COUNTER_REGION_OUT, 1);
  return 0;
}

/** For a region: puts flags of any kind into RFLAGS. */
export function storeFlags(k: u32, fr: i64, fs: u64, carry: u32): i32 {
  store<u32>(CARRY_KIND, KIND_GIVEN);
  store<u64>(CARRY_OPERAND, u64(carry));
  if (k) storeStatus(k, fr, fs);
  return 0;
}

/** What a region that calls a handler gets for the instructions left when it has to be left. */
export const REGION_STOPPED: i32 = i32.MIN_VALUE;

/** After decoded code was dropped no further block may begin: the slice ends where `left` is 0. */
@inline function endSlice(left: i32): i32 {
  store<u64>(SLICE_END, load<u64>(SLICE_END) - u64(i64(left)));
  return 0;
}

/**
 * For a region: carries out a vector instruction that touches no flags, with whatever is in locals left there. Answers
 * the instructions left, or REGION_STOPPED when it did not complete and nothing of it was done.
 */
export function callLean(op: u32, u: usize, left: i32): i32 {
  if (callHandler(op, u) != XS_OK) return REGION_STOPPED;
  return load<u32>(JIT_INSIDE) == JIT_STALE ? endSlice(left) : left;
}

/**
 * For a region: carries out an instruction by its handler, with registers and flags in memory. The block at offset `rip`
 * had `ahead` instructions to go at it, and `left` remain behind the block. Answers the instructions left, or
 * REGION_STOPPED when the region must be left: then JIT_STATUS tells how it ended, and all is in memory.
 */
export function callWhole(u: usize, rip: u64, left: i32, ahead: i32): i32 {
  const mask: u64 = load<u32>(CODE_MODE) & MODE_CODE64 ? ~u64(0) : 0xffffffff;
  const next = (rip + uNext(u)) & mask;
  store<u64>(RIP_BASE, rip);
  store<u64>(RIP, (next - uLen(u)) & mask);
  store<u64>(NEXT_RIP, next);
  store<u64>(ICOUNT, load<u64>(SLICE_END) - u64(i64(left)) - u64(ahead));
  const context = u64(load<u32>(CTX)) << 32 | load<u32>(CTX_GEN);
  const end = load<u64>(SLICE_END);
  const status = callHandler(load<u16>(u), u);
  store<u32>(JIT_STATUS, status);
  if (status != XS_OK) return REGION_STOPPED;
  if (!(load<u16>(u) & 1)) {
    // an exit that was completed may have brought the slice's end nearer
    const rest = left - i32(end - load<u64>(SLICE_END));
    return load<u32>(JIT_INSIDE) == JIT_STALE ? endSlice(rest) : rest;
  }
  const count = load<u64>(ICOUNT) + 1;
  store<u64>(ICOUNT, count);
  if (load<u64>(NEXT_RIP) != next || load<u32>(ATTENTION) != 0 || load<u32>(JIT_INSIDE) == JIT_STALE) return REGION_STOPPED;
  if (load<u32>(MODE) != load<u32>(CODE_MODE) || (u64(load<u32>(CTX)) << 32 | load<u32>(CTX_GEN)) != context) return REGION_STOPPED;
  return i32(load<u64>(SLICE_END) - count);
}

/** What a region gets where an instruction that ends its block is not done at once: all is as before. */
export const NOT_AT_ONCE: i32 = i32.MIN_VALUE + 1;

/** ICOUNT at the last instruction of a block behind which `left` instructions remain. */
@inline function countOfLast(left: i32): u64 { return load<u64>(SLICE_END) - u64(i64(left)) - 1; }

/** Instructions left behind the one that ran after `count` others, in a slice whose end an exit may have brought nearer. */
@inline function leftBehind(count: u64): i32 { return i32(load<u64>(SLICE_END) - count - 1); }

/**
 * For a region: carries out an instruction as callWhole where that takes nothing but some general registers, which alone are in
 * memory then. Answers the instructions left, or NOT_AT_ONCE.
 */
export function callCpuid(rip: u64, length: u32, left: i32, rax: u64, rcx: u64): i32 {
  const rest = quickCpuidAt(rip, length, left, rax, rcx);
  return rest < 0 ? NOT_AT_ONCE : rest;
}

export function callRdmsr(rip: u64, length: u32, left: i32): i32 {
  const count = countOfLast(left);
  store<u64>(RIP, rip);
  store<u64>(NEXT_RIP, rip + length);
  store<u64>(ICOUNT, count);
  return rdmsrAtOnce() ? leftBehind(count) : NOT_AT_ONCE;
}

/** Of the micro-op at u: IN and OUT. */
export function callPort(rip: u64, u: usize, left: i32): i32 {
  const count = countOfLast(left);
  store<u64>(RIP, rip);
  store<u64>(NEXT_RIP, rip + uLen(u));
  store<u64>(ICOUNT, count);
  return portAtOnce(u) ? leftBehind(count) : NOT_AT_ONCE;
}

export function callWrmsr(rip: u64, length: u32, left: i32): i32 {
  return wrmsrAtOnce() ? left : NOT_AT_ONCE;
}

/** The same of what no count of the slice is needed for: 1, or 0 and nothing is done. */
export function callInvlpg(la: u64): i32 { return invlpgAtOnce(la) ? 1 : 0; }

export function callSegment(segment: u32, selector: u32): i32 { return loadSegmentAtOnce(segment, selector) ? 1 : 0; }

export function callPause(left: i32): i32 {
  const count = countOfLast(left);
  store<u64>(ICOUNT, count);
  return pauseAtOnce() ? leftBehind(count) : NOT_AT_ONCE;
}

/**
 * For a region: carries out an instruction whose access the TLB has not, since it leads to a device. As callWhole, but what
 * the device does may end the slice before the block's end.
 */
export function callAlone(u: usize, rip: u64, left: i32, ahead: i32): i32 {
  const mask: u64 = load<u32>(CODE_MODE) & MODE_CODE64 ? ~u64(0) : 0xffffffff;
  const next = (rip + uNext(u)) & mask;
  const end = load<u64>(SLICE_END);
  const context = u64(load<u32>(CTX)) << 32 | load<u32>(CTX_GEN);
  store<u64>(RIP, (next - uLen(u)) & mask);
  store<u64>(ICOUNT, end - u64(i64(left)) - u64(ahead));
  const status = runAlone();
  store<u64>(SLICE_END, min<u64>(end, runLimit()));
  store<u32>(JIT_STATUS, status);
  if (status != XS_OK) {
    if (status == XS_RETRY) countRound();
    return REGION_STOPPED;
  }
  if (load<u64>(RIP) != next || load<u32>(ATTENTION) != 0 || load<u32>(JIT_INSIDE) == JIT_STALE) return REGION_STOPPED;
  if (load<u32>(MODE) != load<u32>(CODE_MODE) || (u64(load<u32>(CTX)) << 32 | load<u32>(CTX_GEN)) != context) return REGION_STOPPED;
  const rest = i64(load<u64>(SLICE_END) - load<u64>(ICOUNT)) - (ahead - 1);
  return rest < 0 ? REGION_STOPPED : i32(rest);
}

/** The block behind a region's micro-op begins by the interpreter: something must look at each block. */
export function declineRegion(u: usize): usize {
  const own: usize = load<u32>(u, 20);
  store<u32>(BLOCK_UOPS, u32(own));
  return own;
}

/** A slice ended before the block at RIP: a sample of where the guest spends its time. */
export function sampleBlock(): void {
  const heat = load<u32>(JIT_HEAT);
  if (heat == 0 || load<u64>(JIT_LEFT_AT) == load<u64>(SLICE_END)) return;
  count(COUNTER_SAMPLES, 1);
  const mode = load<u32>(CODE_MODE);
  const linear = (load<u64>(RIP) + load<u64>(CODE_BASE)) & (mode & MODE_CODE64 ? ~u64(0) : 0xffffffff);
  const slot = jumpSlot(linear);
  if (load<u64>(slot, JUMP_CACHE) != linear || load<u32>(slot, JUMP_CACHE + 8) != load<u32>(CTX_GEN)) return;
  const block: usize = load<u32>(slot, JUMP_CACHE + 12);
  if (load<u16>(block + BLOCK_HEADER) == OP_REGION || load<u16>(block, 26)) return;
  const now: u32 = u32(load<u16>(block, 24)) + 1;
  store<u16>(block, u16(now), 24);
  const waiting = load<u32>(JIT_QUEUE_COUNT);
  if (now < heat || waiting >= <u32>JIT_QUEUE_ENTRIES) return;
  store<u16>(block, 1, 26);
  const entry = waiting * JIT_QUEUE_BYTES + JIT_QUEUE;
  store<u32>(entry, u32(block));
  store<u32>(entry, load<u32>(CTX_PLAIN) & ~CTX_AC, 4);
  store<u64>(entry, linear, 8);
  store<u32>(JIT_QUEUE_COUNT, waiting + 1);
}
