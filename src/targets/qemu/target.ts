/**
 * A guest of QEMU as a Debugger. It observes without stopping the guest (registers by the monitor, memory by
 * /proc/PID/mem or the monitor) until the first pause, breakpoint or step, for which it takes control by QEMU's stub.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { LinuxView } from '../../engine/debug/linux/view.js';
import { relocated } from '../../engine/debug/symbol-file.js';
import type * as D from '../../engine/debugger.js';
import { GuestKernel } from '../../engine/host/guest-kernel.js';
import type { StubStop } from '../stub-control.js';
import { QemuControl } from './control.js';
import { deviceRows } from './devices.js';
import { sendKey } from './keyboard.js';
import { MonitorMemory, readLinear, type SlowMemory, walkSlowly } from './memory.js';
import { StubPoints } from './points.js';
import { ProcessMemory } from './process-memory.js';
import type { VmProcess } from './processes.js';
import type { Monitor, QmpEvent } from './qmp.js';
import { parseRegisters } from './registers.js';
import { textScreen } from './screen.js';

export interface QemuTargetOptions {
  monitor: Monitor;
  /** How `attach` names the guest, for notes. */
  target: string;
  engine: 'qemu' | 'libvirt';
  /** For notes and the stub's socket. */
  folder: string;
  process?: VmProcess;
  /** From a file that the user named. */
  symbols?: D.TargetSymbol[];
}

const SERIAL_BYTES = 65_536;
/** Registers that were read this recently serve the next question, while the guest runs. */
const FRESH_MS = 30;
const ENDED: Record<string, string> = {
  'guest-shutdown': 'the guest powered off',
  'guest-reset': 'the guest was reset, and QEMU ends with that',
  'host-qmp-quit': 'QEMU was told to quit',
  'host-signal': 'QEMU was ended by a signal',
};
/** What KERNEL_GS_BASE and such are called by the stub; others have the same name. */
const STUB_NAMES: Record<string, string> = { rflags: 'eflags', kernel_gs_base: 'k_gs_base' };

const object = (value: unknown): Record<string, unknown> =>
  value && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

export class QemuTarget implements D.Debugger {
  readonly os: D.Debugger['os'];
  readonly console: D.Debugger['console'];
  readonly #listeners = new Set<(event: D.DebuggerEvent) => void>();
  readonly #points = new StubPoints();
  #memory!: SlowMemory;
  #process: ProcessMemory | undefined;
  #noMemory = '';
  #kernel: GuestKernel | undefined;
  #control: QemuControl | undefined;
  #running = true;
  #vcpu = 0;
  #stop: D.StopReason = { kind: 'paused' };
  #ended = false;
  #detached: Promise<void> | undefined;
  #vcpus = 1;
  #memoryBytes = 0;
  #name = 'guest';
  /** Steps and runs of the stub, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  /** While QMP's STOP and RESUME are this program's own. */
  #busy = 0;
  #waiting: ((state: D.RunState) => void)[] = [];
  readonly #registers = new Map<number, { at: number; stop: number; file: Promise<D.RegisterFile> }>();
  /** Counts stops, so that registers of an earlier one are not taken for these. */
  #stops = 0;

