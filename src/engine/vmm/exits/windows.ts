import { PRIMARY } from '../controls.js';
import type { ExitHandler } from '../exit.js';
import { endStepOver } from '../stepping.js';

/** The guest can take an interrupt now; the next entry injects it. */
export const interruptWindowExit: ExitHandler = (vcpu) => {
  vcpu.vmcs.primary &= ~PRIMARY.interruptWindowExiting;
  return 'resume';
};

export const nmiWindowExit: ExitHandler = (vcpu) => {
  vcpu.vmcs.primary &= ~PRIMARY.nmiWindowExiting;
  return 'resume';
};

/** The VMX-preemption timer: devices have work, or the guest asked for this exit. */
export const preemptionTimerExit: ExitHandler = (vcpu) => {
  const { provoked, clock } = vcpu;
  if (provoked.timerRequest !== undefined && clock >= provoked.timerRequest) provoked.timerRequest = undefined;
  return 'resume';
};

/** TPR below threshold: the threshold goes, since the next entry would not pass its check. */
export const tprBelowThresholdExit: ExitHandler = (vcpu) => {
  vcpu.vmcs.set('TPR_THRESHOLD', 0);
  return 'resume';
};

/** A step is done: put back an intercept that was off for one instruction. */
export const monitorTrapExit: ExitHandler = (vcpu, vm) => {
  endStepOver(vm, vcpu);
  if (vcpu.stepGoal === undefined) vcpu.vmcs.primary &= ~PRIMARY.monitorTrapFlag;
  return 'resume';
};

/** A start-up IPI for a vCPU in the wait-for-SIPI state: it is active again, at its own RIP. */
export const sipiExit: ExitHandler = (vcpu) => {
  vcpu.vmcs.activity = 0;
  return 'resume';
};
