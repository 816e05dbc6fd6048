import { GuestMemory, Kvm, KvmStruct, type KvmVcpu, type KvmVm, structs } from '../../src/engine/host/kvm/index.js';

export const CODE = 0x1000;

/** A machine of one vCPU in real mode about to run `code` at 0000:1000. */
export function realModeGuest(code: number[]): { kvm: Kvm; vm: KvmVm; vcpu: KvmVcpu; memory: GuestMemory } {
  const kvm = Kvm.open();
  const vm = kvm.createVm();
  const memory = new GuestMemory(0x10000);
  memory.bytes.set(code, CODE);
  vm.mapMemory(0, 0, memory);
  const vcpu = vm.createVcpu(0);
  const sregs = vcpu.sregs().set('cs.base', 0).set('cs.selector', 0);
  vcpu.setSregs(sregs);
  restart(vcpu);
  return { kvm, vm, vcpu, memory };
}

export function restart(vcpu: KvmVcpu): void {
  vcpu.setRegs(new KvmStruct(structs.KVM_REGS).set('rip', CODE).set('rsp', 0x8000).set('rflags', 2));
}
