/** What the Linux in a guest says that it uses of its memory, for who watches many guests. */
import type { LinuxKernel } from '../../debug/linux/kernel.js';
import { memoryUse, type PageCounters, pageCounters } from '../../debug/linux/memory-use.js';
import type { GuestUsage } from '../../debugger.js';
import type { GuestKernel } from '../guest-kernel.js';

/** A guest in which no kernel was found is searched again after this, then after twice that, and so on. */
const AGAIN_MS = 20_000;
const MOST_AGAIN_MS = 1_800_000;

export class KernelMemoryUse {
  #counted: { kernel: LinuxKernel; counters: PageCounters } | undefined;
  #againMs = Number.NEGATIVE_INFINITY;
  #failures = 0;

  /**
   * @param view guest-physical memory
   * @param worthSearching where the guest stands, a kernel may be there
   */
  constructor(
    private readonly kernel: GuestKernel,
    private readonly view: (gpa: number, length: number) => Uint8Array,
    private readonly worthSearching: () => boolean,
  ) {}

  /** @param nowMs of a clock that does not go back */
  look(nowMs: number): NonNullable<GuestUsage['memory']> {
    const kernel = this.kernel.linux.kernel();
    if (kernel === undefined) {
      this.#search(nowMs);
      return { why: 'no Linux found in its memory to report it; RSS is what its process has' };
    }
    this.#failures = 0;
    try {
      if (this.#counted?.kernel !== kernel) this.#counted = { kernel, counters: pageCounters(kernel) };
      return memoryUse(this.#counted.counters, this.view) ?? { why: 'its Linux has no figures yet' };
    } catch (error) {
      return { why: (error as Error).message };
    }
  }

  /** A slice at a time, between the guest's turns. */
  #search(nowMs: number): void {
    if (nowMs < this.#againMs || !this.worthSearching()) return;
    this.#againMs = nowMs + Math.min(MOST_AGAIN_MS, AGAIN_MS * 2 ** Math.min(this.#failures++, 20));
    void this.kernel.find().catch(() => {});
  }
}
