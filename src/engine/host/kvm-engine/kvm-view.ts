// A machine on KVM as the debugger sees it.

import type { AddressSpace, FaultStep, PageWalk, RegisterFile, TargetInfo } from '../../debugger.js';
import { KERNEL_COUNTER } from '../../exit-counts.js';
import type { MachineView } from '../../machine-view.js';
import { type PagingState, walkGuest } from '../../memory/guest-walk.js';
import {
  type PhysicalMemory,
  readEntry,
  readLinear,
  readPhysical,
  writeLinear,
  writePhysical,
} from '../../memory/physical.js';
import type { KvmHypervisor } from './kvm-hypervisor.js';
import { basicRegisters, otherRegisters, putRegister } from './registers.js';

/** Counters of KVM_GET_STATS_FD for exits that never reach user space. */
const OWN_COUNTERS = ['exits', 'irq_exits', 'halt_exits', 'io_exits', 'mmio_exits', 'signal_exits', 'irq_window_exits'];

/** GVA -> GPA with each entry, from the vCPU's paging state. */
export function walkOnKvm(vm: KvmHypervisor, vcpu: number, gva: bigint): PageWalk {
  const { sregs } = vm.vcpus[vcpu];
  const state: PagingState = {
    cr0: sregs.getBig('cr0'),
    cr3: sregs.getBig('cr3'),
    cr4: sregs.getBig('cr4'),
    efer: sregs.getBig('efer'),
  };
  const memory = physicalOnKvm(vm, vcpu);
  return walkGuest(state, gva, (address, bytes) => readEntry(memory, address, bytes));
}

/** What a vCPU finds at guest-physical addresses. */
export function physicalOnKvm(vm: KvmHypervisor, vcpu: number): PhysicalMemory {
  return {
    page: (gpa) => vm.pageAt(gpa),
    changing() {},
    changed() {},
    peek: (gpa) => (gpa >> 52n ? undefined : vm.board.mmioPeek(vcpu, Number(gpa), 4)),
  };
}

export class KvmView implements MachineView {
  readonly unavailable: TargetInfo['unavailable'];

  constructor(private readonly vm: KvmHypervisor) {
    const { abilities } = vm.breakpoints;
    this.unavailable = {
      vmcs: 'KVM does not give the VMCS to user space',
      each: 'vCPUs on KVM run at once and stop together',
      ept: 'KVM does not give the second-level page tables to user space',
      icount: 'KVM does not count instructions',
      ...(abilities.watch || abilities.singleStep ? {} : { watchpoints: 'KVM_SET_GUEST_DEBUG does not work here' }),
    };
  }

  get memoryBytes(): number {
    return this.vm.memoryBytes;
  }

  get vcpus(): number {
    return this.vm.vcpus.length;
  }

  get breakpoints(): KvmHypervisor['breakpoints'] {
    return this.vm.breakpoints;
  }

  readRegisters(vcpu: number, names?: readonly string[]): RegisterFile {
    const cpu = this.settled(vcpu);
    const basic = basicRegisters(cpu.regs, cpu.sregs);
    if (names?.every((name) => name in basic)) return basic;
    cpu.vcpu.flushRegisters();
    return { ...otherRegisters(cpu.vcpu), ...basic };
  }

  writeRegister(vcpu: number, name: string, value: bigint): void {
    const cpu = this.settled(vcpu);
    const home = putRegister(cpu.vcpu, cpu.regs, cpu.sregs, name, value);
    if (home !== 'other') cpu.changed(home === 'regs', home === 'sregs');
    if (name === 'rip' || cpu.linearRip !== cpu.stepOff) cpu.stepOff = undefined;
  }

  /** There is no host-physical space to show. */
  readMemory(vcpu: number, space: AddressSpace, address: bigint, length: number): Uint8Array {
    this.settled(vcpu);
    const memory = physicalOnKvm(this.vm, vcpu);
    if (space === 'hpa') return new Uint8Array(0);
    if (space === 'gpa') return readPhysical(memory, address, length);
    return readLinear(memory, (gva) => walkOnKvm(this.vm, vcpu, gva).output, address, length);
  }

  writeMemory(vcpu: number, space: AddressSpace, address: bigint, bytes: Uint8Array): number {
    this.settled(vcpu);
    const memory = physicalOnKvm(this.vm, vcpu);
    if (space === 'hpa') return 0;
    if (space === 'gpa') return writePhysical(memory, address, bytes);
    return writeLinear(memory, (gva) => walkOnKvm(this.vm, vcpu, gva).output, address, bytes);
  }

  walk(vcpu: number, gva: bigint): PageWalk {
    this.settled(vcpu);
    return walkOnKvm(this.vm, vcpu, gva);
  }

  translate(vcpu: number, gva: bigint): bigint | undefined {
    return walkOnKvm(this.vm, vcpu, gva).output;
  }

  linearRip(vcpu: number): bigint {
    return this.settled(vcpu).linearRip;
  }

  halted(vcpu: number): boolean {
    const cpu = this.vm.vcpus[vcpu];
    return this.vm.irqchip ? this.vm.irqchip.halted(this.settled(vcpu)) : cpu.halted;
  }

  takeWatchHit(): ReturnType<MachineView['takeWatchHit']> {
    const hit = this.vm.watchHit;
    if (!hit) throw new Error('no watchpoint was hit');
    this.vm.watchHit = undefined;
    return hit;
  }

  /** KVM tells of a triple fault, not of the faults before it. */
  faultChain(): FaultStep[] {
    return [];
  }

  ownExits(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { vcpu } of this.vm.vcpus) {
      const stats = vcpu.stats().read();
      for (const name of OWN_COUNTERS)
        counts[KERNEL_COUNTER + name] = (counts[KERNEL_COUNTER + name] ?? 0) + Number(stats.get(name) ?? 0n);
    }
    return counts;
  }

  private settled(vcpu: number): KvmHypervisor['vcpus'][number] {
    this.vm.settle();
    return this.vm.vcpus[vcpu];
  }
}
