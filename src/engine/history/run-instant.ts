/** The instant at which a machine stands. */
import { type Instant, PHASE, type Phase } from '../time/instant.js';
import type { Machine } from '../vmm/machine.js';
import type { Vcpu } from '../vmm/vcpu.js';
import type { Vm } from '../vmm/vm.js';

/** One whose exit has halted it is halted once it has looked whether something wakes it. */
function phaseOf({ pendingExit, halted, justHalted, entered }: Vcpu): Phase {
  if (pendingExit) return PHASE.exited;
  if (halted && !justHalted) return PHASE.halted;
  return entered ? PHASE.entered : PHASE.handled;
}

/** @param turn turns of vCPUs begun so far */
export function runInstant({ work }: Machine, vm: Vm, turn: number): Instant {
  const current = vm.vcpus.find(({ active }) => active) ?? vm.vcpus[0];
  return { icount: BigInt(work.icount), exits: work.exits, at: work.clockNs, turn, phase: phaseOf(current) };
}
