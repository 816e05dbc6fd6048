// What a vCPU needs of KVM_SET_GUEST_DEBUG, and what its debug exits mean for the debugger.
import type { SliceEnd } from '../../vmm/hypervisor.js';
import type { KvmCpu } from './kvm-cpu.js';
import type { KvmHypervisor } from './kvm-hypervisor.js';

export class VcpuDebug {
  constructor(private readonly vm: KvmHypervisor) {}

  /** Ring 3 of a paravirtual KVM. */
  isBlind(cpu: KvmCpu): boolean {
    return this.vm.breakpoints.abilities.blindInRing3 && cpu.cpl === 3 && cpu.longMode;
  }

  wantsStep(cpu: KvmCpu): boolean {
    const { breakpoints } = this.vm;
    if (this.isBlind(cpu)) return false;
    if (cpu.standstill?.wantsStep || cpu.stepsToRing3 > 0) return true;
    if (cpu.steps !== undefined || breakpoints.stepping) return true;
    return cpu.stepOff !== undefined && breakpoints.has(cpu.stepOff);
  }

  /** Before KVM_RUN. */
  set(cpu: KvmCpu, singleStep: boolean): void {
    const { breakpoints, repairs } = this.vm;
    if (!singleStep && cpu.debugState === 'off' && !breakpoints.any) return;
    // a breakpoint on the instruction that a step leaves would stop before it
    const leaves = cpu.stepOff !== undefined || repairs.isHandler(cpu);
    const request = {
      ...(leaves && singleStep ? { singleStep } : breakpoints.request(singleStep)),
      ...(singleStep && this.blocksInterrupts(cpu) && { blockInterrupts: true }),
    };
    const key =
      singleStep || breakpoints.any ? JSON.stringify(request, (_, v) => (typeof v === 'bigint' ? `${v}` : v)) : 'off';
    if (key === cpu.debugState) return;
    cpu.vcpu.flushRegisters();
    cpu.vcpu.setGuestDebug(key === 'off' ? {} : request);
    cpu.debugState = key;
  }

  /** KVM_EXIT_DEBUG. */
  exited(cpu: KvmCpu): SliceEnd | undefined {
    const { vm } = this;
    const hit = vm.breakpoints.hitBy(cpu.vcpu.page.getBig('exit.debug.arch.dr6'));
    if (hit) {
      vm.watchHit = hit;
      cpu.stepOff = undefined;
      return { kind: 'watchpoint' };
    }
    return this.stepped(cpu);
  }

  /** An instruction is done, or a breakpoint's address reached. */
  stepped(cpu: KvmCpu): SliceEnd | undefined {
    const { vm } = this;
    const { breakpoints } = vm;
    const at = cpu.linearRip;
    if (cpu.stepOff !== undefined && cpu.stepOff !== at) breakpoints.arm();
    cpu.stepOff = undefined;
    const changed = breakpoints.changed();
    if (changed) {
      vm.watchHit = changed;
      return { kind: 'watchpoint' };
    }
    if (cpu.steps !== undefined && --cpu.steps <= 0) {
      cpu.steps = undefined;
      return { kind: 'step' };
    }
    if (!breakpoints.has(at)) return undefined;
    cpu.stepOff = at;
    return { kind: 'breakpoint' };
  }

  /** While it steps, the kernel's controllers hold interrupts back: for the debugger, or since TF would be saved with them. */
  private blocksInterrupts(cpu: KvmCpu): boolean {
    const { irqchip } = this.vm;
    return (cpu.holdsInterrupts || cpu.standstill !== undefined) && irqchip?.blocksInterrupts === true;
  }
}
