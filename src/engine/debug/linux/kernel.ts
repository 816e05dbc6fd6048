/** A Linux kernel in guest memory: its symbols, where its image lies, and its address space. */
import { Btf } from './btf.js';
import { type KernelSymbol, searchKallsyms } from './kallsyms.js';
import { cString, dataView, findBytes, type PhysicalMemory, type Search } from './physical.js';

/** The image is loaded at a multiple of CONFIG_PHYSICAL_ALIGN, which is at least this. */
const IMAGE_ALIGN = 0x20_0000;
/** No image is larger; the rest of memory need not be searched. */
const IMAGE_LIMIT = 0x2000_0000;
const BANNER = Buffer.from('Linux version ');
const PRESENT = 1n;
const LARGE = 1n << 7n;
const FRAME = 0x000f_ffff_ffff_f000n;
const PAGE = 4096;
/** Symbols of x86's per-CPU area lie below this. */
const PER_CPU_END = 0x1000_0000n;

export class LinuxKernel {
  readonly #byName = new Map<string, bigint>();
  #btf: Btf | undefined;
  #root: number | undefined;

  private constructor(
    readonly memory: PhysicalMemory,
    /** Sorted by address. */
    readonly symbols: readonly KernelSymbol[],
    /** Linear and guest-physical address of the image's start. */
    readonly text: bigint,
    readonly textGpa: number,
    /** `Linux version 6.1.0-...` */
    readonly banner: string,
    /** Bytes that are looked at again to see that this kernel is still there. */
    private readonly mark: { gpa: number; bytes: Uint8Array },
  ) {
    for (const { name, address } of symbols) if (!this.#byName.has(name)) this.#byName.set(name, address);
  }

  /** Searches guest memory; undefined when there is no kernel, or none that has unpacked itself. */
  static *search(memory: PhysicalMemory): Search<LinuxKernel | undefined> {
    const kallsyms = yield* searchKallsyms(memory);
    if (kallsyms === undefined) return undefined;
    const { symbols, tokenTable } = kallsyms;
    const address = (name: string): bigint | undefined => symbols.find((symbol) => symbol.name === name)?.address;
    const text = address('_text') ?? address('_stext');
    const bannerAt = address('linux_banner');
    if (text === undefined || bannerAt === undefined) return undefined;
    // The log and /proc/version have copies of the banner; the right one puts the image at an aligned place.
    const from = Math.max(0, tokenTable - IMAGE_LIMIT);
    for (let at = yield* findBytes(memory, BANNER, from); at >= 0; at = yield* findBytes(memory, BANNER, at + 1)) {
      const textGpa = at - Number(bannerAt - text);
      if (textGpa < 0 || textGpa % IMAGE_ALIGN !== 0 || tokenTable < textGpa) continue;
      const banner = cString(memory.view(at, Math.min(512, memory.bytes - at))).trim();
      const mark = { gpa: tokenTable, bytes: memory.view(tokenTable, 64).slice() };
      return new LinuxKernel(memory, symbols, text, textGpa, banner, mark);
    }
    return undefined;
  }

  /** Whether memory still holds what was found: a reset or another kernel (kexec) ends it. */
  isThere(): boolean {
    const { gpa, bytes } = this.mark;
    return Buffer.compare(this.memory.view(gpa, bytes.length), bytes) === 0;
  }

  /** `6.1.0-56-cloud-amd64` */
  get release(): string {
    return this.banner.split(' ')[2] ?? '';
  }

  /** Address of a symbol. @throws Error naming it when the kernel has none such. */
  address(name: string): bigint {
    const found = this.#byName.get(name);
    if (found === undefined) throw new Error(`${this.release} has no symbol ${name}`);
    return found;
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** Types, from the kernel's .BTF section. @throws Error when it has none. */
  get btf(): Btf {
    if (this.#btf === undefined) {
      if (!this.has('__start_BTF')) throw new Error(`${this.release} has no type information (CONFIG_DEBUG_INFO_BTF)`);
      const start = this.address('__start_BTF');
      this.#btf = new Btf(this.read(start, Number(this.address('__stop_BTF') - start)));
    }
    return this.#btf;
  }

  /** Guest-physical address, by the kernel's own page tables; undefined where nothing is mapped. */
  translate(address: bigint): number | undefined {
    this.#root ??= this.textGpa + Number(this.address('init_top_pgt') - this.text);
    let table = this.#root;
    for (let level = this.#levels(); level >= 1; level--) {
      const shift = BigInt(12 + 9 * (level - 1));
      const at = table + Number((address >> shift) & 511n) * 8;
      if (at + 8 > this.memory.bytes) return undefined;
      const entry = dataView(this.memory.view(at, 8)).getBigUint64(0, true);
      if ((entry & PRESENT) === 0n) return undefined;
      if (level === 1 || (level <= 3 && (entry & LARGE) !== 0n)) {
        const offset = (1n << shift) - 1n;
        return Number((entry & FRAME & ~offset) | (address & offset));
      }
      table = Number(entry & FRAME);
    }
    return undefined;
  }

  /** 5 where the kernel switched LA57 on. */
  #levels(): number {
    const flag = this.#byName.get('__pgtable_l5_enabled');
    if (flag === undefined) return 4;
    return dataView(this.memory.view(this.textGpa + Number(flag - this.text), 4)).getUint32(0, true) === 0 ? 4 : 5;
  }

  /** A copy of kernel memory. @throws Error naming the address when a page is not mapped or lies outside RAM. */
  read(address: bigint, length: number): Uint8Array {
    const result = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = BigInt.asUintN(64, address + BigInt(done));
      const bytes = Math.min(length - done, PAGE - Number(at & 0xfffn));
      const gpa = this.translate(at);
      if (gpa === undefined || gpa + bytes > this.memory.bytes) throw new Error(`0x${at.toString(16)} is not mapped`);
      result.set(this.memory.view(gpa, bytes), done);
      done += bytes;
    }
    return result;
  }

