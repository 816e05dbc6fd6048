import { VECTOR } from '../../../spec/exceptions.js';
import type { ExitHandler } from '../exit.js';
import { isSteady, readMsr, writeMsr } from '../msrs.js';

const { GP } = VECTOR;

/** RDMSR of an MSR that the MSR bitmap intercepts. Unknown MSRs give #GP(0). */
export const msrReadExit: ExitHandler = (vcpu, vm) => {
  const value = readMsr(vcpu, vm, vcpu.gprLow(1));
  if (value === undefined) {
    vcpu.exception(GP, 0);
    return 'inject';
  }
  const msr = vcpu.gprLow(1);
  if (isSteady(msr)) vm.quick.keepMsr(vcpu, msr, value);
  vcpu.setGpr32(0, Number(value & 0xffffffffn));
  vcpu.setGpr32(2, Number(value >> 32n));
  vm.exitDetail = Number(value & 0xffffffffn);
  vm.complete(vcpu);
  return 'resume';
};

/** WRMSR of an MSR that the MSR bitmap intercepts. Unknown MSRs and refused values give #GP(0). */
export const msrWriteExit: ExitHandler = (vcpu, vm) => {
  const value = (BigInt(vcpu.gprLow(2)) << 32n) | BigInt(vcpu.gprLow(0));
  vm.exitDetail = vcpu.gprLow(0);
  if (isSteady(vcpu.gprLow(1))) vm.quick.forget();
  if (!writeMsr(vcpu, vm, vcpu.gprLow(1), value)) {
    vcpu.exception(GP, 0);
    return 'inject';
  }
  vm.complete(vcpu);
  return vm.end ? 'stop' : 'resume';
};
