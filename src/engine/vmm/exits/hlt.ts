import type { ExitHandler } from '../exit.js';

/** HLT: the vCPU waits; the machine warps to the next deadline when nothing else runs. */
export const hltExit: ExitHandler = (vcpu) => {
  vcpu.complete();
  vcpu.halted = true;
  return 'resume';
};
