import { AR, EFER } from '../../../spec/masks.js';
import type { ExitHandler } from '../exit.js';

/** A fault while delivering a double fault: the processor would shut down. */
export const tripleFaultExit: ExitHandler = (vcpu, vm) => {
  const { surviveAt } = vcpu.provoked;
  if (surviveAt !== undefined) {
    const wide =
      (vcpu.vmcs.get('GUEST_IA32_EFER') & EFER.LMA) !== 0n && (vcpu.vmcs.get('GUEST_CS_AR_BYTES') & AR.L) !== 0n;
    vcpu.vmcs.set('GUEST_RIP', wide ? surviveAt : surviveAt & 0xffffffffn);
    vcpu.provoked.surviveAt = undefined;
    vcpu.vmcs.setEvent(0, 0, 0);
    return 'resume';
  }
  const rip = vcpu.vmcs.rip.toString(16);
  vm.finish({ kind: 'triple-fault', status: 1, message: `triple fault on vCPU ${vcpu.index} at RIP 0x${rip}` });
  return 'stop';
};
