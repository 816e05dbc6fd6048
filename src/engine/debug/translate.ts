import type { PageWalk } from '../debugger.js';
import { framesAsMemory } from '../memory/engine-frames.js';
import { walkGuest } from '../memory/guest-walk.js';
import { type PhysicalMemory, readEntry } from '../memory/physical.js';
import type { Vcpu } from '../vmm/vcpu.js';
import type { Vm } from '../vmm/vm.js';

/** What a vCPU finds at guest-physical addresses: frames as the machine maps them, and its devices. */
export const vcpuMemory = (vm: Vm, vcpu: Vcpu): PhysicalMemory =>
  framesAsMemory(vm, (gpa) => (gpa >> 52n ? undefined : vm.board.mmioPeek(vcpu.index, Number(gpa), 4)));

/** The guest page walk of an address with the vCPU's current paging state (see Vm.synchronize). */
export function guestWalk(vcpu: Vcpu, vm: Vm, gva: bigint): PageWalk {
  const state = {
    cr0: vcpu.vmcs.get('GUEST_CR0'),
    cr3: vcpu.vmcs.get('GUEST_CR3'),
    cr4: vcpu.vmcs.get('GUEST_CR4'),
    efer: vcpu.vmcs.get('GUEST_IA32_EFER'),
  };
  const memory = vcpuMemory(vm, vcpu);
  return walkGuest(state, gva, (address, bytes) => readEntry(memory, address, bytes));
}
