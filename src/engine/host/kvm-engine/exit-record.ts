// Exits of KVM_RUN as records of the one exit trace: under the SDM's exit reason that each comes from.
import { EMULATED_BY_VMSCOPE } from '../../../spec/vmx/exit-reasons.js';
import * as L from '../../core/layout.js';
import type { HostMemory } from '../../memory/host-memory.js';
import { EXIT_REASONS as KVM } from '../kvm/exits.js';
import { RUN } from './kvm-cpu.js';

/** Basic exit reasons. @sdm 3D C "VMX Basic Exit Reasons" */
export const REASON = {
  TRIPLE_FAULT: 2,
  INTERRUPT_WINDOW: 7,
  HLT: 12,
  IO_INSTRUCTION: 30,
  RDMSR: 31,
  WRMSR: 32,
  EPT_VIOLATION: 48,
  EMULATED: EMULATED_BY_VMSCOPE.number,
} as const;

const BY_KVM_REASON = new Map<number, number>([
  [KVM.KVM_EXIT_SHUTDOWN, REASON.TRIPLE_FAULT],
  [KVM.KVM_EXIT_IRQ_WINDOW_OPEN, REASON.INTERRUPT_WINDOW],
  [KVM.KVM_EXIT_HLT, REASON.HLT],
  [KVM.KVM_EXIT_IO, REASON.IO_INSTRUCTION],
  [KVM.KVM_EXIT_X86_RDMSR, REASON.RDMSR],
  [KVM.KVM_EXIT_X86_WRMSR, REASON.WRMSR],
  [KVM.KVM_EXIT_MMIO, REASON.EPT_VIOLATION],
]);

/** The SDM's reason for a KVM exit, or undefined for one that is KVM's own affair. */
export const vmxReason = (kvmReason: number): number | undefined => BY_KVM_REASON.get(kvmReason);

/** What a record holds beyond the reason; the rest of the columns is not KVM's to give and stays 0. */
export interface ExitFacts {
  reason: number;
  /** As the SDM lays it out for the reason. */
  qualification: number | bigint;
  gpa: number;
  clock: number;
  vcpu: number;
  instructionInfo?: number;
  /** What string I/O moves. */
  elements?: number | undefined;
}

export const ACTION = { none: 0, resume: 1, inject: 2, stop: 3 } as const;

/** Columns that are registers, and where the shared page has them. */
const REGISTERS: readonly (readonly [to: number, from: number])[] = [
  [L.TR_RIP, RUN.rip],
  [L.TR_CS_BASE, RUN.csBase],
  [L.TR_CR3, RUN.cr3],
  [L.TR_RAX, RUN.rax],
  [L.TR_RCX, RUN.rcx],
];

/** The trace ring and the exit counts of a machine on KVM, in the places that the core's layout gives them. */
export class ExitTrace {
  private slot = 0;

  constructor(private readonly host: HostMemory) {}

  /** @param page the shared page, which has the registers */
  add(page: DataView, facts: ExitFacts): void {
    const { host } = this;
    const count = L.EXIT_COUNTS + facts.reason * 8;
    host.setNumber(count, host.getNumber(count) + 1);
    const sequence = host.getNumber(L.TRACE_SEQUENCE) + 1;
    const at = L.TRACE_RING + ((sequence - 1) & (L.TRACE_RECORDS - 1)) * L.TRACE_RECORD_BYTES;
    this.slot = at;
    host.u32.fill(0, at >>> 2, (at + L.TRACE_RECORD_BYTES) >>> 2);
    host.setNumber(at + L.TR_SEQUENCE, sequence);
    host.set32(at + L.TR_VCPU, facts.vcpu);
    host.set32(at + L.TR_REASON, facts.reason);
    if (typeof facts.qualification === 'bigint') host.set64(at + L.TR_QUALIFICATION, facts.qualification);
    else host.set32(at + L.TR_QUALIFICATION, facts.qualification);
    if (facts.instructionInfo) host.set32(at + L.TR_INSTRUCTION_INFO, facts.instructionInfo);
    host.setNumber(at + L.TR_GPA, facts.gpa);
    for (const [to, from] of REGISTERS) {
      host.set32(at + to, page.getUint32(from, true));
      host.set32(at + to + 4, page.getUint32(from + 4, true));
    }
    // struct kvm_segment: db and l
    const code = (page.getUint8(RUN.csBase + 17) << 1) | page.getUint8(RUN.csBase + 19) | 0x8000;
    host.set32(at + L.TR_LENGTH, (code | ((facts.elements ?? 0) << 2)) << 16);
    host.setNumber(at + L.TR_CLOCK, facts.clock);
    host.setNumber(L.TRACE_SEQUENCE, sequence);
  }

  /** Takes the newest record back: it was no exit of the guest's. */
  withdraw(reason: number): void {
    const { host } = this;
    const count = L.EXIT_COUNTS + reason * 8;
    host.setNumber(count, host.getNumber(count) - 1);
    host.setNumber(L.TRACE_SEQUENCE, host.getNumber(L.TRACE_SEQUENCE) - 1);
  }

  /** What came of the newest exit. */
  settle(action: number, detail: number): void {
    this.host.set32(this.slot + L.TR_ACTION, action);
    this.host.set32(this.slot + L.TR_DETAIL, detail >>> 0);
  }

  count(reason: number): number {
    return this.host.getNumber(L.EXIT_COUNTS + reason * 8);
  }

  reset(): void {
    this.host.u8.fill(0, L.EXIT_COUNTS, L.EXIT_COUNTS + 128 * 8);
    this.host.setNumber(L.TRACE_SEQUENCE, 0);
  }
}
