import type { ExitHandler } from '../exit.js';
import { hypercall } from '../hypercall.js';

/** What KVM answers for a number that it does not know: -KVM_ENOSYS. Guests probe for its hypercalls this way. */
const NO_SUCH_HYPERCALL = BigInt.asUintN(64, -1000n);

/** VMCALL: vmscope's own hypercalls; any other is answered, and does nothing. */
export const vmcallExit: ExitHandler = (vcpu, vm) => {
  vcpu.setGpr(0, hypercall(vcpu, vm) ?? NO_SUCH_HYPERCALL);
  vcpu.complete();
  return 'resume';
};
