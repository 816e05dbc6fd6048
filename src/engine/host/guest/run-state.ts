import type * as D from '../../debugger.js';
import type { Machine } from '../../vmm/machine.js';
import type { GuestParts } from './parts.js';

/** What a debugger is told of the run, and who stopped it. */
export function runState({ machine, status, kept, pace }: GuestParts): D.RunState {
  const { vm } = machine;
  const { running, vcpu, stop } = status;
  const state: D.RunState = { running, vcpu, icount: BigInt(vm.icount), clock: BigInt(vm.now()) };
  if (running) {
    const why = standstill(machine);
    const rate = vm.realTime ? undefined : pace.now;
    if (why !== undefined) state.standstill = why;
    if (rate !== undefined) state.pace = rate;
  } else state.stop = stop;
  if (kept.past) state.position = kept.past.position;
  return state;
}

function standstill(machine: Machine): string | undefined {
  if (machine.asleep) return 'asleep (S3)';
  const dead = machine.vm.vcpus.every((vcpu) => vcpu.halted && !vcpu.interruptsEnabled);
  return dead ? 'halted, interrupts off' : undefined;
}
