import { EMULATED_BY_VMSCOPE, EXIT_REASONS, exitReasonName } from '../../spec/vmx/exit-reasons.js';
import type { ScreenServer } from '../debug/monitor-vnc.js';
import { readTrace } from '../debug/trace-reader.js';
import type * as D from '../debugger.js';
import type { Machine } from '../vmm/machine.js';
import { consoleGroup } from './guest/console.js';
import { exitAnalysis } from './guest/exit-analysis.js';
import { MemoryHeat } from './guest/heat.js';
import { KeptRun } from './guest/kept-run.js';
import { GuestKernelWatch } from './guest/kernel-watch.js';
import { monitorLine } from './guest/monitor-line.js';
import { Moves } from './guest/moves.js';
import type { GuestOptions } from './guest/options.js';
import { GuestOutput } from './guest/output.js';
import { Pace } from './guest/pace.js';
import type { GuestParts } from './guest/parts.js';
import { RunControl } from './guest/run-control.js';
import { RunLoop } from './guest/run-loop.js';
import { runState } from './guest/run-state.js';
import { RunStatus } from './guest/status.js';
import { Stops } from './guest/stops.js';
import { historyGroup } from './guest/travel.js';
import type { Migrations } from './migration/migrations.js';
import type { MovingGuest } from './migration/moving-guest.js';
import { compareEnd } from './recording/guest-recording.js';
import { ownThreadTimes } from './thread-times.js';
import { Turns } from './turns.js';

export type { GuestOptions } from './guest/options.js';

/** A guest under the debugger API: its rooms in `guest/`, put together. */
export class Guest implements D.Debugger {
  readonly #parts: GuestParts;
  readonly #run: RunControl;
  readonly #loop: RunLoop;
  readonly #moves: Moves;
  readonly ept: D.Debugger['ept'];
  readonly vmcs: D.Debugger['vmcs'];
  readonly source: D.Debugger['source'];
  readonly types: NonNullable<D.Debugger['types']>;
  readonly os: D.Debugger['os'];
  readonly each: D.Debugger['each'];
  readonly history: D.Debugger['history'];
  readonly console: NonNullable<D.Debugger['console']>;

  /** Opens GDB stubs on this guest by QEMU's `gdbserver`, where the program has one. */
  gdbServer: ((argument: string) => Promise<string>) | undefined;

  /** Shows its screen to others, where the program does that. */
  screenServer: ScreenServer | undefined;

  readonly #analysis: ReturnType<typeof exitAnalysis>;

