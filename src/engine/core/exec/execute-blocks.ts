// The interpreter's fast way: one big switch over micro-ops. The build puts the cases of src/spec/uops where the mark
// stands, and writes generated/dispatch.ts; what is a function of its own goes to generated/rows.ts, with the same imports.
// Nothing imports this file.
//
// Flags live in locals: kind k with result fr and first operand fs. Few locals go round the loop: V8 shuffles them on
// each of its back edges, so what is needed once per block is in memory.
import {
  ATTENTION, BLOCK_UOPS, CODE_BASE, CODE_CAREFUL, CODE_MODE, CTX_GEN, GPR, ICOUNT, JIT_FIRST, JIT_HANDLED, JIT_KIND, JIT_RESULT, JIT_RIP, JIT_STATUS, JUMP_CACHE, MODE_CODE64, NEXT_RIP, RBP, RDI, RFLAGS, RIP,
  RIP_BASE, RSI, RSP, SELF_RIP, SLICE_END, XS_LIMIT, XS_OK, XS_RETRY, XS_SINGLE, YMM,
} from '../layout';
import { uImm2, uNext, uNth, uOpcode, uReg, uRm } from '../uop';
import { BLOCK_HEADER, blockStatus } from '../decode/cache';
import { callLeanHandler } from '../generated/handlers';
import { breaksAt } from '../exec/breakpoints';
import {
  ENTER, enterAt, fillSlot, jumpSlot, leave, passesLimit, runHandler, sawJump, stop, stopForHandler, stopWith, uopsCount,
} from '../exec/block-ends';
import { address, addressPlain, byteR, byteRm, stored, uFusedCondition } from '../exec/inline-operand';
import { callRow, ROW_CALLS, ROW_FAILED, ROW_FOR_HANDLER, ROW_GOES_ON, ROW_JUMPED, tellFlags } from '../exec/rows';
import { declineRegion, giveFlags, regionFits, runRegion } from '../exec/regions';
import { carryOf, fusedTaken, keepCarry, statusOf, storeStatus, testCondition } from '../exec/lazy-flags';
import { mulHigh, mulHighSigned, signedOverflow } from '../exec/muldiv';
import { asStackFault, modifiable, readable, readable32, writable, writable32, wrote, wrote32 } from '../mmu/access';
import { sseOff, vexOff } from '../simd/operand';

/**
 * Runs blocks from RIP on. Answers XS_LIMIT when the next block would pass SLICE_END, XS_OK for attention,
 * XS_SINGLE when the next instruction must run alone, or the status of the instruction at RIP.
 */
// budget: dispatch 1 load and a br_table; to another block 11 loads, 3 stores, 5 compares; to itself 4 loads, 1 store
export function execBlocks(): i32 {
  let k: u32 = 0;
  let fr: i64 = 0;
  let fs: u64 = 0;
  let u: usize = ENTER + BLOCK_HEADER;
  enterAt(load<u64>(RIP));
  let mask: u64 = load<u32>(CODE_MODE) & MODE_CODE64 ? ~u64(0) : 0xffffffff;
  while (true) {
    let rip: u64;
    switch (load<u16>(u)) {
      case 0: rip = load<u64>(RIP); break;
      case 1: rip = (load<u64>(RIP_BASE) + uNext(u)) & mask; break;
      case 2: {
        if (!regionFits(u)) {
          u = declineRegion(u);
          continue;
        }
        giveFlags(u, k, fr, fs);
        u = runRegion(u);
        k = load<u32>(JIT_KIND);
        fr = load<i64>(JIT_RESULT);
        fs = load<u64>(JIT_FIRST);
        if (u) {
          if (u == JIT_HANDLED) {
            const status = load<u32>(JIT_STATUS);
            if (status != XS_OK) return status;
            k = 0;
            rip = load<u64>(NEXT_RIP);
            if (load<u32>(ATTENTION)) return leave(rip, 0, 0, 0, XS_OK);
            enterAt(rip);
            mask = load<u32>(CODE_MODE) & MODE_CODE64 ? ~u64(0) : 0xffffffff;
            break;
          }
          // its block goes on over a breakpoint
          if (u & 1) return stopWith(u - 1, k, fr, fs, XS_RETRY);
          // the region may have looked at a part of the block only
          if (load<u64>(ICOUNT) + uopsCount(load<u32>(BLOCK_UOPS)) <= load<u64>(SLICE_END)) continue;
          return stopWith(u, k, fr, fs, XS_RETRY);
        }
        rip = load<u64>(JIT_RIP);
        break;
      }
      // CASES
      default: {
        if (k) {
          storeStatus(k, fr, fs);
          k = 0;
        }
        const status = runHandler(u);
        if (status != XS_OK) return status;
        if (!(load<u16>(u) & 1)) {
          store<u64>(ICOUNT, load<u64>(ICOUNT) - uNth(u));
          u += 32;
          continue;
        }
        store<u64>(ICOUNT, load<u64>(ICOUNT) + 1);
        rip = load<u64>(NEXT_RIP);
        if (load<u32>(ATTENTION)) return leave(rip, 0, 0, 0, XS_OK);
        enterAt(rip);
        mask = load<u32>(CODE_MODE) & MODE_CODE64 ? ~u64(0) : 0xffffffff;
      }
    }
    let own: usize = load<u32>(BLOCK_UOPS);
    const ic = load<u64>(ICOUNT) + uopsCount(own);
    store<u64>(ICOUNT, ic);
    if (rip != load<u64>(SELF_RIP)) {
      const linear = (rip + load<u64>(CODE_BASE)) & mask;
      const slot = jumpSlot(linear);
      let block: usize = load<u32>(slot, JUMP_CACHE + 12);
      if (load<u64>(slot, JUMP_CACHE) != linear || load<u32>(slot, JUMP_CACHE + 8) != load<u32>(CTX_GEN)) {
        if (ic >= load<u64>(SLICE_END)) return leave(rip, k, fr, fs, XS_LIMIT);
        // a breakpoint stops before the fetch, which may find no page
        if (breaksAt(linear)) return leave(rip, k, fr, fs, XS_SINGLE);
        // A fetch may exit, which saves the guest's state at once.
        leave(rip, k, fr, fs, XS_OK);
        k = 0;
        block = fillSlot(slot, linear, rip);
        if (!block) return blockStatus();
      }
      if (load<u32>(CODE_CAREFUL) && passesLimit(block, rip)) {
        return leave(rip, k, fr, fs, ic < load<u64>(SLICE_END) ? XS_SINGLE : XS_LIMIT);
      }
      own = block + BLOCK_HEADER;
      store<u64>(RIP_BASE, rip);
      store<u64>(SELF_RIP, rip);
      store<u32>(BLOCK_UOPS, u32(own));
    }
    if (ic + uopsCount(own) > load<u64>(SLICE_END)) return leave(rip, k, fr, fs, XS_LIMIT);
    u = own;
  }
}
