// An access to a device for which the core asks while the guest stays entered (core/vmx/ask.ts).

import {
  ASK_CR8,
  ASK_MMIO,
  ASK_MSR,
  ASK_PORT,
  ASK_STRING,
  ASKED_ENTERS,
  ASKED_GOES_ON,
  ASKED_LEAVES,
  ASKED_REFUSED,
  ATTENTION,
  DEVICE_DATA,
  LIMIT,
  VMCS_DIRTY,
} from '../core/layout.js';
import { EMULATION_NS } from '../core/prices.js';
import type { SteadyAnswer } from '../devices/device.js';
import type { Outcome } from './exit.js';
import { recordStop, tellActivity } from './exit-handling.js';
import { isSteady, readMsr, writeMsr } from './msrs.js';
import { nextEvent, waitsForWindow } from './pending-events.js';
import { moveString } from './string-io.js';
import type { Vcpu } from './vcpu.js';
import type { Vm } from './vm.js';

/** A datum of so many bytes. */
const ONES = [
  0n,
  0xffn,
  0xffffn,
  0xff_ffffn,
  0xffff_ffffn,
  2n ** 40n - 1n,
  2n ** 48n - 1n,
  2n ** 56n - 1n,
  2n ** 64n - 1n,
];
const REASON_MASK = 0xffff;
const wide = (low: number, high: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

/** A register of ASK_PORT or ASK_MMIO. */
interface Register {
  readonly kind: number;
  readonly address: number;
  readonly bytes: number;
}

/** An access after which the core left the guest: with the exit recorded, and handled unless the answer was a refusal. */
interface Left {
  readonly kind: number;
  readonly handled: boolean;
}

export class DeviceAccesses {
  #left: Left | undefined;
  /** Which register was read last, and whether anything was written since. */
  #lastRead = -1;
  #written = false;
  /** What the guest reads after each write, as a driver that waits until it may write again. */
  #follows: Register | undefined;
  /** The core answers it. */
  #kept = false;

  constructor(private readonly vm: Vm) {}

  /** The newest access left the guest: its exit is counted, and nobody waits for it. */
  get hasLeft(): boolean {
    return this.#left !== undefined;
  }

  /** The access that the exit at hand is of, if a device has answered it already. */
  takeHandled(): number | undefined {
    const left = this.#left;
    this.#left = undefined;
    return left?.handled ? left.kind : undefined;
  }

  /**
   * The core has recorded an exit for an access and asks for it; the guest is not left yet.
   * @returns ASKED_*
   */
  answer(kind: number, address: number, bytes: number, write: number, low: number, high: number): number {
    const { vm } = this;
    const vcpu = vm.running;
    const completed = vm.quick.take(vm, vcpu);
    vm.exits += completed;
    tellActivity(vm, vcpu, vcpu.vmcs.reason);
    vm.handlerWatch?.begins();
    const done = this.#access(vcpu, kind, address, bytes, write !== 0, low, high);
    if (write !== 0) {
      this.#written = true;
      // this write is all that was completed: the guest has not asked for what was kept for it
      if (this.#kept && completed <= 1) this.#follows = undefined;
      this.#kept = false;
    }
    vm.quick.steady.unsettle();
    if (done) vm.handlerWatch?.ends(vcpu.vmcs.reason & REASON_MASK);
    vm.activity?.resumes();
    // where anything waits, an instruction that runs again is followed by another VM entry
    const pending = vm.board.interruptPending(vcpu.index);
    const waits = pending || vcpu.woken;
    const runsAgain = kind === ASK_MMIO || kind === ASK_STRING;
    // one that reaches the limit ends the slice before what the next VM entry delivers
    const reaches = !runsAgain && vcpu.icount + (kind === ASK_PORT && write ? 0 : 1) >= vm.host.getNumber(LIMIT);
    if (done && !reaches && this.#goesOn(vcpu, pending, kind === ASK_MSR || kind === ASK_CR8 ? EMULATION_NS : 0)) {
      if (pending || (waits && write === 0)) vm.quick.apic.ask();
      else if (write !== 0) vm.quick.apic.expect(vcpu, vm.board);
      // an interrupt that waits for its window waits until the VMM has seen that; a load has its VM entry behind it then
      const steady = write !== 0 || (runsAgain && pending) ? undefined : this.#steady(kind, vcpu.index, address, bytes);
      // what a steady register answers to this read it answers to the next
      if (steady !== undefined) vm.quick.steady.keep(kind, address, bytes, steady);
      if (write !== 0 && !waits && this.#follows) this.#keep(vcpu.index, this.#follows);
      return waits ? ASKED_ENTERS : ASKED_GOES_ON;
    }
    this.#left = { kind, handled: done };
    return done ? ASKED_LEAVES : ASKED_REFUSED;
  }

  /** How a register goes on that was read without effects; asked only where the same one is read again, and nothing is written between. */
  #steady(kind: number, vcpu: number, address: number, bytes: number): SteadyAnswer | undefined {
    const again = this.#lastRead === address + kind;
    const written = this.#written;
    this.#lastRead = address + kind;
    this.#written = false;
    this.#follows = again && written && (kind === ASK_PORT || kind === ASK_MMIO) ? { kind, address, bytes } : undefined;
    return again && !written ? this.#goesOnAs(kind, vcpu, address, bytes) : undefined;
  }

  /** Reads ahead of the guest, where that has no effects. */
  #keep(vcpu: number, { kind, address, bytes }: Register): void {
    const { board, host, quick } = this.vm;
    const steady = this.#goesOnAs(kind, vcpu, address, bytes);
    if (steady === undefined) return;
    if (steady === 'same') {
      if (kind === ASK_PORT) host.setNumber(DEVICE_DATA, board.portRead(vcpu, address, bytes));
      else host.set64(DEVICE_DATA, board.mmioRead(vcpu, address, bytes));
    }
    quick.steady.keep(kind, address, bytes, steady);
    this.#kept = true;
  }

  #goesOnAs(kind: number, vcpu: number, address: number, bytes: number): SteadyAnswer | undefined {
    const { board } = this.vm;
    switch (kind) {
      case ASK_PORT:
        return board.steadyPort?.(vcpu, address, bytes);
      case ASK_MMIO:
        return board.steadyMmio?.(vcpu, address, bytes);
      case ASK_CR8:
        return board.steadyTpr?.(vcpu);
      default:
        return undefined;
    }
  }

  /** The rest of an exit that a device has answered already. */
  conclude(vcpu: Vcpu, kind: number): Outcome {
    if (kind === ASK_STRING) vcpu.vmcs.rerunInstruction();
    else if (kind !== ASK_MMIO) vcpu.complete();
    if (!this.vm.end) return 'resume';
    recordStop(this.vm);
    return 'stop';
  }

  /** False: there is no such register, or it does not take the value. */
  #access(
    vcpu: Vcpu,
    kind: number,
    address: number,
    bytes: number,
    write: boolean,
    low: number,
    high: number,
  ): boolean {
    const { vm } = this;
    const { board, host } = vm;
    const { index } = vcpu;
    switch (kind) {
      case ASK_MMIO: {
        if (vm.provocations.isSpoilt(address)) return false;
        if (bytes <= 4) {
          const value = write ? low >>> 0 : board.mmioRead32(index, address, bytes);
          if (write) board.mmioWrite32(index, address, bytes, value);
          else host.setNumber(DEVICE_DATA, value);
          vcpu.addLatch32(address, value, bytes, write);
        } else {
          const value = write ? wide(low, high) & ONES[bytes] : board.mmioRead(index, address, bytes);
          if (write) board.mmioWrite(index, address, bytes, value);
          else host.set64(DEVICE_DATA, value);
          vcpu.addLatch(address, value, bytes, write);
        }
        if (vcpu.isStuck()) vm.endSlice();
        break;
      }
      case ASK_STRING: {
        const moved = moveString(vm, vcpu, { port: address, bytes, write, most: low >>> 0 });
        host.set32(DEVICE_DATA, moved.first);
        host.set32(DEVICE_DATA + 4, moved.count);
        if (vcpu.isStuck()) vm.endSlice();
        break;
      }
      case ASK_PORT:
        if (write) {
          board.portWrite(index, address, bytes, low >>> 0);
          vm.quick.keepPort(board, address, bytes);
        } else host.set32(DEVICE_DATA, board.portRead(index, address, bytes));
        break;
      case ASK_MSR: {
        const msr = address >>> 0;
        if (write) return writeMsr(vcpu, vm, msr, wide(low, high));
        const value = readMsr(vcpu, vm, msr);
        if (value === undefined) return false;
        if (isSteady(msr)) vm.quick.keepMsr(vcpu, msr, value);
        host.set64(DEVICE_DATA, value);
        break;
      }
      default:
        if (write) vm.setTpr(vcpu, low << 4);
        else host.setNumber(DEVICE_DATA, vm.tpr(vcpu) >> 4);
    }
    if (write) vm.takeEnd();
    return true;
  }

  /** Would the VM entry after this exit, which takes `ns` from now on, only go on with the guest? Then it has. */
  #goesOn(vcpu: Vcpu, pending: boolean, ns: number): boolean {
    const { vm } = this;
    if (vm.end || vm.slice.ends) return false;
    const { board, host } = vm;
    const { index } = vcpu;
    if (!vcpu.inGuest || vcpu.pendingInit || vcpu.pendingSipi !== undefined || vcpu.nmiPending) return false;
    if (host.get32(VMCS_DIRTY) !== 0 || host.get32(ATTENTION) !== 0) return false;
    if ((pending && !waitsForWindow(vcpu)) || board.nmiWaits(index)) return false;
    const event = nextEvent(vm, vcpu);
    if (event !== undefined && event <= vcpu.clockBehind + ns) return false;
    vm.quick.expect(event, pending || vcpu.woken);
    vcpu.woken = false;
    vcpu.armedFor = event;
    return true;
  }
}
