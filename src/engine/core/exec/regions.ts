// Compiled regions: finding what is worth compiling, and running it. The compiler is src/engine/jit.
import {
  BLOCK_UOPS, CARRY_KIND, CARRY_OPERAND, CODE_BASE, CODE_CAREFUL, CODE_MODE, COUNTERS, COUNTER_REGION_ENTRIES, COUNTER_REGION_INSTRUCTIONS,
  COUNTER_REGION_MISSES, CTX_GEN, ICOUNT, JIT_BLOCK, JIT_CARRY, JIT_HEAT, JIT_LEFT, JIT_LEFT_AT, JIT_QUEUE, JIT_QUEUE_COUNT,
  JIT_QUEUE_ENTRIES, JIT_RIP, JIT_UOP, JUMP_CACHE, MODE_CODE64, MODE_FLAT, RIP, RIP_BASE, SELF_RIP, SLICE_END,
} from '../layout';
import { BLOCK_HEADER } from '../decode/cache';
import { OP_REGION } from '../generated/ops';
import { ENTER } from './block-ends';

/** Flags of kind 1: CF lies in the operand (lazy-flags.ts). */
const KIND_GIVEN: u32 = 1;

@inline function count(counter: u32, by: u64): void {
  store<u64>(COUNTERS + counter * 8, load<u64>(COUNTERS + counter * 8) + by);
}

/**
 * Runs the region whose micro-op is at u; flags are in RFLAGS. Answers the micro-op of the interpreter's to go on at, or
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
  if (!(mode & (MODE_CODE64 | MODE_FLAT)) || load<u32>(CODE_CAREFUL)) return;
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
  store<u32>((waiting << 2) + JIT_QUEUE, u32(block));
  store<u32>(JIT_QUEUE_COUNT, waiting + 1);
}
