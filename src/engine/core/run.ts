// The run loop: boundary work, breakpoints, single steps, blocks, faults.
import {
  ACTIVITY, ATTENTION, ATT_APIC, ATT_MTF, ATT_RETRY, ATT_SHADOW, ATT_STEP, ATT_TPR, ATT_TRAP, ATT_WATCH, BREAKPOINT_COUNT, ICOUNT,
  JIT_HEAT, JIT_LEFT_AT, JIT_REST, JIT_SLICE, JIT_UNEVEN, RIP, RUN_BREAKPOINT, RUN_HALTED, PROBE_BYTES, PROBE_COUNT, PROBE_TABLE,
  RUN_LIMIT, RUN_PROBE, RUN_VMEXIT, RUN_WATCHPOINT, SEG_CS, SLICE_END, STEPPED, TOLD_ICOUNT, TOLD_RIP, WATCH_HIT,
  XS_EXIT, XS_FAULT, XS_LIMIT, XS_RETRY, XS_SINGLE,
} from './layout';
import { code64, segBase } from './state';
import { MAX_BLOCK_INSTRUCTIONS } from './decode/cache';
import { deliverFault } from './events/deliver';
import { breaksAt, isTold, seeBreakpoints } from './exec/breakpoints';
import { countRound, runAlone } from './exec/alone';
import { execBlocks } from './generated/dispatch';
import { sampleBlock } from './exec/regions';
import { boundary, debugTrapDue } from './vmx/boundary';
import { limitReached, runLimit } from './vmx/preemption';

/** Longest run of blocks in one call: V8 changes to optimised code only between calls. */
const SLICE: u64 = 100000;
/** Attention that needs the next instruction alone. A window only waits for an instruction that ends its block. */
const ALONE: u32 = ATT_APIC | ATT_SHADOW | ATT_TRAP | ATT_MTF | ATT_RETRY | ATT_TPR | ATT_STEP;

@inline function linearRip(): u64 {
  const rip = load<u64>(RIP);
  return code64() ? rip : (rip + segBase(SEG_CS)) & 0xffffffff;
}

/** Whether a word that is watched is another than before; what it is now is what it is compared with from here on. */
function probeChanged(count: u32): bool {
  let changed = false;
  for (let n: u32 = 0; n < count; n++) {
    const row = PROBE_TABLE + n * PROBE_BYTES;
    const now = load<u64>(load<u32>(row));
    if (now == load<u64>(row, 8)) continue;
    store<u64>(row, now, 8);
    changed = true;
  }
  return changed;
}

/**
 * Instructions to go until the next sample of where the guest is. What is left of them outlives run(): a guest whose exits follow
 * each other closely is compiled as any other. Their number varies, so that a loop is not met at one place alone. Compiled
 * code is not sampled.
 */
@inline function untilSample(): u64 {
  const rest: u64 = load<u32>(JIT_REST);
  if (rest != 0) return rest;
  const uneven = (load<u32>(JIT_UNEVEN) + 37) & 63;
  store<u32>(JIT_UNEVEN, uneven);
  return (load<u64>(JIT_LEFT_AT) == load<u64>(SLICE_END) ? SLICE : u64(load<u32>(JIT_SLICE))) - u64(uneven);
}

/** Runs the guest until a RUN_* reason. */
export function run(): i32 {
  const probes = load<u32>(PROBE_COUNT);
  let alone = probes != 0;
  seeBreakpoints();
  store<u32>(WATCH_HIT, 0);
  store<u32>(ATTENTION, load<u32>(ATTENTION) & ~ATT_WATCH);
  // a long rest, since the last sample met compiled code, is for runs that are long
  store<u32>(JIT_REST, min<u32>(load<u32>(JIT_REST), load<u32>(JIT_SLICE)));
  while (true) {
    if (probes != 0 && probeChanged(probes)) return RUN_PROBE;
    let attention = load<u32>(ATTENTION);
    if (attention) {
      if (attention & ATT_WATCH) {
        attention &= ~ATT_WATCH;
        store<u32>(ATTENTION, attention);
        // an instruction that faulted after its access has not made it
        if (load<u32>(WATCH_HIT)) return RUN_WATCHPOINT;
      }
      if (boundary() == XS_EXIT) return RUN_VMEXIT;
      attention = load<u32>(ATTENTION);
    }
    const limit = runLimit();
    const count = load<u64>(ICOUNT);
    if (count >= limit) return limitReached() == XS_EXIT ? RUN_VMEXIT : RUN_LIMIT;
    if (load<u32>(ACTIVITY)) return RUN_HALTED;
    if (attention & ATT_TRAP && debugTrapDue()) {
      countRound();
      continue;
    }
    alone = alone || (attention & ALONE) != 0;
    if (load<u32>(BREAKPOINT_COUNT)) {
      const linear = linearRip();
      if (breaksAt(linear)) {
        if (!isTold(linear)) {
          store<u64>(TOLD_RIP, linear + 1);
          store<u64>(TOLD_ICOUNT, count);
          return RUN_BREAKPOINT;
        }
        alone = true;
      }
    }

    const wasAlone = alone;
    let status: i32;
    if (alone) {
      alone = probes != 0;
      status = runAlone();
    } else {
      const rest = untilSample();
      store<u64>(SLICE_END, min<u64>(limit, count + rest));
      status = execBlocks();
      const ran = load<u64>(ICOUNT) - count;
      store<u32>(JIT_REST, ran < rest ? u32(rest - ran) : 0);
      // A block that would pass the real limit is run up to it one by one; one that only passes the slice is not.
      if (status == XS_LIMIT) {
        alone = load<u64>(ICOUNT) + MAX_BLOCK_INSTRUCTIONS > limit;
        if (!alone) store<u32>(JIT_REST, 0);
        // up to the limit blocks begin wherever the last one alone ended: no samples, unless one is enough (--jit always)
        if (!alone || load<u32>(JIT_HEAT) == 1) sampleBlock();
      }
    }
    switch (status) {
      case XS_FAULT:
        if (deliverFault() == XS_EXIT) return RUN_VMEXIT;
        store<u32>(STEPPED, 1);
        countRound();
        break;
      case XS_EXIT: return RUN_VMEXIT;
      case XS_RETRY: case XS_SINGLE:
        if (wasAlone) countRound();
        alone = true;
        break;
      default:
    }
  }
}
