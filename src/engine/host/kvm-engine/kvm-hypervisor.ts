// A machine on /dev/kvm. One thread runs the vCPU and the devices: an exit to user space costs no change of
// thread, and a timer's signal brings KVM_RUN back for whatever else the thread has to do.
import { mnemonicOf } from '../../../spec/opcodes/mnemonic.js';
import type { InitialState } from '../../boot/image.js';
import { RAM_BASE } from '../../core/layout.js';
import type { MachineView } from '../../debug/machine-view.js';
import type { GuestEnd, GuestMemory as Ram } from '../../devices/device.js';
import type { Pic8259 } from '../../devices/pic-8259.js';
import type { Board } from '../../vmm/board.js';
import type { CpuModel } from '../../vmm/cpu-models.js';
import { HostMemory } from '../../vmm/host-memory.js';
import type { Firmware, Hypervisor, SliceEnd, VirtualCpu } from '../../vmm/hypervisor.js';
import { exitError, KvmError } from '../kvm/errors.js';
import { INTERNAL_ERRORS, EXIT_REASONS as KVM, MP_STATES } from '../kvm/exits.js';
import { Kvm } from '../kvm/kvm.js';
import { GuestMemory } from '../kvm/memory.js';
import { probeKvm } from '../kvm/probe.js';
import { KVM_VCPU_EVENTS, KvmStruct } from '../kvm/structs.js';
import { INTERRUPTED } from '../kvm/vcpu.js';
import type { KvmVm } from '../kvm/vm.js';
import { KvmBreakpoints, type WatchHit } from './breakpoints.js';
import { RealClock } from './clock.js';
import { guestCpuid, modelOnHost, TSC_DEADLINE, X2APIC } from './cpuid.js';
import { probeDebugging } from './debug-abilities.js';
import { InstructionEmulator } from './emulate-one.js';
import { ACTION, ExitTrace, REASON, vmxReason } from './exit-record.js';
import { handleExit, LSTAR, traceExit } from './exits.js';
import { KernelIrqchip, type KernelIrqchipMode } from './kernel-irqchip.js';
import { KvmCpu, RUN } from './kvm-cpu.js';
import { KvmFirmware } from './kvm-firmware.js';
import { KvmView, walkOnKvm } from './kvm-view.js';
import { putInitialState } from './registers.js';
import { Ring3Repair } from './ring3-repair.js';
import { probeRunning, type RunAbilities } from './run-abilities.js';
import { type Recall, RunTimer } from './run-timer.js';
import { Standstill } from './standstill.js';
import { initCpu, takeIpis, waitInKernel } from './start-up.js';
import { Together, type Turn } from './together.js';
import { VcpuThreads } from './vcpu-threads.js';

/** A slice ends after this time, so that the thread's other work waits no longer. */
const SLICE_MS = 4;
/** So long without an exit, and it may be that the guest has halted for good. */
const QUIET_MS = 500;
/** Devices of the PCI bus and the APICs lie above: RAM ends below them. */
const MAX_MEMORY_BYTES = 0xe000_0000;
const STI = 0xfb;
const LONGEST_INSTRUCTION = 15;
/** A window for interrupts that opens after more instructions, or more exits, than these is left to KVM. */
const WINDOW_INSTRUCTIONS = 256;
const WINDOW_SEEKS = 1024;
/** The core's APIC-access page. */
const FRAMES_BEHIND_RAM = 0x10000;
/** Where KVM on Intel keeps its own real-mode pages: below the BIOS's ROM, as other user-space machines put them. */
const IDENTITY_MAP = 0xfeff_c000;
const TSS_PAGES = 0xfeff_d000;

export interface KvmOptions {
  memoryBytes: number;
  vcpus: number;
  cpu?: CpuModel;
  /** Frames behind guest RAM for a BIOS's ROM. */
  romBytes?: number;
  /** Each vCPU has a thread of its own; by default where there are several. */
  threads?: boolean;
  /** Which interrupt controllers are the kernel's; off by default, so that the trace has every access to them. */
  irqchip?: KernelIrqchipMode | undefined;
}

