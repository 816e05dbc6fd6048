// Compiled regions: finding what is worth compiling, and running it. The compiler is src/engine/jit.
import {
  BLOCK_UOPS, CARRY_KIND, CARRY_OPERAND, CODE_BASE, CODE_CAREFUL, CODE_MODE, COUNTERS, COUNTER_REGION_ENTRIES, COUNTER_REGION_INSTRUCTIONS,
  COUNTER_REGION_MISSES, CTX_GEN, CTX_PLAIN, ICOUNT, JIT_BLOCK, JIT_CARRY, JIT_FIRST, JIT_HEAT, JIT_KIND, JIT_LEFT, JIT_LEFT_AT, JIT_QUEUE, JIT_QUEUE_BYTES, JIT_QUEUE_COUNT, JIT_RESULT,
  JIT_QUEUE_ENTRIES, JIT_RIP, JIT_UOP, JUMP_CACHE, MODE_CODE64, MODE_FLAT, RIP, RIP_BASE, SELF_RIP, SLICE_END, TLB_CODE, TLB_ENTRIES,
} from '../layout';
import { BLOCK_HEADER } from '../decode/cache';
import { OP_REGION } from '../generated/ops';
import { CTX_AC } from '../mmu/tlb';
import { UOP_BYTES } from '../uop';
import { ENTER } from './block-ends';
import { breakpointsNear } from './breakpoint-pages';
import { carryOf, storeStatus } from './lazy-flags';

/** Flags of kind 1: CF lies in the operand (lazy-flags.ts). */
const KIND_GIVEN: u32 = 1;
const KIND_INC: u32 = 20;

@inline function count(counter: u32, by: u64): void {
  store<u64>(COUNTERS + counter * 8, load<u64>(COUNTERS + counter * 8) + by);
}

/** Is there a breakpoint in a page of the region? */
function breaksInside(u: usize, pages: u32): bool {
  const first = load<u64>(RIP_BASE) & ~u64(0xfff);
  for (let n: u32 = 0; n < pages; n++) {
    if (breakpointsNear(first + u64(i64(load<i32>(u + UOP_BYTES + 16 + (n << 3)))))) return true;
  }
  return false;
}

/** Do the further pages of the region at u lie where they lay when it was compiled? Nothing is walked to find out. */
function pagesFit(u: usize, pages: u32): bool {
  const rip = load<u64>(RIP_BASE);
  const seen = u + UOP_BYTES;
  if (load<u64>(seen) == rip && load<u32>(seen, 8) == load<u32>(CTX_GEN)) return true;
  const context = u64(load<u32>(CTX_PLAIN) & ~CTX_AC);
  const wide = (load<u32>(CODE_MODE) & MODE_CODE64) != 0;
  for (let n: u32 = 0; n < pages; n++) {
    const page = seen + 16 + (n << 3);
    let linear = (rip & ~u64(0xfff)) + u64(i64(load<i32>(page)));
    if (!wide) linear &= 0xffffffff;
    const entry = (usize(linear >> 12) & (TLB_ENTRIES - 1)) << 4;
    if (load<u64>(entry, TLB_CODE) != (linear | context)) return false;
    if (u32(linear) + load<u32>(entry, TLB_CODE + 8) != load<u32>(page, 4)) return false;
  }
  store<u64>(seen, rip);
  store<u32>(seen, load<u32>(CTX_GEN), 8);
  return true;
}

/** May the region at u be entered? Where each block must be looked at, or a page is not known, it may not. */
@inline export function regionFits(u: usize): bool {
  const pages = load<u32>(u, 28);
  if (load<u32>(CODE_CAREFUL) && (!(load<u32>(CODE_MODE) & (MODE_CODE64 | MODE_FLAT)) || breaksInside(u, pages))) return false;
  return pages == 0 || pagesFit(u, pages);
}

/** Hands the lazy flags to the region at u. */
@inline export function giveFlags(u: usize, k: u32, fr: i64, fs: u64): void {
  if (load<u32>(u, 24)) {
    if (k) storeStatus(k, fr, fs);
    return;
  }
  store<u32>(JIT_KIND, k);
  store<i64>(JIT_RESULT, fr);
  store<u64>(JIT_FIRST, fs);
  store<u32>(JIT_CARRY, k >= KIND_INC ? carryOf(k, fr, fs) : 0);
}

/**
 * Runs the region whose micro-op is at u. Answers the micro-op of the interpreter's to go on at, or
 * 0 to go on at JIT_RIP; JIT_KIND, JIT_RESULT and JIT_FIRST are the flags.
 */
export function runRegion(u: usize): usize {
  const before = load<u64>(ICOUNT);
  const room = i32(min<u64>(load<u64>(SLICE_END) - before, 0x7fffffff));
  call_indirect<void>(load<u32>(u, 16), load<u64>(RIP_BASE), room);
  const done = u64(room - load<i32>(JIT_LEFT));
  store<u32>(CARRY_KIND, KIND_GIVEN);
  store<u64>(CARRY_OPERAND, u64(load<u32>(JIT_CARRY)));
  count(COUNTER_REGION_ENTRIES, 1);
  const next: usize = load<u32>(JIT_UOP);
  if (next) {
    // in the middle of a block, whose own instructions are counted at its end
    store<u64>(ICOUNT, before + done);
    store<u32>(BLOCK_UOPS, load<u32>(JIT_BLOCK));
    store<u64>(RIP_BASE, load<u64>(JIT_RIP));
    // if the block leads back to itself, that is to its region
    store<u64>(SELF_RIP, ~load<u64>(JIT_RIP));
    count(COUNTER_REGION_INSTRUCTIONS, done);
    count(COUNTER_REGION_MISSES, 1);
    return next;
  }
  store<u64>(ICOUNT, before + done);
  store<u64>(JIT_LEFT_AT, before + done);
  store<u32>(BLOCK_UOPS, u32(ENTER + BLOCK_HEADER));
  store<u64>(SELF_RIP, ~load<u64>(JIT_RIP));
  count(COUNTER_REGION_INSTRUCTIONS, done);
  return 0;
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
  if (heat == 0 || load<u64>(JIT_LEFT_AT) == load<u64>(ICOUNT)) return;
  const mode = load<u32>(CODE_MODE);
  if (!(mode & (MODE_CODE64 | MODE_FLAT))) return;
  const linear = (load<u64>(RIP) + load<u64>(CODE_BASE)) & (mode & MODE_CODE64 ? ~u64(0) : 0xffffffff);
  const slot = (u32(linear ^ (linear >> 12)) & 4095) << 4;
  if (load<u64>(slot, JUMP_CACHE) != linear || load<u32>(slot, JUMP_CACHE + 8) != load<u32>(CTX_GEN)) return;
  const block: usize = load<u32>(slot, JUMP_CACHE + 12);
  if (load<u16>(block + BLOCK_HEADER) == OP_REGION || load<u32>(block, 28)) return;
  const now = load<u32>(block, 24) + 1;
  store<u32>(block, now, 24);
  const waiting = load<u32>(JIT_QUEUE_COUNT);
  if (now < heat || waiting >= <u32>JIT_QUEUE_ENTRIES) return;
  store<u32>(block, 1, 28);
  const entry = waiting * JIT_QUEUE_BYTES + JIT_QUEUE;
  store<u32>(entry, u32(block));
  store<u32>(entry, load<u32>(CTX_PLAIN) & ~CTX_AC, 4);
  store<u64>(entry, linear, 8);
  store<u32>(JIT_QUEUE_COUNT, waiting + 1);
}
