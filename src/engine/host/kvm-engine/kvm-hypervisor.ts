// A machine on /dev/kvm. This thread runs the devices, and the vCPU where there is one: an exit to user space costs no
// change of thread, and a timer's signal brings KVM_RUN back for whatever else there is to do. Several have their own.
import { MSR } from '../../../spec/msrs.js';
import type { InitialState } from '../../boot/image.js';
import { EXIT_COUNTS, RAM_BASE, TRACE_SEQUENCE } from '../../core/layout.js';
import type { GuestEnd, GuestMemory as Ram } from '../../devices/device.js';
import { VIDEO_BYTES } from '../../devices/vga/video-memory.js';
import type { MachineView } from '../../machine-view.js';
import { HostMemory } from '../../memory/host-memory.js';
import { FRAMES_BEHIND_RAM } from '../../memory/memory-map.js';
import type { Stateful } from '../../state/saved.js';
import { StateError } from '../../state/schema.js';
import type { Board } from '../../vmm/board.js';
import type { CpuModel } from '../../vmm/cpu-models.js';
import type { FrameWatcher } from '../../vmm/dirty-frames.js';
import type { Firmware, HandlerWatch, Hypervisor, SliceEnd, VirtualCpu } from '../../vmm/hypervisor.js';
import { KvmError } from '../kvm/errors.js';
import { EXIT_REASONS as KVM, MP_STATES } from '../kvm/exits.js';
import { Kvm } from '../kvm/kvm.js';
import { GuestMemory } from '../kvm/memory.js';
import { probeKvm } from '../kvm/probe.js';
import { KVM_VCPU_EVENTS, KvmStruct } from '../kvm/structs.js';
import { INTERRUPTED } from '../kvm/vcpu.js';
import type { KvmVm } from '../kvm/vm.js';
import { releaseFrames } from '../release-frames.js';
import { KvmBreakpoints, type WatchHit } from './breakpoints.js';
import { ChangedFrames } from './changed-frames.js';
import { RealClock } from './clock.js';
import { CoreRepairs } from './core-repairs.js';
import { guestCpuid, modelOnHost, TSC_DEADLINE, X2APIC } from './cpuid.js';
import { probeDebugging } from './debug-abilities.js';
import { ACTION, ExitTrace, vmxReason } from './exit-record.js';
import { handleExit, traceExit } from './exits.js';
import { Heartbeat } from './heartbeat.js';
import { Interrupts } from './interrupts.js';
import { KernelIrqchip, type KernelIrqchipMode } from './kernel-irqchip.js';
import { KvmCpu, RUN } from './kvm-cpu.js';
import { KvmFirmware } from './kvm-firmware.js';
import { EXIT_COUNTS_BYTES, type KvmState, kvmFormat, loadCpu, saveCpu } from './kvm-state.js';
import { KvmVideo } from './kvm-video.js';
import { KvmView, walkOnKvm } from './kvm-view.js';
import { SilenceNote } from './paravirtual-notes.js';
import { RamAccess } from './ram-access.js';
import { putInitialState } from './registers.js';
import { Ring3Repair } from './ring3-repair.js';
import { probeRunning } from './run-abilities.js';
import { type Recall, RunTimer } from './run-timer.js';
import { Standstill } from './standstill.js';
import { initCpu, waitInKernel } from './start-up.js';
import { Together, type Turn } from './together.js';
import { VcpuDebug } from './vcpu-debug.js';
import { VcpuThreads } from './vcpu-threads.js';

/** A slice ends after this time, so that the thread's other work waits no longer. */
const SLICE_MS = 4;
/** So long without an exit, and it may be that the guest has halted for good. */
const QUIET_MS = 500;
/** Devices of the PCI bus and the APICs lie above: RAM ends below them. */
const MAX_MEMORY_BYTES = 0xe000_0000;

/** Where KVM on Intel keeps its own real-mode pages: below the BIOS's ROM, as other user-space machines put them. */
const IDENTITY_MAP = 0xfeff_c000;
const TSS_PAGES = 0xfeff_d000;

