import { KVM_ENOSYS } from '../../../spec/kvm-paravirt.js';
import type { ExitHandler } from '../exit.js';
import { hypercall } from '../hypercall.js';
import { paravirtualHypercall } from '../paravirt.js';

/** VMCALL: vmscope's own hypercalls carry a signature in RAX; the rest are KVM's, which refuse unknown numbers. */
export const vmcallExit: ExitHandler = (vcpu, vm) => {
  vcpu.setGpr(0, hypercall(vcpu, vm) ?? (vm.paravirtual ? paravirtualHypercall(vcpu, vm) : KVM_ENOSYS));
  vm.complete(vcpu);
  return 'resume';
};
