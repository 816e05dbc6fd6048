// What waits for a vCPU's next VM entry, and what the entry does with it.

import { RFLAGS as RFLAGS_BITS } from '../../spec/masks.js';
import { RFLAGS } from '../core/layout.js';
import { PRIMARY } from './controls.js';
import { EVENT_VALID } from './entry-events.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

const RFLAGS_IF = Number(RFLAGS_BITS.IF);
const BLOCKED_BY_STI_OR_MOV_SS = 3;
export const BLOCKED_BY_NMI = 8;

/** When the guest's turn must end for the devices or for itself; undefined: never. */
export function nextEvent({ board }: Vm, vcpu: Vcpu, deadline = board.nextDeadline()): number | undefined {
  const { timerRequest } = vcpu.provoked;
  if (deadline === undefined || timerRequest === undefined) return deadline ?? timerRequest;
  return Math.min(deadline, timerRequest);
}

/** The next VM entry would do more than go on with the guest. */
export function entryDelivers(vm: Vm, vcpu: Vcpu): boolean {
  const { board } = vm;
  board.seeEndOfInterrupt?.(vcpu.index);
  const { woken, nmiPending, provoked, pendingInit, pendingSipi, index, vmcs } = vcpu;
  if (woken || nmiPending || pendingInit || pendingSipi !== undefined) return true;
  if (provoked.hostEvent !== undefined || (vmcs.entryInfo & EVENT_VALID) !== 0) return true;
  if (board.nmiWaits(index) || (vcpu.interruptsEnabled && board.interruptPending(index))) return true;
  const deadline = board.nextDeadline();
  return deadline !== undefined && deadline <= vm.now();
}

/** Something waits that only a VM entry delivers. */
export function hasEvent({ board }: Vm, vcpu: Vcpu): boolean {
  const { woken, nmiPending, provoked, pendingInit, index } = vcpu;
  return woken || nmiPending || provoked.hostEvent !== undefined || pendingInit || board.interruptPending(index);
}

/** Something waits that the halted vCPU would take. */
export function couldWake({ board }: Vm, vcpu: Vcpu): boolean {
  const { index, vmcs } = vcpu;
  if (vcpu.nmiPending || board.nmiWaits(index)) return (vmcs.interruptibility & BLOCKED_BY_NMI) === 0;
  return vcpu.interruptsEnabled && board.interruptPending(index);
}

/** A pending interrupt changes nothing at VM entry: the guest, which runs, does not take it, and the window is asked for. */
export function waitsForWindow({ vmcs, host }: Vcpu): boolean {
  return (vmcs.primary & PRIMARY.interruptWindowExiting) !== 0 && (host.get32(RFLAGS) & RFLAGS_IF) === 0;
}

/** Injects the highest-priority pending event, or opens the window that tells when it can be. */
export function injectPending({ board }: Vm, vcpu: Vcpu): void {
  const { vmcs } = vcpu;
  const shadow = vmcs.interruptibility;
  // one NMI waits at most: what the board has latched joins the one that the guest blocks
  const latched = board.takeNmi(vcpu.index);
  if (latched || vcpu.nmiPending) {
    if ((shadow & (BLOCKED_BY_NMI | BLOCKED_BY_STI_OR_MOV_SS)) === 0) {
      vcpu.nmiPending = false;
      vcpu.halted = false;
      vcpu.nmi();
      return;
    }
    vcpu.nmiPending = true;
    vmcs.primary |= PRIMARY.nmiWindowExiting;
  }
  if (!board.interruptPending(vcpu.index)) return;
  if ((vmcs.rflags & RFLAGS_IF) !== 0 && (shadow & BLOCKED_BY_STI_OR_MOV_SS) === 0) {
    vcpu.halted = false;
    const vector = board.acknowledgeInterrupt(vcpu.index);
    vcpu.interrupt(vector);
    if (board.interruptPending(vcpu.index)) vmcs.primary |= PRIMARY.interruptWindowExiting;
  } else if (!vcpu.halted) {
    vmcs.primary |= PRIMARY.interruptWindowExiting;
  }
}
