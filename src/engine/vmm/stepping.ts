// Steps by the monitor trap flag: a debugger's, and the VMM's own over an instruction whose intercept is off meanwhile.

import { PRIMARY } from './controls.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

const REASON_MASK = 0xffff;
export const REASON_MTF = 37;

/** Asks for a stop after `count` more instructions of this vCPU. */
export function armStep(vcpu: Vcpu, count: number): void {
  vcpu.stepGoal = vcpu.icount + count;
  vcpu.vmcs.primary |= PRIMARY.monitorTrapFlag;
}

export function disarmStep(vcpu: Vcpu): void {
  vcpu.stepGoal = undefined;
  if (!vcpu.steppedOver) vcpu.vmcs.primary &= ~PRIMARY.monitorTrapFlag;
}

/** True, and the step is no more, where the debugger's step has come to its end. */
export function stepDone(vcpu: Vcpu): boolean {
  if (vcpu.stepGoal === undefined || vcpu.steppedOver) return false;
  if (vcpu.icount < vcpu.stepGoal) return false;
  disarmStep(vcpu);
  return true;
}

/** The exit at hand is one that a debugger's step asked for. */
export function isStepTrap({ vmcs, stepGoal, steppedOver }: Vcpu): boolean {
  return (vmcs.reason & REASON_MASK) === REASON_MTF && stepGoal !== undefined && !steppedOver;
}

/** Turns an intercept off for one instruction; MTF ends that, and puts the APIC-access page back if it was taken out. */
export function stepOver(vcpu: Vcpu, field: string, bits: number, apicPage = false): void {
  vcpu.steppedOver = { field, bits: bits >>> 0, apicPage };
  vcpu.vmcs.rerunInstruction();
  vcpu.vmcs.set(field, vcpu.vmcs.get(field) & ~BigInt(bits >>> 0));
  vcpu.vmcs.primary |= PRIMARY.monitorTrapFlag;
}

export function endStepOver(vm: Vm, vcpu: Vcpu): void {
  const over = vcpu.steppedOver;
  if (!over) return;
  vcpu.steppedOver = undefined;
  vcpu.vmcs.set(over.field, vcpu.vmcs.get(over.field) | BigInt(over.bits >>> 0));
  if (over.apicPage) vm.provocations.mapApicPage(vcpu, true);
}
