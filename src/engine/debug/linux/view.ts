/** The Linux guest as the debugger API shows it: found when it is asked for, dropped when it is gone. */
import { formatPlace, SymbolTable } from '../../../disasm/index.js';
import type {
  OsFrameRow,
  OsInfo,
  OsLogRecord,
  OsModule,
  OsTask,
  OsTaskStack,
  OsUnwindTable,
  TargetSymbol,
} from '../../debugger.js';
import { sized } from '../symbol-file.js';
import { Btf } from './btf.js';
import type { KernelSymbol } from './kallsyms.js';
import { kernelMappings, LinuxKernel } from './kernel.js';
import { isKernelAddress, KERNEL_HALF } from './kernel-half.js';
import { readLog } from './log.js';
import { endOf, type LinuxModule, moduleSymbols, moduleTypes, readModules } from './modules.js';
import { readUnwindTable, unwindRow } from './orc.js';
import type { PhysicalMemory, Search } from './physical.js';
import { taskRegisters } from './task-registers.js';
import { taskStack } from './task-stack.js';
import { currentTask, findTask, readTasks } from './tasks.js';

/** A search that found nothing is not repeated within this virtual time in ns. */
const SEARCH_AGAIN = 50_000_000;
/** A kernel without kexec never writes the note. */
const MAX_NOTE_SEARCHES = 8;
/** THREAD_SIZE of 64-bit kernels, by which their stacks are aligned. */
const STACK_BYTES = 16384;
const PAGE = 4096;
/** Of all modules together. */
const MAX_MODULE_SYMBOLS = 1 << 19;

export class LinuxView {
  #kernel: LinuxKernel | undefined;
  #searchedAt: number | undefined;
  #notedAt: number | undefined;
  #noteSearches = 0;
  #modules: { at: number; list: LinuxModule[]; key: string } | undefined;
  #symbols: { key: string; list: TargetSymbol[] } | undefined;
  #unwind: { key: string; table: OsUnwindTable | undefined } | undefined;
  #names: { of: TargetSymbol[]; table: SymbolTable } | undefined;
  /** By module, with where its types lie. */
  readonly #types = new Map<string, { address: bigint; btf: Btf }>();

  /**
   * @param now virtual time in ns
   * @param walk guest-physical address by the page tables of a vCPU, in use now
   */
  constructor(
    readonly memory: PhysicalMemory,
    readonly now: () => number,
    readonly walk: (address: bigint) => number | undefined = () => undefined,
  ) {}