  constructor(
    readonly machine: Machine,
    readonly options: GuestOptions,
  ) {
    const { vm, view } = machine;
    const status = new RunStatus(vm);
    const output = new GuestOutput((event) => status.emit(event));
    const turns: Turns = new Turns(vm, () => {
      if (!kept.inPast && !kept.onBranch) machine.afterSlice?.();
    });
    const kept: KeptRun = new KeptRun(machine, turns, status, options);
    const stops = new Stops(machine, options, kept, (text) => output.print(text));
    const kernel = new GuestKernelWatch(machine, options, status);
    const parts: GuestParts = { machine, options, status, turns, stops, output, kept, kernel, pace: new Pace() };
    const loop = new RunLoop(parts);
    this.#parts = parts;
    this.#loop = loop;
    this.#run = new RunControl(parts, loop);
    this.#moves = new Moves(parts, loop);
    this.console = consoleGroup(machine, output, kept, loop);
    this.history = kept.past && historyGroup(kept.past, machine, status, stops, () => this.#run.runUntil({}));
    this.source = kernel.code.source;
    this.types = kernel.code.types;
    this.os = kernel.kernel.os;
    this.#analysis = exitAnalysis(machine, this.os);
    // on KVM they run at once, each in its own thread or in none
    if (!vm.realTime) {
      const { each } = loop;
      this.each = {
        independent: async (on) => each.set(on),
        resume: async (vcpus) => each.resume(vcpus),
        stop: async (vcpus) => each.stop(vcpus),
        step: async (vcpu, within) => each.resume([vcpu], { within }),
      };
    }
    const { ept, vmcs } = view;
    if (ept) {
      const heat = new MemoryHeat(machine);
      this.ept = {
        walk: async (gpa, vcpu = status.vcpu) => ept.walk(vcpu, gpa),
        ranges: () => ept.ranges(),
        heat: async (first, bytes, cells, anew = false) => heat.look(first, bytes, cells, anew),
      };
    }
    if (vmcs) {
      this.vmcs = {
        read: (vcpu) => vmcs.read(vcpu),
        write: async (vcpu, encoding, value) => {
          const change = { kind: 'vmcs', vcpu, encoding, value: value.toString() } as const;
          await kept.make(change, () => vmcs.write(vcpu, encoding, value));
        },
      };
    }
    machine.onSerial = (bytes) => {
      output.serial(bytes);
      kept.past?.prints(bytes);
    };
    machine.onHostInput = () => loop.wake();
    machine.onMessage = (text) => status.emit({ type: 'message', text });
  }

  onEvent(listener: (event: D.DebuggerEvent) => void): () => void {
    return this.#parts.status.onEvent(listener);
  }

  async info(): Promise<D.TargetInfo> {
    const { machine } = this;
    const { vm } = machine;
    return {
      name: machine.name,
      engine: vm.engine,
      image: machine.image,
      vcpus: vm.vcpus.length,
      memoryBytes: vm.memoryBytes,
      clock: this.#clock,
      unavailable: {
        ...machine.view.unavailable,
        ...(vm.unsavable === undefined ? {} : { snapshots: vm.unsavable }),
        ...(this.history === undefined
          ? {
              history:
                vm.engine === 'kvm'
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

  get #clock(): D.GuestClock {
    const { realTime, instructionNs } = this.machine.vm;
    if (realTime) return { kind: 'host' };
    return { kind: this.options.followsHost ? 'wall' : 'icount', instructionNs };
  }

  // ---- run control ----

  async state(): Promise<D.RunState> {
    return runState(this.#parts);
  }

  async resume(vcpus?: readonly number[]): Promise<void> {
    this.#run.resume(vcpus);
  }

  async pause(): Promise<D.RunState> {
    return this.#run.pause();
  }

  step(
    vcpu: number,
    count = 1,
    within?: { start: bigint; end: bigint },
    others: readonly number[] = [],
  ): Promise<D.RunState> {
    return this.#run.step(vcpu, count, within, others);
  }

  async stepToExit(condition: D.ExitCondition = {}): Promise<D.RunState> {
    return this.runUntil({ exit: condition });
  }

  async runUntil(target: D.RunTarget): Promise<D.RunState> {
    return this.#run.runUntil(target);
  }

  async reset(): Promise<void> {
    await this.#moves.reset();
  }

  async quit(): Promise<void> {
    const { status, kept } = this.#parts;
    const end = { kind: 'powered-off', status: 0, message: 'the guest was ended' } as const;
    // whoever runs this guest learns that somebody else has ended it
    if (status.running || status.stop.kind !== 'ended') this.#loop.haltAll(status.vcpu, { kind: 'ended', end });
    status.forgetListeners();
    if (kept.recording?.done === false) {
      kept.past?.toTrunk();
      kept.recording.finish();
    }
    this.machine.close();
  }

  // ---- state ----

  get #vcpu(): number {
    return this.#parts.status.vcpu;
  }

  #index(vcpu: number): number {
    return this.#parts.status.vcpuOf(vcpu).index;
  }

  async readRegisters(vcpu: number, names?: readonly string[]): Promise<D.RegisterFile> {
    return this.machine.view.readRegisters(this.#index(vcpu), names);
  }

  async writeRegister(vcpu: number, name: string, value: bigint): Promise<void> {
    await this.#parts.kept.change({ kind: 'register', vcpu: this.#index(vcpu), name, value: value.toString() });
  }

  async readMemory(space: D.AddressSpace, address: bigint, length: number, vcpu = this.#vcpu): Promise<Uint8Array> {
    return this.machine.view.readMemory(this.#index(vcpu), space, address, length);
  }

  async writeMemory(space: D.AddressSpace, address: bigint, bytes: Uint8Array, vcpu = this.#vcpu): Promise<number> {
    const index = this.#index(vcpu);
    const hex = Buffer.from(bytes).toString('hex');
    const change = { kind: 'memory', vcpu: index, space, address: address.toString(), bytes: hex } as const;
    return this.#parts.kept.make(change, () => this.machine.view.writeMemory(index, space, address, bytes));
  }

  async walk(gva: bigint, vcpu = this.#vcpu): Promise<D.PageWalk> {
    return this.machine.view.walk(this.#index(vcpu), gva);
  }

  async symbols(): Promise<D.TargetSymbol[]> {
    return this.#parts.kernel.code.symbols();
  }

  async devices(): Promise<{ name: string; rows: [string, string][] }[]> {
    return this.machine.devices();
  }

  async dumpMemory(file: string): Promise<D.DumpResult> {
    return this.#moves.standing(() => this.#parts.kernel.kernel.dump(file, this.machine.view));
  }

  async monitor(line: string, vcpu = this.#parts.status.monitorVcpu ?? this.#vcpu): Promise<string | undefined> {
    const stub = /^\s*gdbserver(?:\s+(.*?))?\s*$/.exec(line);
    if (stub && this.gdbServer) return this.gdbServer(stub[1] ?? '');
    return monitorLine(
      { debugger: this, screenServer: this.screenServer, ...this.#parts, loop: this.#loop, moves: this.#moves },
      line,
      vcpu,
    );
  }

  // ---- what stops the guest ----

  async addBreakpoint(spec: D.BreakpointSpec, label?: string): Promise<D.Breakpoint> {
    return this.#parts.stops.change((table) => table.add(spec, label));
  }

  async removeBreakpoint(id: number): Promise<boolean> {
    return this.#parts.stops.change((table) => table.remove(id));
  }

  async enableBreakpoint(id: number, enabled: boolean): Promise<boolean> {
    return this.#parts.stops.change((table) => table.enable(id, enabled));
  }

  async changeBreakpoint(id: number, change: D.BreakpointChange): Promise<boolean> {
    return this.#parts.stops.change((table) => table.change(id, change));
  }

  async print(text: string): Promise<void> {
    this.#parts.status.emit({ type: 'printed', text });
  }

  async breakpoints(): Promise<D.Breakpoint[]> {
    return this.#parts.stops.breakpoints.list();
  }

  readonly tracing: NonNullable<D.Debugger['tracing']> = {
    start: async (options) => this.#parts.stops.frames.start(options),
    stop: async () => this.#parts.stops.frames.stop(),
    status: async () => this.#parts.stops.frames.status,
    frame: async (index) => this.#parts.stops.frames.at(index),
    list: async () => this.#parts.stops.frames.list(),
    variable: async (number) => this.#parts.stops.frames.variables.get(number),
  };

  readonly syscalls: NonNullable<D.Debugger['syscalls']> = {
    catch: async (wanted) => this.#parts.stops.catchSyscalls(wanted),
  };

  // ---- what has happened ----

  get compiler(): D.Debugger['compiler'] {
    const { compilerCounters } = this.machine.vm;
    return compilerCounters && { counters: async () => compilerCounters() };
  }

  readonly exits = {
    records: async (after: number, max: number): Promise<D.ExitRecord[]> => readTrace(this.machine.vm.host, after, max),
    controls: async (sequence: number): Promise<{ encoding: number; value: bigint }[] | undefined> =>
      this.machine.view.controlsAt?.(sequence),
    counts: async (): Promise<Record<string, number>> => this.exitCounts(),
    report: (by: D.ExitGroupKey, condition?: D.ExitCondition) => this.#analysis.report(by, condition),
    course: (columns: number) => this.#analysis.course(columns),
    hints: () => this.#analysis.hints(),
    handlerTimes: (on?: boolean) => this.#analysis.handlerTimes(on),
  };

  async totals(): Promise<D.Totals> {
    const { work, vm } = this.machine;
    const pace = vm.realTime ? undefined : this.#parts.pace.mean;
    return {
      icount: BigInt(work.icount),
      clock: BigInt(Math.floor(work.clockNs)),
      ...(pace === undefined ? {} : { pace }),
      resets: work.resets,
      exits: this.exitCounts((reason) => work.exitCount(reason)),
    };
  }

  async usage(memory: boolean): Promise<D.GuestUsage> {
    const nics = this.machine.nics();
    const thread = this.machine.vm.realTime ? undefined : ownThreadTimes();
    return {
      nics,
      ...(thread ? { thread } : {}),
      ...(memory ? { memory: this.#parts.kernel.memoryUse(performance.now()) } : {}),
    };
  }

  /** Exits so far by reason name, most frequent first. */
  exitCounts(countOf = (reason: number) => this.machine.vm.exitCount(reason)): Record<string, number> {
    const rows = [...EXIT_REASONS, EMULATED_BY_VMSCOPE].map(({ number }): [string, number] => [
      exitReasonName(number),
      countOf(number),
    ]);
    rows.push(...Object.entries(this.machine.view.ownExits?.() ?? {}));
    return Object.fromEntries(rows.filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]));
  }

  // ---- its state comes and goes ----

  get moving(): MovingGuest {
    return this.#moves.moving;
  }

  get migration(): Migrations {
    return this.#moves.migration;
  }

  get snapshots(): D.Debugger['snapshots'] {
    return this.#moves.snapshots;
  }

  get recording(): D.Debugger['recording'] {
    const { options, kept, machine, turns } = this.#parts;
    const { recording } = options;
    const { past } = kept;
    if (!recording || !past) return undefined;
    return {
      about: async () => ({ file: recording.path, whole: recording.recordedEnd !== undefined }),
      compare: async () => compareEnd(machine, past.history, [turns], recording),
    };
  }
}
