// The run loop: boundary work, breakpoints, single steps, blocks, faults.
import {
  ACTIVITY, ATTENTION, ATT_MTF, ATT_RETRY, ATT_SHADOW, ATT_STEP, ATT_TPR, ATT_TRAP, ATT_WATCH, BREAKPOINT_COUNT,
  ALONE_ICOUNT, ALONE_RIP, ICOUNT, IDLE_ICOUNT, IDLE_ROUNDS, JIT_HEAT, JIT_LEFT_AT, JIT_SLICE, LATCH_COUNT, MAX_IDLE_ROUNDS,
  RIP, RUN_BREAKPOINT, RUN_HALTED, PROBE_BYTES, PROBE_COUNT, PROBE_TABLE, RUN_LIMIT, RUN_PROBE, RUN_VMEXIT, RUN_WATCHPOINT, SEG_CS, SINGLE,
  SLICE_END, STEPPED, TOLD_ICOUNT, TOLD_RIP, WATCH_HIT, XS_EXIT, XS_FAULT, XS_LIMIT, XS_OK, XS_RETRY, XS_SINGLE,
} from './layout';
import { clearDecision, code64, decided, segBase } from './state';
import { MAX_BLOCK_INSTRUCTIONS } from './decode/cache';
import { debugAfter, debugBefore } from './events/debug';
import { deliverFault } from './events/deliver';
import { breaksAt, isTold, seeBreakpoints } from './exec/breakpoints';
import { execSingle } from './exec/dispatch';
import { execBlocks } from './generated/dispatch';
import { sampleBlock } from './exec/regions';
import { boundary, debugTrapDue } from './vmx/boundary';
import { limitReached, runLimit } from './vmx/preemption';

/** Longest run of blocks in one call: V8 changes to optimised code only between calls. */
const SLICE: u64 = 100000;
/** Attention that needs the next instruction alone. A window only waits for an instruction that ends its block. */
const ALONE: u32 = ATT_SHADOW | ATT_TRAP | ATT_MTF | ATT_RETRY | ATT_TPR | ATT_STEP;

@inline function linearRip(): u64 {
  const rip = load<u64>(RIP);
  return code64() ? rip : (rip + segBase(SEG_CS)) & 0xffffffff;
}

/** Runs one instruction (one iteration of a repeated one) with everything exact at its boundaries. */
function single(): i32 {
  const stepping = (load<u32>(ATTENTION) & ATT_STEP) != 0;
  store<u64>(ALONE_ICOUNT, load<u64>(ICOUNT));
  store<u64>(ALONE_RIP, load<u64>(RIP));
  store<u32>(ATTENTION, load<u32>(ATTENTION) & ~ATT_RETRY);
  store<u64>(SLICE_END, load<u64>(ICOUNT) + 1);
  store<u32>(SINGLE, 1);
  clearDecision();
  let status: i32 = XS_OK;
  if (stepping) status = debugBefore();
  if (status == XS_OK) {
    status = execSingle();
    if (status == XS_OK) {
      store<u32>(LATCH_COUNT, 0);
      store<u32>(STEPPED, 1);
      if (stepping) debugAfter();
    }
  }
  store<u32>(SINGLE, 0);
  // a handler that answers what nobody decided would run for ever
  assert(status == XS_OK || status > XS_RETRY || status == decided());
  return status;
}

/**
 * Work that retires nothing must come to an end where the host is heard and time passes: a handler whose first
 * instruction faults, a fault that its own delivery causes. Each round beyond many counts as an instruction. Rounds are
 * counted by what happened in them, never by where run() began or a slice ended: those are no part of the run.
 */
function countRound(): void {
  const count = load<u64>(ICOUNT);
  if (load<u64>(IDLE_ICOUNT) != count) {
    store<u64>(IDLE_ICOUNT, count);
    store<u32>(IDLE_ROUNDS, 0);
    return;
  }
  const rounds = load<u32>(IDLE_ROUNDS);
  if (rounds < <u32>MAX_IDLE_ROUNDS) {
    store<u32>(IDLE_ROUNDS, rounds + 1);
    return;
  }
  store<u64>(ICOUNT, count + 1);
  store<u64>(IDLE_ICOUNT, count + 1);
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

/** Runs the guest until a RUN_* reason. */
export function run(): i32 {
  const probes = load<u32>(PROBE_COUNT);
  let alone = probes != 0;
  seeBreakpoints();
  store<u32>(WATCH_HIT, 0);
  store<u32>(ATTENTION, load<u32>(ATTENTION) & ~ATT_WATCH);
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
      status = single();
    } else {
      // compiled code is not sampled
      const slice = load<u64>(JIT_LEFT_AT) == load<u64>(SLICE_END) ? SLICE : u64(load<u32>(JIT_SLICE));
      const end = min<u64>(limit, count + slice);
      store<u64>(SLICE_END, end);
      status = execBlocks();
      // A block that would pass the real limit is run up to it one by one; one that only passes the slice is not.
      if (status == XS_LIMIT) {
        alone = load<u64>(ICOUNT) + MAX_BLOCK_INSTRUCTIONS > limit;
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
