import type { Vcpu } from './vcpu.js';

/** CPL of a vCPU at a VM exit: DPL of SS, which is 0 in real mode and 3 in virtual-8086 mode. */
export function readDescriptorPrivilege(vcpu: Vcpu): number {
  return Number((vcpu.vmcs.get('GUEST_SS_AR_BYTES') >> 5n) & 3n);
}
