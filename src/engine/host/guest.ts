import type { LineTable } from '../../disasm/dwarf-line.js';
import { EMULATED_BY_VMSCOPE, EXIT_REASONS, exitReasonName } from '../../spec/vmx/exit-reasons.js';
import { TRACE_SEQUENCE } from '../core/layout.js';
import { BreakpointActions } from '../debug/breakpoint-actions.js';
import { BreakpointTable } from '../debug/breakpoint-table.js';
import { conditionHolds } from '../debug/condition.js';
import { deviceWatch } from '../debug/device-watch.js';
import { LinuxView } from '../debug/linux/view.js';
import type { MachineView } from '../debug/machine-view.js';
import { monitorCommand, number, shownCommand } from '../debug/monitor.js';
import { balloonCommand } from '../debug/monitor-balloon.js';
import { deviceCommand } from '../debug/monitor-devices.js';
import { relocated, sized } from '../debug/symbol-file.js';
import { SyscallCatch } from '../debug/syscall-catch.js';
import { TraceFrames } from '../debug/trace-frames.js';
import { exitMatches, readRecord, readTrace } from '../debug/trace-reader.js';
import type * as D from '../debugger.js';
import type { GuestEnd } from '../devices/device.js';
import { Divergence } from '../history/history.js';
import type { DeviceHit, DeviceView } from '../memory/device-view.js';
import { printableLines } from '../printable.js';
import { StateError } from '../state/schema.js';
import { END_OF_TIME } from '../time/deadlines.js';
import { HostPace } from '../time/host-pace.js';
import type { Activity } from '../vmm/activity.js';
import type { Hypervisor, SliceEnd, VirtualCpu } from '../vmm/hypervisor.js';
import type { Machine } from '../vmm/machine.js';
import { loadMachine, saveMachine } from '../vmm/machine-state.js';
import { Vm } from '../vmm/vm.js';
import { GuestHistory, type HistoryHooks, type HistoryOptions } from './guest-history.js';
import { type ForeseenKernel, GuestKernel } from './guest-kernel.js';
import { Independent } from './independent.js';
import { Migrations } from './migration/migrations.js';
import type { MovingGuest } from './migration/moving-guest.js';
import { saveCommand } from './monitor-save.js';
import { formatOf, writePicture } from './picture-file.js';
import { compareEnd, GuestRecording, type RecordingFile } from './recording/guest-recording.js';
import type { Recorder } from './recording/recorder.js';
import { RunNotes } from './run-notes.js';
import { SavedMachines } from './saved-machines.js';
import { inSlices } from './slices.js';
import { readState, writeState } from './state-file.js';
import { Turns } from './turns.js';

/** A slice returns often enough for V8 to move the core's loop to optimised code. */
const SLICE = 100_000;
/** The first one, and that of a guest whose instructions all exit: the host is heard between two slices. */
const SHORT_SLICE = 1000;
/** A slice that takes longer is followed by a shorter one, and one of half that by a longer one. */
const SLICE_MS = 30;
const DAY_NS = 86_400e9;
/** While a kernel is waited for: it is to be caught before it has done much. */
const KERNEL_TURN = 1000;
const TURN_MS = 8;
/** Where the kernels that are foreseen run. */
const KERNEL_HALF = 0xffff_8000_0000_0000n;
/** A turn while virtual time is far behind the host's clock: ticks that are due come one after the other. */
const LATE_SLICE = 10_000;
const LATE_NS = 1e6;
/** So far ahead of the host's clock a guest waits for it. */
const EARLY_MS = 4;
/** A turn while system calls are caught: where the guest's handlers are may change in it. */
const SYSCALL_SLICE = 20_000;
const SERIAL_LOG_BYTES = 65536;
/** So much virtual time a guest is given that halts with interrupts off. */
const DEAF_NS = 10e9;
/** The same where time is the host's. */
const DEAF_REAL_NS = 2e9;

/** A step of a halted vCPU ends where it stands when nothing has woken it for so long. */
const STEP_PATIENCE_MS = 4000;
/** Until then it looks this often. */
const STEP_LOOK_MS = 50;
/** Characters that breakpoints print in one turn. */
const MAX_PRINTED = 0x10000;

/** What stops one vCPU where they stop each by itself; all else is the whole guest's. */
const STOPS_ONE: ReadonlySet<D.StopReason['kind']> = new Set(['breakpoint', 'watchpoint', 'step', 'exit', 'syscall']);

/** What a debugger does to the machine, as the journal keeps it. Numbers of 64 bits are decimal. */
type Change = { vcpu: number } & (
  | { kind: 'register'; name: string; value: string }
  | { kind: 'memory'; space: D.AddressSpace; address: string; bytes: string }
  | { kind: 'vmcs'; encoding: number; value: string }
  | { kind: 'monitor'; line: string }
  | { kind: 'reset' }
);

interface Step {
  vcpu: VirtualCpu;
  within: { start: bigint; end: bigint } | undefined;
  /** Since when all who may run are halted. */
  idle: { wallMs: number; clock: number } | undefined;
}

export interface GuestOptions {
  /** Idle time passes at the pace of the wall clock. */
  paced: boolean;
  /** Virtual time follows the host's clock while the guest runs, and idle time passes at its pace. */
  followsHost?: boolean;
  /** The host's clock in ns; by default the process's own. */
  hostClock?(): number;
  /** A guest that is halted for good waits for input instead of ending. */
  waitForInput: boolean;
  /** Symbols from a file, instead of the image's. */
  symbols?: D.TargetSymbol[];
  /** Line numbers of the image or that file, and a reader of the files that they name. */
  lines?: LineTable;
  readSource?(file: string): string[] | undefined;
  /** Runs the same guest aside until its kernel has unpacked itself; undefined when none appears. */
  foreseeKernel?(): Promise<ForeseenKernel | undefined>;
  /** Release of the kernel in the image. */
  kernelRelease?: string;
  /** Told when a turn of the guest begins and ends, for who watches this thread. */
  activity?: Activity;
  /** Keeps what is needed to go back; the machine's inputs go into the same log. */
  history?: HistoryOptions;
  /** Has the machine's inputs too, and writes them to a file. */
  recorder?: Recorder;
  /** Of the recording that the history repeats. */
  recording?: RecordingFile;
  /** Stop conditions of scripts. */
  untilExits?: number;
  maxInstructions?: number;
}

/** Bytes that may wait for the guest to read them before their sender is to wait, and that are taken at most. */
const TYPED_AHEAD = 16 * 1024;
const MAX_TYPED_AHEAD = 2 ** 20;
/** Time between two looks at whether it has read. */
const ROOM_MS = 5;

