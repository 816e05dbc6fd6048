// The share of the local APICs that the core does by itself while nothing of the VMM runs: core/vmx/apic.ts.
import {
  APIC_ACCEPTED,
  APIC_ASKS,
  APIC_CHANGE_COUNT,
  APIC_CHANGES,
  APIC_COUNT_NS,
  APIC_DELIVERS,
  APIC_DUTY,
  APIC_ENDS,
  APIC_GPA,
  APIC_HEARD,
  APIC_HEARD_COUNT,
  APIC_HEARD_DEADLINE,
  APIC_HEARD_ICR,
  APIC_HEARD_REQUEST,
  APIC_HEARD_TPR,
  APIC_ICR,
  APIC_IRR,
  APIC_ISR,
  APIC_OTHER_EVENT,
  APIC_TAKES_DEADLINE,
  APIC_TIMER_AT,
  APIC_TIMER_VALUE,
  APIC_TMR,
  APIC_TPR,
  APIC_VECTORS,
  APIC_VECTORS_BYTES,
} from '../core/layout.js';
import type { ApicVectors } from '../devices/lapic-state.js';
import type { HostMemory } from '../memory/host-memory.js';
import type { Board } from './board.js';
import { nextEvent } from './pending-events.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

const VECTORS = 256;

/** Where the vectors of a vCPU's local APIC lie, for the core and the device. */
export function vectorsInCore({ memory: { buffer } }: HostMemory, vcpu: number): ApicVectors {
  const words = (at: number) => new Uint32Array(buffer, APIC_VECTORS + vcpu * APIC_VECTORS_BYTES + at, VECTORS / 32);
  const accepted = new Float64Array(buffer, APIC_ACCEPTED + vcpu * VECTORS * 8, VECTORS);
  return { isr: words(APIC_ISR), tmr: words(APIC_TMR), irr: words(APIC_IRR), accepted };
}

export class CoreApic {
  readonly #host;

  constructor(host: HostMemory) {
    this.#host = host;
  }

  /** What the core may do from now on; nothing but an interrupt waits for the vCPU then. */
  expect(vcpu: Vcpu, board: Board): void {
    const host = this.#host;
    const { index, woken, nmiPending, pendingInit, pendingSipi, holdsInterrupts, unhalted } = vcpu;
    const waits = woken || nmiPending || pendingInit || pendingSipi !== undefined || holdsInterrupts || unhalted;
    const apic = waits || board.nmiWaits(index) ? undefined : board.ownApic?.(index);
    if (apic === undefined) {
      host.set32(APIC_DUTY, APIC_ASKS);
      return;
    }
    host.set32(APIC_DUTY, apic.endsByWord ? APIC_ENDS : APIC_DELIVERS);
    host.set32(APIC_TPR, apic.tpr);
    const { windowBase } = apic;
    host.set32(APIC_GPA, apic.x2apic ? 0xffffffff : windowBase >>> 0);
    host.set32(APIC_GPA + 4, apic.x2apic ? 0xffffffff : Math.floor(windowBase / 0x1_0000_0000));
    host.set32(APIC_COUNT_NS, apic.countNs);
    host.set32(APIC_TAKES_DEADLINE, apic.takesDeadline ? 1 : 0);
    const { timerRequest } = vcpu.provoked;
    const other = Math.min(
      board.deadlineBeside?.(index) ?? Number.POSITIVE_INFINITY,
      timerRequest ?? Number.POSITIVE_INFINITY,
    );
    const never = other === Number.POSITIVE_INFINITY;
    host.set32(APIC_OTHER_EVENT, never ? 0xffffffff : other >>> 0);
    host.set32(APIC_OTHER_EVENT + 4, never ? 0xffffffff : Math.floor(other / 0x1_0000_0000));
  }

  /** It does nothing by itself. */
  ask(): void {
    this.#host.set32(APIC_DUTY, APIC_ASKS);
  }

  /** The device hears of what the core has done, and the VMM what it would have done itself. */
  hear(vm: Vm, vcpu: Vcpu): void {
    const host = this.#host;
    const changes = host.get32(APIC_CHANGE_COUNT);
    if (changes > 0) {
      for (let at = APIC_CHANGES; at < APIC_CHANGES + changes * 16; at += 16)
        vcpu.vmcs.notePrimary(host.get32(at + 8), host.getNumber(at));
      host.set32(APIC_CHANGE_COUNT, 0);
    }
    const heard = host.get32(APIC_HEARD);
    if (heard === 0) return;
    host.set32(APIC_HEARD, 0);
    const { board } = vm;
    if ((heard & APIC_HEARD_TPR) !== 0) board.hearTpr?.(vcpu.index, host.get32(APIC_TPR));
    if ((heard & APIC_HEARD_ICR) !== 0) board.hearIcr?.(vcpu.index, host.get32(APIC_ICR), host.get32(APIC_ICR + 4));
    if ((heard & (APIC_HEARD_COUNT | APIC_HEARD_DEADLINE)) !== 0) {
      const at = host.getNumber(APIC_TIMER_AT);
      if ((heard & APIC_HEARD_COUNT) !== 0) board.hearCount?.(vcpu.index, host.get32(APIC_TIMER_VALUE), at);
      else board.hearDeadline?.(vcpu.index, host.get64(APIC_TIMER_VALUE), at);
      vcpu.armedFor = nextEvent(vm, vcpu);
    }
    // the guest was left before the instruction behind which the interrupt waits had retired
    if ((heard & APIC_HEARD_REQUEST) !== 0) vcpu.woken = true;
  }
}
