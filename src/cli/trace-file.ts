import { openSync, writeSync } from 'node:fs';
import { TRACE_RECORD_BYTES, TRACE_RECORDS, TRACE_SEQUENCE } from '../engine/core/layout.js';
import { recordAddress } from '../engine/debug/trace-reader.js';
import { fileCause, outputCause } from '../engine/host/file-cause.js';
import type { HostMemory } from '../engine/vmm/host-memory.js';
import { UsageError } from './options.js';

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
    try {
      this.#file = openSync(path, 'w');
      writeSync(this.#file, HEADER);
    } catch (error) {
      throw new UsageError(`--trace ${path}: ${outputCause(error)}`);
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
      try {
        writeSync(this.#file, this.host.u8, at, count * TRACE_RECORD_BYTES);
      } catch (error) {
        throw new Error(`${this.path}: ${fileCause(error)}`);
      }
      this.#written += count;
    }
  }
}
