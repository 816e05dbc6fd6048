/**
 * A guest of QEMU as a Debugger. It observes without stopping the guest (registers by the monitor, memory by
 * /proc/PID/mem or the monitor) until the first pause, breakpoint or step, for which it takes control by QEMU's stub.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { LinuxView } from '../../engine/debug/linux/view.js';
import type { CodeFile } from '../../engine/debug/types/code-file.js';
import type * as D from '../../engine/debugger.js';
import { type CodeKernel, GuestCode } from '../../engine/host/guest-code.js';
import { GuestKernel } from '../../engine/host/guest-kernel.js';
import { MonitorMemory, readLinear, type SlowMemory, walkSlowly } from '../memory.js';
import { type SerialLine, SerialPort } from '../serial-line.js';
import { SlowKernel } from '../slow-kernel.js';
import type { StubControl } from '../stub-control.js';
import { noLines, StubGuest } from '../stub-guest.js';
import { QemuControl } from './control.js';
import { deviceRows } from './devices.js';
import { sendKey } from './keyboard.js';
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
  /** Its serial port, where another program holds it. */
  serial?: () => Promise<SerialLine>;
  /** What a file that the user named tells of its code. */
  file?: CodeFile;
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
const KEPT: ReadonlySet<string> = new Set(['k_gs_base']);
const object = (value: unknown): Record<string, unknown> =>
  value && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {};

export class QemuTarget extends StubGuest implements D.Debugger {
  readonly os: D.Debugger['os'];
  readonly source: D.Debugger['source'];
  readonly types: D.Debugger['types'];
  readonly console: D.Debugger['console'];
  #memory!: SlowMemory;
  #process: ProcessMemory | undefined;
  #kernel!: GuestKernel | SlowKernel;
  #code!: GuestCode;
  #control: QemuControl | undefined;
  #detached: Promise<void> | undefined;
  #memoryBytes = 0;
  readonly #serial: SerialPort | undefined;
  #name = 'guest';
  readonly #registers = new Map<number, { at: number; stop: number; file: Promise<D.RegisterFile> }>();