export class KvmHypervisor implements Hypervisor<KvmCpu> {
  readonly engine = 'kvm';
  readonly realTime = true;
  readonly host: HostMemory;
  readonly memory: Ram;
  readonly memoryBytes: number;
  readonly ram: Uint8Array;
  readonly ramView: DataView;
  readonly vcpus: readonly KvmCpu[];
  readonly breakpoints: KvmBreakpoints;
  readonly icount = 0;
  board!: Board;
  end: GuestEnd | undefined;
  exits = 0;
  holdInterrupts = false;
  exitFilter: ((vcpu: VirtualCpu) => boolean) | undefined;
  onMessage: ((text: string) => void) | undefined;
  /** The access that the last watchpoint stopped at. */
  watchHit: WatchHit | undefined;
  /** Bumped around every KVM_RUN, for a watchdog in another thread: odd while the vCPU runs. */
  heartbeat: Int32Array | undefined;
  private readonly clock = new RealClock();
  private readonly trace: ExitTrace;
  private readonly timer: RunTimer | undefined;
  private readonly threads: VcpuThreads | undefined;
  /** All vCPUs at once, each in its own thread; absent where the one vCPU runs in this thread. */
  readonly runTogether: (() => Turn) | undefined;
  /** Only where this host's KVM needs it. */
  private readonly ring3: Ring3Repair | undefined;
  private readonly guestMemory: GuestMemory;
  firmware: KvmFirmware | undefined;
  private closed = false;

  private constructor(
    private readonly kvm: Kvm,
    private readonly vm: KvmVm,
    options: KvmOptions,
    readonly model: CpuModel,
    paravirtual: boolean,
    readonly irqchip: KernelIrqchip | undefined,
    private readonly runs: RunAbilities = probeRunning(kvm, paravirtual),
  ) {
    const { memoryBytes, vcpus } = options;
    this.memoryBytes = memoryBytes;
    // laid out as the embedded core has it, which can so run an instruction of this guest
    const memory = new GuestMemory(memoryBytes, RAM_BASE, FRAMES_BEHIND_RAM + (options.romBytes ?? 0));
    this.guestMemory = memory;
    vm.mapMemory(0, 0, memory);
    this.ram = memory.bytes;
    this.ramView = new DataView(memory.bytes.buffer, memory.bytes.byteOffset, memory.bytes.byteLength);
    this.memory = new RamAccess(memory.bytes);
    this.host = new HostMemory(memory.memory as unknown as WebAssembly.Memory);
    this.trace = new ExitTrace(this.host);
    this.vcpus = Array.from({ length: vcpus }, (_, index) => {
      const vcpu = vm.createVcpu(index);
      vcpu.setCpuid(guestCpuid(model, index));
      const cpu = new KvmCpu(index, vcpu, this.clock);
      if (!runs.completeEmulator) cpu.standstill = new Standstill();
      return cpu;
    });
    this.breakpoints = new KvmBreakpoints(probeDebugging(kvm, paravirtual), {
      translate: (gva) => {
        const gpa = walkOnKvm(this, 0, gva).output;
        return gpa === undefined || gpa >= BigInt(memoryBytes) ? undefined : Number(gpa);
      },
      bytes: memory.bytes,
    });
    if (irqchip) irqchip.machine = this;
    if (!runs.completeEmulator && this.breakpoints.abilities.hardware) {
      this.ring3 = new Ring3Repair((cpu, gva, bytes) => this.readLinear(cpu, gva, bytes));
      if (vm.capability('KVM_CAP_X86_MSR_FILTER') > 0) vm.exitOnMsr(LSTAR);
    }
    if (options.threads ?? vcpus > 1) {
      this.threads = new VcpuThreads(this.vcpus.map(({ vcpu }) => vcpu));
      this.threads.all.forEach((thread, i) => {
        this.vcpus[i].thread = thread;
      });
      const together = new Together(this, this.threads);
      this.runTogether = () => together.run();
    } else this.timer = new RunTimer(this.vcpus[0].vcpu);
  }

