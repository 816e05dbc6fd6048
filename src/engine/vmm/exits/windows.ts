import { PRIMARY } from '../controls.js';
import type { ExitHandler } from '../exit.js';

/** The guest can take an interrupt now; the next entry injects it. */
export const interruptWindowExit: ExitHandler = (vcpu) => {
  vcpu.vmcs.primary &= ~PRIMARY.interruptWindowExiting;
  return 'resume';
};

export const nmiWindowExit: ExitHandler = (vcpu) => {
  vcpu.vmcs.primary &= ~PRIMARY.nmiWindowExiting;
  return 'resume';
};

/** A step is done: put back an intercept that was off for one instruction. */
export const monitorTrapExit: ExitHandler = (vcpu, vm) => {
  vm.endStepOver(vcpu);
  if (vcpu.stepGoal === undefined) vcpu.vmcs.primary &= ~PRIMARY.monitorTrapFlag;
  return 'resume';
};
