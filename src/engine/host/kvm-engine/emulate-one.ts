// What KVM cannot emulate, the embedded core runs: one instruction, or the delivery of one event, on the guest's own
// memory. The core's machine is a whole one (Vm), so that device accesses, MSRs and control registers take the same way
// as on engine vtx; KVM's answer stands where KVM has the state.

import { VECTOR } from '../../../spec/exceptions.js';
import { KVM_ENOSYS } from '../../../spec/kvm-paravirt.js';
import { AR, EFER } from '../../../spec/masks.js';
import { MSR } from '../../../spec/msrs.js';
import { opcodeOffset } from '../../../spec/opcodes/mnemonic.js';
import type { CoreExports } from '../../core/core-exports.js';
import { CODE_PAGES, EXIT_COUNTS, RAM_BASE, TRACE_ENABLED, TRACE_SEQUENCE } from '../../core/layout.js';
import { readRegisters, writeRegister } from '../../debug/register-access.js';
import { viewOfVm } from '../../debug/vtx-view.js';
import type { RegisterFile } from '../../debugger.js';
import type { GuestEnd } from '../../devices/device.js';
import type { HostMemory } from '../../memory/host-memory.js';
import type { Board } from '../../vmm/board.js';
import { PRIMARY } from '../../vmm/controls.js';
import type { CpuModel } from '../../vmm/cpu-models.js';
import { EVENT_ERROR_CODE, EVENT_TYPE, EVENT_VALID } from '../../vmm/entry-events.js';
import { loadPdptes } from '../../vmm/pdptes.js';
import type { Vcpu } from '../../vmm/vcpu.js';
import { Vm } from '../../vmm/vm.js';
import { coreOverShared } from '../core-instance.js';
import type { KvmStruct } from '../kvm/structs.js';
import type { KvmCpu } from './kvm-cpu.js';
import type { KvmFirmware } from './kvm-firmware.js';
import type { KvmVideo } from './kvm-video.js';
import { basicRegisters, otherRegisters, putRegister } from './registers.js';

/** What the emulator borrows of a machine on KVM. */
export interface EmulatedMachine {
  /** Shared memory in the core's layout, guest RAM from RAM_BASE. */
  readonly host: HostMemory;
  readonly memoryBytes: number;
  readonly board: Board;
  readonly model: CpuModel;
  /** A BIOS's ROM, where the machine has one. */
  readonly firmware: KvmFirmware | undefined;
  /** The video card's memory, where the machine has frames for it. */
  readonly video?: KvmVideo | undefined;
  /** Nanoseconds since power-on. */
  now(): number;
}

export interface Emulated {
  /** The instruction was the guest's last. */
  end?: GuestEnd;
  /** It ended in HLT. */
  halted: boolean;
  /** The core could not run it either, and why; nothing has changed. */
  failure?: string;
}

const { UD, GP } = VECTOR;
const VM_EXIT = { WINDOW: 7, VMCALL: 18, RDMSR: 31, WRMSR: 32, MTF: 37 } as const;
/** Exits that are not the embedded VMM's to handle. */
const TAKEN: readonly number[] = [VM_EXIT.VMCALL, VM_EXIT.RDMSR, VM_EXIT.WRMSR, VM_EXIT.MTF];
const EXIT_COUNT_BYTES = 128 * 8;
/** Accesses to devices and injected faults that one instruction takes at most. */
const MAX_SLICES = 64;
const ENTRY_IA32E = 0x200n;
/** MSR numbers. @sdm 4 2.1 "Architectural MSRs" */
const APIC_BASE = 0x1b;
const PENDING_DEBUG_TRAP = 0x500fn;

/** State that is the core's or the host's own affair: time goes its own way, CR8 is the board's. */
const NOT_COPIED = new Set(['tsc', 'cr8', 'activity']);

/** Whether an instruction may touch x87, MMX, SSE or AVX state: by its opcode, too often rather than too rarely. */
function mayUseFpu(code: Uint8Array, bits: 16 | 32 | 64): boolean {
  const opcode = code[opcodeOffset(code, bits)];
  return opcode === 0x0f || opcode === 0x9b || (opcode & 0xf8) === 0xd8 || opcode === 0xc4 || opcode === 0xc5;
}

export class InstructionEmulator {
  private readonly vm: Vm;
  private readonly vcpu: Vcpu;
  private readonly core: CoreExports;

