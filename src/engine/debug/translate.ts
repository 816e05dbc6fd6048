import { RAM_BASE } from '../core/layout.js';
import type { PageWalk } from '../debugger.js';
import type { Vcpu } from '../vmm/vcpu.js';
import type { Vm } from '../vmm/vm.js';
import { walkEpt } from './ept-walk.js';
import { type PhysicalReader, walkGuest } from './guest-walk.js';

/** Reads host-physical memory (the engine's whole memory). */
export function hostReader(vm: Vm): PhysicalReader {
  return (address, bytes) => {
    if (address + BigInt(bytes) > BigInt(vm.host.bytes)) return undefined;
    const at = Number(address);
    return bytes === 8 ? vm.host.get64(at) : BigInt(vm.host.get32(at));
  };
}

/** Reads guest-physical memory through the EPT. */
export function guestReader(vm: Vm, vcpu: Vcpu): PhysicalReader {
  const host = hostReader(vm);
  return (address, bytes) => {
    const hpa = guestToHost(vm, vcpu, address);
    return hpa === undefined ? undefined : host(hpa, bytes);
  };
}

/** GPA -> HPA; undefined where no frame is mapped. RAM is one run, so the usual case needs no walk. */
export function guestToHost(vm: Vm, vcpu: Vcpu, gpa: bigint): bigint | undefined {
  if (gpa < BigInt(vm.memoryBytes)) return gpa + BigInt(RAM_BASE);
  return walkEpt(vcpu.vmcs.get('EPT_POINTER'), gpa, hostReader(vm)).output;
}

/** The guest page walk of an address with the vCPU's current paging state (see Vm.synchronize). */
export function guestWalk(vcpu: Vcpu, vm: Vm, gva: bigint): PageWalk {
  const state = {
    cr0: vcpu.vmcs.get('GUEST_CR0'),
    cr3: vcpu.vmcs.get('GUEST_CR3'),
    cr4: vcpu.vmcs.get('GUEST_CR4'),
    efer: vcpu.vmcs.get('GUEST_IA32_EFER'),
  };
  return walkGuest(state, gva, guestReader(vm, vcpu));
}

/** GVA -> GPA, or undefined. */
export function translate(vcpu: Vcpu, vm: Vm, gva: bigint): bigint | undefined {
  return guestWalk(vcpu, vm, gva).output;
}
