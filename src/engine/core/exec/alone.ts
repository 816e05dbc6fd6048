// An instruction that runs alone, so that all is exact when it exits, is watched, or meets a device.
import {
  ALONE_ICOUNT, ALONE_RIP, ATTENTION, ATT_RETRY, ATT_STEP, ICOUNT, IDLE_ICOUNT, IDLE_ROUNDS, LATCH_COUNT, MAX_IDLE_ROUNDS, RIP, SINGLE,
  SLICE_END, STEPPED, XS_OK, XS_RETRY,
} from '../layout';
import { clearDecision, decided } from '../state';
import { debugAfter, debugBefore } from '../events/debug';
import { execSingle } from './dispatch';

/** Runs one instruction (one iteration of a repeated one) with everything exact at its boundaries. The slice ends behind it. */
export function runAlone(): i32 {
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
export function countRound(): void {
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
