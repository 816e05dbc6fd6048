// Starts the two sides of a lock-step run from an image: the core with the machine's devices, and its judge with the
// same memory and registers.

import type { CoreExports } from '../../../core/core-exports.js';
import { viewOfVm } from '../../../debug/vtx-view.js';
import { UNSHARED } from '../../../difftest/lockstep-report.js';
import type { HostMemory } from '../../../memory/host-memory.js';
import { REGISTER_NAMES } from '../../../registers-view.js';
import type { CpuModel } from '../../../vmm/cpu-models.js';
import { Machine, type MachineOptions } from '../../../vmm/machine.js';
import { Vm } from '../../../vmm/vm.js';
import { createCore } from '../../core-instance.js';
import { KvmSide } from './kvm-side.js';
import { VtxSide } from './vtx-side.js';

export interface GuestToCompare {
  image: MachineOptions['image'];
  memoryBytes: number;
  append?: string;
  at?: number;
  cpu?: CpuModel;
  /** Bytes for the first serial port, given when the guest waits for them. */
  input?: Uint8Array;
}

/** The guest on the core; `core`: another build of it. @throws ImageError */
export function openVtx(
  guest: GuestToCompare,
  { core, host }: { core: CoreExports; host: HostMemory } = createCore(guest.memoryBytes),
): VtxSide {
  const vm = new Vm(core, host, guest.memoryBytes, 1, viewOfVm);
  vm.paravirtual = false;
  if (guest.cpu) vm.cpu = guest.cpu;
  const machine = new Machine(vm, {
    name: 'lockstep',
    image: guest.image,
    ...(guest.append === undefined ? {} : { append: guest.append }),
    ...(guest.at === undefined ? {} : { at: guest.at }),
    isaDebugExit: true,
    noReboot: true,
    wallSeconds: 0,
  });
  return new VtxSide(machine, vm);
}

/**
 * A vCPU of /dev/kvm where the core stands.
 * @param cells for a thread that watches over KVM_RUN
 * @throws KvmError when this host has no usable KVM
 */
export function openKvm(core: VtxSide, cells?: Int32Array): KvmSide {
  const side = KvmSide.open(core.vm.memoryBytes, core.vm.cpu, cells);
  const registers = core.registers();
  const names = REGISTER_NAMES.filter((name) => !UNSHARED.includes(name));
  side.takeOver(registers, names, core.ram);
  return side;
}