  /** @throws KvmError with the reason and what to do when this host cannot run the machine */
  static create(options: KvmOptions): KvmHypervisor {
    if (options.memoryBytes > MAX_MEMORY_BYTES) {
      throw new KvmError('memory', 'engine kvm gives a guest at most 3584 MiB', 'give the guest less');
    }
    const kvm = Kvm.open();
    try {
      const vm = kvm.createVm();
      try {
        if (vm.capability('KVM_CAP_SET_IDENTITY_MAP_ADDR') > 0) vm.setIdentityMapAddress(IDENTITY_MAP);
        if (vm.capability('KVM_CAP_SET_TSS_ADDR') > 0) vm.setTssAddress(TSS_PAGES);
        const irqchip = KernelIrqchip.create(vm, options.irqchip ?? 'off');
        const deadline = vm.capability('KVM_CAP_TSC_DEADLINE_TIMER') > 0 ? TSC_DEADLINE : 0;
        const model = modelOnHost(kvm.supportedCpuid(), options.cpu, irqchip ? X2APIC | deadline : 0);
        if (vm.capability('KVM_CAP_EXIT_ON_EMULATION_FAILURE') > 0) {
          vm.enableCapability('KVM_CAP_EXIT_ON_EMULATION_FAILURE', 1);
        }
        const { paravirtual } = probeKvm();
        return new KvmHypervisor(kvm, vm, options, model, paravirtual, irqchip);
      } catch (error) {
        vm.close();
        throw error;
      }
    } catch (error) {
      kvm.close();
      throw error;
    }
  }

  now(): number {
    return this.clock.now();
  }

  tsc(vcpu: number): bigint {
    return this.vcpus[vcpu].vcpu.msrs([0x10])[0] ?? 0n;
  }

  resetState(): void {
    this.end = undefined;
    this.exits = 0;
    this.trace.reset();
    this.clock.reset();
    for (const cpu of this.vcpus) {
      if (cpu.thread?.returned) {
        cpu.thread.take();
        cpu.unfinished = true;
      }
      cpu.finishInstruction();
      cpu.halted = false;
      cpu.waitsForSipi = false;
      cpu.pendingInit = false;
      cpu.pendingSipi = undefined;
      cpu.pendingExit = undefined;
      cpu.steps = undefined;
      cpu.stepOff = undefined;
      cpu.vcpu.setEvents(new KvmStruct(KVM_VCPU_EVENTS));
    }
  }

  start(state: InitialState): void {
    const [cpu, ...others] = this.vcpus;
    putInitialState(cpu.regs, cpu.sregs, state);
    cpu.changed(true, true);
    if (this.irqchip) {
      this.irqchip.load(this.vcpus);
      cpu.vcpu.setMpState(MP_STATES.KVM_MP_STATE_RUNNABLE);
      others.forEach(waitInKernel);
    } else others.forEach(initCpu);
    this.clock.reset();
  }

  wake(vcpu: number): void {
    this.vcpus[vcpu].woken = true;
  }

  finish(end: GuestEnd): void {
    this.end ??= end;
  }

  exitCount(reason: number): number {
    return this.trace.count(reason);
  }

  mapFirmware(rom: Uint8Array): Firmware {
    this.firmware = new KvmFirmware(this.vm, this.guestMemory, rom, this.memoryBytes + FRAMES_BEHIND_RAM);
    return this.firmware;
  }

  /** The rest of the page at a guest-physical address, RAM or ROM; undefined where there is neither. */
  pageAt(gpa: bigint): Uint8Array | undefined {
    const offset = this.firmware ? this.firmware.offsetOf(Number(gpa)) : Number(gpa);
    if (offset === undefined || (!this.firmware && gpa >= BigInt(this.memoryBytes))) return undefined;
    const { buffer, byteOffset } = this.ram;
    return new Uint8Array(buffer, byteOffset + offset, 4096 - (offset % 4096));
  }

  view(): MachineView {
    return new KvmView(this);
  }

  warpTo(ns: number): void {
    this.clock.go();
    this.clock.advanceTo(ns);
    this.board.runDue(this.now());
    this.takeEnd();
  }

  /** The guest stands, and its time with it. */
  synchronize(): void {
    this.settle();
    this.clock.stop();
  }

  /** The vCPUs stand until the next slice, and registers in the shared page are those between two instructions. */
  settle(): void {
    this.stand();
    for (const cpu of this.vcpus) if (cpu.pendingExit === undefined) cpu.finishInstruction();
  }

  /** Calls all vCPUs back from KVM_RUN. */
  stand(): void {
    if (!this.threads) return;
    this.threads.stop();
    this.breakpoints.disarm();
    for (const cpu of this.vcpus) this.absorb(cpu);
  }

  /** Handles the exit of a vCPU that was called back, unless a debugger may want to stop there: then the next slice does. */
  private absorb(cpu: KvmCpu): void {
    const { thread } = cpu;
    if (!thread?.returned || this.end) return;
    const reason = thread.peek();
    if (reason === INTERRUPTED) this.returned(cpu, thread.take());
    else if (this.exitFilter === undefined && vmxReason(reason) !== undefined && !cpu.stepping) {
      this.returned(cpu, thread.take());
    }
  }

