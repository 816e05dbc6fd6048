/**
 * Guest memory that takes a moment, for readers that cannot wait: a reader that misses a page ends there, the page is
 * fetched, and it reads again from its start. Searches through all memory find zeroes where nothing was fetched.
 */
import type { PhysicalMemory } from '../engine/debug/linux/physical.js';
import type { SlowMemory } from './memory.js';

const PAGE = 4096;
/** A view above this is a search's, which is not worth fetching for. */
const SCAN_BYTES = 65_536;
/** Pages that one reading fetches at most, and rounds that it takes: a list that turns in a circle ends. */
const MAX_PAGES = 16_384;
const MAX_ROUNDS = 20_000;
/** Pages that lie together are fetched by one question. */
const RUN_PAGES = 16;
const ZEROES = new Uint8Array(PAGE);

class MissingError extends Error {}

export class FetchedMemory implements PhysicalMemory {
  readonly #pages = new Map<number, Uint8Array>();
  /** Pages whose contents do not change: they are kept from one reading to the next. */
  readonly #constant = new Map<number, Uint8Array>();
  readonly #missing = new Set<number>();
  #turn: Promise<unknown> = Promise.resolve();

  /** @param bytes where searches end */
  constructor(
    private readonly memory: SlowMemory,
    public bytes: number,
  ) {}

  get whole(): boolean {
    return this.#missing.size === 0;
  }

  view(gpa: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    // a table that is kept has its ends in pages that are not
    const isKept = length > SCAN_BYTES && this.#constant.has(Math.floor((gpa + length / 2) / PAGE));
    const scans = length > SCAN_BYTES && !isKept;
    for (let at = 0; at < length; ) {
      const number = Math.floor((gpa + at) / PAGE);
      const from = (gpa + at) % PAGE;
      const count = Math.min(PAGE - from, length - at);
      const page = this.#constant.get(number) ?? this.#pages.get(number);
      if (page) bytes.set(page.subarray(from, from + count), at);
      else if (!scans) this.#missing.add(number);
      at += count;
    }
    // Its text is seen by nobody: who reads is asked again.
    if (!scans && this.#missing.size > 0) throw new MissingError('a page is on its way');
    return bytes;
  }

  /** Fetches a range that is searched, and told how far that is. */
  async fetch(start: number, end: number, progress: (share: number) => void): Promise<void> {
    const first = Math.floor(start / PAGE);
    const last = Math.ceil(end / PAGE);
    for (let at = first; at < last; at += RUN_PAGES) {
      await this.#fetchRun(at, Math.min(RUN_PAGES, last - at));
      progress((at - first) / (last - first));
    }
  }

  /** What lies there does not change any more. */
  keep(start: number, end: number): void {
    for (const [number, page] of this.#pages)
      if (number * PAGE >= start && (number + 1) * PAGE <= end) this.#constant.set(number, page);
  }

  /** Forgets all, as after a reset. */
  clear(): void {
    this.#pages.clear();
    this.#constant.clear();
  }

  /** Runs a reader until it has all that it reads, one reader at a time. @throws what the reader throws then */
  run<T>(work: () => Promise<T>, fresh: boolean): Promise<T> {
    const before = this.#turn;
    const own = (async () => {
      await before.catch(() => {});
      if (fresh) this.#pages.clear();
      return await this.#run(work);
    })();
    this.#turn = own.catch(() => {});
    return own;
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    let fetched = 0;
    for (let round = 0; round < MAX_ROUNDS && fetched < MAX_PAGES; round++) {
      this.#missing.clear();
      let result: { value: T } | { error: unknown };
      try {
        result = { value: await work() };
      } catch (error) {
        result = { error };
      }
      // A reader may have swallowed the error and gone on without the page.
      if (this.#missing.size === 0) {
        if ('error' in result) throw result.error;
        return result.value;
      }
      const wanted = [...this.#missing].sort((a, b) => a - b);
      for (let n = 0; n < wanted.length; ) {
        let count = 1;
        while (count < RUN_PAGES && wanted[n + count] === wanted[n]! + count) count++;
        await this.#fetchRun(wanted[n]!, count);
        n += count;
        fetched += count;
      }
    }
    throw new Error(`more than ${MAX_PAGES} pages of guest memory are read for this`);
  }

  async #fetchRun(first: number, count: number): Promise<void> {
    const bytes = await this.memory.read(BigInt(first * PAGE), count * PAGE);
    for (let n = 0; n < count; n++) {
      const page = bytes.slice(n * PAGE, (n + 1) * PAGE);
      // Where memory ends there is nothing, and asking again would bring nothing.
      this.#pages.set(first + n, page.length === PAGE ? page : Buffer.concat([page, ZEROES.subarray(page.length)]));
    }
  }
}
