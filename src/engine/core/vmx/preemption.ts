// The VMX-preemption timer: it counts virtual time at the rate of the TSC (IA32_VMX_MISC bits 4:0 = 0).
import { clock, countAt } from '../clock';
import { ICOUNT, LIMIT, PREEMPTION_DEADLINE, SLICE_END, XS_LIMIT } from '../layout';
import { VMX_PREEMPTION_TIMER_VALUE } from '../generated/vmcs';
import { PIN_ACTIVATE_VMX_PREEMPTION_TIMER } from '../generated/controls';
import { EXIT_REASON_PREEMPTION_TIMER } from '../generated/exits';
import { vmExit } from './exit';
import { field32, pinControls } from './vmcs';

const NEVER: u64 = ~(<u64>0);

/** VM entry starts the timer. @sdm 3C 25.5.1 "VMX-Preemption Timer" */
export function armTimer(): void {
  store<u64>(
    PREEMPTION_DEADLINE,
    pinControls() & PIN_ACTIVATE_VMX_PREEMPTION_TIMER ? clock() + field32(VMX_PREEMPTION_TIMER_VALUE) : NEVER,
  );
}

/** Value that a VM exit saves: what is left, 0 when it fired. */
export function remainingTimer(): u64 {
  const deadline = load<u64>(PREEMPTION_DEADLINE);
  if (deadline == NEVER) return field32(VMX_PREEMPTION_TIMER_VALUE);
  const now = clock();
  return deadline > now ? deadline - now : 0;
}

@inline export function timerFired(): bool { return load<u64>(PREEMPTION_DEADLINE) <= clock(); }

/** ICOUNT at which run() must stop next: LIMIT or, when it is earlier, the VMX-preemption timer. */
export function runLimit(): u64 {
  const limit = load<u64>(LIMIT);
  const deadline = load<u64>(PREEMPTION_DEADLINE);
  if (deadline == NEVER) return limit;
  const count = countAt(deadline);
  return count < limit ? count : limit;
}

/** Virtual time has passed in the middle of a slice: it ends when the timer fires. */
export function limitSlice(): void {
  const deadline = load<u64>(PREEMPTION_DEADLINE);
  if (deadline == NEVER) return;
  // not before the end of the running instruction
  const end = max<u64>(countAt(deadline), load<u64>(ICOUNT) + 1);
  if (end < load<u64>(SLICE_END)) store<u64>(SLICE_END, end);
}

/** ICOUNT reached runLimit(): XS_EXIT when the VMX-preemption timer fired, else XS_LIMIT. */
export function limitReached(): i32 {
  return timerFired() ? vmExit(EXIT_REASON_PREEMPTION_TIMER, 0) : XS_LIMIT;
}
