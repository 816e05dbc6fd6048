/**
 * The Linux kernel of a guest whose memory is read slowly, by questions to a monitor or a stub: not all of memory is
 * searched, but the kernel's image, which the interrupt table and the page tables lead to.
 */

import { LinuxView } from '../engine/debug/linux/view.js';
import type * as D from '../engine/debugger.js';
import type { CodeKernel } from '../engine/host/guest-code.js';
import { GuestKernel, type KernelCode } from '../engine/host/guest-kernel.js';
import type { PagingState } from '../engine/memory/guest-walk.js';
import { EFER } from '../spec/masks.js';
import { FetchedMemory } from './fetched-memory.js';
import { readLinear, type SlowMemory, walkSlowly } from './memory.js';

type Os = NonNullable<D.Debugger['os']>;

const LARGE_PAGE = 1n << 21n;
/** The image is not taken to go further than this from its interrupt handlers. */
const MAX_REACH = 64n << 20n;
/** The page-fault handler's gate, of 16 bytes. @sdm 3A 6.14.1 "64-Bit Mode IDT" */
const GATE = 14n * 16n;
/** What a retry waits for before it searches again, ns: LinuxView does not search twice within a moment. */
const SEARCH_STEP = 1e9;
/** Where Linux maps its image. @see Documentation/arch/x86/x86_64/mm.rst */
const KERNEL_IMAGE = 0xffff_ffff_8000_0000n;
/** No kernel with its symbols is smaller. */
const SMALLEST = 6 << 20;
const TASK = "fetching the kernel's image, slowly";

export class SlowKernel implements CodeKernel {
  readonly #memory: FetchedMemory;
  readonly #kernel: GuestKernel;
  readonly os: Os;
  readonly code: KernelCode;
  #finding: Promise<boolean> | undefined;
  #rounds = 0;
  #readAt: number | undefined;

  constructor(
    private readonly slow: SlowMemory,
    private readonly bytes: number,
    private readonly registers: () => Promise<D.RegisterFile>,
    private readonly emit: (event: D.DebuggerEvent) => void,
    vcpus: number,
    /** Of a guest that stands: what counts up when its memory may have changed. */
    private readonly moment: () => number | undefined = () => undefined,
  ) {
    this.#memory = new FetchedMemory(slow, bytes);
    const linux = new LinuxView(this.#memory, () => performance.now() * 1e6 + this.#rounds * SEARCH_STEP);
    // What it tells of its progress is told here, once for all rounds.
    this.#kernel = new GuestKernel(linux, undefined, (event) => event.type !== 'progress' && emit(event), vcpus);
    const own = this.#kernel.os as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    this.os = Object.fromEntries(
      Object.keys(own).map((name) => [
        name,
        async (...args: unknown[]) => {
          if (name !== 'absence') await this.find();
          return await this.#read(() => own[name]!(...args));
        },
      ]),
    ) as unknown as Os;
    const { code } = this.#kernel;
    const found = async <T>(read: () => Promise<T>, none: T): Promise<T> =>
      (await this.#finding) ? await this.#read(read) : none;
    this.code = {
      symbols: async () => ((await this.find()) ? await this.#read(() => code.symbols()) : []),
      btf: () => found(() => code.btf(), undefined),
      typedModules: () => found(() => code.typedModules(), []),
      moduleBtf: (module) => found(() => code.moduleBtf(module), undefined),
      currentTask: () => found(() => code.currentTask(), undefined),
      frameRow: (address) => found(() => code.frameRow(address), undefined),
    };
  }

  get info(): D.OsInfo | undefined {
    return this.#kernel.info;
  }

  forget(): void {
    this.#readAt = undefined;
    this.#memory.clear();
    this.#kernel.forget();
    this.#finding = undefined;
  }

  /** Each reading is of the guest as it is now, but for what does not change. */
  #read<T>(work: () => Promise<T>, again = true): Promise<T> {
    const now = this.moment();
    const fresh = again && (now === undefined || now !== this.#readAt);
    if (fresh) this.#readAt = now;
    return this.#memory.run(() => {
      this.#rounds++;
      return work();
    }, fresh);
  }

