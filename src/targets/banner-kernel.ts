/**
 * Where a Linux kernel lies that a file tells of, for a stub that reads linear memory alone (kgdb, a probe): KASLR moves the
 * image in steps, and its banner stands at one of the places where it may be.
 */
import type { CodeFile } from '../engine/debug/types/code-file.js';
import type { CodeKernel } from '../engine/host/guest-code.js';
import type { KernelCode } from '../engine/host/guest-kernel.js';

type Read = (gva: bigint, length: number) => Promise<Uint8Array>;

const BANNER = Buffer.from('Linux version ');
/** Where x86-64 maps the image, and how far KASLR moves it there. @linux Documentation/arch/x86/x86_64/mm.rst */
const KERNEL_MAP = 0xffff_ffff_8000_0000n;
const KERNEL_MAP_BYTES = 1n << 30n;
/** Least CONFIG_PHYSICAL_ALIGN of x86-64. */
const ALIGN = 1n << 21n;

export class BannerKernel implements CodeKernel {
  info: { base: bigint } | undefined;
  /** It shows no more of itself than its file does. */
  readonly code: KernelCode = {
    symbols: async () => {
      await this.find();
      return [];
    },
    btf: async () => undefined,
    typedModules: async () => [],
    moduleBtf: async () => undefined,
    currentTask: async () => undefined,
    frameRow: async () => undefined,
  };
  #looked: number | undefined;

  private constructor(
    private readonly linked: { text: bigint; banner: bigint },
    private readonly read: Read,
    private readonly moment: () => number | undefined,
  ) {}

  /**
   * Undefined where the file is no kernel of 64 bits.
   * @param moment what counts up when the guest has run; undefined while it runs: nothing can be read then
   */
  static of({ symbols }: CodeFile, read: Read, moment: () => number | undefined): BannerKernel | undefined {
    const addressOf = (wanted: string) => symbols?.find(({ name }) => name === wanted)?.address;
    const [text, banner] = [addressOf('_text'), addressOf('linux_banner')];
    if (text === undefined || banner === undefined || text < KERNEL_MAP || banner < text) return undefined;
    return new BannerKernel({ text, banner }, read, moment);
  }

  async find(): Promise<boolean> {
    const now = this.moment();
    if (this.info !== undefined || now === undefined || this.#looked === now) return this.info !== undefined;
    this.#looked = now;
    const { text, banner } = this.linked;
    const isAt = async (base: bigint): Promise<boolean> => {
      const bytes = await this.read(base + (banner - text), BANNER.length).catch(() => new Uint8Array(0));
      return Buffer.compare(bytes, BANNER) === 0;
    };
    // where it was linked first: many are started without KASLR
    const places = [text];
    for (let base = KERNEL_MAP; base < KERNEL_MAP + KERNEL_MAP_BYTES; base += ALIGN) places.push(base);
    for (const base of places) {
      if (!(await isAt(base))) continue;
      this.info = { base };
      return true;
    }
    return false;
  }
}