  /** @throws Error where this KVM does not step */
  armStep(cpu: KvmCpu, count: number): void {
    const { abilities } = this.breakpoints;
    if (!abilities.singleStep)
      throw new Error('this KVM does not single-step (KVM_SET_GUEST_DEBUG does not work here)');
    cpu.steps = count;
  }

  disarmStep(cpu: KvmCpu): void {
    cpu.steps = undefined;
  }

  skipBreakpointOnce(index: number): void {
    this.settle();
    for (const cpu of this.vcpus) cpu.stepOff = cpu.index === index ? cpu.linearRip : undefined;
  }

  runSlice(cpu: KvmCpu, _instructions: number): SliceEnd {
    this.clock.go();
    cpu.woken = false;
    const until = performance.now() + SLICE_MS;
    this.breakpoints.arm([cpu.stepOff]);
    try {
      if (cpu.thread?.returned) {
        const stop = this.returned(cpu, cpu.thread.take());
        if (stop) return stop;
      }
      for (;;) {
        if (cpu.pendingExit !== undefined) {
          const done = this.handle(cpu, cpu.pendingExit);
          if (done) return done;
        }
        if (this.end) return { kind: 'ended' };
        const now = performance.now();
        this.runDevices();
        if (this.end) return { kind: 'ended' };
        if (!this.makeReady(cpu)) return this.idle();
        if (now >= until) return this.isDeaf(now) ? this.idle() : { kind: 'limit' };
        const stop = this.enter(cpu, until, now);
        if (stop) return stop;
      }
    } finally {
      this.breakpoints.disarm();
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.timer?.close();
    this.threads?.close();
    this.vm.close();
    this.kvm.close();
  }

  portRead(vcpu: number, port: number, bytes: number): number {
    return this.board.portRead(vcpu, port, bytes);
  }

  portWrite(vcpu: number, port: number, bytes: number, value: number): void {
    this.board.portWrite(vcpu, port, bytes, value);
    this.takeEnd();
  }

  mmioRead(vcpu: number, gpa: number, bytes: number): bigint {
    return this.board.mmioRead(vcpu, gpa, bytes);
  }

  mmioWrite(vcpu: number, gpa: number, bytes: number, value: bigint): void {
    this.board.mmioWrite(vcpu, gpa, bytes, value);
    this.takeEnd();
  }

  private takeEnd(): void {
    this.end ??= this.board.takeEnd();
  }

  /** Host time lets the guest's go on. */
  go(): void {
    this.clock.go();
  }

  /** performance.now() of the next device deadline; infinite when there is none. */
  nextDeadlineMs(): number {
    const deadline = this.board.nextDeadline();
    return deadline === undefined ? Number.POSITIVE_INFINITY : this.clock.hostMs(deadline);
  }

  runDevices(): void {
    const deadline = this.board.nextDeadline();
    if (deadline === undefined || deadline > this.now()) return;
    this.board.runDue(this.now());
    this.takeEnd();
  }

  idle(): SliceEnd {
    return { kind: 'idle', deadline: this.board.nextDeadline() };
  }

  private lastExitMs = 0;

  /** The kernel, which has the local APICs, holds every vCPU halted with interrupts off. Looked at after a quiet while. */
  isDeaf(now: number): boolean {
    const { irqchip } = this;
    if (!irqchip || now - this.lastExitMs < QUIET_MS) return false;
    this.threads?.stop();
    const deaf = this.vcpus.every((cpu) => irqchip.isDeaf(cpu));
    if (!deaf) this.lastExitMs = now;
    return deaf;
  }

  /** IPIs and interrupts take effect; false while it has nothing to run. */
  makeReady(cpu: KvmCpu): boolean {
    takeIpis(cpu);
    if (cpu.waitsForSipi) return false;
    if (!this.holdInterrupts) {
      this.inject(cpu);
      if (cpu.windowSeeks > 0) this.seekWindow(cpu);
    }
    return !cpu.halted;
  }

  /**
   * Such a KVM gives an interrupt right behind STI, which must come after one more instruction: behind an STI, or what
   * looks like one, the core runs that.
   */
  private leaveStiShadow(cpu: KvmCpu): void {
    const { view } = cpu.vcpu.page;
    if (view.getUint8(RUN.readyForInterruptInjection) === 0 || view.getUint8(RUN.ifFlag) === 0) return;
    if (this.breakpoints.stepping || (this.breakpoints.has(cpu.linearRip) && cpu.stepOff === undefined)) return;
    if (this.readLinear(cpu, cpu.linearRip - 1n, 1)?.getUint8(0) !== STI) return;
    if (this.emulateOne(cpu, () => false) !== undefined || !cpu.interruptsEnabled) return;
    view.setUint8(RUN.readyForInterruptInjection, 1);
  }

  /** Such a KVM saves the debugger's single-step flag with the guest's flags: the core saves them instead. */
  private deliver(cpu: KvmCpu, vector: number): void {
    cpu.finishInstruction();
    const { failure } = this.core().deliver(cpu, vector);
    if (failure !== undefined) throw new Error(`the embedded core cannot deliver interrupt ${vector}: ${failure}`);
  }

  private core(): InstructionEmulator {
    this.emulator ??= new InstructionEmulator(this);
    return this.emulator;
  }

  /**
   * The vCPU has just caused an interrupt that it does not take yet (an IPI to itself, a device that answers at once). Where
   * KVM tells late that it can be given, the core goes on to that boundary, if it is near.
   */
  private seekWindow(cpu: KvmCpu): void {
    if (cpu.windowOpen) {
      cpu.finishInstruction();
      this.inject(cpu);
    }
    if (!cpu.windowOpen) {
      cpu.windowSeeks = 0;
      return;
    }
    cpu.windowSeeks--;
    if (this.breakpoints.stepping || !this.core().runToWindow(cpu, WINDOW_INSTRUCTIONS, this.breakpoints.all)) return;
    const { view } = cpu.vcpu.page;
    view.setUint8(RUN.readyForInterruptInjection, 1);
    view.setUint8(RUN.ifFlag, 1);
    this.inject(cpu);
  }

  /** A vCPU in KVM_RUN has to come back for what the devices have for it. */
  wantsAttention(cpu: KvmCpu): boolean {
    if (!cpu.woken) return false;
    cpu.woken = false;
    if (cpu.pendingInit || this.board.nmiWaits(cpu.index)) return true;
    if (cpu.windowOpen) return false;
    return this.irqchip ? this.irqchip.picOf(cpu)?.pending() === true : this.board.interruptPending(cpu.index);
  }

  /** Gives the highest-priority event to KVM, or asks for an exit when it can be given. */
  private inject(cpu: KvmCpu): void {
    const { board } = this;
    const { view } = cpu.vcpu.page;
    if (board.takeNmi(cpu.index)) {
      cpu.vcpu.nmi();
      cpu.halted = false;
    }
    if (this.irqchip) {
      const pic = this.irqchip.picOf(cpu);
      if (pic) this.injectFromPic(cpu, pic);
      return;
    }
    let pending = board.interruptPending(cpu.index);
    if (pending && !this.runs.promptWindow && !cpu.halted) this.leaveStiShadow(cpu);
    if (pending && view.getUint8(RUN.readyForInterruptInjection) === 1 && view.getUint8(RUN.ifFlag) === 1) {
      const vector = board.acknowledgeInterrupt(cpu.index);
      cpu.standstill?.exited();
      if (cpu.standstill && this.wantsStep(cpu)) this.deliver(cpu, vector);
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

  /** One KVM_RUN; answers why the slice ends, if it does. */
  private enter(cpu: KvmCpu, until: number, now: number): SliceEnd | undefined {
    if (this.isBlind(cpu) && (cpu.steps !== undefined || this.breakpoints.stepping)) return this.stepByCore(cpu);
    if (this.ring3 && (cpu.stepsToRing3 > 0 || this.wantsStep(cpu)) && this.ring3.returnsToRing3(cpu)) {
      cpu.finishInstruction();
      return this.emulate(cpu, KVM.KVM_EXIT_DEBUG);
    }
    this.prepare(cpu);
    const patience = cpu.standstill ? now + cpu.standstill.patienceMs : Number.POSITIVE_INFINITY;
    this.recall(cpu).arm(Math.min(until, this.nextDeadlineMs(), patience), now);
    this.beat();
    const reason = cpu.vcpu.runRaw();
    this.beat();
    return this.returned(cpu, reason);
  }

  /** What is to be set before KVM_RUN. */
  prepare(cpu: KvmCpu): void {
    this.watchHandlers(cpu);
    cpu.stepping = this.wantsStep(cpu);
    this.setDebug(cpu, cpu.stepping);
    cpu.entryRip = cpu.stepping ? cpu.linearRip : 0n;
    cpu.entryTpr = cpu.vcpu.page.view.getUint32(RUN.cr8, true);
    cpu.unfinished = false;
    cpu.standstill?.entering(cpu);
  }

  /** What KVM_RUN answered; answers why the slice ends, if it does. */
  returned(cpu: KvmCpu, answer: number): SliceEnd | undefined {
    const { stepping, entryRip: rip } = cpu;
    const { vcpu } = cpu;
    let reason = answer;
    const fresh = cpu.fresh;
    cpu.fresh = false;
    // some KVMs answer a shutdown once after a change of mode, without having run the guest
    if (reason === KVM.KVM_EXIT_SHUTDOWN && fresh) reason = vcpu.runRaw();
    const newTpr = vcpu.page.view.getUint32(RUN.cr8, true);
    if (!this.irqchip && newTpr !== cpu.entryTpr) this.board.setTpr(cpu.index, newTpr << 4);
    if (reason === INTERRUPTED) {
      this.recall(cpu).fired();
      if (!this.irqchip?.sleeps(cpu)) cpu.standstill?.calledBack(cpu);
      return this.irqchip?.waits(cpu) ? { kind: 'idle', deadline: undefined } : undefined;
    }
    if (reason === KVM.KVM_EXIT_IOAPIC_EOI) {
      this.irqchip?.endOfInterrupt(vcpu.page.get('exit.eoi.vector'));
      return undefined;
    }
    if (reason === KVM.KVM_EXIT_DEBUG) {
      if (!stepping && this.ring3?.isHandler(cpu.linearRip)) return this.atHandler(cpu, this.ring3);
      if (stepping && cpu.standstill?.stepped(cpu)) return this.emulate(cpu, reason);
      return this.afterDebugExit(cpu);
    }
    cpu.standstill?.exited();
    const known = vmxReason(reason);
    if (known === undefined) {
      if (reason === KVM.KVM_EXIT_INTR) return undefined;
      if (this.couldNotEmulate(cpu, reason)) return this.emulate(cpu, reason);
      this.fail(cpu, reason);
      return { kind: 'ended' };
    }
    cpu.unfinished = reason !== KVM.KVM_EXIT_HLT;
    this.exits++;
    if (this.irqchip) this.lastExitMs = performance.now();
    traceExit(this.trace, cpu, known, this.now());
    cpu.pendingExit = reason;
    if (this.exitFilter?.(cpu)) return { kind: 'exit' };
    const end = this.handle(cpu, reason);
    if (end) return end;
    if (!stepping) return undefined;
    // the trap of an instruction that exited is lost: the instruction is finished here instead
    cpu.finishInstruction();
    return cpu.linearRip === rip && !cpu.halted ? undefined : this.stepped(cpu);
  }

  private recall(cpu: KvmCpu): Recall {
    return cpu.thread ?? (this.timer as RunTimer);
  }

  handle(cpu: KvmCpu, reason: number): SliceEnd | undefined {
    cpu.pendingExit = undefined;
    const pending = this.runs.promptWindow || this.irqchip !== undefined || this.board.interruptPending(cpu.index);
    const detail = handleExit(this, cpu, reason);
    if (!pending && this.board.interruptPending(cpu.index)) cpu.windowSeeks = WINDOW_SEEKS;
    this.trace.settle(
      this.end ? ACTION.stop : detail.inject === undefined ? ACTION.resume : ACTION.inject,
      detail.value,
    );
    return this.end ? { kind: 'ended' } : undefined;
  }

  private fail(cpu: KvmCpu, reason: number, more = ''): void {
    const error = exitError(cpu.vcpu.page, reason, cpu.regs.getBig('rip'));
    this.finish({
      kind: 'error',
      status: 3,
      message: `${error?.message ?? `KVM_RUN came back with exit reason ${reason}`}${more}`,
    });
  }

  private couldNotEmulate({ vcpu }: KvmCpu, reason: number): boolean {
    if (reason !== KVM.KVM_EXIT_INTERNAL_ERROR) return false;
    return vcpu.page.get('exit.internal.suberror') === INTERNAL_ERRORS.KVM_INTERNAL_ERROR_EMULATION;
  }

  private emulator: InstructionEmulator | undefined;

  /**
   * The embedded core runs the instruction that stands at RIP, and a record of its own tells of it. Answers why it could
   * not, in which case nothing has changed.
   * @param counts asked afterwards: false takes the record back
   */
  emulateOne(cpu: KvmCpu, counts = (): boolean => true): string | undefined {
    const code = this.linearBytes(cpu, cpu.linearRip, LONGEST_INSTRUCTION);
    const { codeBits } = cpu;
    const core = this.core();
    // what the core does in several accesses is one instruction for the other vCPUs
    this.threads?.stop();
    this.exits++;
    this.trace.add(cpu.vcpu.page.view, {
      reason: REASON.EMULATED,
      qualification: code.reduceRight((value, byte, i) => (i < 8 ? (value << 8n) | BigInt(byte) : value), 0n),
      instructionInfo: codeBits,
      gpa: 0,
      clock: this.now(),
      vcpu: cpu.index,
    });
    const { failure, end, halted } = core.run(cpu, code, codeBits);
    if (failure !== undefined) return failure;
    if (!counts()) {
      this.exits--;
      this.trace.withdraw(REASON.EMULATED);
    } else if (this.exitCount(REASON.EMULATED) === 1) {
      const name = mnemonicOf(code, codeBits);
      this.onMessage?.(
        `this host's KVM leaves instructions to the embedded core, the first is ${name}: each is an EMULATED exit`,
      );
    }
    cpu.halted = halted;
    cpu.standstill?.repaired(cpu);
    if (end) this.finish(end);
    if (counts()) this.trace.settle(this.end ? ACTION.stop : ACTION.resume, 0);
    return undefined;
  }

  /** Where the handlers are that Ring3Repair looks at. */
  private watchHandlers(cpu: KvmCpu): void {
    if (this.ring3?.refresh(cpu, performance.now())) this.breakpoints.setOwn(this.ring3.handlers);
  }

  /** The vCPU stands at the first instruction of such a handler. */
  private atHandler(cpu: KvmCpu, ring3: Ring3Repair): SliceEnd | undefined {
    const handler = cpu.linearRip;
    let failure: string | undefined;
    if (ring3.takeBack(cpu)) {
      failure = this.emulateOne(cpu, () => cpu.linearRip !== handler);
      if (failure === undefined && this.end) return { kind: 'ended' };
    }
    if (failure === undefined && ring3.isHandler(cpu.linearRip)) {
      if (this.breakpoints.has(cpu.linearRip)) return this.stepped(cpu);
      // past the breakpoint
      failure = this.emulateOne(cpu, () => false);
    }
    if (failure === undefined) return undefined;
    this.finish({ kind: 'error', status: 3, message: `the embedded core cannot go on at a handler: ${failure}` });
    return { kind: 'ended' };
  }

  /** A debugger's step where KVM has none: in ring 3 of a paravirtual one, the guest would get the trap. */
  private stepByCore(cpu: KvmCpu): SliceEnd | undefined {
    cpu.finishInstruction();
    const failure = this.emulateOne(cpu, () => false);
    if (failure !== undefined) throw new Error(`the embedded core cannot step this instruction: ${failure}`);
    return this.end ? { kind: 'ended' } : this.stepped(cpu);
  }

  private emulate(cpu: KvmCpu, reason: number): SliceEnd | undefined {
    const stepping = this.wantsStep(cpu);
    const failure = this.emulateOne(cpu);
    if (failure !== undefined) this.fail(cpu, reason, `; nor can the embedded core (${failure})`);
    if (this.end) return { kind: 'ended' };
    return stepping ? this.stepped(cpu) : undefined;
  }

  private readLinear(cpu: KvmCpu, gva: bigint, length: number): DataView | undefined {
    const bytes = this.linearBytes(cpu, gva, length);
    return bytes.length < length ? undefined : new DataView(bytes.buffer);
  }

  /** Up to `length` bytes at a linear address, fewer where memory ends. */
  private linearBytes(cpu: KvmCpu, gva: bigint, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = BigInt.asUintN(64, gva + BigInt(done));
      const gpa = walkOnKvm(this, cpu.index, at).output;
      const page = gpa === undefined ? undefined : this.pageAt(gpa);
      if (!page) return bytes.slice(0, done);
      const part = page.subarray(0, length - done);
      bytes.set(part, done);
      done += part.length;
    }
    return bytes;
  }

  /** Ring 3 of a paravirtual KVM. */
  private isBlind(cpu: KvmCpu): boolean {
    return this.breakpoints.abilities.blindInRing3 && cpu.cpl === 3 && cpu.longMode;
  }

  private wantsStep(cpu: KvmCpu): boolean {
    if (this.isBlind(cpu)) return false;
    if (cpu.standstill?.wantsStep || cpu.stepsToRing3 > 0) return true;
    if (cpu.steps !== undefined || this.breakpoints.stepping) return true;
    return cpu.stepOff !== undefined && this.breakpoints.has(cpu.stepOff);
  }

  /** While it steps, the kernel's controllers hold interrupts back: for the debugger, or since TF would be saved with them. */
  private blocksInterrupts(cpu: KvmCpu): boolean {
    return (this.holdInterrupts || cpu.standstill !== undefined) && this.irqchip?.blocksInterrupts === true;
  }

  private setDebug(cpu: KvmCpu, singleStep: boolean): void {
    if (!singleStep && cpu.debugState === 'off' && !this.breakpoints.any) return;
    // a breakpoint on the instruction that a step leaves would stop before it
    const leaves = cpu.stepOff !== undefined || this.ring3?.isHandler(cpu.linearRip) === true;
    const request = {
      ...(leaves && singleStep ? { singleStep } : this.breakpoints.request(singleStep)),
      ...(singleStep && this.blocksInterrupts(cpu) && { blockInterrupts: true }),
    };
    const key =
      singleStep || this.breakpoints.any
        ? JSON.stringify(request, (_, v) => (typeof v === 'bigint' ? `${v}` : v))
        : 'off';
    if (key === cpu.debugState) return;
    cpu.vcpu.flushRegisters();
    cpu.vcpu.setGuestDebug(key === 'off' ? {} : request);
    cpu.debugState = key;
  }

  private afterDebugExit(cpu: KvmCpu): SliceEnd | undefined {
    const { page } = cpu.vcpu;
    const hit = this.breakpoints.hitBy(page.getBig('exit.debug.arch.dr6'));
    if (hit) {
      this.watchHit = hit;
      cpu.stepOff = undefined;
      return { kind: 'watchpoint' };
    }
    return this.stepped(cpu);
  }

  /** An instruction is done, or a breakpoint's address reached. */
  private stepped(cpu: KvmCpu): SliceEnd | undefined {
    const at = cpu.linearRip;
    if (cpu.stepOff !== undefined && cpu.stepOff !== at) this.breakpoints.arm();
    cpu.stepOff = undefined;
    const changed = this.breakpoints.changed();
    if (changed) {
      this.watchHit = changed;
      return { kind: 'watchpoint' };
    }
    if (cpu.steps !== undefined && --cpu.steps <= 0) {
      cpu.steps = undefined;
      return { kind: 'step' };
    }
    if (!this.breakpoints.has(at)) return undefined;
    cpu.stepOff = at;
    return { kind: 'breakpoint' };
  }

  /** Counts for the watchdog while threads run the vCPUs; stays odd when one of them is overdue. */
  alive(overdue: boolean): void {
    const { heartbeat } = this;
    if (!heartbeat) return;
    const beat = Atomics.load(heartbeat, 0);
    Atomics.store(heartbeat, 0, overdue ? beat | 1 : (beat & ~1) + 2);
  }

  private beat(): void {
    if (this.heartbeat) Atomics.add(this.heartbeat, 0, 1);
  }
}

/** Guest RAM from GPA 0. */
class RamAccess implements Ram {
  constructor(private readonly ram: Uint8Array) {}

  get bytes(): number {
    return this.ram.length;
  }

  read(gpa: number, length: number): Uint8Array {
    this.check(gpa, length);
    return this.ram.subarray(gpa, gpa + length);
  }

  write(gpa: number, bytes: Uint8Array): void {
    this.check(gpa, bytes.length);
    this.ram.set(bytes, gpa);
  }

  private check(gpa: number, length: number): void {
    if (gpa >= 0 && length >= 0 && gpa + length <= this.ram.length) return;
    throw new RangeError(`guest-physical 0x${gpa.toString(16)} + ${length} is outside RAM of ${this.ram.length} bytes`);
  }
}