  constructor(private readonly machine: EmulatedMachine) {
    const { host } = machine;
    // the core clears the trace's counts and position when it starts; they are the machine's
    const counts = host.u8.slice(EXIT_COUNTS, EXIT_COUNTS + EXIT_COUNT_BYTES);
    const sequence = host.getNumber(TRACE_SEQUENCE);
    this.core = coreOverShared(host.memory);
    this.vm = new Vm(this.core, host, machine.memoryBytes, 1, viewOfVm);
    host.u8.set(counts, EXIT_COUNTS);
    host.setNumber(TRACE_SEQUENCE, sequence);
    host.set32(TRACE_ENABLED, 0);
    this.vm.paravirtual = false;
    this.vm.cpu = machine.model;
    [this.vcpu] = this.vm.vcpus;
    this.vcpu.holdsInterrupts = true;
    const { firmware } = machine;
    if (firmware) {
      const mirror = this.vm.mapFirmware(firmware.rom);
      for (const area of firmware.areas.values()) mirror.show(area);
      firmware.mirror = mirror;
    }
    if (machine.video) {
      const mirror = this.vm.mapVideo(firmware?.rom.length ?? 0);
      for (const window of machine.video.windows) mirror?.map(window);
      machine.video.mirror = mirror;
    }
  }

  /**
   * Runs the instruction at RIP of a vCPU that stands after KVM_RUN, or delivers the event that KVM was delivering, with
   * every fault through the guest's own tables; the vCPU has the new state afterwards.
   * @param code the instruction's bytes, as far as they are known
   */
  run(cpu: KvmCpu, code: Uint8Array, bits: 16 | 32 | 64): Emulated {
    return this.once(cpu, code.length === 0 || mayUseFpu(code, bits));
  }

  /** Delivers an external interrupt through the guest's tables; no instruction runs. */
  deliver(cpu: KvmCpu, vector: number): Emulated {
    return this.once(cpu, false, vector);
  }

  private once(cpu: KvmCpu, withFpu: boolean, interrupt?: number): Emulated {
    const { host } = this.machine;
    const counts = host.u8.slice(EXIT_COUNTS, EXIT_COUNTS + EXIT_COUNT_BYTES);
    try {
      cpu.finishInstruction();
      cpu.vcpu.flushRegisters();
      const events = cpu.vcpu.events();
      const before = this.load(cpu, events, withFpu);
      if (interrupt !== undefined) this.vcpu.interrupt(interrupt);
      const failure = this.step(cpu);
      if (failure !== undefined) return { halted: false, failure };
      this.store(cpu, before, events);
      return { halted: this.vcpu.halted, ...(this.vm.end ? { end: this.vm.end } : {}) };
    } finally {
      host.u8.set(counts, EXIT_COUNTS);
    }
  }

  /**
   * Runs up to `limit` instructions, to the boundary at which an interrupt can be taken; ends before an instruction that
   * makes a VM exit, and at a breakpoint. True where it can.
   */
  runToWindow(cpu: KvmCpu, limit: number, breakpoints: ReadonlySet<bigint>): boolean {
    if (breakpoints.has(cpu.linearRip)) return false;
    const { vm, vcpu } = this;
    const { host } = this.machine;
    const counts = host.u8.slice(EXIT_COUNTS, EXIT_COUNTS + EXIT_COUNT_BYTES);
    cpu.finishInstruction();
    cpu.vcpu.flushRegisters();
    const events = cpu.vcpu.events();
    const before = this.load(cpu, events, true);
    vm.board = boardOf(this.machine.board, cpu.index);
    vm.exitFilter = () => true;
    vcpu.vmcs.primary |= PRIMARY.interruptWindowExiting;
    for (const address of breakpoints) this.core.addBreakpoint(address);
    try {
      const { kind } = vm.runSlice(vcpu, limit);
      vcpu.pendingExit = false;
      if (kind !== 'exit' && kind !== 'limit' && kind !== 'breakpoint') return false;
      const open = kind === 'exit' && (vcpu.vmcs.reason & 0xffff) === VM_EXIT.WINDOW;
      vcpu.vmcs.primary &= ~PRIMARY.interruptWindowExiting;
      vm.synchronize();
      this.store(cpu, before, events);
      return open;
    } finally {
      this.core.clearBreakpoints();
      vcpu.vmcs.primary &= ~PRIMARY.interruptWindowExiting;
      host.u8.set(counts, EXIT_COUNTS);
    }
  }

