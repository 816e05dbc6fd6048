import type { ExitHandler } from '../exit.js';
import { hypercall } from '../hypercall.js';

const UD = 6;

/** VMCALL: vmscope's own hypercalls; anything else is an instruction that this machine does not have. */
export const vmcallExit: ExitHandler = (vcpu, vm) => {
  const result = hypercall(vcpu, vm);
  if (result === undefined) {
    vcpu.exception(UD);
    return 'inject';
  }
  vcpu.setGpr(0, result);
  vcpu.complete();
  return 'resume';
};