/** A guest under the debugger API: run control, and views of its machine. */
export class Guest implements D.Debugger {
  readonly #listeners = new Set<(event: D.DebuggerEvent) => void>();
  readonly #view: MachineView;
  readonly #breakpoints: BreakpointTable;
  readonly #actions: BreakpointActions;
  readonly #frames = new TraceFrames();
  #syscalls: SyscallCatch | undefined;
  #printed = '';
  #unprinted = 0;
  readonly ept: D.Debugger['ept'];
  readonly vmcs: D.Debugger['vmcs'];
  readonly source: D.Debugger['source'];
  readonly os: D.Debugger['os'];
  readonly #kernel: GuestKernel;
  /** The search for a kernel that the run waits for. */
  #awaited: Promise<boolean> | undefined;
  #running = false;
  /** Why the guest stands, whatever its user says. */
  #stands: string | undefined;
  #stop: D.StopReason = { kind: 'start' };
  #stopVcpu = 0;
  #waiters: ((state: D.RunState) => void)[] = [];
  #until: { icount?: number; exit?: D.ExitCondition; kernel?: boolean } | undefined;
  #serialOut: Uint8Array[] = [];
  #serialLog: Uint8Array = new Uint8Array(0);
  #timer: NodeJS.Timeout | undefined;
  #scheduled = false;
  /** Nobody takes the serial output. */
  #outputHeld = false;
  /** Instructions of the next slice of a guest with one vCPU. */
  #slice = SHORT_SLICE;
  readonly #turns: Turns;
  /** Why the vCPU that the engine asked about stops at its breakpoint. */
  #breakpointStop: D.StopReason | undefined;
  /** vCPU that the monitor's `cpu` chose. */
  #monitorVcpu: number | undefined;
  /** A step under way. */
  #step: Step | undefined;
  /** While vCPUs stop each by itself. */
  #independent: Independent | undefined;
  readonly each: D.Debugger['each'];
  #deafSince: { progress: number; clock: number } | undefined;
  /** Going back; undefined where nothing is kept for it. */
  readonly #past: GuestHistory | undefined;
  /** What a debugger does is kept, for who repeats the run. */
  readonly #notes: RunNotes | undefined;
  readonly #recording: GuestRecording | undefined;
  /** Nothing stops the guest: it is on its way to a place in the history. */
  #passing = false;
  #paceBase: { wallMs: number; clock: number } | undefined;
  /** The host's clock, where virtual time follows it. */
  readonly #hostPace: HostPace | undefined;
  /** What virtual time was behind it, ns. */
  #lag = 0;

  /** Opens GDB stubs on this guest by QEMU's `gdbserver`, where the program has one. */
  gdbServer: ((argument: string) => Promise<string>) | undefined;