  /** The kernel that a search found, for as long as it is there. */
  kernel(): LinuxKernel | undefined {
    if (this.#kernel !== undefined && !this.#kernel.isThere()) this.forget();
    return this.#kernel;
  }

  /** Looks for a kernel unless one is known; takes about a second in all. */
  *search(): Search<LinuxKernel | undefined> {
    if (this.kernel() !== undefined || !this.#isDue()) return this.#kernel;
    this.#searchedAt = this.now();
    // what the guest does meanwhile may leave half a structure
    this.#kernel = yield* attempted(LinuxKernel.search(this.memory, this.walk));
    return this.#kernel;
  }

  /** What the kernel tells of itself for crash dumps; undefined where there is no kernel or it tells nothing. */
  *searchVmcoreinfo(): Search<string | undefined> {
    const kernel = this.kernel();
    if (kernel === undefined) return undefined;
    const due = this.#notedAt === undefined || Math.abs(this.now() - this.#notedAt) >= SEARCH_AGAIN;
    if (kernel.vmcoreinfo === undefined && due && this.#noteSearches < MAX_NOTE_SEARCHES) {
      this.#noteSearches++;
      this.#notedAt = this.now();
      yield* attempted(kernel.searchVmcoreinfo());
    }
    return kernel.vmcoreinfo?.text;
  }

  #isDue(): boolean {
    const now = this.now();
    return this.#searchedAt === undefined || now < this.#searchedAt || now - this.#searchedAt >= SEARCH_AGAIN;
  }

  forget(): void {
    this.#kernel = undefined;
    this.#modules = this.#symbols = this.#unwind = this.#names = undefined;
    this.#searchedAt = this.#notedAt = undefined;
    this.#noteSearches = 0;
    this.#types.clear();
  }

  /** Modules that have types. */
  typedModules(): string[] {
    const kernel = this.kernel();
    return (kernel && attempt(() => moduleTypes(kernel)))?.map(({ name }) => name) ?? [];
  }

  /** Types of a module; undefined where it has none. @throws Error where they are damaged */
  moduleTypes(module: string): Btf | undefined {
    const kernel = this.kernel();
    const found = kernel && moduleTypes(kernel).find(({ name }) => name === module);
    if (kernel === undefined || found === undefined) return undefined;
    const known = this.#types.get(module);
    if (known?.address === found.address) return known.btf;
    const btf = new Btf(kernel.read(found.address, found.bytes), kernel.pointerBytes, kernel.btf);
    this.#types.set(module, { address: found.address, btf });
    return btf;
  }

  /** Whether a guest that stands at this address makes a search worth while. */
  isWorthSearching(rip: bigint): boolean {
    return isKernelAddress(rip) && this.#kernel === undefined && this.#isDue();
  }

  info(): OsInfo | undefined {
    const kernel = this.kernel();
    return (
      kernel && {
        kind: 'linux',
        release: kernel.release,
        banner: kernel.banner,
        base: kernel.text,
        slide: kernel.slide,
        bits: kernel.bits,
        symbols: kernel.symbols.length,
      }
    );
  }

  /** What a search looked for, where it found nothing. */
  absence(): string {
    const mebibytes = Math.ceil(this.memory.bytes / 2 ** 20);
    return `no operating system is found: in ${mebibytes} MiB of guest memory there is no symbol table (kallsyms) of an unpacked Linux kernel; a kernel that was built without CONFIG_KALLSYMS, or another system, is not recognised`;
  }

  /** The modules now, and what tells them from those of another time; read once for each moment of the guest. */
  #loaded(kernel: LinuxKernel): { list: LinuxModule[]; key: string } {
    const at = this.now();
    if (this.#modules?.at !== at) {
      const list = attempt(() => readModules(kernel)) ?? [];
      const key = list
        .map(({ name, kallsyms, areas }) => `${name}@${kallsyms}:${areas.map(({ address }) => address).join()}`)
        .join(' ');
      this.#modules = { at, list, key };
    }
    return this.#modules;
  }

  /** Symbols of the kernel and its modules, by address; none while there is no kernel. */
  symbols(): TargetSymbol[] {
    const kernel = this.kernel();
    if (kernel === undefined) return [];
    const { list, key } = this.#loaded(kernel);
    if (this.#symbols?.key !== key) {
      let room = MAX_MODULE_SYMBOLS;
      const own = list.flatMap((module) => {
        const symbols = room > 0 ? (attempt(() => moduleSymbols(kernel, module)) ?? []) : [];
        room -= symbols.length;
        return symbols;
      });
      const symbols = { key, list: targetSymbols(kernel, list, own) };
      if (this.memory.whole === false) return symbols.list;
      this.#symbols = symbols;
    }
    return this.#symbols.list;
  }

  unwind(): OsUnwindTable | undefined {
    const kernel = this.kernel();
    if (kernel === undefined) return undefined;
    const { list, key } = this.#loaded(kernel);
    if (this.#unwind?.key !== key) {
      const table = attempt(() => readUnwindTable(kernel, list));
      if (this.memory.whole === false) return table;
      this.#unwind = { key, table };
    }
    return this.#unwind.table;
  }

  /**
   * Where the kernel maps memory: its image, and the distance from guest-physical addresses to those at which it has
   * all memory in one piece (32 bits: as far as that reaches).
   */
  mappings(): { image: { gva: bigint; gpa: number; bytes: number }; direct: bigint; directBytes: number } | undefined {
    const kernel = this.kernel();
    return kernel && attempt(() => kernelMappings(kernel));
  }

