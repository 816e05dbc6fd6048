/**
 * What is told of a guest's code, whoever's guest it is: symbols, lines, types and variables, by a file (its image, or
 * that of `--symbols`) and by the kernel that runs, which KASLR may have moved from where the file has it.
 */
import { relocated, sized } from '../debug/symbol-file.js';
import type { CodeFile } from '../debug/types/code-file.js';
import { DebugInfo } from '../debug/types/debug-info.js';
import type * as D from '../debugger.js';
import type { KernelCode } from './guest-kernel.js';

/** The guest's kernel, as far as its code is concerned. */
export interface CodeKernel {
  /** Looks for it. @returns whether it is there */
  find(): Promise<boolean>;
  /** Undefined until it is found, or foreseen. */
  readonly info: Pick<D.OsInfo, 'base'> | undefined;
  readonly code: KernelCode;
}

/** How a kernel comes to be looked for before an address of its file is wanted. */
export interface KernelSeeking {
  /** Whether one that is not found yet may be there now. */
  mayBeThere(): Promise<boolean>;
  /** Names and places of code have changed. */
  found(): void;
}

export class GuestCode {
  /** Absent where the file has no line numbers. */
  readonly source: D.Debugger['source'];
  readonly types: NonNullable<D.Debugger['types']>;
  /** Where the file has the start of a kernel's image; undefined in one that is none. */
  readonly #linked: bigint | undefined;
  readonly #isLinux: boolean;

  /**
   * @param image symbols of the image, where no file is named
   * @param seeking absent where somebody else looks for the kernel
   */
  constructor(
    private readonly file: CodeFile,
    private readonly kernel: CodeKernel | undefined,
    private readonly image: readonly D.TargetSymbol[] = [],
    private readonly seeking?: KernelSeeking,
  ) {
    const linked = (wanted: string) => file.symbols?.find(({ name }) => name === wanted)?.address;
    this.#linked = linked('_text');
    this.#isLinux = this.#linked !== undefined && linked('linux_banner') !== undefined;
    this.source = this.#source();
    this.types = this.#types();
  }

  async symbols(): Promise<D.TargetSymbol[]> {
    const kernel = (await this.kernel?.code.symbols()) ?? [];
    const { symbols: file } = this.file;
    if (file !== undefined) {
      // the file knows the kernel's symbols, but none of its modules
      const own = relocated(file, this.kernel?.info?.base);
      const names = new Set(own.map(({ name }) => name));
      return sized([...own, ...kernel.filter(({ name }) => !names.has(name))]);
    }
    // where the image is the kernel itself, its own table knows the addresses after relocation
    const image = this.image.filter(({ address }) => kernel.length === 0 || address < kernel[0].address);
    return [...image, ...kernel];
  }

  #source(): D.Debugger['source'] {
    const { lines, readSource } = this.file;
    if (!lines) return undefined;
    return {
      locate: async (addresses) => {
        await this.#place();
        return addresses.map((address) => lines()?.lookup(address - this.#distance(address)));
      },
      piece: async (address) => {
        await this.#place();
        const distance = this.#distance(address);
        const found = lines()?.piece(address - distance);
        return found && { ...found, start: found.start + distance, end: found.end + distance };
      },
      text: async (file) => readSource?.(file),
      address: async (file, line) => {
        await this.#place();
        const found = lines()?.codeFrom(file, line);
        return found && { ...found, address: found.address + this.#distance(found.address, 'linked') };
      },
    };
  }

  /** By the file's DWARF, and the types of the kernel that runs. */
  #types(): DebugInfo {
    const { lines, dwarf, frames } = this.file;
    const { kernel } = this;
    return new DebugInfo(
      {
        dwarf: () => dwarf?.(),
        frames: () => frames?.(),
        place: () => this.#place(),
        find: async () => kernel?.find(),
        btf: async () => kernel?.code.btf(),
        typedModules: async () => (await kernel?.code.typedModules()) ?? [],
        moduleBtf: async (module) => kernel?.code.moduleBtf(module),
        distance: (address, as) => this.#distance(address, as),
        frameRow: async (address) => kernel?.code.frameRow(address),
        currentTask: async () => kernel?.code.currentTask(),
        files: (offset) => lines?.()?.filesAt(offset) ?? [],
        symbol: async (name, module) => {
          const wanted = module === undefined ? name : `${name} [${module}]`;
          return (await this.symbols()).find((symbol) => symbol.name === wanted)?.address;
        },
      },
      () => new Promise((resolve) => setImmediate(resolve)),
      () => performance.now(),
    );
  }

  /** Where the file is a kernel's, and it is not known yet where that lies. */
  async #place(): Promise<void> {
    const { kernel, seeking } = this;
    if (!this.#isLinux || kernel === undefined || kernel.info !== undefined) return;
    if ((await seeking?.mayBeThere()) && (await kernel.find())) seeking?.found();
  }

  /** How far KASLR moved the code at an address from where the file of symbols has it. */
  #distance(address: bigint, as: 'loaded' | 'linked' = 'loaded'): bigint {
    const linked = this.#linked;
    const base = linked === undefined ? undefined : this.kernel?.info?.base;
    if (linked === undefined || base === undefined) return 0n;
    return address < (as === 'loaded' ? base : linked) ? 0n : base - linked;
  }
}
