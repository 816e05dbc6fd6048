/** The Linux guest as the debugger API shows it: found when it is asked for, dropped when it is gone. */
import type { OsFrameRow, OsInfo, OsLogRecord, OsModule, OsTask, OsUnwindTable, TargetSymbol } from '../../debugger.js';
import { sized } from '../symbol-file.js';
import type { KernelSymbol } from './kallsyms.js';
import { LinuxKernel } from './kernel.js';
import { readLog } from './log.js';
import { moduleSymbols, readModules } from './modules.js';
import { readUnwindTable, unwindRow } from './orc.js';
import type { PhysicalMemory, Search } from './physical.js';
import { currentTask, readTasks } from './tasks.js';

/** A search that found nothing is not repeated within this virtual time in ns. */
const SEARCH_AGAIN = 50_000_000;
const KERNEL_HALF = 0xffff_8000_0000_0000n;

export class LinuxView {
  #kernel: LinuxKernel | undefined;
  #searchedAt: number | undefined;
  #symbols: TargetSymbol[] | undefined;
  #modules = '';
  #unwind: OsUnwindTable | undefined;
  #unwindOf: LinuxKernel | undefined;

  /** @param now virtual time in ns. */
  constructor(
    readonly memory: PhysicalMemory,
    readonly now: () => number,
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
    this.#kernel = yield* attempted(LinuxKernel.search(this.memory));
    return this.#kernel;
  }

  #isDue(): boolean {
    const now = this.now();
    return this.#searchedAt === undefined || now < this.#searchedAt || now - this.#searchedAt >= SEARCH_AGAIN;
  }

  forget(): void {
    this.#kernel = undefined;
    this.#symbols = this.#unwind = this.#unwindOf = undefined;
    this.#searchedAt = undefined;
  }

  /** Whether a guest that stands at this address makes a search worth while. */
  isWorthSearching(rip: bigint): boolean {
    return rip >= KERNEL_HALF && this.#kernel === undefined && this.#isDue();
  }

  info(): OsInfo | undefined {
    const kernel = this.kernel();
    return (
      kernel && {
        kind: 'linux',
        release: kernel.release,
        banner: kernel.banner,
        base: kernel.text,
        symbols: kernel.symbols.length,
      }
    );
  }

  /** Symbols of the kernel and its modules, by address; none while there is no kernel. */
  symbols(): TargetSymbol[] {
    const kernel = this.kernel();
    if (kernel === undefined) return [];
    const modules = attempt(() => readModules(kernel)) ?? [];
    const names = modules.map(({ name, address }) => `${name}@${address}`).join();
    if (this.#symbols === undefined || names !== this.#modules) {
      const own = modules.flatMap((module) => attempt(() => moduleSymbols(kernel, module)) ?? []);
      this.#symbols = targetSymbols([...kernel.symbols, ...own]);
      this.#modules = names;
      this.#unwindOf = undefined;
    }
    return this.#symbols;
  }

  unwind(): OsUnwindTable | undefined {
    const kernel = this.kernel();
    if (kernel !== this.#unwindOf) {
      this.#unwindOf = kernel;
      this.#unwind = kernel && attempt(() => readUnwindTable(kernel, attempt(() => readModules(kernel)) ?? []));
    }
    return this.#unwind;
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

/** Without per-CPU offsets and other numbers that are no addresses; each reaches to the next. */
function targetSymbols(symbols: readonly KernelSymbol[]): TargetSymbol[] {
  const placed = symbols.filter(({ address }) => address >= KERNEL_HALF);
  return sized(
    placed.map(({ name, type, address }) => {
      const kind = /[tTwW]/.test(type) ? 'function' : /[dDbBrRvV]/.test(type) ? 'object' : 'other';
      return { name, address, size: 0n, kind };
    }),
  );
}
