// One instruction alone, by its handler: the way of single steps, exits, exact ends of a slice. The
// interpreter's fast way, generated/dispatch.ts, has its own cases for the common instructions.
import {
  ICOUNT, MODE, MODE_CODE64, MODE_SINGLE, NEXT_RIP, RIP, RIP_BASE, SEG_CS, XS_OK,
} from '../layout';
import { segBase } from '../state';
import { uNext } from '../uop';
import { BLOCK_HEADER, blockStatus, findBlock } from '../decode/cache';
import { callHandler } from '../generated/handlers';

/** Runs the instruction at RIP, or one iteration of it; state is exact in memory before and after. */
export function execSingle(): i32 {
  const mode = load<u32>(MODE);
  const rip = load<u64>(RIP);
  const linear = mode & MODE_CODE64 ? rip : (rip + segBase(SEG_CS)) & 0xffffffff;
  const block = findBlock(linear, rip, mode | MODE_SINGLE);
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
