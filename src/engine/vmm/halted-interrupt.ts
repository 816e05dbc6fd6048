import { CR0 } from '../../spec/masks.js';
import { EVENT_TYPE, EVENT_VALID } from './entry-events.js';
import type { Vm } from './vm.js';

const HLT = 0xf4;

/**
 * Delivers an interrupt to the first vCPU, which is halted in real mode with interrupts off, if the handler's segment is
 * this one; behind it the vCPU halts again. False where that is not so. The guest is left.
 */
export function interruptHalted(vm: Vm, vector: number, segment: number): boolean {
  const [vcpu] = vm.vcpus;
  const { vmcs } = vcpu;
  const real = (vmcs.get('GUEST_CR0') & CR0.PE) === 0n && vmcs.get('GUEST_IDTR_BASE') === 0n;
  const rip = vmcs.rip;
  if (!real || !vcpu.halted || rip < 2n || (vmcs.entryInfo & EVENT_VALID) !== 0) return false;
  const at = Number(vmcs.get('GUEST_CS_BASE') + rip) - 1;
  const entry = vm.memory.read(vector * 4, 4);
  if ((entry[2] | (entry[3] << 8)) !== segment || at >= vm.memoryBytes) return false;
  if (vm.memory.read(at, 1)[0] !== HLT) return false;
  // a software interrupt pushes the address behind its own byte: that of HLT
  vmcs.set('GUEST_RIP', rip - 2n);
  vmcs.setEvent((EVENT_VALID | (EVENT_TYPE.softwareInterrupt << 8) | vector) >>> 0, 0, 1);
  vmcs.activity = 0;
  vcpu.halted = false;
  return true;
}
