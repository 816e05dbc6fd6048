/** INIT and start-up IPIs on KVM. @sdm 3A 8.4 "Multiple-Processor (MP) Initialization" */
import { ALWAYS_ONE, CR0 } from '../../../spec/masks.js';
import { MP_STATES } from '../kvm/exits.js';
import { KVM_VCPU_EVENTS, KvmStruct } from '../kvm/structs.js';
import type { KvmCpu } from './kvm-cpu.js';
import { putInitialState } from './registers.js';

const CPU_SIGNATURE = 0x000306c3n;
const CR0_CACHE_BITS = CR0.NW | CR0.CD;
/** Offset in the segment at FFFF0000h where the boot processor begins. @sdm 3A 9.1.4 "First Instruction Executed" */
const RESET_VECTOR = 0xfff0n;

/**
 * INIT: registers as after reset; the FPU, the caches' control bits and MSRs keep their values. The boot processor
 * goes on at the reset vector, others wait. The vCPU stands. @sdm 3A 9.1 "Initialization Overview"
 */
export function initCpu(cpu: KvmCpu): void {
  cpu.finishInstruction();
  const cache = cpu.sregs.getBig('cr0') & CR0_CACHE_BITS;
  putInitialState(cpu.regs, cpu.sregs, { rip: RESET_VECTOR, cr0: CR0.ET | cache });
  cpu.regs.set('rdx', CPU_SIGNATURE);
  cpu.changed(true, true);
  const debug = cpu.vcpu.debugRegs();
  for (let i = 0; i < 4; i++) debug.setBig('db', 0n, i);
  cpu.vcpu.setDebugRegs(debug.set('dr6', ALWAYS_ONE.DR6).set('dr7', ALWAYS_ONE.DR7));
  cpu.vcpu.setEvents(new KvmStruct(KVM_VCPU_EVENTS));
  cpu.waitsForSipi = cpu.index !== 0;
  cpu.halted = cpu.waitsForSipi;
}

/** As initCpu, for a vCPU whose local APIC is the kernel's: the kernel starts it. */
export function waitInKernel(cpu: KvmCpu): void {
  initCpu(cpu);
  cpu.waitsForSipi = false;
  cpu.halted = false;
  // the kernel must not take these in from the shared page after it has set CS for the start
  cpu.vcpu.setMpState(MP_STATES.KVM_MP_STATE_RUNNABLE);
  cpu.vcpu.flushRegisters();
  cpu.vcpu.setMpState(MP_STATES.KVM_MP_STATE_UNINITIALIZED);
}

/** Takes INIT and start-up IPIs that came. A processor that does not wait for a start-up IPI ignores it. */
export function takeIpis(cpu: KvmCpu): void {
  if (cpu.pendingInit) {
    cpu.pendingInit = false;
    initCpu(cpu);
  }
  const vector = cpu.pendingSipi;
  if (vector === undefined) return;
  cpu.pendingSipi = undefined;
  if (!cpu.waitsForSipi) return;
  cpu.sregs.set('cs.selector', vector << 8).set('cs.base', vector << 12);
  cpu.regs.set('rip', 0);
  cpu.changed(true, true);
  cpu.waitsForSipi = false;
  cpu.halted = false;
}