  /** Answers what was copied. */
  private load(cpu: KvmCpu, events: KvmStruct, withFpu: boolean): RegisterFile {
    const { vm, vcpu } = this;
    const { vmcs } = vcpu;
    const file = { ...otherRegisters(cpu.vcpu, withFpu), ...basicRegisters(cpu.regs, cpu.sregs) };
    for (const name of NOT_COPIED) delete file[name];
    vm.end = undefined;
    vcpu.halted = false;
    vcpu.pendingExit = false;
    vmcs.activity = 0;
    vmcs.set('GUEST_PENDING_DBG_EXCEPTIONS', 0);
    for (const [name, value] of Object.entries(file))
      writeRegister(vm, vcpu, name, name.endsWith('_ar') ? usable(name, value) : value);
    vcpu.clock = this.machine.now();
    writeRegister(vm, vcpu, 'tsc', cpu.vcpu.msrs([MSR.IA32_TIME_STAMP_COUNTER])[0] ?? 0n);
    const controls = vmcs.get('VM_ENTRY_CONTROLS') & ~ENTRY_IA32E;
    vmcs.set('VM_ENTRY_CONTROLS', controls | (((file.efer ?? 0n) & EFER.LMA) === 0n ? 0n : ENTRY_IA32E));
    loadPdptes(vcpu, vm);
    vmcs.setEvent(0, 0, 0);
    this.takeEvent(events);
    this.forgetCode();
    vm.flushTlb(vcpu);
    return file;
  }

  /** An event that KVM has begun to deliver comes before the instruction. */
  private takeEvent(events: KvmStruct): void {
    const { vcpu } = this;
    // KVM queues #UD for what it could not emulate
    if (events.get('exception.injected') && events.get('exception.nr') !== UD) {
      const code = events.get('exception.has_error_code') ? EVENT_ERROR_CODE : 0;
      const info = EVENT_VALID | (EVENT_TYPE.hardwareException << 8) | code | events.get('exception.nr');
      vcpu.vmcs.setEvent(info >>> 0, events.get('exception.error_code'), 0);
    } else if (events.get('nmi.injected')) vcpu.nmi();
    else if (events.get('interrupt.injected') && !events.get('interrupt.soft'))
      vcpu.interrupt(events.get('interrupt.nr'));
    for (const name of [
      'exception.injected',
      'exception.pending',
      'nmi.injected',
      'interrupt.injected',
      'interrupt.soft',
    ]) {
      events.set(name, 0);
    }
  }

  /** What was decoded last time may be written over by now. */
  private forgetCode(): void {
    const first = CODE_PAGES + RAM_BASE / 4096;
    const pages = this.machine.host.u8.subarray(first, first + this.machine.memoryBytes / 4096);
    for (let page = pages.indexOf(1); page >= 0; page = pages.indexOf(1, page + 1)) {
      this.core.invalidatePageCode(RAM_BASE + page * 4096);
    }
  }

  /** One instruction, or the delivery of an event; answers why it could not be. */
  private step(cpu: KvmCpu): string | undefined {
    const { vm, vcpu } = this;
    vm.board = boardOf(this.machine.board, cpu.index);
    vm.exitFilter = () => isTaken(vcpu);
    vm.armStep(vcpu, 1);
    try {
      for (let slices = 0; slices < MAX_SLICES; slices++) {
        const end = vm.runSlice(vcpu, 2);
        if (end.kind === 'step' || end.kind === 'idle' || (end.kind === 'ended' && vm.end?.kind !== 'error')) break;
        if (end.kind === 'ended') return vm.end?.message;
        if (end.kind === 'entry-failed') return this.entryFailure();
        if (end.kind !== 'exit') return `the core stopped: ${end.kind}`;
        vcpu.pendingExit = false;
        const reason = vcpu.vmcs.reason & 0xffff;
        if (reason !== VM_EXIT.MTF) {
          if (reason === VM_EXIT.VMCALL ? this.refuseHypercall() : this.accessMsr(cpu, reason)) break;
        } else if ((vcpu.vmcs.get('GUEST_PENDING_DBG_EXCEPTIONS') & PENDING_DEBUG_TRAP) === 0n) break;
        // a debug trap of this instruction is delivered by the next entry, before anything else runs
      }
      return undefined;
    } catch (error) {
      return (error as Error).message;
    } finally {
      vm.disarmStep(vcpu);
      vm.synchronize();
    }
  }