  /** Whether there is a kernel; looked for once, and again after a reset or where there was none. */
  async find(): Promise<boolean> {
    this.#finding ??= this.#find().catch((error: Error) => {
      this.emit({ type: 'message', text: `no view of the kernel: ${error.message}` });
      return false;
    });
    const found = await this.#finding;
    if (!found) this.#finding = undefined;
    return found;
  }

  /** From the data on things change, but for the tables of the unwinder. */
  #keepConstant(): void {
    const kernel = this.#kernel.linux.kernel();
    if (kernel === undefined) return;
    const { text, textGpa } = kernel;
    const constant = [
      ['_text', '_sdata'],
      ...['orc_unwind_ip', 'orc_unwind'].map((t) => [`__start_${t}`, `__stop_${t}`]),
    ];
    for (const [from, to] of constant) {
      if (!kernel.has(from!) || !kernel.has(to!)) continue;
      const [start, end] = [kernel.address(from!), kernel.address(to!)];
      if (start >= text && end > start) this.#memory.keep(textGpa + Number(start - text), textGpa + Number(end - text));
    }
  }

  async #find(): Promise<boolean> {
    const registers = await this.registers();
    const image = await imageOf(registers, this.slow);
    if (!image) return false;
    const progress = (share: number): void => this.emit({ type: 'progress', task: TASK, share });
    try {
      await this.#memory.fetch(image.start, image.end, progress);
      this.#memory.bytes = image.end;
      const found = await this.#read(() => this.#kernel.find(), false);
      if (!found) return false;
      await this.#read(async () => this.#keepConstant(), false);
      this.emit({ type: 'symbols' });
      return true;
    } finally {
      this.#memory.bytes = this.bytes;
      this.emit({ type: 'progress', task: TASK, done: true });
    }
  }
}

/** Guest-physical bytes of the image that an interrupt handler of the running system lies in; undefined in real mode. */
async function imageOf(
  registers: D.RegisterFile,
  slow: SlowMemory,
): Promise<{ start: number; end: number } | undefined> {
  const { cr0 = 0n, cr3 = 0n, cr4 = 0n, efer = 0n, idtr_base } = registers;
  if (idtr_base === undefined || (efer & EFER.LMA) === 0n) return undefined;
  // In a program the page tables may hold the kernel's entries only (PTI): its own lie a page before them.
  for (const root of new Set([cr3 & ~0x1fffn, cr3])) {
    const image = await imageBy({ cr0, cr3: root, cr4, efer }, idtr_base, slow);
    if (image && image.end - image.start >= SMALLEST) return image;
  }
  return undefined;
}

async function imageBy(
  paging: PagingState,
  idtr_base: bigint,
  slow: SlowMemory,
): Promise<{ start: number; end: number } | undefined> {
  const gate = Buffer.from(await readLinear(paging, idtr_base + GATE, 12, slow));
  if (gate.length < 12) return undefined;
  const handler =
    BigInt(gate.readUInt16LE(0)) | (BigInt(gate.readUInt16LE(6)) << 16n) | (BigInt(gate.readUInt32LE(8)) << 32n);
  // What lies lower is another system's: all memory may be mapped there in one piece.
  if (handler < KERNEL_IMAGE) return undefined;
  const page = handler & ~(LARGE_PAGE - 1n);
  const first = (await walkSlowly(paging, page, slow)).output;
  if (first === undefined) return undefined;
  /** How far the image is mapped in one piece in a direction. */
  const reach = async (step: bigint): Promise<bigint> => {
    let far = 0n;
    while (far < MAX_REACH) {
      const { output } = await walkSlowly(paging, BigInt.asUintN(64, page + step * (far + LARGE_PAGE)), slow);
      if (output !== first + step * (far + LARGE_PAGE)) break;
      far += LARGE_PAGE;
    }
    return far;
  };
  const [below, above] = [await reach(-1n), await reach(1n)];
  return { start: Number(first - below), end: Number(first + above + LARGE_PAGE) };
}
