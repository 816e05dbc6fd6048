import type * as D from '../../debugger.js';
import type { Machine } from '../../vmm/machine.js';
import type { GuestParts } from './parts.js';

/** What a debugger is told of the run, and who stopped it. */
export function runState({ machine, status, kept, pace }: GuestParts): D.RunState {
  const { vm } = machine;
  const rate = vm.realTime ? undefined : pace.now;
  return {
    running: status.running,
    vcpu: status.vcpu,
    ...(status.running ? standstill(machine) : { stop: status.stop }),
    icount: BigInt(vm.icount),
    clock: BigInt(vm.now()),
    ...(status.running && rate !== undefined ? { pace: rate } : {}),
    ...(kept.past ? { position: kept.past.position } : {}),
  };
}

function standstill(machine: Machine): Pick<D.RunState, 'standstill'> {
  if (machine.asleep) return { standstill: 'asleep (S3)' };
  const dead = machine.vm.vcpus.every((vcpu) => vcpu.halted && !vcpu.interruptsEnabled);
  return dead ? { standstill: 'halted, interrupts off' } : {};
}