  private entryFailure(): string {
    const stop = this.vm.view(() => '').entryFailures?.(0);
    return stop?.kind === 'entry-failed' ? stop.message : 'VM entry failed';
  }

  /** vmscope's own hypercalls set VMCS controls, of which this guest has none: it gets what KVM answers to unknown ones. */
  private refuseHypercall(): true {
    this.vcpu.setGpr(0, KVM_ENOSYS);
    this.vcpu.complete();
    return true;
  }

  /** RDMSR and WRMSR are KVM's to answer; true when the instruction is done, false for #GP. */
  private accessMsr(cpu: KvmCpu, reason: number): boolean {
    const { vcpu } = this;
    const index = vcpu.gprLow(1);
    const written = (BigInt(vcpu.gprLow(2)) << 32n) | BigInt(vcpu.gprLow(0));
    const value = reason === VM_EXIT.RDMSR ? cpu.vcpu.msrs([index])[0] : written;
    if (value === undefined || (reason === VM_EXIT.WRMSR && cpu.vcpu.setMsrs([[index, written]]) !== undefined)) {
      vcpu.exception(GP, 0);
      return false;
    }
    // the shared page goes back to KVM as a whole
    if (reason === VM_EXIT.WRMSR && index === APIC_BASE) cpu.sregs.set('apic_base', written);
    if (reason === VM_EXIT.RDMSR) {
      vcpu.setGpr32(0, Number(value & 0xffff_ffffn));
      vcpu.setGpr32(2, Number(value >> 32n));
    }
    vcpu.complete();
    return true;
  }

  private store(cpu: KvmCpu, before: RegisterFile, events: KvmStruct): void {
    const after = readRegisters(this.vm, this.vcpu);
    const changed = { regs: false, sregs: false };
    for (const [name, old] of Object.entries(before)) {
      const value = after[name];
      if (value === old || (name.endsWith('_ar') && value === usable(name, old))) continue;
      if (name === 'interruptibility') continue;
      const home = putRegister(cpu.vcpu, cpu.regs, cpu.sregs, name, value);
      if (home !== 'other') changed[home] = true;
    }
    cpu.sregs.slice('interrupt_bitmap').fill(0);
    const blocked = Number(after.interruptibility);
    events.set('interrupt.shadow', shadowOfKvm(blocked)).set('nmi.masked', (blocked >> 3) & 1);
    cpu.vcpu.setEvents(events);
    // the kernel drops a queued #UD when it takes in the registers
    cpu.changed(true, changed.sregs);
  }
}

/** IA32_EFER goes with the control registers, which the core has. */
function isTaken(vcpu: Vcpu): boolean {
  const reason = vcpu.vmcs.reason & 0xffff;
  const msr = reason === VM_EXIT.RDMSR || reason === VM_EXIT.WRMSR;
  return TAKEN.includes(reason) && !(msr && vcpu.gprLow(1) === MSR.IA32_EFER);
}

/** Accesses that name a vCPU. */
const OF_VCPU: ReadonlySet<string | symbol> = new Set<keyof Board>([
  ...(['portRead', 'portWrite', 'mmioRead', 'mmioWrite', 'tpr', 'setTpr'] as const),
  ...(['readApicMsr', 'writeApicMsr', 'apicBase', 'setApicBase'] as const),
]);

/** The devices for one instruction of a vCPU, the core's only one: what is due at some time is the machine's to run. */
function boardOf(board: Board, vcpu: number): Board {
  return new Proxy(board, {
    get(target, name) {
      if (name === 'nextDeadline' || name === 'runDue') return () => undefined;
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (OF_VCPU.has(name)) return (_: number, ...rest: unknown[]) => value.call(target, vcpu, ...rest);
      return value.bind(target);
    },
  });
}

/** KVM tells of segments what hardware does not: the accessed and busy bits that VM entry wants. */
function usable(name: string, access: bigint): bigint {
  if ((access & AR.unusable) !== 0n || name === 'ldtr_ar') return access;
  return access | (name === 'tr_ar' ? 2n : 1n);
}

/** Blocking by STI is bit 1 for KVM and bit 0 in the VMCS, blocking by MOV SS the other way round. */
const shadowOfKvm = (interruptibility: number): number => ((interruptibility & 1) << 1) | ((interruptibility >> 1) & 1);