  constructor(
    readonly machine: Machine,
    readonly options: GuestOptions,
  ) {
    const view = machine.view;
    this.#view = view;
    const { breakpoints } = view;
    this.#breakpoints = new BreakpointTable({
      check: (spec, count, others) => breakpoints.check(spec, count, others),
      write: (execute, watches) => {
        breakpoints.write(execute, watches);
        if (watches.length > 0 || this.#watched) this.#watchesChanged();
        this.#watched = watches.length > 0;
        machine.pc.dma.watches = watches.map((watch) => deviceWatch(view, watch));
      },
    });
    this.#actions = new BreakpointActions(
      view,
      this.#frames,
      (text) => this.#print(text),
      () => machine.vm.icount,
    );
    // on KVM they run at once, each in its own thread or in none
    if (!machine.vm.realTime) {
      this.each = {
        independent: (on) => this.#setIndependent(on),
        resume: async (vcpus) => this.#eachResume(vcpus),
        stop: async (vcpus) => this.#eachStop(vcpus),
        step: async (vcpu, within) => this.#eachResume([vcpu], { within }),
      };
    }
    const { ept, vmcs } = view;
    if (ept) {
      this.ept = { walk: async (gpa, vcpu = this.#stopVcpu) => ept.walk(vcpu, gpa), ranges: () => ept.ranges() };
    }
    if (vmcs) {
      this.vmcs = {
        read: (vcpu) => vmcs.read(vcpu),
        write: async (vcpu, encoding, value) => {
          this.#changes({ kind: 'vmcs', vcpu, encoding, value: value.toString() });
          await vmcs.write(vcpu, encoding, value);
        },
      };
    }
    const { lines } = options;
    if (lines) {
      this.source = {
        locate: async (addresses) => addresses.map((address) => lines.lookup(address - this.#distance(address))),
        text: async (file) => options.readSource?.(file),
      };
    }
    const { vm } = machine;
    this.#turns = new Turns(vm, () => {
      if (!this.#past?.inPast) machine.afterSlice?.();
    });
    const memory = { bytes: vm.memoryBytes, view: (gpa: number, length: number) => vm.memory.read(gpa, length) };
    const walk = (gva: bigint): number | undefined => {
      const gpa = view.walk(this.#stopVcpu, gva).output;
      return gpa === undefined ? undefined : Number(gpa);
    };
    const linux = new LinuxView(memory, () => vm.now(), walk);
    const { foreseeKernel } = options;
    this.#kernel = new GuestKernel(
      linux,
      foreseeKernel && (async () => (this.#beforeKernel() ? foreseeKernel() : undefined)),
      (event) => this.#emit(event),
      vm.vcpus.length,
      options.kernelRelease,
    );
    this.os = this.#kernel.os;
    vm.breakpointFilter = (vcpu) => {
      if (this.#passing) return false;
      this.#breakpointStop = this.#stopAtBreakpoint(vcpu);
      return this.#breakpointStop !== undefined;
    };
    const { history, recorder } = options;
    if (options.followsHost && !vm.realTime)
      this.#hostPace = new HostPace(options.hostClock ?? (() => performance.now() * 1e6));
    machine.pc.journal.take('clock', (to) => vm.warpTo(to as number));
    machine.pc.journal.take('debugger', (data) => this.#repeat(JSON.parse(data as string)));
    if (vm instanceof Vm && (history || recorder)) {
      const notes = new RunNotes(machine, vm, this.#turns, () => this.#mustBeLive());
      this.#notes = notes;
      if (history) this.#past = new GuestHistory(machine, vm, this.#turns, notes, this.#historyHooks(), history);
      if (recorder) this.#recording = new GuestRecording(machine, vm, this.#turns, notes, recorder);
    }
    machine.onSerial = (bytes) => void this.#serialOut.push(bytes);
    machine.onHostInput = () => this.#wake();
    machine.onMessage = (text) => this.#emit({ type: 'message', text });
  }

  /** Idle time passes at the pace of the wall clock. */
  get #paced(): boolean {
    return this.options.paced || this.#vm.realTime || this.#hostPace !== undefined;
  }

  get #vm(): Hypervisor {
    return this.machine.vm;
  }

  onEvent(listener: (event: D.DebuggerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async info(): Promise<D.TargetInfo> {
    const { machine } = this;
    return {
      name: machine.name,
      engine: this.#vm.engine,
      image: machine.image,
      vcpus: this.#vm.vcpus.length,
      memoryBytes: this.#vm.memoryBytes,
      unavailable: {
        ...this.#view.unavailable,
        ...(this.snapshots === undefined ? { snapshots: 'KVM keeps a part of the state that it does not give' } : {}),
        ...(this.history === undefined
          ? {
              history:
                this.#vm.engine === 'kvm'
                  ? 'KVM does not run a guest the same way twice'
                  : 'nothing is kept to go back to: --history SIZE keeps it',
            }
          : {}),
        ...(this.recording === undefined ? { recording: 'the guest repeats no recording' } : {}),
        ...(this.compiler === undefined ? { compiler: 'the engine compiles nothing' } : {}),
        ...(this.source === undefined ? { source: 'the image has no line numbers (.debug_line)' } : {}),
      },
    };
  }

  async state(): Promise<D.RunState> {
    return this.#state();
  }

  #state(): D.RunState {
    return {
      running: this.#running,
      vcpu: this.#stopVcpu,
      ...(this.#running ? this.#standstill() : { stop: this.#stop }),
      icount: BigInt(this.#vm.icount),
      clock: BigInt(this.#vm.now()),
      ...(this.#past ? { position: this.#past.position } : {}),
    };
  }

  #standstill(): Pick<D.RunState, 'standstill'> {
    if (this.machine.asleep) return { standstill: 'asleep (S3)' };
    const dead = this.#vm.vcpus.every((vcpu) => vcpu.halted && !vcpu.interruptsEnabled);
    return dead ? { standstill: 'halted, interrupts off' } : {};
  }

  // ---- run control ----

  async resume(vcpus?: readonly number[]): Promise<void> {
    if (this.#running) return;
    this.#mustBeAlive();
    vcpus?.forEach((index) => void this.#vcpu(index));
    this.#turns.release(vcpus);
    this.#independent?.release(this.#vm);
    if (vcpus?.length && !vcpus.includes(this.#stopVcpu)) this.#stopVcpu = vcpus[0];
    this.#start();
  }

  async pause(): Promise<D.RunState> {
    if (this.#past?.travelling) {
      this.#past.stopped();
      return new Promise((resolve) => this.#waiters.push(resolve));
    }
    if (this.#running) this.#halt(this.#stopVcpu, { kind: 'paused' });
    return this.#state();
  }

  async step(
    vcpu: number,
    count = 1,
    within?: { start: bigint; end: bigint },
    others: readonly number[] = [],
  ): Promise<D.RunState> {
    this.#mustBeStopped();
    const target = this.#vcpu(vcpu);
    this.#vm.tell(vcpu);
    if (this.#past?.inPast) return this.#stepInPast(this.#past, target, count, within);
    this.#vm.armStep(target, count);
    this.#turns.step(target, others, this.machine.holdInterruptsOnStep);
    this.#step = { vcpu: target, within, idle: undefined };
    this.#stopVcpu = vcpu;
    return this.#untilStop(() => {
      this.#running = true;
      this.#restartPace();
      this.#armExitFilter();
      // nothing that a step of this one waits for can come
      if (target.waitsForSipi && others.length === 0) this.#halt(vcpu, { kind: 'step' });
      this.#turn();
      if (this.#running) this.#emit({ type: 'running' });
    });
  }

  /** In the past a step follows the run as it was: interrupts come where they came, and the other vCPUs run along. */
  async #stepInPast(past: GuestHistory, vcpu: VirtualCpu, count: number, within: Step['within']): Promise<D.RunState> {
    past.aimStep(vcpu, count, within && (() => this.#isWithin(vcpu, within)));
    this.#stopVcpu = vcpu.index;
    return this.#untilStop(() => this.#start());
  }

  /** Resolves at the next stop of the guest. */
  #untilStop(run: () => void): Promise<D.RunState> {
    const stopped = new Promise<D.RunState>((resolve) => this.#waiters.push(resolve));
    run();
    return stopped;
  }

  #isWithin(vcpu: VirtualCpu, { start, end }: { start: bigint; end: bigint }): boolean {
    const linear = this.#view.linearRip(vcpu.index);
    return linear >= start && linear < end;
  }

  async stepToExit(condition: D.ExitCondition = {}): Promise<D.RunState> {
    return this.runUntil({ exit: condition });
  }

  async runUntil(target: D.RunTarget): Promise<D.RunState> {
    this.#mustBeStopped();
    this.#mustBeAlive();
    const { icount } = this.#view.unavailable;
    if (target.icount !== undefined && icount !== undefined) throw new Error(icount);
    if (target.gva !== undefined) this.#breakpoints.addTemporary(target.gva);
    this.#until = {
      ...(target.icount !== undefined ? { icount: Number(target.icount) } : {}),
      ...(target.exit ? { exit: target.exit } : {}),
      ...(target.kernel ? { kernel: true } : {}),
    };
    if (this.#past?.inPast && target.icount !== undefined)
      this.#past.aim({ kind: 'icount', icount: target.icount }, { kind: 'until' });
    return this.#untilStop(() => {
      this.#turns.release();
      this.#independent?.release(this.#vm);
      this.#start();
    });
  }

  #start(): void {
    this.#running = true;
    this.#restartPace();
    this.#armExitFilter();
    this.#emit({ type: 'running' });
    this.#schedule();
  }

  /** What passes of the host's time while the guest stands passes for nobody in it. */
  #restartPace(): void {
    this.#paceBase = undefined;
    this.#hostPace?.restart();
    this.#lag = 0;
  }

  #armExitFilter(): void {
    const asked = this.#breakpoints.hasExitBreakpoints() || this.#until?.exit !== undefined;
    const limited = this.options.untilExits !== undefined && !this.#past?.inPast;
    const wanted = !this.#passing && (asked || limited);
    this.#vm.exitFilter = wanted ? (vcpu) => this.#wantsExit(vcpu) : undefined;
  }

  #exitBreakpoint: number | undefined;
  /** Memory is watched. */
  #watched = false;

  #wantsExit(vcpu: VirtualCpu): boolean {
    const record = this.#newestExit();
    this.#exitBreakpoint = this.#breakpoints.hitExit(
      record,
      // one that cannot be evaluated acts, as at other breakpoints
      (condition) => conditionHolds(this.#view, vcpu.index, condition, () => {}, record),
      (action) => this.#actions.run(vcpu.index, record.csBase + record.rip, action, record),
    )?.id;
    if (this.#exitBreakpoint !== undefined) return true;
    return this.#exitLimitReached || this.#isUntil(vcpu, record);
  }

  /** The run is to end at this exit. */
  #isUntil(vcpu: VirtualCpu, record: D.ExitRecord): boolean {
    const wanted = this.#until?.exit;
    const holds = (test: D.Condition) => conditionHolds(this.#view, vcpu.index, test, () => {}, record);
    return wanted !== undefined && exitMatches(record, wanted, holds);
  }

  get #exitLimitReached(): boolean {
    const { untilExits } = this.options;
    return untilExits !== undefined && !this.#past?.inPast && this.machine.work.exits >= untilExits;
  }

  #newestExit(): D.ExitRecord {
    return readRecord(this.#vm.host, this.#vm.host.getNumber(TRACE_SEQUENCE));
  }

  #schedule(): void {
    if (this.#scheduled || !this.#running || this.#awaited) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#turn();
    });
  }

  /** One turn of the event loop: slices for some milliseconds, then output and whatever else waits. */
  #turn(): void {
    if (!this.#running || (this.#outputHeld && !this.#step) || this.#past?.travelling) return;
    const start = performance.now();
    const { dma } = this.machine.pc;
    dma.live = true;
    this.options.activity?.turns(true);
    try {
      if (this.#past?.inPast) {
        this.#breakpoints.flush();
        this.#past.turn();
      } else
        do {
          if (dma.hit) {
            this.#stopAtDeviceAccess(dma);
            break;
          }
          if (this.#vm.end?.kind === 'resumed') this.machine.resume();
          const places = this.#syscalls?.places();
          if (places) this.#breakpoints.setPlaces(places);
          this.#breakpoints.flush();
          this.#notes?.control();
          const began = performance.now();
          const turn = this.#turns.take(this.#sliceLength());
          this.#pace(performance.now() - began);
          if (turn === undefined) {
            this.#checkWork(this.#vm.vcpus[0]);
            if (!this.#running || this.#idle(this.#vm.board.nextDeadline()) === 'wait') break;
            continue;
          }
          const { vcpu, end } = turn;
          if (end.kind === 'idle') continue;
          if (this.#step?.vcpu === vcpu) this.#step.idle = undefined;
          if (end.kind !== 'limit') this.#afterSlice(vcpu, end);
          else this.#checkLimits(vcpu);
          if (this.#hostPace && this.#running && !this.#step && this.#followHost(this.#hostPace) === 'wait') break;
        } while (this.#running && !this.#awaited && performance.now() - start < TURN_MS);
      if (this.#running && !this.#past?.inPast) (this.#past ?? this.#recording)?.afterTurn();
    } catch (error) {
      this.#vm.finish(this.#errorEnd(error as Error));
      this.machine.lastError = error as Error;
      this.#halt(this.#stopVcpu, this.#ended());
    } finally {
      dma.live = false;
    }
    this.options.activity?.turns(false);
    this.#flushPrinted();
    this.#flushSerial();
    if (this.#running && !this.#timer) this.#schedule();
  }

  /** Moves virtual time towards the host's clock, or waits for that. */
  #followHost(pace: HostPace): 'go on' | 'wait' {
    const vm = this.#vm;
    const now = vm.now();
    this.#lag = pace.target(now) - now;
    if (-this.#lag > EARLY_MS * 1e6 && !this.#awaited) return this.#sleep(-this.#lag / 1e6);
    const to = pace.move(now, vm.board.nextDeadline());
    if (to !== undefined) this.machine.pc.journal.input('clock', to);
    return 'go on';
  }

  /** An error is the program's own, but where a recording is not of a run of this machine. */
  #errorEnd(error: Error): GuestEnd {
    const { message } = error;
    if (this.#past?.isRecorded && (error instanceof Divergence || error instanceof StateError))
      return { kind: 'error', status: 1, message: `the recording does not fit: ${message}` };
    return { kind: 'error', status: 3, message: `engine: ${message}` };
  }

  /** Sets the next slice's length by how long the last one took. A turn of one of several vCPUs is part of the run and stays. */
  #pace(ms: number): void {
    if (ms > SLICE_MS) this.#slice = Math.max(SHORT_SLICE, this.#slice >> 1);
    else if (ms < SLICE_MS / 2 && this.#slice < SLICE) this.#slice = Math.min(SLICE, this.#slice << 1);
  }

  #sliceLength(): number {
    const own = this.#lag > LATE_NS ? Math.min(LATE_SLICE, this.#slice) : this.#slice;
    const one = this.#syscalls ? Math.min(SYSCALL_SLICE, own) : own;
    const turn = this.#until?.kernel ? KERNEL_TURN : one;
    const until = this.#until?.icount ?? Number.POSITIVE_INFINITY;
    const max = this.options.maxInstructions ?? Number.POSITIVE_INFINITY;
    return Math.max(0, Math.min(turn, until - this.#vm.icount, max - this.machine.work.icount));
  }

  #mayStandInKernel(vcpu: VirtualCpu): boolean {
    this.#vm.synchronize();
    return this.#kernel.linux.isWorthSearching(this.#view.linearRip(vcpu.index));
  }

  /** Looks for a kernel while the guest stands still; ends the run there, or lets it go on. */
  #haltIfKernel(vcpu: VirtualCpu): void {
    const search = this.#kernel.find();
    this.#awaited = search;
    void search.then((found) => {
      // a pause has given the search up
      if (this.#awaited !== search) return;
      this.#awaited = undefined;
      if (found) this.#halt(vcpu.index, { kind: 'until' });
      else this.#schedule();
    });
  }

  #checkLimits(vcpu: VirtualCpu): void {
    if (this.#until?.icount !== undefined && this.#vm.icount >= this.#until.icount)
      this.#halt(vcpu.index, { kind: 'until' });
    else if (this.#until?.kernel && this.#mayStandInKernel(vcpu)) this.#haltIfKernel(vcpu);
    else this.#checkWork(vcpu);
  }

  /** Limits over all that the guest has done, its resets included. */
  #checkWork(vcpu: VirtualCpu): void {
    const { maxInstructions } = this.options;
    const { work } = this.machine;
    const limit = (message: string) => this.#halt(vcpu.index, { kind: 'limit', message });
    if (this.#exitLimitReached) limit(`${work.exits} VM exits`);
    else if (maxInstructions !== undefined && work.icount >= maxInstructions) limit(`${work.icount} instructions`);
    else if (this.#vm.now() >= END_OF_TIME) limit(`${Math.floor(END_OF_TIME / DAY_NS)} days of virtual time`);
  }

  /** What a slice's end has come to that stops the guest, of what a debugger asked for. */
  #metBy(vcpu: VirtualCpu, end: SliceEnd): D.StopReason | undefined {
    switch (end.kind) {
      case 'breakpoint': {
        const stop = this.#breakpointStop ?? this.#stopAtBreakpoint(vcpu);
        this.#breakpointStop = undefined;
        // without one the vCPU goes on from there
        return stop;
      }
      case 'watchpoint':
        return this.#watchStop(vcpu);
      case 'exit': {
        const exit = this.#newestExit();
        const id = this.#exitBreakpoint;
        const asked = id !== undefined || this.#isUntil(vcpu, exit);
        return asked ? { kind: 'exit', exit, ...(id === undefined ? {} : { id }) } : undefined;
      }
      case 'entry-failed':
        return this.#view.entryFailures?.(vcpu.index) ?? { kind: 'paused' };
      default:
        return undefined;
    }
  }

  #afterSlice(vcpu: VirtualCpu, end: SliceEnd): void {
    const met = this.#metBy(vcpu, end);
    if (met) this.#halt(vcpu.index, met);
    else if (end.kind === 'exit') this.#checkWork(vcpu);
    if (end.kind === 'step') {
      const within = this.#independent ? this.#independent.within(vcpu) : this.#step?.within;
      if (within !== undefined && this.#isWithin(vcpu, within)) this.#vm.armStep(vcpu, 1);
      else this.#halt(vcpu.index, { kind: 'step' });
    }
    if (end.kind !== 'ended') return;
    if (this.machine.outlives()) this.#checkWork(vcpu);
    else this.#halt(vcpu.index, this.#ended());
    // a step ends where the guest's reset has led
    if (this.#step) this.#halt(this.#step.vcpu.index, { kind: 'step' });
  }

  /** Why a vCPU at a breakpoint is to stop there; undefined when no condition holds. */
  #stopAtBreakpoint(vcpu: VirtualCpu): D.StopReason | undefined {
    const gva = this.#view.linearRip(vcpu.index);
    let failure: string | undefined;
    const hit = this.#breakpoints.hitAt(
      gva,
      (condition) =>
        conditionHolds(this.#view, vcpu.index, condition, (why) => {
          failure ??= why;
        }),
      (action) => this.#actions.run(vcpu.index, gva, action),
    );
    const call = this.#syscalls?.at(gva, vcpu.index);
    if (hit === undefined && call !== undefined) return call;
    if (hit) return { kind: 'breakpoint', id: hit.id, gva, ...(failure === undefined ? {} : { failure }) };
    return this.#breakpoints.isTemporary(gva) ? { kind: 'until' } : undefined;
  }

  #ended(): D.StopReason {
    const end = this.#vm.end as GuestEnd;
    return { kind: 'ended', end, ...(end.kind === 'triple-fault' ? { faults: this.#view.faultChain() } : {}) };
  }

  /** A device has reached what is watched. Where a vCPU stops at the same moment that is told, and this is dropped. */
  #stopAtDeviceAccess(dma: DeviceView): void {
    const stop = this.#deviceStop(dma);
    if (stop) this.#halt(this.#stopVcpu, stop);
  }

  #deviceStop(dma: DeviceView): D.StopReason | undefined {
    const { hit } = dma;
    dma.hit = undefined;
    const breakpoint = hit && this.#breakpoints.get(hit.id);
    if (!breakpoint) return undefined;
    breakpoint.hits++;
    return { kind: 'watchpoint', ...(hit as DeviceHit), by: 'device' };
  }

  #watchStop(vcpu: VirtualCpu): D.StopReason {
    const hit = this.#view.takeWatchHit(vcpu.index);
    const breakpoint = this.#breakpoints.get(hit.id);
    if (breakpoint) breakpoint.hits++;
    return { kind: 'watchpoint', ...hit };
  }

  /** Every vCPU is halted: time warps to the next deadline, or passes at the wall clock's pace. */
  #idle(deadline: number | undefined): 'go on' | 'wait' {
    const { waitsForHost } = this.machine;
    const waits = this.#step && this.#stepWaits(this.#step, deadline);
    if (waits !== undefined) return waits;
    if (!this.#step && this.machine.showLastCharacter()) return 'go on';
    if (deadline === undefined || (!this.options.paced && !waitsForHost && this.#deaf(deadline))) {
      if (this.options.waitForInput || waitsForHost || this.#turns.partial) return this.#sleep(1000);
      this.#vm.finish(this.machine.haltedForever());
      this.#halt(this.#stopVcpu, this.#ended());
      return 'wait';
    }
    if (!this.#paced && !waitsForHost) this.#paceBase = undefined;
    else {
      const clock = this.#vm.now();
      const waitMs = this.#hostPace
        ? (deadline - this.#hostPace.target(clock)) / 1e6
        : this.#waitOf(clock, deadline, performance.now());
      if (this.#step && waitMs > STEP_LOOK_MS) return this.#sleep(STEP_LOOK_MS);
      if (waitMs >= 1) return this.#sleep(waitMs, () => this.#vm.warpTo(deadline));
    }
    this.#vm.warpTo(deadline);
    return 'go on';
  }

  /** Milliseconds until a deadline at the pace of the wall clock: a guest that fell behind it does not hurry to catch up. */
  #waitOf(clock: number, deadline: number, wallMs: number): number {
    const base = (this.#paceBase ??= { wallMs, clock });
    const waitMs = base.wallMs + (deadline - base.clock) / 1e6 - wallMs;
    if (waitMs < 0) this.#paceBase = { wallMs, clock: deadline };
    return waitMs;
  }

  /**
   * The stepped vCPU is halted, and so is whoever runs beside it. Undefined: time goes on for them. What the host may
   * bring is waited for in the host's time; where nothing comes, the step ends.
   */
  #stepWaits(step: Step, deadline: number | undefined): 'wait' | undefined {
    const wallMs = performance.now();
    const clock = this.#vm.now();
    step.idle ??= { wallMs, clock };
    const { index } = step.vcpu;
    if (wallMs - step.idle.wallMs > STEP_PATIENCE_MS) {
      const note = `vCPU ${index} is halted, and nothing has woken it for ${STEP_PATIENCE_MS / 1000} s`;
      this.#halt(index, { kind: 'step', note });
      return 'wait';
    }
    const late = !this.#paced && clock - step.idle.clock > DEAF_NS;
    return deadline === undefined || late ? this.#sleep(STEP_LOOK_MS) : undefined;
  }

  /** Every vCPU has been halted with interrupts off for so long that no timer's NMI or reset will come either. */
  #deaf(deadline: number): boolean {
    if (this.machine.asleep) return !this.machine.pc.canWake;
    const deaf = this.#vm.vcpus.every((vcpu) => !vcpu.interruptsEnabled);
    const progress = this.#vm.icount + this.#vm.exits;
    if (!deaf || this.#deafSince?.progress !== progress)
      this.#deafSince = deaf ? { progress, clock: this.#vm.now() } : undefined;
    const limit = this.#vm.realTime || this.#hostPace ? DEAF_REAL_NS : DEAF_NS;
    return this.#deafSince !== undefined && deadline - this.#deafSince.clock > limit;
  }

  #sleep(ms: number, then?: () => void): 'wait' {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#running) return;
      then?.();
      this.#schedule();
    }, ms);
    return 'wait';
  }

  /** Input arrived: a sleeping guest looks at it now. */
  #wake(): void {
    if (this.#timer) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    this.#schedule();
  }

  /** A vCPU has met what stops it: that is all, or the vCPU alone. */
  #halt(vcpu: number, stop: D.StopReason): void {
    if (this.#independent && STOPS_ONE.has(stop.kind)) this.#stand(this.#independent, vcpu, stop);
    else this.#haltAll(vcpu, stop);
  }

  #haltAll(vcpu: number, stop: D.StopReason): void {
    this.#past?.stopped();
    this.#vm.synchronize();
    this.#vm.tell(vcpu);
    if (this.#step) this.#vm.disarmStep(this.#step.vcpu);
    this.#step = undefined;
    this.#independent?.stop(this.#vm);
    this.#monitorVcpu = undefined;
    this.#turns.stop();
    this.#running = false;
    this.#awaited = undefined;
    this.#until = undefined;
    this.#breakpoints.clearTemporary();
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#stop = stop;
    this.#stopVcpu = vcpu;
    this.#flushPrinted();
    this.#flushSerial();
    const state = this.#state();
    this.#emit({ type: 'stopped', vcpu, stop, icount: state.icount });
    this.#lookForKernel();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve(state);
  }

  // ---- going back ----

  #historyHooks(): HistoryHooks {
    return {
      start: () => {
        this.#running = true;
        this.#breakpoints.flush();
        this.#emit({ type: 'running' });
      },
      halt: (vcpu, stop) => this.#haltAll(vcpu, stop),
      stopVcpu: () => this.#stopVcpu,
      judge: (vcpu, end) => this.#metBy(vcpu, end),
      ended: () => this.#vm.end && this.#ended(),
      deviceStop: () => this.#deviceStop(this.machine.pc.dma),
      arm: (on) => {
        this.#passing = !on;
        this.machine.pc.dma.live = on;
        this.#armExitFilter();
      },
      emit: (event) => this.#emit(event),
    };
  }

  get history(): D.Debugger['history'] {
    const past = this.#past;
    if (!past) return undefined;
    const goes = (run: () => Promise<void>): Promise<D.RunState> => {
      this.#mustBeStopped();
      return this.#untilStop(() => void run().catch(() => {}));
    };
    return {
      where: async () => past.where(),
      goTo: async (target) => {
        past.check(target);
        return goes(() => past.goTo(target));
      },
      stepBack: async (vcpu, count = 1) => {
        const target = this.#vcpu(vcpu);
        return goes(() => past.stepBack(target, count));
      },
      wrote: async (what, vcpu = this.#stopVcpu) => {
        const written = this.#written(what, this.#vcpu(vcpu).index);
        if ('read' in written) return goes(() => past.backToChange(written.read));
        this.#mustBeStopped();
        const { id } = this.#breakpoints.add({ kind: 'watch', access: 'write', ...written });
        try {
          return await goes(() => past.backToWatch(id));
        } finally {
          this.#breakpoints.remove(id);
        }
      },
      bookmark: async (name) => {
        this.#mustBeStopped();
        return past.bookmark(name);
      },
      bookmarks: async () => past.bookmarks(),
      continueBack: async () => goes(() => past.continueBack()),
      previousExit: async (condition = {}) => {
        this.#mustBeStopped();
        this.#until = { exit: condition };
        return goes(() => past.previousExit());
      },
    };
  }

  /** Where something stands that a watchpoint can watch, or how its value is read. @throws Error when it is nowhere */
  #written(
    what: D.Written,
    vcpu: number,
  ): { space: 'gva' | 'gpa'; address: bigint; length: number } | { read: () => bigint | undefined } {
    const view = this.#view;
    switch (what.kind) {
      case 'memory':
        return { space: what.space, address: what.address, length: what.length };
      case 'register':
        if (!Object.hasOwn(view.readRegisters(vcpu, [what.name]), what.name))
          throw new Error(`there is no register ${what.name}`);
        return { read: () => view.readRegisters(vcpu, [what.name])[what.name] };
      case 'vmcs':
        if (view.vmcsField?.(vcpu, what.encoding) === undefined)
          throw new Error(`there is no VMCS field 0x${what.encoding.toString(16)}`);
        return { read: () => view.vmcsField?.(vcpu, what.encoding) };
      case 'pte': {
        const { levels, mode } = view.walk(vcpu, what.gva);
        const entry = levels.at(-1);
        if (!entry) throw new Error('paging is off: there is no entry');
        return { space: 'gpa', address: entry.entryAddress, length: mode === '32-bit' ? 4 : 8 };
      }
      case 'ept': {
        const address = view.ept?.walk(vcpu, what.gpa).levels.at(-1)?.entryAddress;
        if (address === undefined) throw new Error('there is no EPT');
        const bytes = (): Buffer => Buffer.from(view.readMemory(vcpu, 'hpa', address, 8));
        // accessed and dirty flags aside, which each access sets
        return { read: () => bytes().readBigUInt64LE() & ~0x300n };
      }
      case 'idt':
      case 'gdt': {
        const table = `${what.kind}r_base`;
        const long = (view.readRegisters(vcpu, ['efer']).efer & 0x400n) !== 0n;
        const length = what.kind === 'idt' && long ? 16 : 8;
        const address = view.readRegisters(vcpu, [table])[table] + BigInt(what.index * length);
        return { space: 'gva', address, length };
      }
    }
  }

  #mustBeLive(): void {
    if (this.#past?.isRecorded) throw new Error('the guest repeats a recording, where nothing changes');
    if (this.#past?.inPast) throw new Error('the guest stands in its past, where nothing changes: monitor goto end');
  }

  /** To watch memory, or other memory, drops translations, which may show in the guest's paging structures. */
  #watchesChanged(): void {
    if (!this.#past?.inPast) this.#notes?.dropTranslations();
  }

  /** What a debugger is about to do to the machine belongs to the run. @throws Error in the past, which is as it was */
  #changes(change: Change | 'flush'): void {
    if (!this.#notes) return;
    this.#mustBeLive();
    if (change === 'flush') this.#notes.flush();
    else this.#notes.change(change);
  }

  /** Does again what `#changes` was told of. What the machine refused then it refuses now. */
  #repeat(change: Change): void {
    try {
      this.#perform(change);
    } catch {}
  }

  #perform(change: Change): number {
    const view = this.#view;
    const { index } = this.#vcpu(change.vcpu);
    switch (change.kind) {
      case 'register':
        view.writeRegister(index, change.name, BigInt(change.value));
        this.#vm.vcpus[index].woken = true;
        return 0;
      case 'memory': {
        const { space, address, bytes } = change;
        return view.writeMemory(index, space, BigInt(address), Buffer.from(bytes, 'hex'));
      }
      case 'vmcs':
        void view.vmcs?.write(index, change.encoding, BigInt(change.value));
        return 0;
      case 'reset':
        this.machine.reset();
        return 0;
      case 'monitor':
        deviceCommand(this.machine, change.line, (text) => number(view, index, text));
        return 0;
    }
  }

  // ---- vCPUs each by itself ----

  async #setIndependent(on: boolean): Promise<void> {
    if (on === (this.#independent !== undefined)) return;
    if (on) {
      this.#independent = new Independent();
      if (!this.#running) this.#independent.stop(this.#vm);
    } else {
      if (this.#running) this.#haltAll(this.#stopVcpu, { kind: 'paused' });
      this.#independent = undefined;
    }
  }

  #eachResume(vcpus: readonly number[], step?: { within: Step['within'] }): void {
    const independent = this.#mustBeIndependent();
    this.#mustBeAlive();
    for (const index of vcpus) {
      const vcpu = this.#vcpu(index);
      if (step) {
        this.#vm.tell(index);
        this.#vm.armStep(vcpu, 1);
      }
      independent.go(vcpu, step, this.machine.holdInterruptsOnStep);
    }
    if (this.#running) {
      this.#wake();
      return;
    }
    independent.hold(this.#vm);
    if (vcpus.length > 0) this.#start();
  }

  #eachStop(vcpus: readonly number[]): void {
    const independent = this.#mustBeIndependent();
    for (const index of vcpus) {
      if (!independent.standing.has(this.#vcpu(index).index)) this.#stand(independent, index, { kind: 'paused' });
    }
  }

  #stand(independent: Independent, index: number, stop: D.StopReason): void {
    this.#vm.synchronize();
    this.#vm.tell(index);
    const vcpu = this.#vcpu(index);
    this.#vm.disarmStep(vcpu);
    independent.stand(vcpu);
    this.#stopVcpu = index;
    this.#flushSerial();
    this.#emit({ type: 'vcpu-stopped', vcpu: index, stop });
    if (independent.standing.size === this.#vm.vcpus.length) this.#haltAll(index, stop);
  }

  #mustBeIndependent(): Independent {
    if (!this.#independent) throw new Error('the vCPUs do not stop each by itself');
    return this.#independent;
  }

  #mustBeStopped(): void {
    if (this.#stands !== undefined) throw new Error(`${this.#stands}: the guest stands until that is done`);
    if (this.#running) throw new Error('the guest is running');
  }

  #mustBeAlive(): void {
    if (this.#stands !== undefined) throw new Error(`${this.#stands}: the guest stands until that is done`);
    if (this.#vm.end) throw new Error(`the guest has ended: ${this.#vm.end.message}`);
  }

  #vcpu(index: number): VirtualCpu {
    const vcpu = this.#vm.vcpus[index];
    if (!vcpu) throw new Error(`no vCPU ${index}`);
    return vcpu;
  }

  // ---- state ----

  async readRegisters(vcpu: number, names?: readonly string[]): Promise<D.RegisterFile> {
    return this.#view.readRegisters(this.#vcpu(vcpu).index, names);
  }

  async writeRegister(vcpu: number, name: string, value: bigint): Promise<void> {
    const { index } = this.#vcpu(vcpu);
    const change: Change = { kind: 'register', vcpu: index, name, value: value.toString() };
    this.#changes(change);
    this.#perform(change);
  }

  async readMemory(space: D.AddressSpace, address: bigint, length: number, vcpu = this.#stopVcpu): Promise<Uint8Array> {
    return this.#view.readMemory(this.#vcpu(vcpu).index, space, address, length);
  }

  async writeMemory(space: D.AddressSpace, address: bigint, bytes: Uint8Array, vcpu = this.#stopVcpu): Promise<number> {
    const { index } = this.#vcpu(vcpu);
    const hex = Buffer.from(bytes).toString('hex');
    this.#changes({ kind: 'memory', vcpu: index, space, address: address.toString(), bytes: hex });
    return this.#view.writeMemory(index, space, address, bytes);
  }

  async walk(gva: bigint, vcpu = this.#stopVcpu): Promise<D.PageWalk> {
    return this.#view.walk(this.#vcpu(vcpu).index, gva);
  }

  async addBreakpoint(spec: D.BreakpointSpec, label?: string): Promise<D.Breakpoint> {
    this.#vm.synchronize();
    const breakpoint = this.#breakpoints.add(spec, label);
    this.#armExitFilter();
    return breakpoint;
  }

  async removeBreakpoint(id: number): Promise<boolean> {
    this.#vm.synchronize();
    const removed = this.#breakpoints.remove(id);
    this.#armExitFilter();
    return removed;
  }

  async enableBreakpoint(id: number, enabled: boolean): Promise<boolean> {
    this.#vm.synchronize();
    const found = this.#breakpoints.enable(id, enabled);
    this.#armExitFilter();
    return found;
  }

  async breakpoints(): Promise<D.Breakpoint[]> {
    return this.#breakpoints.list();
  }

  async symbols(): Promise<D.TargetSymbol[]> {
    await this.#kernel.find();
    const kernel = this.#kernel.symbols;
    const { symbols: file } = this.options;
    if (file !== undefined) {
      // the file knows the kernel's symbols, but none of its modules
      const own = relocated(file, this.#kernel.info?.base);
      const names = new Set(own.map(({ name }) => name));
      return sized([...own, ...kernel.filter(({ name }) => !names.has(name))]);
    }
    // where the image is the kernel itself, its own table knows the addresses after relocation
    const image = this.machine.symbols.filter(({ address }) => kernel.length === 0 || address < kernel[0].address);
    return [...image, ...kernel];
  }

  /** How far KASLR moved the code at an address from where the file of symbols has it. */
  #distance(address: bigint): bigint {
    const linked = this.options.symbols?.find(({ name }) => name === '_text')?.address;
    const base = linked === undefined ? undefined : this.#kernel.info?.base;
    return base === undefined || address < base ? 0n : base - (linked as bigint);
  }

  /** The kernel's image is still being unpacked: nothing of it, or of a process, has run. */
  #beforeKernel(): boolean {
    this.#vm.synchronize();
    return this.#vm.vcpus.every(({ index }) => {
      const { ss_ar } = this.#view.readRegisters(index, ['ss_ar']);
      return this.#view.linearRip(index) < KERNEL_HALF && ((ss_ar >> 5n) & 3n) === 0n;
    });
  }

  /** Looks for a kernel once the guest stands in one, after the stop was told. */
  #lookForKernel(): void {
    if (!this.#kernel.linux.isWorthSearching(this.#view.linearRip(this.#stopVcpu))) return;
    setImmediate(() => {
      if (this.#running) return;
      void this.#kernel.find().then((found) => {
        if (found) this.#emit({ type: 'symbols' });
      });
    });
  }

  readonly tracing = {
    start: async (options: D.TraceOptions): Promise<void> => this.#frames.start(options),
    stop: async (): Promise<void> => this.#frames.stop(),
    status: async (): Promise<D.TraceStatus> => this.#frames.status,
    frame: async (index: number): Promise<D.TraceFrame | undefined> => this.#frames.at(index),
    list: async (): Promise<{ tracepoint: number; address: bigint }[]> => this.#frames.list(),
    variable: async (number: number): Promise<bigint | undefined> => this.#frames.variables.get(number),
  };

  readonly syscalls = {
    catch: async (wanted: { numbers?: number[] } | undefined): Promise<void> => {
      const numbers = wanted?.numbers && new Set(wanted.numbers);
      this.#syscalls = wanted && new SyscallCatch(this.#view, numbers);
      this.#breakpoints.setPlaces(new Set());
    },
  };

  get compiler(): D.Debugger['compiler'] {
    const { compilerCounters } = this.#vm;
    return compilerCounters && { counters: async () => compilerCounters() };
  }

  readonly exits = {
    records: async (after: number, max: number): Promise<D.ExitRecord[]> => readTrace(this.#vm.host, after, max),
    controls: async (sequence: number): Promise<{ encoding: number; value: bigint }[] | undefined> =>
      this.#view.controlsAt?.(sequence),
    counts: async (): Promise<Record<string, number>> => this.exitCounts(),
  };

  async totals(): Promise<D.Totals> {
    const { work } = this.machine;
    return {
      icount: BigInt(work.icount),
      clock: BigInt(Math.floor(work.clockNs)),
      resets: work.resets,
      exits: this.exitCounts((reason) => work.exitCount(reason)),
    };
  }

  /** Exits so far by reason name, most frequent first. */
  exitCounts(countOf = (reason: number) => this.#vm.exitCount(reason)): Record<string, number> {
    const rows = [...EXIT_REASONS, EMULATED_BY_VMSCOPE].map(({ number }): [string, number] => [
      exitReasonName(number),
      countOf(number),
    ]);
    rows.push(...Object.entries(this.#view.ownExits?.() ?? {}));
    return Object.fromEntries(rows.filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]));
  }

  readonly console = {
    serialLog: async (): Promise<Uint8Array> => this.#serialLog,
    serialInput: async (bytes: Uint8Array): Promise<void> => {
      const { machine } = this;
      this.#mustBeLive();
      const waiting = machine.inputWaiting;
      if (waiting + bytes.length > MAX_TYPED_AHEAD)
        throw new Error(`the guest does not read its serial port, where ${waiting} bytes wait: no more is taken`);
      machine.serialInput(bytes);
      this.#wake();
      while (machine.inputWaiting > TYPED_AHEAD && !this.#vm.end) await later(ROOM_MS);
    },
    holdOutput: async (held: boolean): Promise<void> => {
      this.#outputHeld = held;
      this.#wake();
    },
    key: async (name: string): Promise<void> => {
      this.#mustBeLive();
      this.machine.key(name);
      this.#wake();
    },
    screen: async (): Promise<D.VgaText | undefined> => this.machine.screen(),
    picture: async (width?: number, height?: number): Promise<D.Picture> =>
      this.machine.picture(width === undefined || height === undefined ? undefined : { width, height }),
    screendump: async (path: string, format = formatOf(path)): Promise<D.ScreenDump> => {
      const picture = this.machine.picture();
      const { mode, width, height } = picture;
      return { file: writePicture(path, picture, format), format, mode, width, height };
    },
  };

  async devices(): Promise<{ name: string; rows: [string, string][] }[]> {
    return this.machine.devices();
  }

  async monitor(line: string, vcpu = this.#monitorVcpu ?? this.#stopVcpu): Promise<string | undefined> {
    const stub = /^\s*gdbserver(?:\s+(.*?))?\s*$/.exec(line);
    if (stub && this.gdbServer) return this.gdbServer(stub[1] ?? '');
    this.#vm.irqchip?.refresh();
    const { index } = this.#vcpu(vcpu);
    const read = (text: string): bigint => number(this.#view, index, text);
    try {
      const answer =
        (/^\s*balloon\b/.test(line) ? this.#mustBeLive() : undefined) ??
        balloonCommand(this.machine, line) ??
        saveCommand(this.#view, index, line, read, this.#vm.memoryBytes) ??
        (await this.migration.command(line)) ??
        (await this.#saved.command(line));
      if (answer !== undefined) return answer;
      if (/^\s*(?:[io]\s*\/|nmi\b|sendkey\b|system_powerdown\b)/.test(line))
        this.#changes({ kind: 'monitor', vcpu: index, line });
      const device = deviceCommand(this.machine, line, read);
      if (device !== undefined) {
        // a port that was written, a key or an NMI may wake who sleeps
        this.#wake();
        return device;
      }
    } catch (error) {
      return `${shownCommand(line)}: ${(error as Error).message}`;
    }
    const text = await monitorCommand(
      this,
      this.#view,
      index,
      line,
      this.machine.options.drives ?? [],
      this.machine.pc.pc,
      (index) => {
        this.#monitorVcpu = index;
      },
    );
    // names of tasks, messages of the kernel, names in images: a debugger's terminal shows them, and obeys none
    return text === undefined ? undefined : printableLines(text);
  }

  async dumpMemory(file: string): Promise<D.DumpResult> {
    return this.#standing(() => this.#kernel.dump(file, this.#view));
  }

  /** Work on a guest that stands until it is done. */
  async #standing<T>(work: () => Promise<T>): Promise<T> {
    const running = this.#hold('memory is being written to a file');
    try {
      return await work();
    } finally {
      this.#letGo(running);
    }
  }

  /** Stops the guest, which nobody lets run until `#letGo`. Answers whether it ran. */
  #hold(why: string): boolean {
    if (this.#stands !== undefined) throw new Error(`${this.#stands} already`);
    const running = this.#running;
    if (running) this.#halt(this.#stopVcpu, { kind: 'paused' });
    this.#stands = why;
    return running;
  }

  #letGo(run: boolean): void {
    this.#stands = undefined;
    if (run) this.#start();
  }

  /** What a migration needs of this guest, at either end. */
  readonly moving: MovingGuest = this.#asMoving();
  readonly migration = new Migrations(this.moving);
  readonly #saved = new SavedMachines(this.moving, () => Math.floor(Date.now() / 1000));

  #asMoving(): MovingGuest {
    const guest = this;
    return {
      get machine() {
        return guest.machine;
      },
      get runs() {
        return [guest.#turns];
      },
      get ended() {
        return guest.#vm.end?.message;
      },
      get away() {
        const { end } = guest.#vm;
        return end?.kind === 'migrated' ? end.message : undefined;
      },
      stand: (why) => {
        // to save is an event of the run
        this.#changes('flush');
        return this.#hold(why);
      },
      replaced: () => this.#recording?.finish('another state is loaded'),
      release: (run) => this.#letGo(run),
      moved: (message) => {
        this.#stands = undefined;
        this.#vm.finish({ kind: 'migrated', status: 0, message });
        this.#emit({ type: 'message', text: message });
        this.#haltAll(this.#stopVcpu, this.#ended());
      },
      arrived: () => {
        this.#past?.restart();
        this.machine.pc.loseConnections();
        this.#kernel.forget();
        this.#halt(0, { kind: 'start' });
      },
      onceRunning: (call) => {
        const off = this.onEvent(({ type }) => {
          if (type !== 'running') return;
          off();
          call();
        });
      },
      tell: (text) => this.#emit({ type: 'message', text }),
    };
  }

  get recording(): D.Debugger['recording'] {
    const { recording } = this.options;
    const past = this.#past;
    if (!recording || !past) return undefined;
    return {
      about: async () => ({ file: recording.path, whole: recording.recordedEnd !== undefined }),
      compare: async () => compareEnd(this.machine, past.history, [this.#turns], recording),
    };
  }

  get snapshots(): D.Debugger['snapshots'] {
    if (this.#vm.engine === 'kvm') return undefined;
    return { save: (file) => this.#save(file), load: (file) => this.#load(file) };
  }

  async #save(file: string): Promise<D.SavedState> {
    return this.#standing(async () => {
      if (!this.#past?.inPast) this.#changes('flush');
      const saved = saveMachine(this.machine, [this.#turns]);
      const path = await inSlices(writeState(file, saved, this.#vm.host.bytes), () => {});
      return { file: path, memoryBytes: this.#vm.memoryBytes, icount: BigInt(this.#vm.icount) };
    });
  }

  async #load(file: string): Promise<void> {
    if (this.#running) this.#halt(this.#stopVcpu, { kind: 'paused' });
    this.#mustBeStopped();
    this.#mustBeHere();
    // a recording may begin with a state, which is nobody's change
    if (this.#vm.icount > 0 && this.#past?.isRecorded) this.#mustBeLive();
    const { state, frames } = readState(file);
    if (this.#vm.icount > 0) this.#recording?.finish('another state is loaded');
    try {
      loadMachine(this.machine, state, frames, [this.#turns]);
    } catch (error) {
      throw error instanceof StateError ? new StateError(`${file}: ${error.message}`) : error;
    }
    this.#past?.restart();
    this.#kernel.forget();
    this.#halt(0, { kind: 'start' });
  }

  /** A guest that was moved away has given up its disks. */
  #mustBeHere(): void {
    if (this.#stands !== undefined) throw new Error(`${this.#stands}: the guest stands until that is done`);
    if (this.#vm.end?.kind === 'migrated') throw new Error(this.#vm.end.message);
  }

  async reset(): Promise<void> {
    this.#mustBeHere();
    if (this.#past?.isRecorded) this.#mustBeLive();
    const running = this.#running;
    if (running) this.#halt(0, { kind: 'paused' });
    this.#past?.rejoin();
    this.#changes({ kind: 'reset', vcpu: 0 });
    this.machine.reset();
    this.#kernel.forget();
    this.#stop = { kind: 'start' };
    this.#emit({ type: 'stopped', vcpu: 0, stop: this.#stop, icount: 0n });
    if (running) await this.resume();
  }

  async quit(): Promise<void> {
    const end = { kind: 'powered-off', status: 0, message: 'the guest was ended' } as const;
    // whoever runs this guest learns that somebody else has ended it
    if (this.#running || this.#stop.kind !== 'ended') this.#haltAll(this.#stopVcpu, { kind: 'ended', end });
    this.#listeners.clear();
    if (this.#recording?.done === false) {
      this.#past?.rejoin();
      this.#recording.finish();
    }
    this.machine.close();
  }

  // ---- serial output ----

  #flushSerial(): void {
    if (this.#serialOut.length === 0) return;
    const bytes = concatenate(this.#serialOut);
    this.#serialOut = [];
    const log = concatenate([this.#serialLog, bytes]);
    this.#serialLog = log.length > SERIAL_LOG_BYTES ? log.slice(log.length - SERIAL_LOG_BYTES) : log;
    this.#emit({ type: 'serial', bytes });
  }

  /** What breakpoints print in a turn; a client that prints in the guest's hottest loop gets a part of it. */
  #print(text: string): void {
    if (this.#printed.length < MAX_PRINTED) this.#printed += text;
    else this.#unprinted++;
  }

  #flushPrinted(): void {
    if (this.#printed === '') return;
    const lost = this.#unprinted > 0 ? `<${this.#unprinted} more were too many>\n` : '';
    const text = this.#printed + lost;
    this.#printed = '';
    this.#unprinted = 0;
    this.#emit({ type: 'printed', text });
  }

  #emit(event: D.DebuggerEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());

function concatenate(parts: Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
