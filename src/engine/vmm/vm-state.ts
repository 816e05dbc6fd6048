// What survives runSlice in the embedded engine, frames apart.

import { GUEST_END, type GuestEnd } from '../state/guest-end.js';
import type { StateFormat } from '../state/saved.js';
import { count, list, optional, record, type StateOf } from '../state/schema.js';
import { type CoreState, coreShape, loadCore, saveCore } from './core-image.js';
import { EPT_PROVOCATIONS } from './provocations.js';
import { VCPU_STATE, type VcpuState } from './vcpu.js';
import type { Vm } from './vm.js';

export interface VmState {
  core: CoreState;
  vcpus: VcpuState[];
  provocations: StateOf<typeof EPT_PROVOCATIONS>;
  exits: number;
  end: GuestEnd | undefined;
}

export function vmFormat(vcpus: number): StateFormat<VmState> {
  const shape = record({
    core: coreShape(vcpus),
    vcpus: list(VCPU_STATE, vcpus),
    provocations: EPT_PROVOCATIONS,
    exits: count,
    end: optional(GUEST_END),
  });
  return { kind: 'vtx', version: 3, shape };
}

/** The state alone, after `synchronize`; it shares the machine's objects. */
export function captureVm(vm: Vm): VmState {
  const { end, exits, provocations, running, vcpus } = vm;
  return {
    core: saveCore(vm, running.index),
    vcpus: vcpus.map((vcpu) => vcpu.save()),
    provocations: provocations.save(),
    exits,
    end,
  };
}

/** What the core has decoded stays: it is that of the memory that goes with the state. */
export function restoreVm(vm: Vm, { core, vcpus, provocations, exits, end }: VmState): void {
  for (const vcpu of vm.vcpus) vcpu.inGuest = false;
  vm.select(vm.vcpus[core.current]);
  loadCore(vm, core);
  for (const [i, state] of vcpus.entries()) vm.vcpus[i].load(state);
  vm.provocations.load(provocations);
  vm.exits = exits;
  vm.end = end;
  vm.quick.forget();
  vm.core.forgetTranslations();
}
