// A recorded VM exit goes to its handler; trace and observers hear what came of it.

import {
  EXIT_COUNTS,
  INTERRUPTIBILITY,
  TR_ACTION,
  TR_CODE,
  TR_DETAIL,
  TRACE_RECORD_BYTES,
  TRACE_RECORDS,
  TRACE_RING,
  TRACE_SEQUENCE,
} from '../core/layout.js';
import { EVENT_TYPE, EVENT_VALID } from './entry-events.js';
import type { Outcome } from './exit.js';
import { EXIT_HANDLERS } from './exits/index.js';
import { BLOCKED_BY_NMI } from './pending-events.js';
import { isStepTrap, REASON_MTF } from './stepping.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';
import { fieldOffset } from './vmcs.js';

const REASON_MASK = 0xffff;
const NMI_UNBLOCKED = 0x1000;
const ACTION = { resume: 1, inject: 2, stop: 3 } as const;
const INTERRUPTIBILITY_FIELD = fieldOffset('GUEST_INTERRUPTIBILITY_INFO');

/** Hands the exit at hand to the handler of its reason. */
export function handleExit(vm: Vm, vcpu: Vcpu): Outcome {
  const { vmcs, host } = vcpu;
  const reason = vmcs.reason & REASON_MASK;
  const slot = traceSlot(vm);
  vm.exitDetail = 0;
  vm.exitElements = 0;
  reinject(vcpu);
  tellActivity(vm, vcpu, reason);
  if (isStepTrap(vcpu)) {
    withdrawExit(vm, REASON_MTF);
    return 'resume';
  }
  const handler = EXIT_HANDLERS[reason];
  const before = vcpu.icount;
  let outcome: Outcome;
  vm.handlerWatch?.begins();
  if (handler) outcome = handler(vcpu, vm);
  else {
    vm.finish({ kind: 'error', status: 3, message: `no handler for VM exit ${reason}` });
    outcome = 'stop';
  }
  vm.handlerWatch?.ends(reason);
  if (vcpu.icount === before && vcpu.isStuck()) vm.endSlice();
  vm.activity?.resumes();
  host.set32(slot + TR_ACTION, ACTION[outcome]);
  host.set32(slot + TR_DETAIL, outcome === 'inject' ? vmcs.entryInfo & 0xff : vm.exitDetail >>> 0);
  if (vm.exitElements > 0) host.u16[(slot + TR_CODE) >>> 1] |= vm.exitElements << 2;
  return outcome;
}

/** The trace has the newest exit as one that ended the run. */
export function recordStop(vm: Vm): void {
  vm.host.set32(traceSlot(vm) + TR_ACTION, ACTION.stop);
}

/** Says which exit is handled, for who watches this thread. */
export function tellActivity({ activity, host }: Vm, { vmcs, index }: Vcpu, reason: number): void {
  activity?.handles(index, reason, host.u32, vmcs.region >>> 2);
}

/** Takes the newest exit out of trace and counts: it was the debugger's own. */
function withdrawExit(vm: Vm, reason: number): void {
  const { host } = vm;
  host.setNumber(TRACE_SEQUENCE, host.getNumber(TRACE_SEQUENCE) - 1);
  for (const vcpu of vm.vcpus) vcpu.vmcs.controls.withdrawn();
  const count = EXIT_COUNTS + reason * 8;
  host.setNumber(count, host.getNumber(count) - 1);
  vm.exits--;
}

/** An event whose delivery the exit interrupted is delivered at the next entry. @sdm 3C 31.7.1.2 "Resuming Guest Software" */
function reinject(vcpu: Vcpu): void {
  const { vmcs, host } = vcpu;
  const info = vmcs.vectoringInfo;
  if ((info & EVENT_VALID) === 0) return;
  vmcs.setEvent((info & ~NMI_UNBLOCKED) >>> 0, vmcs.vectoringError, vmcs.instructionLength);
  if (((info >> 8) & 7) !== EVENT_TYPE.nmi) return;
  for (const at of [vmcs.region + INTERRUPTIBILITY_FIELD, vcpu.at(INTERRUPTIBILITY)])
    host.set32(at, host.get32(at) & ~BLOCKED_BY_NMI);
}

function traceSlot({ host }: Vm): number {
  const newest = host.get32(TRACE_SEQUENCE) - 1;
  return TRACE_RING + (newest & (TRACE_RECORDS - 1)) * TRACE_RECORD_BYTES;
}