  private constructor(private readonly options: QemuTargetOptions) {
    super();
    const { serial } = options;
    if (serial) this.#serial = new SerialPort(serial, (bytes) => this.emit({ type: 'serial', bytes }));
    this.console = {
      serialLog: async () => this.#serialLog(),
      serialInput: async (bytes) => {
        if (!this.#serial) throw new Error("this guest's serial port is not vmscope's: use its console");
        await this.#serial.write(bytes);
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
    this.running = object(status).running === true;
    this.vcpus = Array.isArray(cpus) ? Math.max(1, cpus.length) : 1;
    this.#name = String(object(name).name ?? vm?.name ?? 'qemu');
    this.#memoryBytes = Number(object(size)['base-memory'] ?? vm?.memoryBytes ?? 0);
    monitor.onEvent((event) => this.#event(event));
    void monitor.closed.then(() => this.end('QEMU has ended or closed its monitor'));
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
      this.#kernel = new GuestKernel(linux, undefined, (event) => this.emit(event), this.vcpus);
    } catch {
      // Not this user's, or not on this host: slowly, by the monitor.
      this.#memory = new MonitorMemory(monitor);
      this.#kernel = new SlowKernel(
        this.#memory,
        this.#memoryBytes,
        () => this.readRegisters(this.vcpu),
        (event) => this.emit(event),
        this.vcpus,
        this.moment,
      );
    }
    const kernel: CodeKernel = this.#kernel;
    this.#code = new GuestCode(this.options.file ?? {}, kernel, [], this.seeking);
    const { source, types } = this.#code;
    const views: Pick<D.Debugger, 'os' | 'source' | 'types'> = { os: this.#kernel.os, types };
    Object.assign(this, views, source ? { source } : {});
  }

  // --- what it is

  async info(): Promise<D.TargetInfo> {
    return {
      name: this.#name,
      engine: this.options.engine,
      image: this.options.process?.image ?? '',
      vcpus: this.vcpus,
      memoryBytes: this.#memoryBytes,
      unavailable: {
        vmcs: 'QEMU gives no VMCS to other programs',
        ept: 'QEMU gives no second-level page tables to other programs',
        exits:
          this.options.process?.accelerator === 'tcg'
            ? 'a guest of QEMU without KVM has no VM exits; vmscope run IMAGE shows each one with what led to it'
            : 'QEMU does not report single VM exits: vmscope top counts them, and its key 4 shows their times (root); vmscope run IMAGE shows each one with what led to it',
        icount: 'QEMU counts no instructions',
        tracing: 'QEMU collects nothing at breakpoints',
        syscalls: 'QEMU catches no system calls',
        ...noLines(this.options.file),
      },
    };
  }

  // --- run control

  /** QMP tells the truth about whether the guest runs: others may stop it and let it run too. */
  #event({ event, data }: QmpEvent): void {
    if (event === 'RESET') {
      this.#kernel.forget();
      this.emit({ type: 'message', text: 'the guest was reset' });
    } else if (event === 'SHUTDOWN') {
      const reason = String(data.reason ?? '');
      if (data.guest === true || reason.startsWith('host'))
        this.emit({ type: 'message', text: ENDED[reason] ?? `shutdown: ${reason}` });
    } else if (this.busy > 0) return;
    else if (event === 'RESUME' && !this.running) {
      this.#control?.stub.noteRunning();
      this.started();
    } else if (event === 'STOP' && this.running && !this.#control) this.stopped(this.vcpu, { kind: 'paused' });
  }

  /** The stub, with the guest standing. @returns whether it ran before */
  protected async take(): Promise<{ stub: StubControl; ran: boolean }> {
    if (this.ended) throw new Error('the guest has ended');
    const ran = this.running;
    if (!this.#control) {
      const { monitor, target, folder, process: vm } = this.options;
      this.#control = await QemuControl.take({ monitor, target, folder, pid: vm?.pid }, ran);
      this.#control.stub.onStop = (stop) => void this.onStop(stop);
      const lost = this.#control;
      void lost.stub.closed.then((reason) => {
        if (this.#control !== lost || reason === 'left') return;
        this.#control = undefined;
        this.emit({ type: 'message', text: `the stub is gone: ${reason}` });
      });
      const again = ran ? 'it runs again when you leave' : 'it stays stopped when you leave';
      this.emit({ type: 'message', text: `vmscope now controls the guest (QEMU's stub is on); ${again}` });
    } else if (this.#control.stub.running) await this.#control.stub.pause();
    return { stub: this.#control.stub, ran };
  }

  protected get stub(): StubControl | undefined {
    return this.#control?.stub;
  }

  protected forgetRegisters(): void {
    this.#registers.clear();
  }

  /** A guest that was found standing runs by the monitor, where there is nothing to watch for. */
  protected override async runWithoutStub(): Promise<boolean> {
    if (this.#control) return false;
    await this.options.monitor.execute('cont');
    return true;
  }

  protected override noteRun(running: boolean): void {
    if (this.#control) this.#control.leaveRunning = running || this.#control.foundRunning;
  }

  protected override pointLimit(): string {
    return this.options.process?.accelerator === 'kvm' ? ': KVM has four in all' : '';
  }

  // --- registers and memory

  async readRegisters(vcpu: number): Promise<D.RegisterFile> {
    if (!(vcpu >= 0 && vcpu < this.vcpus)) throw new Error(`no vCPU ${vcpu}`);
    const now = performance.now();
    const known = this.#registers.get(vcpu);
    if (known && known.stop === this.stops && (!this.running || now - known.at < FRESH_MS)) return await known.file;
    const file = this.options.monitor
      .human('info registers', vcpu)
      .then(async (text) => await this.#withKept(parseRegisters(text), vcpu));
    const entry = { at: now, stop: this.stops, file };
    this.#registers.set(vcpu, entry);
    file.catch(() => {
      if (this.#registers.get(vcpu) === entry) this.#registers.delete(vcpu);
    });
    return await file;
  }

  /** In a program, what the kernel has kept of GS leads to what the kernel runs; the monitor does not tell it, the stub may. */
  async #withKept(file: D.RegisterFile, vcpu: number): Promise<D.RegisterFile> {
    const stub = this.#control?.stub;
    if (((file.cs ?? 0n) & 3n) !== 3n || stub === undefined || stub.running) return file;
    const kept = (await stub.readRegisters(vcpu, KEPT).catch(() => new Map())).get('k_gs_base');
    return kept === undefined ? file : { ...file, kernel_gs_base: kept };
  }

  async #paging(vcpu: number): Promise<{ cr0: bigint; cr3: bigint; cr4: bigint; efer: bigint }> {
    const { cr0 = 0n, cr3 = 0n, cr4 = 0n, efer = 0n } = await this.readRegisters(vcpu);
    return { cr0, cr3, cr4, efer };
  }

  async readMemory(space: D.AddressSpace, address: bigint, length: number, vcpu = this.vcpu): Promise<Uint8Array> {
    if (length > MAX_READ) throw new Error(`${length} bytes at once: at most ${MAX_READ}`);
    if (space === 'hpa') return new Uint8Array(0);
    if (space === 'gpa') return await this.#memory.read(address, length);
    return await readLinear(await this.#paging(vcpu), address, length, this.#memory);
  }

  async walk(gva: bigint, vcpu = this.vcpu): Promise<D.PageWalk> {
    return await walkSlowly(await this.#paging(vcpu), gva, this.#memory);
  }

  // --- views

  symbols(): Promise<D.TargetSymbol[]> {
    return this.#code.symbols();
  }

  async #serialLog(): Promise<Uint8Array> {
    if (this.#serial) return await this.#serial.log();
    const path = this.options.process?.serialFile;
    if (!path)
      return Buffer.from(
        '(no serial log: vmscope sees one that goes to a file or a terminal, -serial file:PATH or -serial pty)\r\n',
      );
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
    return { file: path, memoryBytes: this.#memoryBytes, vcpus: this.vcpus, ...(release ? { release } : {}) };
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
    await this.alone(async () => {
      const control = this.#control;
      this.#control = undefined;
      await control?.leave();
    });
    this.ended = true;
    this.#serial?.close();
    this.#process?.close();
    this.options.monitor.close();
  }
}

const MAX_READ = 64 << 20;
