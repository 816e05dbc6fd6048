/** A Linux kernel in guest memory: its symbols, where its image lies, and its address space. */
import { Btf } from './btf.js';
import { placeImage } from './image-place.js';
import { type KernelSymbol, searchKallsyms } from './kallsyms.js';
import { KERNEL_HALF } from './kernel-half.js';
import { KernelPaging } from './paging.js';
import { cString, dataView, type PhysicalMemory, type Search } from './physical.js';
import { Vmcoreinfo } from './vmcoreinfo.js';

const PAGE = 4096;
/** Symbols of x86-64's per-CPU area lie below this where they count from 0. */
const PER_CPU_END = 0x1000_0000n;
/** No structure or table of a kernel is larger: a longer one is no structure. */
const MAX_READ = 64 << 20;
/** `__START_KERNEL_map` or the usual PAGE_OFFSET, and CONFIG_PHYSICAL_START of all but special builds. */
const LINKED = { 64: 0xffff_ffff_8100_0000n, 32: 0xc100_0000n };
const UTS_FIELD = 65;
const BANNER = 'Linux version ';
/** From the image's start. */
const BANNER_WITHIN = 64 << 20;

/** Where all memory is mapped in one piece, unless KASLR moved that too. @linux Documentation/arch/x86/x86_64/mm.rst */
const DIRECT_MAP = 0xffff_8880_0000_0000n;
/** What a 32-bit kernel maps so, at most. */
const LOW_MEMORY = 0x3800_0000;
/** Where the symbol table does not say where the image ends. */
const IMAGE_BYTES = 32 << 20;

/** Where a kernel maps memory, for dumps. */
export function kernelMappings(kernel: LinuxKernel): {
  image: { gva: bigint; gpa: number; bytes: number };
  direct: bigint;
  directBytes: number;
} {
  const { text: gva, textGpa: gpa, memory } = kernel;
  const wanted = kernel.has('_end') ? Number(kernel.address('_end') - gva) : IMAGE_BYTES;
  const bytes = Math.min(Math.ceil(wanted / PAGE) * PAGE, memory.bytes - gpa);
  const image = { gva, gpa, bytes };
  if (kernel.bits === 32) return { image, direct: gva - BigInt(gpa), directBytes: LOW_MEMORY };
  const direct = kernel.has('page_offset_base')
    ? dataView(kernel.image(kernel.address('page_offset_base'), 8)).getBigUint64(0, true)
    : DIRECT_MAP;
  return { image, direct, directBytes: memory.bytes };
}

export class LinuxKernel {
  readonly #byName = new Map<string, bigint>();
  readonly #paging: KernelPaging;
  #btf: Btf | undefined;
  #banner: string | undefined;

  private constructor(
    readonly memory: PhysicalMemory,
    /** Sorted by address. */
    readonly symbols: readonly KernelSymbol[],
    /** Linear and guest-physical address of the image's start. */
    readonly text: bigint,
    readonly textGpa: number,
    /** What the kernel tells of itself for crash dumps; undefined before it has written that, and without kexec. */
    public vmcoreinfo: Vmcoreinfo | undefined,
    /** Bytes that are looked at again to see that this kernel is still there. */
    private readonly mark: { gpa: number; bytes: Uint8Array },
  ) {
    for (const { name, address } of symbols) if (!this.#byName.has(name)) this.#byName.set(name, address);
    this.#paging = new KernelPaging(this);
  }

  /**
   * Searches guest memory; undefined when there is no kernel, or none that has unpacked itself.
   * @param walk guest-physical address by the page tables in use
   */
  static *search(
    memory: PhysicalMemory,
    walk: (address: bigint) => number | undefined = () => undefined,
  ): Search<LinuxKernel | undefined> {
    const kallsyms = yield* searchKallsyms(memory);
    const place = kallsyms && (yield* placeImage(memory, kallsyms, walk));
    if (place === undefined) return undefined;
    const { symbols, text, textGpa, vmcoreinfo } = place;
    const { tokenTable } = kallsyms as NonNullable<typeof kallsyms>;
    const mark = { gpa: tokenTable, bytes: memory.view(tokenTable, 64).slice() };
    return new LinuxKernel(memory, symbols, text, textGpa, vmcoreinfo, mark);
  }

  /** Looks for VMCOREINFO where the kernel was found before it had written it. */
  *searchVmcoreinfo(): Search<Vmcoreinfo | undefined> {
    this.vmcoreinfo ??= this.#noted() ?? (yield* Vmcoreinfo.search(this.memory, (found) => this.#isOwn(found)));
    return this.vmcoreinfo;
  }

  /** By the kernel's own pointer to the note, which starts with sizes, type and name. */
  #noted(): Vmcoreinfo | undefined {
    const pointer = this.#byName.get('vmcoreinfo_data');
    if (pointer === undefined) return undefined;
    try {
      const gpa = this.translate(this.pointer(pointer));
      return gpa === undefined ? undefined : Vmcoreinfo.at(this.memory, gpa);
    } catch {
      return undefined;
    }
  }