export interface KvmOptions {
  memoryBytes: number;
  vcpus: number;
  cpu?: CpuModel;
  /** Cells of `heartbeatCells()`, for a watchdog in another thread. */
  heartbeat?: Int32Array | undefined;
  /** Frames behind guest RAM for a BIOS's ROM. */
  romBytes?: number;
  /** Frames for a video card's memory. */
  video?: boolean;
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
  handlerWatch: HandlerWatch | undefined;
  exitFilter: ((vcpu: VirtualCpu) => boolean) | undefined;
  onMessage: ((text: string) => void) | undefined;
  /** The access that the last watchpoint stopped at. */
  watchHit: WatchHit | undefined;
  readonly heartbeat: Heartbeat | undefined;
  /** Where the host's KVM is paravirtual. */
  private readonly silence: SilenceNote | undefined;
  private readonly clock = new RealClock();
  private readonly trace: ExitTrace;
  private readonly timer: RunTimer | undefined;
  private readonly threads: VcpuThreads | undefined;
  /** All vCPUs at once, each in its own thread; absent where the one vCPU runs in this thread. */
  readonly runTogether: (() => Turn) | undefined;
  readonly interrupts: Interrupts;
  readonly debug: VcpuDebug;
  readonly repairs: CoreRepairs;
  private readonly guestMemory: GuestMemory;
  firmware: KvmFirmware | undefined;
  video: KvmVideo | undefined;
  private readonly hasVideo: boolean;
  private closed = false;

  private constructor(
    private readonly kvm: Kvm,
    private readonly vm: KvmVm,
    options: KvmOptions,
    readonly model: CpuModel,
    readonly paravirtual: boolean,
    readonly irqchip: KernelIrqchip | undefined,
  ) {
    const { memoryBytes, vcpus } = options;
    const runs = probeRunning(kvm, paravirtual);
    this.memoryBytes = memoryBytes;
    this.heartbeat = options.heartbeat && new Heartbeat(options.heartbeat);
    if (paravirtual) this.silence = new SilenceNote((text) => this.onMessage?.(text));
    // laid out as the embedded core has it, which can so run an instruction of this guest
    const behind = FRAMES_BEHIND_RAM + (options.romBytes ?? 0) + (options.video ? VIDEO_BYTES : 0);
    const memory = new GuestMemory(memoryBytes, RAM_BASE, behind);
    this.hasVideo = options.video === true;
    this.guestMemory = memory;
    vm.mapMemory(0, 0, memory);
    this.ram = memory.bytes;
    this.ramView = new DataView(memory.bytes.buffer, memory.bytes.byteOffset, memory.bytes.byteLength);
    this.memory = new RamAccess(memory.bytes);
    this.host = new HostMemory(memory.memory as unknown as WebAssembly.Memory, releaseFrames);
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
    let ring3: Ring3Repair | undefined;
    if (!runs.completeEmulator && this.breakpoints.abilities.hardware) {
      ring3 = new Ring3Repair((cpu, gva, bytes) => this.readLinear(cpu, gva, bytes));
      if (vm.capability('KVM_CAP_X86_MSR_FILTER') > 0) vm.exitOnMsr(MSR.IA32_LSTAR);
    }
    this.interrupts = new Interrupts(this, runs.promptWindow);
    this.debug = new VcpuDebug(this);
    this.repairs = new CoreRepairs(this, this.trace, ring3);
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
    // what the host's KVM can do is tried first: that it does not come back shows there
    const heartbeat = options.heartbeat && new Heartbeat(options.heartbeat);
    heartbeat?.entering();
    try {
      return KvmHypervisor.build(options);
    } finally {
      heartbeat?.returned();
    }
  }

