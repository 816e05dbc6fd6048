// A machine on /dev/kvm. One thread runs the vCPU and the devices: an exit to user space costs no change of
// thread, and a timer's signal brings KVM_RUN back for whatever else the thread has to do.
import { mnemonicOf } from '../../../spec/opcodes/mnemonic.js';
import type { InitialState } from '../../boot/image.js';
import { RAM_BASE } from '../../core/layout.js';
import type { MachineView } from '../../debug/machine-view.js';
import type { GuestEnd, GuestMemory as Ram } from '../../devices/device.js';
import type { Board } from '../../vmm/board.js';
import type { CpuModel } from '../../vmm/cpu-models.js';
import { HostMemory } from '../../vmm/host-memory.js';
import type { Hypervisor, SliceEnd, VirtualCpu } from '../../vmm/hypervisor.js';
import { exitError, KvmError } from '../kvm/errors.js';
import { INTERNAL_ERRORS, EXIT_REASONS as KVM } from '../kvm/exits.js';
import { Kvm } from '../kvm/kvm.js';
import { GuestMemory } from '../kvm/memory.js';
import { probeKvm } from '../kvm/probe.js';
import { KVM_VCPU_EVENTS, KvmStruct } from '../kvm/structs.js';
import { INTERRUPTED } from '../kvm/vcpu.js';
import type { KvmVm } from '../kvm/vm.js';
import { KvmBreakpoints, type WatchHit } from './breakpoints.js';
import { RealClock } from './clock.js';
import { guestCpuid, modelOnHost } from './cpuid.js';
import { probeDebugging } from './debug-abilities.js';
import { InstructionEmulator } from './emulate-one.js';
import { ACTION, ExitTrace, REASON, vmxReason } from './exit-record.js';
import { handleExit, traceExit } from './exits.js';
import { KvmCpu, RUN } from './kvm-cpu.js';
import { KvmView, walkOnKvm } from './kvm-view.js';
import { putInitialState } from './registers.js';
import { RunTimer } from './run-timer.js';

/** A slice ends after this time, so that the thread's other work waits no longer. */
const SLICE_MS = 4;
/** Devices of the PCI bus and the APICs lie above: RAM ends below them. */
const MAX_MEMORY_BYTES = 0xe000_0000;
/** The core's APIC-access page. */
const FRAMES_BEHIND_RAM = 0x10000;
/** Where KVM on Intel keeps its own real-mode pages: below the BIOS's ROM, as other user-space machines put them. */
const IDENTITY_MAP = 0xfeff_c000;
const TSS_PAGES = 0xfeff_d000;

export interface KvmOptions {
  memoryBytes: number;
  vcpus: number;
  cpu?: CpuModel;
}

export class KvmHypervisor implements Hypervisor<KvmCpu> {
  readonly engine = 'kvm';
  readonly realTime = true;
  readonly host: HostMemory;
  readonly memory: Ram;
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
  private readonly timer: RunTimer;
  private closed = false;

  private constructor(
    private readonly kvm: Kvm,
    private readonly vm: KvmVm,
    readonly memoryBytes: number,
    cpu: KvmCpu['vcpu'],
    readonly model: CpuModel,
    paravirtual: boolean,
  ) {
    // laid out as the embedded core has it, which can so run an instruction of this guest
    const memory = new GuestMemory(memoryBytes, RAM_BASE, FRAMES_BEHIND_RAM);
    vm.mapMemory(0, 0, memory);
    this.ram = memory.bytes;
    this.ramView = new DataView(memory.bytes.buffer, memory.bytes.byteOffset, memory.bytes.byteLength);
    this.memory = new RamAccess(memory.bytes);
    this.host = new HostMemory(memory.memory as unknown as WebAssembly.Memory);
    this.trace = new ExitTrace(this.host);
    cpu.setCpuid(guestCpuid(model, 0, 1));
    this.vcpus = [new KvmCpu(0, cpu, this.clock)];
    this.timer = new RunTimer(cpu);
    this.breakpoints = new KvmBreakpoints(probeDebugging(kvm, paravirtual), {
      translate: (gva) => {
        const gpa = walkOnKvm(this, 0, gva).output;
        return gpa === undefined || gpa >= BigInt(memoryBytes) ? undefined : Number(gpa);
      },
      bytes: memory.bytes,
    });
  }