  /** The pages of the kernel stack that an address lies in, by the kernel's page table; none for another address. */
  stackPages(sp: bigint): { gva: bigint; gpa: number; bytes: number }[] {
    const kernel = this.kernel();
    if (kernel?.bits !== 64 || sp < KERNEL_HALF) return [];
    const start = sp & ~BigInt(STACK_BYTES - 1);
    return Array.from({ length: STACK_BYTES / PAGE }, (_, page) => start + BigInt(page * PAGE)).flatMap((gva) => {
      const gpa = kernel.translate(gva);
      return gpa === undefined || gpa + PAGE > this.memory.bytes ? [] : [{ gva, gpa, bytes: PAGE }];
    });
  }

  frameRow(address: bigint): OsFrameRow | undefined {
    const table = this.unwind();
    return table && unwindRow(table, address);
  }

  log(): OsLogRecord[] {
    return readLog(this.#must());
  }

  tasks(): OsTask[] {
    return readTasks(this.#must());
  }

  /** The kernel stack of the task of a number. @throws Error when there is none */
  stack(pid: number, vcpus: number): OsTaskStack {
    const kernel = this.#must();
    const task = findTask(kernel, pid);
    if (task === undefined) throw new Error(`there is no process or thread ${pid}`);
    for (let vcpu = 0; vcpu < vcpus; vcpu++) {
      const current = attempt(() => currentTask(kernel, vcpu));
      if (current?.address === task.address) return { task, vcpu, frames: [] };
    }
    const names = this.#nameTable();
    const frames = taskStack(
      {
        kernel,
        frameRow: (address) => this.frameRow(address),
        isCode: (address) => names.lookup(address) !== undefined,
        nameOf: (address) => {
          // a return address may lie behind its function's end: it belongs to the call
          const match = names.lookup(address - 1n);
          return match ? formatPlace(match.symbol.name, match.offset + 1n) : '';
        },
      },
      task.address,
    );
    const registers = attempt(() => taskRegisters(kernel, task.address));
    return { task, frames, ...(registers === undefined ? {} : { registers }) };
  }

  #nameTable(): SymbolTable {
    const of = this.symbols();
    if (this.#names?.of !== of)
      this.#names = { of, table: new SymbolTable(of.filter(({ kind }) => kind === 'function')) };
    return this.#names.table;
  }

  modules(): OsModule[] {
    return readModules(this.#must()).map(({ name, address, bytes }) => ({ name, address, bytes }));
  }

  /** Asked at each stop, so it does not search. */
  current(vcpu: number): OsTask | undefined {
    const kernel = this.#kernel?.isThere() ? this.#kernel : undefined;
    return kernel && attempt(() => currentTask(kernel, vcpu));
  }

  #must(): LinuxKernel {
    const kernel = this.kernel();
    if (kernel === undefined) throw new Error('no Linux kernel is found in guest memory');
    return kernel;
  }
}

/** Structures of a kernel that is starting or broken may not be readable yet. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function* attempted<T>(search: Search<T>): Search<T | undefined> {
  try {
    return yield* search;
  } catch {
    return undefined;
  }
}

/**
 * Without per-CPU offsets and other numbers that are no addresses; each reaches to the next, but not out of the image
 * or the part of a module that it lies in.
 */
function targetSymbols(
  kernel: LinuxKernel,
  modules: readonly LinuxModule[],
  own: readonly KernelSymbol[],
): TargetSymbol[] {
  const areas = modules
    .flatMap((module) => module.areas)
    .filter(({ bytes }) => bytes > 0)
    .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  const end = kernel.has('_end') ? kernel.address('_end') : undefined;
  const endAt = (address: bigint): bigint | undefined => {
    if (end !== undefined && address >= kernel.text && address <= end) return end;
    let [low, high] = [0, areas.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (areas[middle].address <= address) low = middle + 1;
      else high = middle;
    }
    const area = areas[low - 1];
    return area && address <= endOf(area) ? endOf(area) : undefined;
  };
  const placed = [...kernel.symbols.filter(({ address }) => address >= kernel.text), ...own];
  return sized(
    placed.map(({ name, type, address, size = 0n }) => {
      const kind = /[tTwW]/.test(type) ? 'function' : /[dDbBrRvV]/.test(type) ? 'object' : 'other';
      return { name, address, size, kind };
    }),
    endAt,
  );
}
