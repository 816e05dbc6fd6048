import type { PageWalk } from '../debugger.js';
import { type PhysicalReader, walkGuest } from '../memory/guest-walk.js';
import { type PhysicalMemory, readEntry } from '../memory/physical.js';
import type { Vcpu } from '../vmm/vcpu.js';
import type { Vm } from '../vmm/vm.js';

/** Reads host-physical memory (the engine's whole memory). */
export function hostReader(vm: Vm): PhysicalReader {
  return (address, bytes) => {
    if (address + BigInt(bytes) > BigInt(vm.host.bytes)) return undefined;
    const at = Number(address);
    return bytes === 8 ? vm.host.get64(at) : BigInt(vm.host.get32(at));
  };
}

/** What a vCPU finds at guest-physical addresses: frames as the machine maps them, whatever spoils its EPT for a while. */
export function physicalMemory(vm: Vm, vcpu: Vcpu): PhysicalMemory {
  const { host } = vm;
  return {
    page(gpa) {
      const at = vm.frameOf(gpa);
      return at === undefined ? undefined : host.u8.subarray(at, at + 4096 - (at % 4096));
    },
    changing: (gpa) => vm.host.willWrite(vm.frameOf(gpa) as number, 1),
    changed(gpa) {
      const at = vm.frameOf(gpa) as number;
      vm.core.invalidatePageCode(at - (at % 4096));
    },
    peek: (gpa) => (gpa >> 52n ? undefined : vm.board.mmioPeek(vcpu.index, Number(gpa), 4)),
  };
}

/** The guest page walk of an address with the vCPU's current paging state (see Vm.synchronize). */
export function guestWalk(vcpu: Vcpu, vm: Vm, gva: bigint): PageWalk {
  const state = {
    cr0: vcpu.vmcs.get('GUEST_CR0'),
    cr3: vcpu.vmcs.get('GUEST_CR3'),
    cr4: vcpu.vmcs.get('GUEST_CR4'),
    efer: vcpu.vmcs.get('GUEST_IA32_EFER'),
  };
  const memory = physicalMemory(vm, vcpu);
  return walkGuest(state, gva, (address, bytes) => readEntry(memory, address, bytes));
}
