import type { FlatGuest } from '../engine/flat-guest.js';

const SLICE = 1000;
const SLICES = 30;
const WARPS = 10;
/** A slice of so few instructions that takes so much of the processor is one in which nobody is heard. */
const HEARD_US = 2_000_000;

/** How the guest ended, or that it goes on. @throws whatever the engine throws */
export function outcome({ vm, machine }: FlatGuest): string {
  const [vcpu] = vm.vcpus;
  let warps = 0;
  for (let slice = 0; slice < SLICES; slice++) {
    const before = process.cpuUsage();
    const end = vm.runSlice(vcpu, SLICE);
    const { user, system } = process.cpuUsage(before);
    if (user + system > HEARD_US) return 'a slice that takes too long';
    if (vm.end) return vm.end.kind === 'error' && vm.end.status === 3 ? vm.end.message : vm.end.kind;
    if (end.kind === 'entry-failed') {
      const stop = machine.view.entryFailures?.(0);
      return stop?.kind === 'entry-failed' ? stop.message : 'entry failed';
    }
    if (end.kind !== 'idle') continue;
    if (end.deadline === undefined || ++warps > WARPS) return 'halted';
    vm.warpTo(end.deadline);
  }
  return 'goes on';
}
