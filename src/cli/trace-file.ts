import { TRACE_RECORD_BYTES, TRACE_RECORDS, TRACE_SEQUENCE } from '../engine/core/layout.js';
import { recordAddress } from '../engine/debug/trace-reader.js';
import type { HostMemory } from '../engine/vmm/host-memory.js';
import { UsageError } from './options.js';
import { openOutput, writeOutput } from './output-file.js';

/** Magic, then bytes per record and version as u32; records follow as the core's ring has them. */
const HEADER = Buffer.concat([Buffer.from('VMSCTRC\0'), Buffer.from(Uint32Array.of(TRACE_RECORD_BYTES, 1).buffer)]);

/** Records all VM exits to a file. */
export class TraceFile {
  readonly #file: number;
  #written = 0;
  /** Exits that came too fast for the ring. */
  lost = 0;

  /** @throws UsageError when the file cannot be written. */
  constructor(
    readonly path: string,
    readonly host: HostMemory,
  ) {
    this.#file = openOutput('--trace', path);
    try {
      writeOutput('--trace', path, this.#file, HEADER);
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  }

  /** Appends what is new in the ring. @throws Error naming the file when it cannot be written. */
  drain(): void {
    const newest = this.host.getNumber(TRACE_SEQUENCE);
    if (newest < this.#written) this.#written = 0; // the machine was reset
    if (newest - this.#written > TRACE_RECORDS) {
      this.lost += newest - this.#written - TRACE_RECORDS;
      this.#written = newest - TRACE_RECORDS;
    }
    while (this.#written < newest) {
      const first = this.#written % TRACE_RECORDS;
      const count = Math.min(newest - this.#written, TRACE_RECORDS - first);
      const at = recordAddress(this.#written + 1);
      writeOutput('--trace', this.path, this.#file, this.host.u8.subarray(at, at + count * TRACE_RECORD_BYTES));
      this.#written += count;
    }
  }
}