  private constructor(private readonly options: QemuTargetOptions) {
    this.console = {
      serialLog: async () => this.#serialLog(),
      serialInput: async () => {
        throw new Error("this guest's serial port is not vmscope's: use its console");
      },
      key: (name) => sendKey(this.options.monitor, name),
      screen: async () => (this.#process ? textScreen(this.#process, this.options.monitor) : undefined),
    };
  }

  /** @throws Error in one line when the guest cannot even be observed */
  static async open(options: QemuTargetOptions): Promise<QemuTarget> {
    const target = new QemuTarget(options);
    await target.#start();
    return target;
  }

  async #start(): Promise<void> {
    const { monitor, process: vm } = this.options;
    const [status, cpus, name, size] = await Promise.all([
      monitor.execute('query-status'),
      monitor.execute('query-cpus-fast'),
      monitor.execute('query-name'),
      monitor.execute('query-memory-size-summary').catch(() => undefined),
    ]);
    this.#running = object(status).running === true;
    this.#vcpus = Array.isArray(cpus) ? Math.max(1, cpus.length) : 1;
    this.#name = String(object(name).name ?? vm?.name ?? 'qemu');
    this.#memoryBytes = Number(object(size)['base-memory'] ?? vm?.memoryBytes ?? 0);
    monitor.onEvent((event) => this.#event(event));
    void monitor.closed.then(() => this.#end('QEMU has ended or closed its monitor'));
    try {
      if (!vm) throw new Error('its process is not on this host');
      this.#process = await ProcessMemory.open(vm.pid, monitor);
      this.#memory = {
        read: async (gpa, length) => {
          await this.#process!.refresh();
          return this.#process!.read(gpa, length);
        },
      };
      const linux = new LinuxView(this.#process, () => performance.now() * 1e6);
      this.#kernel = new GuestKernel(linux, undefined, (event) => this.#emit(event), this.#vcpus);
      (this as { os: D.Debugger['os'] }).os = this.#kernel.os;
    } catch (error) {
      this.#noMemory = (error as Error).message;
      this.#memory = new MonitorMemory(monitor);
    }
  }

  // --- what it is

  async info(): Promise<D.TargetInfo> {
    return {
      name: this.#name,
      engine: this.options.engine,
      image: this.options.process?.image ?? '',
      vcpus: this.#vcpus,
      memoryBytes: this.#memoryBytes,
      unavailable: {
        vmcs: 'QEMU gives no VMCS to other programs',
        ept: 'QEMU gives no second-level page tables to other programs',
        exits: 'QEMU records no VM exits; vmscope top counts them',
        icount: 'QEMU counts no instructions',
        source: 'no line table: attach with --symbols VMLINUX',
        ...(this.#noMemory ? { os: this.#noMemory } : {}),
      },
    };
  }

  async state(): Promise<D.RunState> {
    return this.#state();
  }

  #state(): D.RunState {
    const { clock } = this.#now();
    return {
      running: this.#running,
      vcpu: this.#vcpu,
      ...(this.#running ? {} : { stop: this.#stop }),
      icount: 0n,
      clock,
    };
  }

  #now(): { clock: bigint } {
    return { clock: BigInt(Math.floor(performance.now() * 1e6)) };
  }

  onEvent(listener: (event: D.DebuggerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #emit(event: D.DebuggerEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  // --- run control

  /** QMP tells the truth about whether the guest runs: others may stop it and let it run too. */
  #event({ event, data }: QmpEvent): void {
    if (event === 'RESET') {
      this.#kernel?.forget();
      this.#emit({ type: 'message', text: 'the guest was reset' });
    } else if (event === 'SHUTDOWN') {
      const reason = String(data.reason ?? '');
      if (data.guest === true || reason.startsWith('host'))
        this.#emit({ type: 'message', text: ENDED[reason] ?? `shutdown: ${reason}` });
    } else if (this.#busy > 0) return;
    else if (event === 'RESUME' && !this.#running) {
      this.#control?.stub.noteRunning();
      this.#started();
    } else if (event === 'STOP' && this.#running && !this.#control) this.#stopped(this.#vcpu, { kind: 'paused' });
  }

  #end(message: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopped(this.#vcpu, { kind: 'ended', end: { kind: 'powered-off', status: 0, message } });
  }

  #started(): void {
    this.#running = true;
    this.#registers.clear();
    this.#emit({ type: 'running' });
  }

  #stopped(vcpu: number, stop: D.StopReason): void {
    if (this.#control) this.#control.leaveRunning = this.#control.foundRunning;
    this.#running = false;
    this.#vcpu = vcpu;
    this.#stop = stop;
    this.#stops++;
    this.#registers.clear();
    this.#emit({ type: 'stopped', vcpu, stop, icount: 0n });
    for (const resolve of this.#waiting.splice(0)) resolve(this.#state());
  }

  /** Does work with the stub alone; events of the monitor that it causes are its own. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const run = (async () => {
      await before.catch(() => {});
      this.#busy++;
      try {
        return await work();
      } finally {
        // The monitor's events of the last step come a moment after the stub's answer.
        setTimeout(() => {
          this.#busy--;
        }, 50);
      }
    })();
    this.#turn = run.catch(() => {});
    return await run;
  }

  /** The stub, with the guest standing. @returns whether it ran before */
  async #take(): Promise<{ control: QemuControl; ran: boolean }> {
    if (this.#ended) throw new Error('the guest has ended');
    const ran = this.#running;
    if (!this.#control) {
      const { monitor, target, folder, process: vm } = this.options;
      this.#control = await QemuControl.take({ monitor, target, folder, pid: vm?.pid }, ran);
      this.#control.stub.onStop = (stop) => void this.#onStop(stop);
      const lost = this.#control;
      void lost.stub.closed.then((reason) => {
        if (this.#control !== lost || reason === 'left') return;
        this.#control = undefined;
        this.#emit({ type: 'message', text: `the stub is gone: ${reason}` });
      });
      const again = ran ? 'it runs again when you leave' : 'it stays stopped when you leave';
      this.#emit({ type: 'message', text: `vmscope now controls the guest (QEMU's stub is on); ${again}` });
    } else if (this.#control.stub.running) await this.#control.stub.pause();
    return { control: this.#control, ran };
  }

  async #onStop(stop: StubStop): Promise<void> {
    if (stop.exited) return this.#end('the guest has ended');
    this.#registers.clear();
    this.#stops++;
    const address = await this.#next(stop.vcpu).catch(() => 0n);
    const reason = this.#points.reason(stop, address);
    if (this.#points.temporary !== undefined && reason.kind !== 'paused') this.#points.temporary = undefined;
    this.#stopped(stop.vcpu, reason);
  }

  /** Linear address of a vCPU's next instruction. */
  async #next(vcpu: number): Promise<bigint> {
    const { rip = 0n, cs_base = 0n, efer = 0n, cs_ar = 0n } = await this.readRegisters(vcpu);
    const long = (efer & 0x400n) !== 0n && (cs_ar & 0x2000n) !== 0n;
    return long ? rip : (rip + cs_base) & 0xffff_ffffn;
  }

  async pause(): Promise<D.RunState> {
    if (!this.#running) return this.#state();
    await this.#alone(async () => {
      const { ran } = await this.#take();
      if (ran && this.#running) this.#stopped(this.#vcpu, { kind: 'paused' });
    });
    return this.#state();
  }

  async resume(): Promise<void> {
    await this.#alone(() => this.#go());
  }

  async #go(): Promise<void> {
    if (this.#running) return;
    if (this.#ended) throw new Error('the guest has ended');
    if (!this.#control && !this.#points.any && this.#points.temporary === undefined) {
      // Nothing to watch for: the guest that was found standing runs by the monitor.
      await this.options.monitor.execute('cont');
      this.#started();
      return;
    }
    const { control } = await this.#take();
    const stop = await this.#stepOff(control);
    if (stop) {
      await this.#onStop(stop);
      return;
    }
    await this.#points.settle(control.stub);
    control.leaveRunning = true;
    this.#started();
    control.stub.resume();
  }

  /**
   * A vCPU that stands on a breakpoint never leaves it: each such one does a step without it.
   * @returns a stop that came instead of the end of such a step
   */
  async #stepOff(control: QemuControl): Promise<StubStop | undefined> {
    for (let vcpu = 0; vcpu < this.#vcpus; vcpu++) {
      const address = await this.#next(vcpu);
      if (!this.#points.breaksAt(address)) continue;
      const stop = await this.#stepOver(control, vcpu, address);
      if (stop.watch || stop.signal !== 5) return stop;
    }
    return undefined;
  }

  async #stepOver(control: QemuControl, vcpu: number, address: bigint): Promise<StubStop> {
    const { stub } = control;
    if (this.#points.breaksAt(address)) await stub.clearPoint(1, address, 1);
    this.#registers.clear();
    const stop = await stub.step(vcpu);
    this.#registers.clear();
    this.#stops++;
    return stop;
  }

  async step(vcpu: number, count = 1, within?: { start: bigint; end: bigint }): Promise<D.RunState> {
    return await this.#alone(async () => {
      const { control, ran } = await this.#take();
      if (ran) this.#stopped(vcpu, { kind: 'paused' });
      this.#emit({ type: 'running' });
      let reason: D.StopReason = { kind: 'step' };
      try {
        await this.#points.settle(control.stub);
        for (let n = 0; n < count || within; n++) {
          const address = await this.#next(vcpu);
          if (n >= count && within && !(address >= within.start && address < within.end)) break;
          if (n >= count && this.#points.breaksAt(address)) {
            reason = this.#points.reason({ vcpu, signal: 5 }, address);
            break;
          }
          if (n >= MAX_STEPS) throw new Error(`more than ${MAX_STEPS} steps`);
          const stop = await this.#stepOver(control, vcpu, address);
          if (stop.exited) throw new Error('the guest has ended');
          if (stop.watch || stop.signal !== 5) {
            reason = this.#points.reason(stop, await this.#next(stop.vcpu));
            break;
          }
        }
      } finally {
        this.#stopped(vcpu, reason);
      }
      return this.#state();
    });
  }

  async stepToExit(): Promise<D.RunState> {
    throw new Error('QEMU tells of no VM exits');
  }

  async runUntil(target: D.RunTarget): Promise<D.RunState> {
    const { gva } = target;
    if (target.exit) throw new Error('QEMU tells of no VM exits');
    if (target.icount !== undefined) throw new Error('QEMU counts no instructions');
    if (gva === undefined) throw new Error('where to? an address');
    const stopped = new Promise<D.RunState>((resolve) => this.#waiting.push(resolve));
    await this.#alone(async () => {
      this.#points.temporary = gva;
      if (this.#running) {
        const { control } = await this.#take();
        await this.#points.settle(control.stub);
        control.stub.resume();
      } else await this.#go();
    });
    return await stopped;
  }

  // --- registers and memory

  async readRegisters(vcpu: number): Promise<D.RegisterFile> {
    if (!(vcpu >= 0 && vcpu < this.#vcpus)) throw new Error(`no vCPU ${vcpu}`);
    const now = performance.now();
    const known = this.#registers.get(vcpu);
    if (known && known.stop === this.#stops && (!this.#running || now - known.at < FRESH_MS)) return await known.file;
    const file = this.options.monitor.human('info registers', vcpu).then(parseRegisters);
    const entry = { at: now, stop: this.#stops, file };
    this.#registers.set(vcpu, entry);
    file.catch(() => {
      if (this.#registers.get(vcpu) === entry) this.#registers.delete(vcpu);
    });
    return await file;
  }

  async writeRegister(vcpu: number, name: string, value: bigint): Promise<void> {
    await this.#changing(async (control) => {
      await control.stub.writeRegister(vcpu, STUB_NAMES[name] ?? name, value);
      this.#registers.clear();
    });
  }

  /** Changes something while the guest stands; one that ran goes on afterwards. */
  async #changing<T>(work: (control: QemuControl) => Promise<T>): Promise<T> {
    return await this.#alone(async () => {
      const { control, ran } = await this.#take();
      try {
        return await work(control);
      } finally {
        if (ran) {
          await this.#points.settle(control.stub);
          control.stub.resume();
        }
      }
    });
  }

  async #paging(vcpu: number): Promise<{ cr0: bigint; cr3: bigint; cr4: bigint; efer: bigint }> {
    const { cr0 = 0n, cr3 = 0n, cr4 = 0n, efer = 0n } = await this.readRegisters(vcpu);
    return { cr0, cr3, cr4, efer };
  }

  async readMemory(space: D.AddressSpace, address: bigint, length: number, vcpu = this.#vcpu): Promise<Uint8Array> {
    if (length > MAX_READ) throw new Error(`${length} bytes at once: at most ${MAX_READ}`);
    if (space === 'hpa') return new Uint8Array(0);
    if (space === 'gpa') return await this.#memory.read(address, length);
    return await readLinear(await this.#paging(vcpu), address, length, this.#memory);
  }

  async writeMemory(space: D.AddressSpace, address: bigint, bytes: Uint8Array, vcpu = this.#vcpu): Promise<number> {
    if (space === 'hpa') return 0;
    // By the stub: TCG has translated code that a write to the process would not reach.
    return await this.#changing((control) => control.stub.writeMemory(vcpu, space === 'gpa', address, bytes));
  }

  async walk(gva: bigint, vcpu = this.#vcpu): Promise<D.PageWalk> {
    return await walkSlowly(await this.#paging(vcpu), gva, this.#memory);
  }

  // --- breakpoints

  async addBreakpoint(spec: D.BreakpointSpec, label?: string): Promise<D.Breakpoint> {
    StubPoints.check(spec, label);
    const point = this.#points.add(spec, label);
    try {
      await this.#changing((control) => this.#points.settle(control.stub));
    } catch (error) {
      this.#points.remove(point.id);
      const kvm = this.options.process?.accelerator === 'kvm' ? ': KVM has four in all' : '';
      throw new Error(`${(error as Error).message}${kvm}`);
    }
    return point;
  }

  async removeBreakpoint(id: number): Promise<boolean> {
    const there = this.#points.remove(id);
    if (there && this.#control) await this.#changing((control) => this.#points.settle(control.stub));
    return there;
  }

  async enableBreakpoint(id: number, enabled: boolean): Promise<boolean> {
    const point = this.#points.find(id);
    if (!point) return false;
    point.enabled = enabled;
    if (this.#control || enabled) await this.#changing((control) => this.#points.settle(control.stub));
    return true;
  }

  async breakpoints(): Promise<D.Breakpoint[]> {
    return this.#points.list;
  }

  // --- views

  async symbols(): Promise<D.TargetSymbol[]> {
    const { symbols } = this.options;
    if (!this.#kernel) return symbols ?? [];
    await this.#kernel.find();
    const kernel = this.#kernel.symbols;
    if (!symbols) return kernel;
    const own = relocated(symbols, this.#kernel.info?.base);
    const names = new Set(own.map(({ name }) => name));
    return [...own, ...kernel.filter(({ name }) => !names.has(name))].sort((a, b) => (a.address < b.address ? -1 : 1));
  }

  #serialLog(): Uint8Array {
    const path = this.options.process?.serialFile;
    if (!path) return Buffer.from('(no serial log: vmscope sees one that goes to a file, -serial file:PATH)\r\n');
    try {
      return readFileSync(path).subarray(-SERIAL_BYTES);
    } catch (error) {
      return Buffer.from(`(${(error as Error).message})\r\n`);
    }
  }

  devices(): Promise<{ name: string; rows: [string, string][] }[]> {
    return deviceRows(this.options.monitor);
  }

  async monitor(line: string): Promise<string | undefined> {
    const text = await this.options.monitor.human(line);
    return /^unknown command/.test(text) ? undefined : text;
  }

  async dumpMemory(file: string): Promise<D.DumpResult> {
    const path = resolve(file);
    const { monitor } = this.options;
    // QEMU writes it, and tells when it is done: however long that takes, it answers other questions.
    const done = new Promise<void>((settle, fail) => {
      const off = monitor.onEvent(({ event, data }) => {
        if (event !== 'DUMP_COMPLETED') return;
        off();
        if (data.error === undefined) settle();
        else fail(new Error(`${path}: ${String(data.error)}`));
      });
      void monitor.closed.then((reason) => fail(new Error(reason)));
    });
    done.catch(() => {});
    await monitor.execute('dump-guest-memory', { paging: false, protocol: `file:${path}`, detach: true });
    await done;
    const release = (await this.os?.info().catch(() => undefined))?.release;
    return { file: path, memoryBytes: this.#memoryBytes, vcpus: this.#vcpus, ...(release ? { release } : {}) };
  }

  async reset(): Promise<void> {
    await this.options.monitor.execute('system_reset');
  }

  async quit(): Promise<void> {
    await this.options.monitor.execute('quit').catch(() => {});
  }

  /** Gives the guest back as it was found; once, however often it is asked. */
  detach(): Promise<void> {
    this.#detached ??= this.#detach();
    return this.#detached;
  }

  async #detach(): Promise<void> {
    await this.#alone(async () => {
      const control = this.#control;
      this.#control = undefined;
      await control?.leave();
    });
    this.#ended = true;
    this.#process?.close();
    this.options.monitor.close();
  }
}

/** Steps that one request takes at most: about two minutes. */
const MAX_STEPS = 100_000;
const MAX_READ = 64 << 20;
