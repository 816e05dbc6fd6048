/** The Linux kernel of a guest for its debugger: found in memory, or foreseen before it is there. */
import { type DumpRange, layOutDump } from '../debug/core-dump.js';
import type { Btf } from '../debug/linux/btf.js';
import { currentTaskOffset } from '../debug/linux/tasks.js';
import type { LinuxView } from '../debug/linux/view.js';
import type * as D from '../debugger.js';
import type { MachineView } from '../machine-view.js';
import { writeDump } from './dump-file.js';
import { inSlices } from './slices.js';

/** A kernel as it will stand in memory. */
export interface ForeseenKernel {
  info: D.OsInfo;
  symbols: D.TargetSymbol[];
  unwind?: D.OsUnwindTable;
}

/** What a kernel that is found tells of its code. */
export interface KernelCode {
  /** Its own and its modules', by address; looks for it first. */
  symbols(): Promise<D.TargetSymbol[]>;
  /** Its types. @throws Error where they cannot be read */
  btf(): Promise<Btf | undefined>;
  /** Modules that have types, and the types of one. @throws Error where they cannot be read */
  typedModules(): Promise<string[]>;
  moduleBtf(module: string): Promise<Btf | undefined>;
  /** Where from its per-CPU area a CPU notes what it runs. */
  currentTask(): Promise<bigint | undefined>;
  /** Its own way from a frame to its caller's. */
  frameRow(address: bigint): Promise<D.OsFrameRow | undefined>;
}

/** No memory. */
const VGA_WINDOW = { start: 0xa_0000, end: 0xc_0000 };

/** Memory in the pieces that a dump has; those that the system maps one to one with their linear addresses. */
function ramRanges(memoryBytes: number, mappings: ReturnType<LinuxView['mappings']>): DumpRange[] {
  const direct = mappings?.directBytes ?? memoryBytes;
  const cuts = [0, VGA_WINDOW.start, VGA_WINDOW.end, direct, memoryBytes].filter((at) => at <= memoryBytes);
  const ranges: DumpRange[] = [];
  const ordered = [...new Set(cuts)].sort((a, b) => a - b);
  ordered.slice(1).forEach((end, index) => {
    const gpa = ordered[index];
    if (gpa === VGA_WINDOW.start) return;
    const gva = mappings !== undefined && end <= direct ? mappings.direct + BigInt(gpa) : 0n;
    ranges.push({ gpa, bytes: end - gpa, gva });
  });
  return ranges;
}

const hex = (address: bigint): string => `0x${address.toString(16)}`;

export class GuestKernel {
  #searching: Promise<boolean> | undefined;
  #foreseeing: Promise<ForeseenKernel | undefined> | undefined;
  /** What the guest's kernel will be, until it is found in memory. */
  #foreseen: ForeseenKernel | undefined;

  /** @param runAside runs the same guest aside until its kernel has unpacked itself */
  constructor(
    readonly linux: LinuxView,
    readonly runAside: (() => Promise<ForeseenKernel | undefined>) | undefined,
    readonly emit: (event: D.DebuggerEvent) => void,
    readonly vcpus = 1,
    /** Release of the kernel in the guest's image. */
    readonly imageRelease?: string,
  ) {}

