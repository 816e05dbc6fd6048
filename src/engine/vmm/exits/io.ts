import { ASSIST_DATA } from '../../core/layout.js';
import { PORT_ACCESS_NS } from '../../core/prices.js';
import type { ExitHandler } from '../exit.js';
import { portBreakpoints } from '../port-breakpoints.js';
import { moveString } from '../string-io.js';
import type { Vcpu } from '../vcpu.js';

const QUALIFICATION = { size: 7, in: 8, string: 16 };

function complete(vcpu: Vcpu, port: number, bytes: number): void {
  vcpu.complete();
  const bits = portBreakpoints(vcpu, port, bytes);
  if (bits !== 0) vcpu.vmcs.addDebugTraps(bits);
}

/**
 * Port I/O. Plain IN and OUT are done here; string forms are done by the core once the VMM has moved
 * their data (see ASSIST_* in the core's layout).
 * @sdm 3C 27.2.1 "Basic VM-Exit Information", table 27-5
 */
export const ioExit: ExitHandler = (vcpu, vm) => {
  const qualification = vcpu.vmcs.qualificationLow;
  const bytes = (qualification & QUALIFICATION.size) + 1;
  const port = qualification >>> 16;
  const input = (qualification & QUALIFICATION.in) !== 0;
  if ((qualification & QUALIFICATION.string) !== 0) {
    vm.spend(PORT_ACCESS_NS);
    const most = vcpu.host.get32(vcpu.at(ASSIST_DATA));
    const { first, count } = moveString(vm, vcpu, { port, bytes, write: !input, most });
    vcpu.vmcs.rerunInstruction();
    vm.exitDetail = first;
    vm.exitElements = count;
  } else if (input) {
    const value = vm.portRead(vcpu, port, bytes);
    if (bytes === 4) vcpu.setGpr32(0, value);
    else if (bytes === 2) vcpu.setGpr16(0, value);
    else vcpu.setGpr8(0, value);
    vm.exitDetail = value;
    complete(vcpu, port, bytes);
  } else {
    const value = vcpu.gprLow(0) & (bytes === 4 ? -1 : (1 << (bytes * 8)) - 1);
    complete(vcpu, port, bytes);
    vm.portWrite(vcpu, port, bytes, value >>> 0);
    vm.quick.keepPort(vm.board, port, bytes);
    vm.exitDetail = value >>> 0;
  }
  return vm.end ? 'stop' : 'resume';
};