  /** Bytes of the image, which lies in one piece in RAM whatever is mapped; a view. @throws RangeError outside RAM. */
  image(address: bigint, length: number): Uint8Array {
    const gpa = this.textGpa + Number(address - this.text);
    if (gpa < 0 || gpa + length > this.memory.bytes) throw new RangeError(`0x${address.toString(16)} is not in RAM`);
    return this.memory.view(gpa, length);
  }

  u16(address: bigint): number {
    return dataView(this.read(address, 2)).getUint16(0, true);
  }

  u32(address: bigint): number {
    return dataView(this.read(address, 4)).getUint32(0, true);
  }

  u64(address: bigint): bigint {
    return dataView(this.read(address, 8)).getBigUint64(0, true);
  }

  /** Text at an address, up to a NUL or `limit` bytes. */
  text8(address: bigint, limit: number): string {
    return cString(this.read(address, limit));
  }

  /** Entries of a `struct list_head` ring, as addresses of the containing structures. */
  *list(head: bigint, offset: number, limit = 65536): Generator<bigint> {
    for (let at = this.u64(head), count = 0; at !== head && at !== 0n; at = this.u64(at)) {
      if (count++ >= limit) throw new Error(`the list at 0x${head.toString(16)} does not end`);
      yield BigInt.asUintN(64, at - BigInt(offset));
    }
  }

  /** Address of a CPU's copy of a per-CPU variable. */
  perCpu(name: string, cpu: number): bigint {
    const variable = this.address(name);
    const area = this.u64(this.address('__per_cpu_offset') + BigInt(cpu * 8));
    // Since 6.15 per-CPU symbols are addresses in the image, before they count from 0.
    return BigInt.asUintN(64, variable < PER_CPU_END ? area + variable : variable + area);
  }
}
