/**
 * x87 errors of guests that have CR0.NE clear. The processor has NE set as long as it is in VMX operation, so it raises
 * #MF; the VMM intercepts that, and does what a processor without NE does. @sdm 1 8.7 "Handling x87 FPU Exceptions in Software"
 */

import { VECTOR } from '../../spec/exceptions.js';
import { bitsOf, FSW } from '../../spec/flags.js';
import { CR0 } from '../../spec/masks.js';
import { vmcsEncoding } from '../../spec/vmx/vmcs-fields.js';
import { X87_FSW } from '../core/layout.js';
import type { Outcome } from './exit.js';
import { guestSetBits } from './provocations.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

export const { MF } = VECTOR;
const EXCEPTION_BITMAP = vmcsEncoding('EXCEPTION_BITMAP');
const MF_BIT = 1n << BigInt(MF);
const BLOCKED_BY_STI_OR_MOV_SS = 3;
/** Error summary and busy. */
const FSW_PENDING = bitsOf(FSW, 'ES', 'B');

const hearsByInterrupt = ({ vmcs }: Vcpu): boolean => (vmcs.get('CR0_READ_SHADOW') & CR0.NE) === 0n;

/** After the guest's CR0.NE may have changed: intercepts #MF while it is clear, or where the guest itself wants that. */
export function watchNumericErrors(vcpu: Vcpu): void {
  const { vmcs } = vcpu;
  const wanted = hearsByInterrupt(vcpu) || (guestSetBits(vcpu.provoked, EXCEPTION_BITMAP) & MF_BIT) !== 0n;
  const bitmap = vmcs.get('EXCEPTION_BITMAP');
  vmcs.set('EXCEPTION_BITMAP', wanted ? bitmap | MF_BIT : bitmap & ~MF_BIT);
}

/**
 * #MF has exited: undefined where it is the guest's. Otherwise the processor stops before the instruction until an
 * interrupt comes, IRQ 13 or another; or, while the handler has the error ignored, goes on without it.
 */
export function numericError(vcpu: Vcpu, vm: Vm): Outcome | undefined {
  if (!hearsByInterrupt(vcpu)) return undefined;
  const { vmcs, host } = vcpu;
  if (vm.board.numericError()) host.u16[vcpu.at(X87_FSW) >>> 1] &= ~FSW_PENDING;
  else {
    vcpu.halted = true;
    vcpu.justHalted = true;
    // the instruction after STI has begun: what is to end its wait may come
    vmcs.set('GUEST_INTERRUPTIBILITY_INFO', vmcs.interruptibility & ~BLOCKED_BY_STI_OR_MOV_SS);
  }
  return 'resume';
}
