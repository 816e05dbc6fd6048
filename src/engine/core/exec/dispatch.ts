// One instruction alone, by its handler: the way of single steps, exits, exact ends of a slice. The
// interpreter's fast way, generated/dispatch.ts, has its own cases for the common instructions.
import {
  CTX_GEN, ICOUNT, JUMP_CACHE, MODE, MODE_CODE64, MODE_FLAT, MODE_SINGLE, NEXT_RIP, RIP, RIP_BASE, SEG_CS, XS_OK,
} from '../layout';
import { segBase } from '../state';
import { uNext } from '../uop';
import { BLOCK_HEADER, blockStatus, findBlock } from '../decode/cache';
import { jumpSlot } from './block-ends';
import { callHandler } from '../generated/handlers';

/** In the jump cache's numbers of contexts, which are smaller: blocks of one instruction. */
const ALONE: u32 = 0x80000000;

/** The block of the instruction alone. Instructions that access devices are asked for again and again. */
// known before: 3 loads, 2 compares
@inline function findAlone(linear: u64, rip: u64, mode: u32): usize {
  // elsewhere each needs a look at the code segment's limit
  if (!(mode & (MODE_CODE64 | MODE_FLAT))) return findBlock(linear, rip, mode | MODE_SINGLE, 0);
  // apart from its block's slot: of all bits' complement it would be the same
  const slot = jumpSlot(linear ^ 1 << 13);
  const context = load<u32>(CTX_GEN) | ALONE;
  if (load<u64>(slot, JUMP_CACHE) == linear && load<u32>(slot, JUMP_CACHE + 8) == context) return load<u32>(slot, JUMP_CACHE + 12);
  const block = findBlock(linear, rip, mode | MODE_SINGLE, 0);
  if (!block) return 0;
  store<u64>(slot, linear, JUMP_CACHE);
  store<u32>(slot, context, JUMP_CACHE + 8);
  store<u32>(slot, u32(block), JUMP_CACHE + 12);
  return block;
}

/** Runs the instruction at RIP, or one iteration of it; state is exact in memory before and after. */
export function execSingle(): i32 {
  const mode = load<u32>(MODE);
  const rip = load<u64>(RIP);
  const linear = mode & MODE_CODE64 ? rip : (rip + segBase(SEG_CS)) & 0xffffffff;
  const block = findAlone(linear, rip, mode);
  if (!block) return blockStatus();
  store<u64>(RIP_BASE, rip);
  const u = block + BLOCK_HEADER;
  store<u64>(NEXT_RIP, mode & MODE_CODE64 ? rip + uNext(u) : (rip + uNext(u)) & 0xffffffff);
  const status = callHandler(load<u16>(u), u);
  if (status != XS_OK) return status;
  store<u64>(RIP, load<u64>(NEXT_RIP));
  store<u64>(ICOUNT, load<u64>(ICOUNT) + 1);
  return XS_OK;
}
