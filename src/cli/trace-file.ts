import { TRACE_RECORD_BYTES, TRACE_RECORDS, TRACE_SEQUENCE } from '../engine/core/layout.js';
import { recordAddress } from '../engine/debug/trace-reader.js';
import type { HostMemory } from '../engine/memory/host-memory.js';
import { encodeTraceBlock, encodeTraceHeader, type TraceAbout } from '../formats/exit-trace-file.js';
import { UsageError } from './options.js';
import { openOutput, writeOutput } from './output-file.js';

/** Records that are compressed and written together, at most a second after the first of them. */
const BLOCK_RECORDS = 8192;
const FLUSH_MS = 1000;

/** Records all VM exits to a file. */
export class TraceFile {
  readonly #file: number;
  readonly #block = Buffer.alloc(BLOCK_RECORDS * TRACE_RECORD_BYTES);
  /** Sequence of the block's first record, and how many it has. */
  #first = 1;
  #count = 0;
  #flushAt = 0;
  /** Sequence of the newest exit that was taken, and how often the machine had been reset then. */
  #newest = 0;
  #resets = 0;

  /** @throws UsageError when the file cannot be written. */
  constructor(
    readonly path: string,
    readonly host: HostMemory,
    about: TraceAbout,
  ) {
    this.#file = openOutput('--trace', path);
    try {
      writeOutput('--trace', path, this.#file, encodeTraceHeader(TRACE_RECORD_BYTES, about));
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  }

  /**
   * Takes what is new in the ring.
   * @param resets of the machine so far: each begins the sequence anew
   * @throws Error naming the file when it cannot be written.
   */
  drain(resets: number): void {
    const newest = this.host.getNumber(TRACE_SEQUENCE);
    // another state was loaded, or more exits came than the ring holds: the sequence jumps
    if (resets !== this.#resets || newest < this.#newest) this.#goOnAfter(0);
    this.#resets = resets;
    if (newest - this.#newest > TRACE_RECORDS) this.#goOnAfter(newest - TRACE_RECORDS);
    while (this.#newest < newest) {
      const inRing = TRACE_RECORDS - (this.#newest % TRACE_RECORDS);
      const count = Math.min(newest - this.#newest, inRing, BLOCK_RECORDS - this.#count);
      const at = recordAddress(this.#newest + 1);
      this.#block.set(this.host.u8.subarray(at, at + count * TRACE_RECORD_BYTES), this.#count * TRACE_RECORD_BYTES);
      if (this.#count === 0) this.#flushAt = performance.now() + FLUSH_MS;
      this.#count += count;
      this.#newest += count;
      if (this.#count === BLOCK_RECORDS) this.flush();
    }
    if (this.#count > 0 && performance.now() >= this.#flushAt) this.flush();
  }

  /** Writes what was taken. @throws Error naming the file when it cannot be written. */
  flush(): void {
    if (this.#count === 0) return;
    const records = this.#block.subarray(0, this.#count * TRACE_RECORD_BYTES);
    const block = encodeTraceBlock(this.#first, this.#count, records);
    this.#goOnAfter(this.#newest, false);
    writeOutput('--trace', this.path, this.#file, block);
  }

  #goOnAfter(sequence: number, flush = true): void {
    if (flush) this.flush();
    this.#newest = sequence;
    this.#first = sequence + 1;
    this.#count = 0;
  }
}
