import { SECONDARY } from '../controls.js';
import type { ExitHandler } from '../exit.js';
import { stepOver } from '../stepping.js';

/**
 * An access to the APIC-access page, answered as MMIO: the page is taken out of the EPT and the
 * intercept switched off for this one instruction, which then exits as an EPT violation.
 * @sdm 3C 29.4 "Virtualizing Memory-Mapped APIC Accesses"
 */
export const apicAccessExit: ExitHandler = (vcpu, vm) => {
  vm.provocations.mapApicPage(vcpu, false);
  stepOver(vcpu, 'SECONDARY_VM_EXEC_CONTROL', SECONDARY.virtualizeApicAccesses, true);
  return 'resume';
};
