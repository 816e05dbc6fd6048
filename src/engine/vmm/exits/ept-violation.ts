import { ASSIST_ADDRESS, ASSIST_BYTES, ASSIST_DATA, ASSIST_WRITE } from '../../core/layout.js';
import type { ExitHandler, Outcome } from '../exit.js';
import { physicalRead, physicalWrite } from '../physical-access.js';
import type { Vcpu } from '../vcpu.js';
import type { Vm } from '../vm.js';
import { fieldOffset } from '../vmcs.js';

const QUALIFICATION_FETCH = 4;
/** The access is the instruction's own, not one to a paging structure on the way. */
const QUALIFICATION_TRANSLATED = 0x100;
const GUEST_PHYSICAL_ADDRESS = fieldOffset('GUEST_PHYSICAL_ADDRESS');

/**
 * A guest-physical address without a frame: device memory, or nothing. The device does the access and
 * the instruction runs again with its result latched.
 * @sdm 3C 28.3.3.2 "EPT Violations"
 */
export const eptViolationExit: ExitHandler = (vcpu, vm) => {
  const gpa = vcpu.host.getNumber(vcpu.vmcs.region + GUEST_PHYSICAL_ADDRESS);
  if (vm.provocations.repair(gpa)) return 'resume';
  if ((vcpu.vmcs.qualificationLow & QUALIFICATION_FETCH) !== 0) {
    vm.finish({
      kind: 'error',
      status: 1,
      message: `vCPU ${vcpu.index} fetches code from GPA 0x${gpa.toString(16)}, which is not memory`,
    });
    return 'stop';
  }
  if ((vcpu.vmcs.qualificationLow & QUALIFICATION_TRANSLATED) === 0) return structureAccess(vcpu, vm);
  const { host } = vcpu;
  const address = host.getNumber(vcpu.at(ASSIST_ADDRESS));
  const bytes = host.get32(vcpu.at(ASSIST_BYTES));
  const write = host.get32(vcpu.at(ASSIST_WRITE)) !== 0;
  if (write) {
    const value = BigInt.asUintN(bytes * 8, host.get64(vcpu.at(ASSIST_DATA)));
    vm.mmioWrite(vcpu, address, bytes, value);
    vm.exitDetail = Number(value & 0xffffffffn);
    vcpu.addLatch(address, value, bytes, true);
  } else {
    const value = vm.mmioRead(vcpu, address, bytes);
    vm.exitDetail = Number(value & 0xffffffffn);
    vcpu.addLatch(address, value, bytes, false);
  }
  return vm.end ? 'stop' : 'resume';
};

/** The processor's walk meets a paging-structure entry in no frame: read for it, or written with its accessed and dirty flags. */
export function structureAccess(vcpu: Vcpu, vm: Vm): Outcome {
  const { host } = vcpu;
  const gpa = host.getNumber(vcpu.at(ASSIST_ADDRESS));
  const bytes = host.get32(vcpu.at(ASSIST_BYTES));
  if (host.get32(vcpu.at(ASSIST_WRITE)) !== 0) {
    const value = BigInt.asUintN(bytes * 8, host.get64(vcpu.at(ASSIST_DATA)));
    physicalWrite(vcpu, vm, gpa, bytes, value);
    vcpu.addOutsideEntry(gpa, value);
  } else vcpu.addOutsideEntry(gpa, physicalRead(vcpu, vm, gpa, bytes));
  return vm.end ? 'stop' : 'resume';
}

/** An EPT entry with a setting that the processor refuses: repaired where the VMM made it, else an engine error. */
export const eptMisconfigExit: ExitHandler = (vcpu, vm) => {
  const gpa = Number(vcpu.vmcs.get('GUEST_PHYSICAL_ADDRESS'));
  if (vm.provocations.repair(gpa)) return 'resume';
  vm.finish({ kind: 'error', status: 3, message: `EPT misconfiguration at GPA 0x${gpa.toString(16)}` });
  return 'stop';
};
