import { VECTOR } from '../../../spec/exceptions.js';
import { XCR0 } from '../../core/layout.js';
import { PRIMARY, SECONDARY } from '../controls.js';
import type { ExitHandler } from '../exit.js';
import { stepOver } from '../stepping.js';
import { validXcr0 } from '../xstate.js';

const { UD, GP } = VECTOR;

/** The instruction has no effect that the guest could see here. */
export const skipExit: ExitHandler = (vcpu, vm) => {
  vm.complete(vcpu);
  return 'resume';
};

/** PAUSE, by itself or after too many of them: another vCPU may go on. */
export const pauseExit: ExitHandler = (vcpu, vm) => {
  vm.complete(vcpu);
  vm.yieldTurn();
  return 'resume';
};

/** Nothing to do: the exit happened between instructions. */
export const resumeExit: ExitHandler = () => 'resume';

/** This CPU model does not have the instruction: VMX, GETSEC, VMFUNC, RSM. */
export const undefinedExit: ExitHandler = (vcpu) => {
  vcpu.exception(UD);
  return 'inject';
};

/** RDPMC without counters. */
export const rdpmcExit: ExitHandler = (vcpu) => {
  vcpu.exception(GP, 0);
  return 'inject';
};

/** RDTSC and RDTSCP when a debugger or a sample turned RDTSC exiting on. */
export const rdtscExit: ExitHandler = (vcpu, vm) => {
  const tsc = vm.tsc(vcpu.index);
  vcpu.setGpr32(0, Number(tsc & 0xffffffffn));
  vcpu.setGpr32(2, Number(tsc >> 32n));
  if ((vcpu.vmcs.reason & 0xffff) === 51) vcpu.setGpr32(1, vm.tscAux(vcpu));
  vcpu.complete();
  return 'resume';
};

/** XSETBV: x87 always, AVX with SSE only, and nothing that the CPU model lacks. @sdm 2D "XSETBV" */
export const xsetbvExit: ExitHandler = (vcpu, vm) => {
  const value = (BigInt(vcpu.gprLow(2)) << 32n) | BigInt(vcpu.gprLow(0));
  if (vcpu.gprLow(1) !== 0 || !validXcr0(value, vm.cpu.xcr0)) {
    vcpu.exception(GP, 0);
    return 'inject';
  }
  vcpu.host.set64(vcpu.at(XCR0), value);
  vm.complete(vcpu);
  return 'resume';
};

const steppingOver =
  (field: string, bits: number): ExitHandler =>
  (vcpu) => {
    stepOver(vcpu, field, bits);
    return 'resume';
  };

export const invlpgExit = steppingOver('CPU_BASED_VM_EXEC_CONTROL', PRIMARY.invlpgExiting);
export const drAccessExit = steppingOver('CPU_BASED_VM_EXEC_CONTROL', PRIMARY.movDrExiting);
export const descriptorTableExit = steppingOver('SECONDARY_VM_EXEC_CONTROL', SECONDARY.descriptorTableExiting);
export const rdrandExit = steppingOver('SECONDARY_VM_EXEC_CONTROL', SECONDARY.rdrandExiting);
export const rdseedExit = steppingOver('SECONDARY_VM_EXEC_CONTROL', SECONDARY.rdseedExiting);