  #isOwn(found: Vmcoreinfo): boolean {
    return found.symbol('_stext') === this.#byName.get('_stext');
  }

  get bits(): 32 | 64 {
    return this.text >= KERNEL_HALF ? 64 : 32;
  }

  get pointerBytes(): 4 | 8 {
    return this.bits === 64 ? 8 : 4;
  }

  /** Bytes by which KASLR moved the image from where it was linked. */
  get slide(): bigint {
    return this.text - LINKED[this.bits];
  }

  /** Whether memory still holds what was found: a reset or another kernel (kexec) ends it. */
  isThere(): boolean {
    const { gpa, bytes } = this.mark;
    return Buffer.compare(this.memory.view(gpa, bytes.length), bytes) === 0;
  }

  /** `Linux version 6.1.0-...` */
  get banner(): string {
    // without data in the symbol table the image has a second text of that form, without the build's number
    const uts = this.#byName.has('linux_banner') ? undefined : this.#utsBanner();
    if (uts !== undefined) return uts;
    this.#banner ??= this.#readBanner();
    return this.#banner ?? `Linux version ${this.vmcoreinfo?.release ?? 'unknown'}`;
  }

  /** By its symbol, or where there is none, the first text of that form in the image. */
  #readBanner(): string | undefined {
    const symbol = this.#byName.get('linux_banner');
    const { buffer, byteOffset, length } = this.memory.view(
      this.textGpa,
      Math.min(BANNER_WITHIN, this.memory.bytes - this.textGpa),
    );
    const image = Buffer.from(buffer, byteOffset, length);
    const at = symbol === undefined ? image.indexOf(BANNER) : Number(symbol - this.text);
    const text = at < 0 || at >= length ? '' : cString(image.subarray(at, at + 512)).trim();
    return text.startsWith(BANNER) ? text : undefined;
  }

  /** By `struct new_utsname`: name, release and version. */
  #utsBanner(): string | undefined {
    const uts = this.vmcoreinfo?.symbol('init_uts_ns');
    if (uts === undefined) return undefined;
    const field = (index: number): string => cString(this.image(uts + BigInt(index * UTS_FIELD), UTS_FIELD));
    return `${field(0)} version ${field(2)} ${field(3)}`;
  }

  /** `6.1.0-56-cloud-amd64` */
  get release(): string {
    return this.banner.split(' ')[2] ?? '';
  }

  /** Address of a symbol. @throws Error naming it when the kernel has none such. */
  address(name: string): bigint {
    const found = this.#find(name);
    if (found !== undefined) return found;
    const why = this.#byName.has('init_task') ? '' : ', as it was built without CONFIG_KALLSYMS_ALL';
    throw new Error(`${this.release} has no symbol ${name}${why}`);
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  #find(name: string): bigint | undefined {
    return this.#byName.get(name) ?? this.vmcoreinfo?.symbol(name);
  }

  /** Types, from the kernel's .BTF section. @throws Error when it has none. */
  get btf(): Btf {
    if (this.#btf === undefined) {
      if (!this.has('__start_BTF')) throw new Error(`${this.release} has no type information (CONFIG_DEBUG_INFO_BTF)`);
      const start = this.address('__start_BTF');
      this.#btf = new Btf(this.read(start, Number(this.address('__stop_BTF') - start)), this.pointerBytes);
    }
    return this.#btf;
  }

  /** Offsets and sizes of structures: of BTF, or where there is none, the few of VMCOREINFO. @throws Error with neither. */
  get types(): Pick<Btf, 'offsetOf' | 'sizeOf'> {
    return this.has('__start_BTF') || this.vmcoreinfo === undefined ? this.btf : this.vmcoreinfo;
  }

  /** Guest-physical address, by the kernel's own page tables; undefined where nothing is mapped. */
  translate(address: bigint): number | undefined {
    return this.#paging.translate(address);
  }

  /** The same by another page table, of a process. */
  translateBy(root: number, address: bigint): number | undefined {
    return this.#paging.translateBy(root, address);
  }

  /** A copy of kernel memory. @throws Error naming the address when a page is not mapped or lies outside RAM. */
  read(address: bigint, length: number): Uint8Array {
    if (!(length >= 0 && length <= MAX_READ))
      throw new Error(`0x${address.toString(16)}: ${length} bytes are not a table`);
    const result = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = BigInt.asUintN(this.bits, address + BigInt(done));
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
    if (!(gpa >= 0 && length >= 0 && gpa + length <= this.memory.bytes))
      throw new RangeError(`0x${address.toString(16)} is not in RAM`);
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

  /** A pointer or `unsigned long`. */
  pointer(address: bigint): bigint {
    return this.bits === 64 ? this.u64(address) : BigInt(this.u32(address));
  }

  /** Text at an address, up to a NUL or `limit` bytes. */
  text8(address: bigint, limit: number): string {
    return cString(this.read(address, limit));
  }

  /** Entries of a `struct list_head` ring, as addresses of the containing structures. */
  *list(head: bigint, offset: number, limit = 65536): Generator<bigint> {
    for (let at = this.pointer(head), count = 0; at !== head && at !== 0n; at = this.pointer(at)) {
      if (count++ >= limit) throw new Error(`the list at 0x${head.toString(16)} does not end`);
      yield BigInt.asUintN(this.bits, at - BigInt(offset));
    }
  }

  /** Address of a CPU's copy of a per-CPU variable. */
  perCpu(name: string, cpu: number): bigint {
    const variable = this.address(name);
    const area = this.pointer(this.address('__per_cpu_offset') + BigInt(cpu * this.pointerBytes));
    // Since 6.15, and in 32 bits, per-CPU symbols are addresses in the image; before they count from 0.
    return BigInt.asUintN(this.bits, variable < PER_CPU_END ? area + variable : variable + area);
  }
}
