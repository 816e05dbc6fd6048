// Interrupts of a vCPU on KVM: given when the guest takes them, otherwise KVM is asked for an exit at that moment.
import type { Pic8259 } from '../../devices/pic-8259.js';
import { type KvmCpu, RUN } from './kvm-cpu.js';
import type { KvmHypervisor } from './kvm-hypervisor.js';
import { takeIpis } from './start-up.js';

const STI = 0xfb;
/** A window for interrupts that opens after more instructions, or more exits, than these is left to KVM. */
const WINDOW_INSTRUCTIONS = 256;
const WINDOW_SEEKS = 1024;

export class Interrupts {
  /** @param promptWindow this host's KVM exits as soon as the guest takes interrupts */
  constructor(
    private readonly vm: KvmHypervisor,
    private readonly promptWindow: boolean,
  ) {}

  /** IPIs and interrupts take effect; false while the vCPU has nothing to run. */
  makeReady(cpu: KvmCpu): boolean {
    takeIpis(cpu);
    if (cpu.waitsForSipi) return false;
    if (cpu.holdsInterrupts) {
      if (cpu.halted && this.couldWake(cpu)) cpu.halted = false;
    } else {
      this.inject(cpu);
      if (cpu.windowSeeks > 0) this.seekWindow(cpu);
    }
    return !cpu.halted;
  }

  /** A vCPU in KVM_RUN has to come back for what the devices have for it. */
  wantsAttention(cpu: KvmCpu): boolean {
    if (!cpu.woken) return false;
    cpu.woken = false;
    const { board, irqchip } = this.vm;
    if (cpu.pendingInit || board.nmiWaits(cpu.index)) return true;
    if (cpu.windowOpen) return false;
    return irqchip ? irqchip.picOf(cpu)?.pending() === true : board.interruptPending(cpu.index);
  }

  /** Does what a device access does, and notes when it has made an interrupt for the same vCPU. */
  during<T>(cpu: KvmCpu, access: () => T): T {
    const { board, irqchip } = this.vm;
    if (this.promptWindow || irqchip !== undefined || board.interruptPending(cpu.index)) return access();
    const result = access();
    if (board.interruptPending(cpu.index)) cpu.windowSeeks = WINDOW_SEEKS;
    return result;
  }

  /** Something waits that the halted vCPU would take. */
  private couldWake(cpu: KvmCpu): boolean {
    const { board } = this.vm;
    return board.nmiWaits(cpu.index) || (cpu.interruptsEnabled && board.interruptPending(cpu.index));
  }

  private inject(cpu: KvmCpu): void {
    const { board, irqchip } = this.vm;
    const { view } = cpu.vcpu.page;
    if (board.takeNmi(cpu.index)) {
      cpu.vcpu.nmi();
      cpu.halted = false;
    }
    if (irqchip) {
      const pic = irqchip.picOf(cpu);
      if (pic) this.injectFromPic(cpu, pic);
      return;
    }
    let pending = board.interruptPending(cpu.index);
    if (pending && !this.promptWindow && !cpu.halted) this.leaveStiShadow(cpu);
    if (pending && view.getUint8(RUN.readyForInterruptInjection) === 1 && view.getUint8(RUN.ifFlag) === 1) {
      const vector = board.acknowledgeInterrupt(cpu.index);
      cpu.standstill?.exited();
      if (cpu.standstill && this.vm.debug.wantsStep(cpu)) this.vm.repairs.deliver(cpu, vector);
      else cpu.vcpu.interrupt(vector);
      view.setUint8(RUN.readyForInterruptInjection, 0);
      cpu.halted = false;
      cpu.stepOff = undefined;
      pending = board.interruptPending(cpu.index);
    }
    cpu.windowOpen = pending && !cpu.halted;
    view.setUint8(RUN.requestInterruptWindow, cpu.windowOpen ? 1 : 0);
    view.setUint32(RUN.cr8, board.tpr(cpu.index) >> 4, true);
  }

  /** The 8259 pair is the program's own and the local APIC the kernel's, which says when it accepts an interrupt. */
  private injectFromPic(cpu: KvmCpu, pic: Pic8259): void {
    const { view } = cpu.vcpu.page;
    if (pic.pending() && view.getUint8(RUN.readyForInterruptInjection) === 1) {
      cpu.vcpu.interrupt(pic.acknowledge());
      view.setUint8(RUN.readyForInterruptInjection, 0);
    }
    cpu.windowOpen = pic.pending();
    view.setUint8(RUN.requestInterruptWindow, cpu.windowOpen ? 1 : 0);
  }

  /**
   * A KVM without a prompt window gives an interrupt right behind STI, which must come after one more instruction: behind
   * an STI, or what looks like one, the core runs that.
   */
  private leaveStiShadow(cpu: KvmCpu): void {
    const { breakpoints, repairs } = this.vm;
    const { view } = cpu.vcpu.page;
    if (view.getUint8(RUN.readyForInterruptInjection) === 0 || view.getUint8(RUN.ifFlag) === 0) return;
    if (breakpoints.stepping || (breakpoints.has(cpu.linearRip) && cpu.stepOff === undefined)) return;
    if (this.vm.readLinear(cpu, cpu.linearRip - 1n, 1)?.getUint8(0) !== STI) return;
    if (repairs.emulateOne(cpu, () => false) !== undefined || !cpu.interruptsEnabled) return;
    view.setUint8(RUN.readyForInterruptInjection, 1);
  }

  /**
   * The vCPU has just caused an interrupt that it does not take yet (an IPI to itself, a device that answers at once). Where
   * KVM tells late that it can be given, the core goes on to that boundary, if it is near.
   */
  private seekWindow(cpu: KvmCpu): void {
    const { breakpoints, repairs } = this.vm;
    if (cpu.windowOpen) {
      cpu.finishInstruction();
      this.inject(cpu);
    }
    if (!cpu.windowOpen) {
      cpu.windowSeeks = 0;
      return;
    }
    cpu.windowSeeks--;
    if (breakpoints.stepping || !repairs.runToWindow(cpu, WINDOW_INSTRUCTIONS)) return;
    const { view } = cpu.vcpu.page;
    view.setUint8(RUN.readyForInterruptInjection, 1);
    view.setUint8(RUN.ifFlag, 1);
    this.inject(cpu);
  }
}