  private static build(options: KvmOptions): KvmHypervisor {
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

  /** They are not counted. */
  readonly instructionNs = 1;

  now(): number {
    return this.clock.now();
  }

  tsc(vcpu: number): bigint {
    return this.vcpus[vcpu].vcpu.msrs([MSR.IA32_TIME_STAMP_COUNTER])[0] ?? 0n;
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

  get cpu(): CpuModel {
    return this.model;
  }

  get dirtyFrames(): FrameWatcher {
    return new ChangedFrames(this);
  }

  get state(): Stateful<KvmState> {
    const { irqchip } = this;
    const mode = irqchip === undefined ? 'off' : irqchip.extent === 'all' ? 'on' : 'split';
    return {
      name: this.engine,
      format: kvmFormat(this.vcpus.length, mode),
      save: () => this.save(),
      load: (state) => this.load(state),
    };
  }

  get unsavable(): string | undefined {
    if (this.irqchip?.extent !== 'lapics') return undefined;
    return 'with --kernel-irqchip split KVM does not give an interrupt that it was told of and has not delivered: use on or off';
  }

  get lastState(): Stateful | undefined {
    return this.irqchip?.stateOf(this.vcpus);
  }

  /** The vCPUs stand. @throws StateError where one stands at an exit, whose answer the kernel waits for */
  private save(): KvmState {
    const { host, exits, end } = this;
    this.takeReturns();
    this.synchronize();
    const waits = this.vcpus.find(({ pendingExit }) => pendingExit !== undefined);
    if (waits)
      throw new StateError(`vCPU ${waits.index} is stopped at an exit that KVM has half done: let the guest run first`);
    this.irqchip?.refresh();
    this.msrIndices ??= this.kvm.msrIndices();
    return {
      vcpus: this.vcpus.map((cpu) => saveCpu(cpu, this.msrIndices as number[], this.irqchip !== undefined)),
      clockNs: this.now(),
      exits,
      exitCounts: host.u8.slice(EXIT_COUNTS, EXIT_COUNTS + EXIT_COUNTS_BYTES),
      traceSequence: host.getNumber(TRACE_SEQUENCE),
      end,
    };
  }

  /** Exits that vCPUs have come back with and nobody has been told of are handled. */
  private takeReturns(): void {
    const filter = this.exitFilter;
    this.exitFilter = undefined;
    this.stand();
    this.exitFilter = filter;
  }

  private load(state: KvmState): void {
    const { host } = this;
    this.resetState();
    this.end = state.end;
    this.exits = state.exits;
    host.u8.set(state.exitCounts, EXIT_COUNTS);
    host.setNumber(TRACE_SEQUENCE, state.traceSequence);
    const refused = new Set<number>();
    try {
      for (const cpu of this.vcpus)
        for (const msr of loadCpu(cpu, state.vcpus[cpu.index], this.irqchip !== undefined)) refused.add(msr);
    } catch (error) {
      const message = `this host's KVM does not take the state: ${(error as Error).message}`;
      this.end = { kind: 'error', status: 1, message };
      throw new StateError(message);
    }
    this.clock.reset(state.clockNs);
    if (refused.size === 0) return;
    const list = [...refused].map((msr) => `0x${msr.toString(16)}`).join(', ');
    this.onMessage?.(`this host's KVM does not take the guest's values of the MSRs ${list}: they are the host's`);
  }

  private msrIndices: number[] | undefined;

  start(state: InitialState): void {
    const [cpu, ...others] = this.vcpus;
    putInitialState(cpu.regs, cpu.sregs, state);
    cpu.changed(true, true);
    if (this.irqchip) {
      this.irqchip.load(this.vcpus);
      cpu.vcpu.setMpState(MP_STATES.KVM_MP_STATE_RUNNABLE);
      others.forEach(waitInKernel);
    } else {
      others.forEach(initCpu);
      for (const each of this.vcpus) {
        each.sregs.set('apic_base', this.board.apicBase(each.index));
        each.changed(false, true);
      }
    }
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

  mapVideo(romBytes: number): KvmVideo | undefined {
    if (!this.hasVideo) return undefined;
    const offset = this.memoryBytes + FRAMES_BEHIND_RAM + romBytes;
    this.video = new KvmVideo(this.vm, this.guestMemory, offset, this.firmware !== undefined);
    return this.video;
  }

  /** The rest of the page at a guest-physical address, RAM or ROM; undefined where there is neither. */
  pageAt(gpa: bigint): Uint8Array | undefined {
    const offset = this.offsetOf(Number(gpa));
    if (offset === undefined) return undefined;
    const { buffer, byteOffset } = this.ram;
    return new Uint8Array(buffer, byteOffset + offset, 4096 - (offset % 4096));
  }

  /** Where the guest finds an address, from the start of its RAM. */
  private offsetOf(gpa: number): number | undefined {
    const shown = this.video?.offsetOf(gpa);
    if (shown !== undefined) return shown === 'none' ? undefined : shown;
    if (this.firmware) return this.firmware.offsetOf(gpa);
    return gpa < this.memoryBytes ? gpa : undefined;
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

  tell(index: number): void {
    this.settle();
    const cpu = this.vcpus[index];
    cpu.stepOff = cpu.linearRip;
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
        if (!this.interrupts.makeReady(cpu)) return this.idle();
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

  /** The vCPUs that have threads of their own stand. */
  stopThreads(): void {
    this.threads?.stop();
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

  /** One KVM_RUN; answers why the slice ends, if it does. */
  private enter(cpu: KvmCpu, until: number, now: number): SliceEnd | undefined {
    const instead = this.repairs.inPlaceOfRun(cpu);
    if (instead) return instead.end;
    this.prepare(cpu);
    const patience = cpu.standstill ? now + cpu.standstill.patienceMs : Number.POSITIVE_INFINITY;
    this.recall(cpu).arm(Math.min(until, this.nextDeadlineMs(), patience), now);
    this.heartbeat?.entering(cpu);
    const reason = cpu.vcpu.runRaw();
    this.heartbeat?.returned();
    return this.returned(cpu, reason);
  }

  /** What is to be set before KVM_RUN. */
  prepare(cpu: KvmCpu): void {
    this.repairs.watchHandlers(cpu);
    if (cpu.stepOff !== undefined && !this.breakpoints.has(cpu.stepOff)) cpu.stepOff = undefined;
    cpu.stepping = this.debug.wantsStep(cpu);
    this.debug.set(cpu, cpu.stepping);
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
    if (!this.irqchip) this.followApicBase(cpu);
    if (reason === INTERRUPTED) {
      this.recall(cpu).fired();
      this.silence?.calledBack(cpu);
      if (!this.irqchip?.sleeps(cpu)) cpu.standstill?.calledBack(cpu);
      return this.irqchip?.waits(cpu) ? { kind: 'idle', deadline: undefined } : undefined;
    }
    if (reason === KVM.KVM_EXIT_IOAPIC_EOI) {
      this.irqchip?.endOfInterrupt(vcpu.page.get('exit.eoi.vector'));
      return undefined;
    }
    if (reason === KVM.KVM_EXIT_DEBUG) {
      const repaired = this.repairs.afterDebugExit(cpu);
      return repaired ? repaired.end : this.debug.exited(cpu);
    }
    cpu.standstill?.exited();
    this.silence?.heard();
    const known = vmxReason(reason);
    if (known === undefined) {
      if (reason === KVM.KVM_EXIT_INTR) return undefined;
      if (this.repairs.couldNotEmulate(cpu, reason)) return this.repairs.emulate(cpu, reason);
      this.repairs.fail(cpu, reason);
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
    return cpu.linearRip === rip && !cpu.halted ? undefined : this.debug.stepped(cpu);
  }

  private recall(cpu: KvmCpu): Recall {
    return cpu.thread ?? (this.timer as RunTimer);
  }

  handle(cpu: KvmCpu, reason: number): SliceEnd | undefined {
    cpu.pendingExit = undefined;
    this.handlerWatch?.begins();
    const detail = this.interrupts.during(cpu, () => handleExit(this, cpu, reason));
    this.handlerWatch?.ends(vmxReason(reason) ?? reason);
    this.trace.settle(
      this.end ? ACTION.stop : detail.inject === undefined ? ACTION.resume : ACTION.inject,
      detail.value,
    );
    return this.end ? { kind: 'ended' } : undefined;
  }

  readLinear(cpu: KvmCpu, gva: bigint, length: number): DataView | undefined {
    const bytes = this.linearBytes(cpu, gva, length);
    return bytes.length < length ? undefined : new DataView(bytes.buffer);
  }

  /** Up to `length` bytes at a linear address, fewer where memory ends. */
  linearBytes(cpu: KvmCpu, gva: bigint, length: number): Uint8Array {
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

  /** The guest's write to IA32_APIC_BASE makes no exit: KVM keeps the value among the system registers. */
  private followApicBase(cpu: KvmCpu): void {
    const { view } = cpu.vcpu.page;
    const low = view.getUint32(RUN.apicBase, true);
    const high = view.getUint32(RUN.apicBase + 4, true);
    if (low === cpu.apicBase.low && high === cpu.apicBase.high) return;
    cpu.apicBase = { low, high };
    this.board.setApicBase(cpu.index, (BigInt(high) << 32n) | BigInt(low));
  }
}
