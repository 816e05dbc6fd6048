import { VECTOR } from '../../../spec/exceptions.js';
import { EVENT_TYPE } from '../entry-events.js';
import type { ExitHandler } from '../exit.js';
import { MF, numericError } from '../numeric-errors.js';

const SOFTWARE_TYPES = new Set([5, 6]);
const { PF } = VECTOR;

/** Exception or NMI. An intercepted exception goes back to the guest, as it would have arrived. */
export const exceptionExit: ExitHandler = (vcpu, vm) => {
  const info = Number(vcpu.vmcs.get('VM_EXIT_INTR_INFO'));
  const type = (info >> 8) & 7;
  if (type === EVENT_TYPE.nmi) return 'resume';
  if ((info & 0xff) === MF && type === EVENT_TYPE.hardwareException) {
    const outcome = numericError(vcpu, vm);
    if (outcome !== undefined) return outcome;
  }
  const error = Number(vcpu.vmcs.get('VM_EXIT_INTR_ERROR_CODE'));
  if ((info & 0xff) === PF) vm.setCr2(vcpu, vcpu.vmcs.qualification);
  const length = SOFTWARE_TYPES.has(type) ? vcpu.vmcs.instructionLength : 0;
  // bit 12 (NMI unblocking) is reserved in the entry field
  vcpu.vmcs.setEvent((info & ~0x1000) >>> 0, error, length);
  return 'inject';
};
