/** The state of a machine on KVM beside its frames and its devices: what the kernel gives of each vCPU, and what the program keeps. */
import { GUEST_END } from '../../state/guest-end.js';
import type { StateFormat } from '../../state/saved.js';
import {
  bytes,
  count,
  flag,
  list,
  optional,
  record,
  type StateOf,
  time,
  tuple,
  u8,
  u32,
  u64,
} from '../../state/schema.js';
import { MP_STATES } from '../kvm/exits.js';
import {
  KVM_DEBUGREGS,
  KVM_REGS,
  KVM_SREGS,
  KVM_VCPU_EVENTS,
  KVM_XSAVE,
  KvmStruct,
  type Layout,
} from '../kvm/structs.js';
import { type KvmCpu, RUN } from './kvm-cpu.js';

export const EXIT_COUNTS_BYTES = 128 * 8;
const MAX_MSRS = 4096;
/** Belongs to the local APIC's timer: it is armed once that is in place. */
const TSC_DEADLINE = 0x6e0;

const CPU_STATE = record({
  regs: bytes(KVM_REGS.size),
  sregs: bytes(KVM_SREGS.size),
  xsave: bytes(KVM_XSAVE.size),
  xcr0: u64,
  debugRegs: bytes(KVM_DEBUGREGS.size),
  events: bytes(KVM_VCPU_EVENTS.size),
  msrs: list(tuple(u32, u64), { atMost: MAX_MSRS }),
  /** What KVM said of interrupts when it was left last: a halted vCPU is not asked again. */
  takesInterrupt: flag,
  interruptFlag: flag,
  halted: flag,
  waitsForSipi: flag,
  pendingInit: flag,
  pendingSipi: optional(u8),
  windowSeeks: count,
  stepsToRing3: count,
  userInterruptFlag: u64,
});
export type KvmCpuState = StateOf<typeof CPU_STATE>;

const shape = (vcpus: number) =>
  record({
    vcpus: list(CPU_STATE, vcpus),
    clockNs: time,
    exits: count,
    exitCounts: bytes(EXIT_COUNTS_BYTES),
    traceSequence: count,
    end: optional(GUEST_END),
  });
export type KvmState = StateOf<ReturnType<typeof shape>>;

/** @param irqchip which interrupt controllers are the kernel's: a machine that has others does not take the state */
export function kvmFormat(vcpus: number, irqchip: string): StateFormat<KvmState> {
  return { kind: `kvm with kernel-irqchip=${irqchip}`, version: 1, shape: shape(vcpus) };
}

/** The vCPU stands between two instructions. */
export function saveCpu(cpu: KvmCpu, msrs: readonly number[], kernelApic: boolean): KvmCpuState {
  const { vcpu, halted, waitsForSipi, pendingInit, pendingSipi, windowSeeks, stepsToRing3, userInterruptFlag } = cpu;
  const { view } = vcpu.page;
  vcpu.flushRegisters();
  // the kernel's local APIC takes an INIT or a start-up IPI in when it is asked, before the registers are read
  if (kernelApic) vcpu.mpState();
  const values = vcpu.msrs(msrs);
  const known = msrs.flatMap((index, i): [number, bigint][] => {
    const value = values[i];
    return value === undefined || index === TSC_DEADLINE ? [] : [[index, value]];
  });
  return {
    regs: vcpu.regs().bytes,
    sregs: vcpu.sregs().bytes,
    xsave: vcpu.xsave().bytes,
    xcr0: vcpu.xcr0(),
    debugRegs: vcpu.debugRegs().bytes,
    events: vcpu.events().bytes,
    msrs: known,
    takesInterrupt: view.getUint8(RUN.readyForInterruptInjection) !== 0,
    interruptFlag: view.getUint8(RUN.ifFlag) !== 0,
    ...{ halted, waitsForSipi, pendingInit, pendingSipi, windowSeeks, stepsToRing3, userInterruptFlag },
  };
}

/** Puts a vCPU's state back. @returns the MSRs whose values this KVM does not take */
export function loadCpu(cpu: KvmCpu, state: KvmCpuState, kernelApic: boolean): number[] {
  const { regs, sregs, xsave, xcr0, debugRegs, events, msrs, takesInterrupt, interruptFlag, ...own } = state;
  const { vcpu } = cpu;
  // what an exit has left half done is of the state before
  cpu.finishInstruction();
  Object.assign(cpu, own);
  const struct = (layout: Layout, from: Uint8Array) => new KvmStruct(layout, from.slice());
  // a processor that waits for its start takes no registers in
  if (kernelApic) vcpu.setMpState(MP_STATES.KVM_MP_STATE_RUNNABLE);
  vcpu.setXcr0(xcr0);
  vcpu.setXsave(struct(KVM_XSAVE, xsave));
  cpu.regs.bytes.set(regs);
  cpu.sregs.bytes.set(sregs);
  cpu.changed(true, true);
  vcpu.flushRegisters();
  const refused = setMsrs(cpu, msrs);
  vcpu.setDebugRegs(struct(KVM_DEBUGREGS, debugRegs));
  vcpu.setEvents(struct(KVM_VCPU_EVENTS, events));
  cpu.vcpu.page.view.setUint8(RUN.readyForInterruptInjection, takesInterrupt ? 1 : 0);
  cpu.vcpu.page.view.setUint8(RUN.ifFlag, interruptFlag ? 1 : 0);
  const apicBase = cpu.sregs.getBig('apic_base');
  cpu.apicBase = { low: Number(apicBase & 0xffff_ffffn), high: Number(apicBase >> 32n) };
  return refused;
}

/** Those alone that hold something else: many can be read and not written. */
function setMsrs({ vcpu }: KvmCpu, wanted: readonly (readonly [number, bigint])[]): number[] {
  const before = vcpu.msrs(wanted.map(([index]) => index));
  const other = wanted.filter(([, value], i) => before[i] !== value);
  const refused: number[] = [];
  for (let rest = other; rest.length > 0; ) {
    const at = vcpu.setMsrs(rest);
    if (at === undefined) break;
    refused.push(at);
    rest = rest.slice(rest.findIndex(([index]) => index === at) + 1);
  }
  return refused;
}
