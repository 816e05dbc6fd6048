// The interpreter.
import {
  ATTENTION, ATT_WINDOW, BLOCK_PAGE, CTX_GEN, ICOUNT, JUMP_CACHE, MODE, MODE_CODE64, MODE_FLAT, NEXT_RIP, RFLAGS, RIP, RIP_BASE,
  SEG_CS, SINGLE, MODE_SINGLE, XS_LIMIT, XS_OK, XS_SINGLE,
} from '../layout';
import { segBase, segLimit } from '../state';
import { uLen, uNext, uNth, UOP_BYTES } from '../uop';
import { BLOCK_HEADER, blockBytes, blockCount, blockPage, blockStatus, findBlock } from '../decode/cache';
import { callHandler } from '../generated/handlers';

/** Runs blocks until ICOUNT would pass `end`, attention, a fault or an exit. */
export function execBlocks(end: u64): i32 {
  while (true) {
    const ic = load<u64>(ICOUNT);
    if (ic >= end) return XS_LIMIT;
    const att = load<u32>(ATTENTION);
    if (att && !load<u32>(SINGLE)) return XS_OK;
    const mode = load<u32>(MODE) | (load<u32>(SINGLE) ? MODE_SINGLE : 0);
    const rip = load<u64>(RIP);
    const lin = mode & MODE_CODE64 ? rip : (rip + segBase(SEG_CS)) & 0xffffffff;
    const block = findBlock(lin, rip, mode);
    if (!block) return blockStatus();
    if (ic + blockCount(block) > end) return XS_LIMIT;
    store<u32>(BLOCK_PAGE, blockPage(block));
    store<u64>(RIP_BASE, rip);
    let u = block + BLOCK_HEADER;
    const mask: u64 = mode & MODE_CODE64 ? ~u64(0) : 0xffffffff;
    while (true) {
      const op = load<u16>(u);
      if (op == 1) break;
      store<u64>(RIP, (rip + uNext(u) - uLen(u)) & mask);
      store<u64>(NEXT_RIP, (rip + uNext(u)) & mask);
      const st = callHandler(op, u);
      if (st != XS_OK) return st;
      store<u64>(RIP, load<u64>(NEXT_RIP));
      store<u64>(ICOUNT, load<u64>(ICOUNT) + 1);
      if (op & 1) break;
      u += UOP_BYTES;
    }
    if (load<u32>(SINGLE)) return XS_OK;
  }
}

export function execSingle(): i32 { return execBlocks(~u64(0)); }
