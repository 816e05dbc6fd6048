// VM entries: what is done before one, the entry itself, and events of the host that end the guest's turn at once.

import { ENTER_EXIT, ENTER_OK, IN_ROOT, LATCH_COUNT, XS_EXIT } from '../core/layout.js';
import { EVENT_VALID } from './entry-events.js';
import { initVcpu, startVcpu } from './multiprocessor.js';
import { couldWake, injectPending, nextEvent } from './pending-events.js';
import { repairEntry, spoilEntry } from './provocations.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';
import { fieldOffset } from './vmcs.js';

const TIMER_FIELD = fieldOffset('VMX_PREEMPTION_TIMER_VALUE');

/**
 * Somebody has looked at the guest since its last VM entry, and that is all: it goes back to where it was. What a debugger
 * changes meanwhile marks the vCPU as woken.
 */
function onlyLookedAt(vm: Vm, vcpu: Vcpu): boolean {
  const { launched, halted, justHalted, waitsForSipi, pendingInit, pendingSipi, nmiPending, provoked, vmcs } = vcpu;
  if (!launched || vm.host.get32(vcpu.at(IN_ROOT)) !== 0) return false;
  if (halted || justHalted || waitsForSipi || pendingInit || pendingSipi !== undefined || nmiPending) return false;
  return provoked.hostEvent === undefined && provoked.failEntry === undefined && (vmcs.entryInfo & EVENT_VALID) === 0;
}

/** Devices' due work, interrupt injection and the preemption timer; false when the vCPU stays halted. */
export function prepareEntry(vm: Vm, vcpu: Vcpu): boolean {
  if (onlyLookedAt(vm, vcpu)) return true;
  vm.host.set32(vcpu.at(IN_ROOT), 1);
  const { board } = vm;
  const completing = vm.host.get32(vcpu.at(LATCH_COUNT)) !== 0;
  // what that wakes is looked at here, wherever a limit has had it seen before
  board.seeEndOfInterrupt?.(vcpu.index);
  // what woke it waits for the entry after this one
  if (!completing) vcpu.woken = false;
  vcpu.justHalted = false;
  if (vcpu.pendingInit) {
    vcpu.pendingInit = false;
    initVcpu(vcpu);
    vm.flushTlb(vcpu);
  }
  if (vcpu.pendingSipi !== undefined) startVcpu(vcpu, vcpu.pendingSipi);
  vcpu.pendingSipi = undefined;
  if (vcpu.waitsForSipi && vcpu.provoked.hostEvent === undefined) return false;
  const { vmcs } = vcpu;
  const now = vm.now();
  let deadline = board.nextDeadline();
  if (deadline !== undefined && deadline <= now) {
    board.runDue(now);
    vm.takeEnd();
    deadline = board.nextDeadline();
  }
  // a SIPI of the host reaches a vCPU that waits for it: such an entry injects nothing
  const injects = !completing && (vmcs.entryInfo & EVENT_VALID) === 0 && vcpu.provoked.hostEvent?.kind !== 'sipi';
  if (vcpu.holdsInterrupts) {
    if (vcpu.halted && couldWake(vm, vcpu)) vcpu.halted = false;
  } else if (injects) injectPending(vm, vcpu);
  if (vcpu.halted) return false;
  armTimer(vm, vcpu, now, deadline);
  if (vcpu.provoked.hostEvent?.kind === 'sipi') vmcs.activity = 3;
  spoilEntry(vcpu);
  return true;
}

/** The VMX-preemption timer ends the guest's turn at the next event. It counts ns, 32 bits. */
function armTimer(vm: Vm, vcpu: Vcpu, now: number, deadline: number | undefined): void {
  const at = nextEvent(vm, vcpu, deadline);
  vcpu.armedFor = at;
  const wait = (at ?? Number.POSITIVE_INFINITY) - now;
  vm.host.set32(vcpu.vmcs.region + TIMER_FIELD, Math.min(Math.max(wait, 0), 0xffffffff));
}

/**
 * `entered`: the vCPU is in the guest, or has exited already. `failed`: a check did not hold; `repaired`: one did not that was
 * made to fail, which is an exit, and the next entry can succeed.
 */
export function enter(vm: Vm, vcpu: Vcpu): 'entered' | 'repaired' | 'failed' {
  const { core } = vm;
  const status = vcpu.launched ? core.vmResume() : core.vmLaunch();
  switch (status) {
    case ENTER_OK:
      vcpu.launched = true;
      vcpu.inGuest = true;
      vcpu.entered = true;
      return 'entered';
    case ENTER_EXIT:
      // delivering the injected event caused an exit
      vcpu.launched = true;
      vcpu.pendingExit = true;
      vcpu.entered = false;
      vm.exits++;
      return 'entered';
    default:
      if (!repairEntry(vcpu)) return 'failed';
      vm.exits++;
      return 'repaired';
  }
}

/** An event of the host at this instruction boundary; true when it made the guest exit. */
export function signal(vm: Vm, vcpu: Vcpu): boolean {
  const { kind, vector } = vcpu.provoked.hostEvent!;
  vcpu.provoked.hostEvent = undefined;
  const { core } = vm;
  const status =
    kind === 'interrupt'
      ? core.externalInterrupt(vector)
      : kind === 'nmi'
        ? core.nmi()
        : kind === 'init'
          ? core.initSignal()
          : core.sipi(vector);
  if (status !== XS_EXIT) return false;
  vcpu.inGuest = false;
  vcpu.pendingExit = true;
  vcpu.entered = false;
  vm.exits++;
  return true;
}
