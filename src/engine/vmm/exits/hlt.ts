import type { ExitHandler } from '../exit.js';

const SINGLE_STEP = 1n << 14n;

/** HLT: the vCPU waits; the machine warps to the next deadline when nothing else runs. A single-step trap wakes it at once. */
export const hltExit: ExitHandler = (vcpu) => {
  vcpu.complete();
  const trapped = (vcpu.vmcs.get('GUEST_PENDING_DBG_EXCEPTIONS') & SINGLE_STEP) !== 0n;
  // a vCPU that was kicked on its way here does not sleep either
  vcpu.halted = !trapped && !vcpu.unhalted;
  vcpu.justHalted = vcpu.halted;
  vcpu.unhalted = false;
  return 'resume';
};
