import type { PageWalk } from '../debugger.js';
import { framesAsMemory } from '../memory/engine-frames.js';
import { type PagingState, translateGuest, walkGuest } from '../memory/guest-walk.js';
import { type PhysicalMemory, readEntry } from '../memory/physical.js';
import type { Vcpu } from '../vmm/vcpu.js';
import type { Vm } from '../vmm/vm.js';

/** What a vCPU finds at guest-physical addresses: frames as the machine maps them, and its devices. */
export const vcpuMemory = (vm: Vm, vcpu: Vcpu): PhysicalMemory =>
  framesAsMemory(vm, (gpa) => (gpa >> 52n ? undefined : vm.board.mmioPeek(vcpu.index, Number(gpa), 4)));

/** The vCPU's current paging state (see Vm.synchronize). */
const pagingOf = ({ vmcs }: Vcpu): PagingState => ({
  cr0: vmcs.get('GUEST_CR0'),
  cr3: vmcs.get('GUEST_CR3'),
  cr4: vmcs.get('GUEST_CR4'),
  efer: vmcs.get('GUEST_IA32_EFER'),
});

/** The guest page walk of an address with that. */
export function guestWalk(vcpu: Vcpu, vm: Vm, gva: bigint): PageWalk {
  const memory = vcpuMemory(vm, vcpu);
  return walkGuest(pagingOf(vcpu), gva, (address, bytes) => readEntry(memory, address, bytes));
}

/** Its output alone, which reads and writes of memory ask for at each page. */
export function guestPhysical(vcpu: Vcpu, vm: Vm, gva: bigint): bigint | undefined {
  const memory = vcpuMemory(vm, vcpu);
  return translateGuest(pagingOf(vcpu), gva, (address, bytes) => readEntry(memory, address, bytes));
}