  /** @throws KvmError with the reason and what to do when this host cannot run the machine */
  static create(options: KvmOptions): KvmHypervisor {
    if (options.vcpus !== 1) {
      throw new KvmError('ioctl', `${options.vcpus} vCPUs on engine kvm`, 'it runs one: use --engine vtx for more');
    }
    if (options.memoryBytes > MAX_MEMORY_BYTES) {
      throw new KvmError('memory', 'engine kvm gives a guest at most 3584 MiB', 'give the guest less');
    }
    const kvm = Kvm.open();
    try {
      const vm = kvm.createVm();
      try {
        if (vm.capability('KVM_CAP_SET_IDENTITY_MAP_ADDR') > 0) vm.setIdentityMapAddress(IDENTITY_MAP);
        if (vm.capability('KVM_CAP_SET_TSS_ADDR') > 0) vm.setTssAddress(TSS_PAGES);
        const model = modelOnHost(kvm.supportedCpuid(), options.cpu);
        if (vm.capability('KVM_CAP_EXIT_ON_EMULATION_FAILURE') > 0) {
          vm.enableCapability('KVM_CAP_EXIT_ON_EMULATION_FAILURE', 1);
        }
        const { paravirtual } = probeKvm();
        return new KvmHypervisor(kvm, vm, options.memoryBytes, vm.createVcpu(0), model, paravirtual);
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
      cpu.finishInstruction();
      cpu.halted = false;
      cpu.pendingExit = undefined;
      cpu.steps = undefined;
      cpu.stepOff = undefined;
      cpu.vcpu.setEvents(new KvmStruct(KVM_VCPU_EVENTS));
    }
  }

  start(state: InitialState): void {
    const [cpu] = this.vcpus;
    putInitialState(cpu.regs, cpu.sregs, state);
    cpu.changed(true, true);
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
    this.clock.stop();
    this.settle();
  }

  /** Registers in the shared page are those between two instructions. */
  settle(): void {
    for (const cpu of this.vcpus) if (cpu.pendingExit === undefined) cpu.finishInstruction();
  }

  /** @throws Error where this KVM would give the trap to the guest */
  armStep(cpu: KvmCpu, count: number): void {
    const { abilities } = this.breakpoints;
    if (!abilities.singleStep)
      throw new Error('this KVM does not single-step (KVM_SET_GUEST_DEBUG does not work here)');
    if (this.isBlind(cpu)) {
      throw new Error('this KVM is paravirtual and cannot single-step ring 3: the guest would get the trap');
    }
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
    this.breakpoints.arm();
    try {
      for (;;) {
        if (cpu.pendingExit !== undefined) {
          const done = this.handle(cpu, cpu.pendingExit);
          if (done) return done;
        }
        if (this.end) return { kind: 'ended' };
        const now = performance.now();
        this.runDevices();
        if (this.end) return { kind: 'ended' };
        if (!this.holdInterrupts) this.inject(cpu);
        if (cpu.halted) return { kind: 'idle', deadline: this.board.nextDeadline() };
        if (now >= until) return { kind: 'limit' };
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
    this.timer.close();
    this.vm.close();
    this.kvm.close();
  }

  portRead(port: number, bytes: number): number {
    return this.board.portRead(0, port, bytes);
  }

  portWrite(port: number, bytes: number, value: number): void {
    this.board.portWrite(0, port, bytes, value);
    this.takeEnd();
  }

  mmioRead(gpa: number, bytes: number): bigint {
    return this.board.mmioRead(0, gpa, bytes);
  }

  mmioWrite(gpa: number, bytes: number, value: bigint): void {
    this.board.mmioWrite(0, gpa, bytes, value);
    this.takeEnd();
  }

  private takeEnd(): void {
    this.end ??= this.board.takeEnd();
  }

  private runDevices(): void {
    const deadline = this.board.nextDeadline();
    if (deadline === undefined || deadline > this.now()) return;
    this.board.runDue(this.now());
    this.takeEnd();
  }

  /** Gives the highest-priority event to KVM, or asks for an exit when it can be given. */
  private inject(cpu: KvmCpu): void {
    const { board } = this;
    const { view } = cpu.vcpu.page;
    if (board.takeNmi(cpu.index)) {
      cpu.vcpu.nmi();
      cpu.halted = false;
    }
    let pending = board.interruptPending(cpu.index);
    if (pending && view.getUint8(RUN.readyForInterruptInjection) === 1 && view.getUint8(RUN.ifFlag) === 1) {
      cpu.vcpu.interrupt(board.acknowledgeInterrupt(cpu.index));
      view.setUint8(RUN.readyForInterruptInjection, 0);
      cpu.halted = false;
      cpu.stepOff = undefined;
      pending = board.interruptPending(cpu.index);
    }
    view.setUint8(RUN.requestInterruptWindow, pending && !cpu.halted ? 1 : 0);
    view.setUint32(RUN.cr8, board.tpr(cpu.index) >> 4, true);
  }

  /** One KVM_RUN; answers why the slice ends, if it does. */
  private enter(cpu: KvmCpu, until: number, now: number): SliceEnd | undefined {
    const { vcpu } = cpu;
    const stepping = this.wantsStep(cpu);
    this.setDebug(cpu, stepping);
    const deadline = this.board.nextDeadline();
    const at = deadline === undefined ? until : Math.min(until, this.clock.hostMs(deadline));
    this.timer.arm(at, now);
    const rip = stepping ? cpu.linearRip : 0n;
    const { view } = vcpu.page;
    const tpr = view.getUint32(RUN.cr8, true);
    cpu.unfinished = false;
    this.beat();
    let reason = vcpu.runRaw();
    this.beat();
    const fresh = cpu.fresh;
    cpu.fresh = false;
    // some KVMs answer a shutdown once after a change of mode, without having run the guest
    if (reason === KVM.KVM_EXIT_SHUTDOWN && fresh) reason = vcpu.runRaw();
    const newTpr = view.getUint32(RUN.cr8, true);
    if (newTpr !== tpr) this.board.setTpr(cpu.index, newTpr << 4);
    if (reason === INTERRUPTED) {
      this.timer.fired();
      return undefined;
    }
    if (reason === KVM.KVM_EXIT_DEBUG) return this.afterDebugExit(cpu);
    const known = vmxReason(reason);
    if (known === undefined) {
      if (reason === KVM.KVM_EXIT_INTR) return undefined;
      if (this.couldNotEmulate(cpu, reason)) return this.emulate(cpu, reason);
      this.fail(cpu, reason);
      return { kind: 'ended' };
    }
    cpu.unfinished = reason !== KVM.KVM_EXIT_HLT;
    this.exits++;
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

  private handle(cpu: KvmCpu, reason: number): SliceEnd | undefined {
    cpu.pendingExit = undefined;
    const detail = handleExit(this, cpu, reason);
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
   */
  emulateOne(cpu: KvmCpu): string | undefined {
    const code = this.codeAt(cpu);
    const { codeBits } = cpu;
    this.emulator ??= new InstructionEmulator(this);
    this.exits++;
    this.trace.add(cpu.vcpu.page.view, {
      reason: REASON.EMULATED,
      qualification: code.reduceRight((value, byte, i) => (i < 8 ? (value << 8n) | BigInt(byte) : value), 0n),
      instructionInfo: codeBits,
      gpa: 0,
      clock: this.now(),
      vcpu: cpu.index,
    });
    const { failure, end, halted } = this.emulator.run(cpu, code, codeBits);
    if (failure !== undefined) return failure;
    if (this.exitCount(REASON.EMULATED) === 1) {
      const name = mnemonicOf(code, codeBits);
      this.onMessage?.(
        `KVM of this host cannot emulate ${name}: the embedded core runs such instructions, each an EMULATED exit`,
      );
    }
    cpu.halted = halted;
    if (end) this.finish(end);
    this.trace.settle(this.end ? ACTION.stop : ACTION.resume, 0);
    return undefined;
  }

  private emulate(cpu: KvmCpu, reason: number): SliceEnd | undefined {
    const failure = this.emulateOne(cpu);
    if (failure !== undefined) this.fail(cpu, reason, `; nor can the embedded core (${failure})`);
    if (this.end) return { kind: 'ended' };
    return this.wantsStep(cpu) ? this.stepped(cpu) : undefined;
  }

  /** Up to 15 bytes at RIP, fewer where memory ends. */
  private codeAt(cpu: KvmCpu): Uint8Array {
    const bytes: number[] = [];
    for (let i = 0; i < 15; i++) {
      const gpa = walkOnKvm(this, cpu.index, BigInt.asUintN(64, cpu.linearRip + BigInt(i))).output;
      if (gpa === undefined || gpa >= BigInt(this.memoryBytes)) break;
      bytes.push(this.ram[Number(gpa)]);
    }
    return Uint8Array.from(bytes);
  }

  /** Ring 3 of a paravirtual KVM. */
  private isBlind(cpu: KvmCpu): boolean {
    return this.breakpoints.abilities.blindInRing3 && cpu.cpl === 3 && cpu.longMode;
  }

  private wantsStep(cpu: KvmCpu): boolean {
    if (this.isBlind(cpu)) return false;
    if (cpu.steps !== undefined || this.breakpoints.stepping) return true;
    return cpu.stepOff !== undefined && this.breakpoints.has(cpu.stepOff);
  }

  private debugState = 'off';

  private setDebug(cpu: KvmCpu, singleStep: boolean): void {
    if (!singleStep && this.debugState === 'off' && !this.breakpoints.any) return;
    // a breakpoint on the instruction that a step leaves would stop before it
    const request = cpu.stepOff !== undefined && singleStep ? { singleStep } : this.breakpoints.request(singleStep);
    const key =
      singleStep || this.breakpoints.any
        ? JSON.stringify(request, (_, v) => (typeof v === 'bigint' ? `${v}` : v))
        : 'off';
    if (key === this.debugState) return;
    cpu.vcpu.flushRegisters();
    cpu.vcpu.setGuestDebug(key === 'off' ? {} : request);
    this.debugState = key;
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
