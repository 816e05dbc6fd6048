import { VECTOR } from '../../../spec/exceptions.js';
import type { ExitHandler } from '../exit.js';
import { hypercall } from '../hypercall.js';
import { paravirtualHypercall } from '../paravirt.js';

const { UD } = VECTOR;

/**
 * VMCALL: vmscope's own hypercalls carry a signature in RAX; the rest are KVM's, which refuse unknown numbers. Where its
 * interface is not offered there is no hypervisor to call.
 */
export const vmcallExit: ExitHandler = (vcpu, vm) => {
  const own = hypercall(vcpu, vm);
  if (own === undefined && !vm.paravirtual) {
    vcpu.exception(UD);
    return 'inject';
  }
  vcpu.setGpr(0, own ?? paravirtualHypercall(vcpu, vm));
  vm.complete(vcpu);
  return 'resume';
};
