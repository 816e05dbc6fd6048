import { CR4 } from '../../../spec/masks.js';
import { XCR0 } from '../../core/layout.js';
import { BASE_ENABLE } from '../../devices/lapic-registers.js';
import { cpuid } from '../cpuid-model.js';
import type { ExitHandler } from '../exit.js';

/** CPUID always exits; the answer comes from the CPU model. @sdm 3C 25.1.2 "Instructions That Cause VM Exits Unconditionally" */
export const cpuidExit: ExitHandler = (vcpu, vm) => {
  const [leaf, subleaf] = [vcpu.gprLow(0), vcpu.gprLow(1)];
  const answer = cpuid(leaf, subleaf, {
    model: vm.cpu,
    vcpu: vcpu.index,
    osxsave: (vcpu.vmcs.get('GUEST_CR4') & CR4.OSXSAVE) !== 0n,
    ospke: (vcpu.vmcs.get('GUEST_CR4') & CR4.PKE) !== 0n,
    paravirtual: vm.paravirtual,
    xcr0: vcpu.host.get64(vcpu.at(XCR0)),
    apicEnabled: (vm.board.apicBase(vcpu.index) & BASE_ENABLE) !== 0n,
  });
  vm.quick.keepCpuid(vcpu, leaf, subleaf, answer);
  vcpu.setGpr32(0, answer.eax);
  vcpu.setGpr32(3, answer.ebx);
  vcpu.setGpr32(1, answer.ecx);
  vcpu.setGpr32(2, answer.edx);
  vm.complete(vcpu);
  return 'resume';
};