  /** Whether a kernel is in memory; looks for one a slice at a time. */
  async find(): Promise<boolean> {
    if (this.linux.kernel() !== undefined) return true;
    this.#searching ??= this.#track('searching guest memory for a kernel', (progress) =>
      inSlices(this.linux.search(), progress),
    ).then((kernel) => {
      this.#searching = undefined;
      if (kernel !== undefined) this.#compare(kernel.text);
      return kernel !== undefined;
    });
    return this.#searching;
  }

  /** The kernel in memory, or the one that will be. */
  get info(): D.OsInfo | undefined {
    return this.linux.info() ?? this.#foreseen?.info;
  }

  get symbols(): D.TargetSymbol[] {
    return this.linux.kernel() ? this.linux.symbols() : (this.#foreseen?.symbols ?? []);
  }

  /** The kernel in memory, or the one of a run aside, made once; undefined where there is neither. */
  async foresee(): Promise<D.OsInfo | undefined> {
    const { runAside } = this;
    if ((await this.find()) || runAside === undefined) return this.linux.info();
    if (this.#foreseeing === undefined) {
      this.#foreseeing = this.#track('running the guest aside for the symbols of its kernel', runAside).catch(
        (error: Error) => void this.emit({ type: 'message', text: `no symbols of the kernel: ${error.message}` }),
      ) as Promise<ForeseenKernel | undefined>;
      const kernel = await this.#foreseeing;
      if (kernel !== undefined && this.linux.kernel() === undefined) {
        this.#foreseen = kernel;
        this.emit({ type: 'symbols' });
      }
    }
    await this.#foreseeing;
    return this.info;
  }

  /** Writes a core of the guest, which stands. @throws Error naming the file and the cause */
  async dump(file: string, view: MachineView): Promise<D.DumpResult> {
    await this.find();
    const note = await inSlices(this.linux.searchVmcoreinfo(), () => {});
    const mappings = this.linux.mappings();
    const ram = ramRanges(view.memoryBytes, mappings);
    const cpus = Array.from({ length: view.vcpus }, (_, index) => {
      const task = this.linux.current(index);
      return { registers: view.readRegisters(index), ...(task === undefined ? {} : { thread: task.pid }) };
    });
    // kernel stacks lie outside of the memory that is mapped in one piece
    const stacks = cpus.flatMap(({ registers }) => this.linux.stackPages(registers.rsp ?? 0n));
    const layout = layOutDump(cpus, ram, mappings ? [mappings.image, ...stacks] : [], note);
    const read = (gpa: number, bytes: number): Uint8Array => view.readMemory(0, 'gpa', BigInt(gpa), bytes);
    const path = await this.#track('writing a memory dump', (progress) =>
      inSlices(writeDump(file, layout, read), progress),
    );
    const release = note === undefined ? undefined : this.linux.info()?.release;
    return {
      file: path,
      memoryBytes: view.memoryBytes,
      vcpus: view.vcpus,
      ...(release === undefined ? {} : { release }),
    };
  }

  /** The machine has started anew. Its clock and random numbers have not, so that KASLR picks another place. */
  forget(): void {
    this.linux.forget();
    this.#foreseen = undefined;
    this.#foreseeing = Promise.resolve(undefined);
  }

  readonly os = {
    info: async (): Promise<D.OsInfo | undefined> => ((await this.find()) ? this.linux.info() : undefined),
    foresee: (): Promise<D.OsInfo | undefined> => this.foresee(),
    release: async (): Promise<string | undefined> => this.info?.release ?? this.imageRelease,
    unwind: async () => ((await this.find()) ? this.linux.unwind() : this.#foreseen?.unwind),
    frameRow: async (address: bigint): Promise<D.OsFrameRow | undefined> => this.linux.frameRow(address),
    log: () => this.#found(() => this.linux.log()),
    processes: () => this.#found(() => this.linux.tasks()),
    modules: () => this.#found(() => this.linux.modules()),
    stack: (pid: number) => this.#found(() => this.linux.stack(pid, this.vcpus)),
    absence: async (): Promise<string> => this.linux.absence(),
    current: async (vcpu: number): Promise<D.OsTask | undefined> => this.linux.current(vcpu),
  };

  /** What names and types it gives to its code. */
  readonly code: KernelCode = {
    symbols: async () => {
      await this.find();
      return this.symbols;
    },
    btf: async () => {
      const kernel = this.linux.kernel();
      return kernel?.has('__start_BTF') ? kernel.btf : undefined;
    },
    typedModules: async () => this.linux.typedModules(),
    moduleBtf: async (module) => this.linux.moduleTypes(module),
    currentTask: async () => {
      const kernel = this.linux.kernel();
      return kernel && currentTaskOffset(kernel);
    },
    frameRow: async (address) => this.linux.frameRow(address),
  };

  async #found<T>(read: () => T): Promise<T> {
    await this.find();
    // what some of these read, a kernel without type information tells there only
    await inSlices(this.linux.searchVmcoreinfo(), () => {});
    return read();
  }

  /** What was foreseen holds unless something was changed that the kernel's place depends on. */
  #compare(text: bigint): void {
    const was = this.#foreseen?.info.base;
    this.#foreseen = undefined;
    if (was === undefined || was === text) return;
    const message = `the kernel lies at ${hex(text)}, not at ${hex(was)} as foreseen; gdb: disconnect and connect again`;
    this.emit({ type: 'message', text: message });
  }

  /** Runs work and tells how far it is. */
  async #track<T>(task: string, work: (progress: (share?: number) => void) => Promise<T>): Promise<T> {
    const progress = (share?: number): void =>
      this.emit({ type: 'progress', task, ...(share === undefined ? {} : { share }) });
    progress();
    try {
      return await work(progress);
    } finally {
      this.emit({ type: 'progress', task, done: true });
    }
  }
}
