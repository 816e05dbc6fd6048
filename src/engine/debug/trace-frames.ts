/** What tracepoints have collected: frames in a bounded buffer, and the variables that their expressions count in. */
import type { TraceFrame, TraceOptions, TraceStatus } from '../debugger.js';

/** Bytes of a frame beside what it collects, and of its registers; the buffer counts as if they were packed so. */
const FRAME_BYTES = 32;
const REGISTERS_BYTES = 1024;
const EXIT_BYTES = 160;
const BLOCK_BYTES = 16;
const MAX_BUFFER = 64 * 2 ** 20;
const MAX_VARIABLES = 4096;
const MAX_TEXT = 200;

function sizeOf({ registers, memory, variables, exit }: TraceFrame): number {
  const blocks = memory.reduce((sum, { bytes }) => sum + BLOCK_BYTES + bytes.length, 0);
  return (
    FRAME_BYTES + (registers ? REGISTERS_BYTES : 0) + (exit ? EXIT_BYTES : 0) + blocks + variables.length * BLOCK_BYTES
  );
}

export class TraceFrames {
  readonly variables = new Map<number, bigint>();
  #frames: TraceFrame[] = [];
  /** Of the buffer that are in use. */
  #used = 0;
  #created = 0;
  #running = false;
  #stopped: TraceStatus['stopped'] = { why: 'never run' };
  #size = 0;
  #circular = false;
  /** Hits of each tracepoint. */
  readonly #hits = new Map<number, number>();

  /** Begins anew. @throws Error naming what is too large */
  start({ bytes, circular, variables }: TraceOptions): void {
    if (bytes > MAX_BUFFER)
      throw new Error(`a trace buffer of ${bytes} bytes is too large: set trace-buffer-size to ${MAX_BUFFER} at most`);
    if (variables.length > MAX_VARIABLES) throw new Error(`more than ${MAX_VARIABLES} trace state variables`);
    this.#frames = [];
    this.#used = 0;
    this.#created = 0;
    this.#hits.clear();
    this.#size = bytes;
    this.#circular = circular;
    this.variables.clear();
    for (const { number, value } of variables) this.variables.set(number, value);
    this.#running = true;
  }

  stop(stopped: TraceStatus['stopped'] = { why: 'asked' }): void {
    if (!this.#running) return;
    this.#running = false;
    this.#stopped = stopped;
  }

  get running(): boolean {
    return this.#running;
  }

  /** @param passes hits after which the run ends; 0: never */
  add(frame: TraceFrame, passes: number): void {
    if (!this.#running) return;
    const bytes = sizeOf(frame);
    while (this.#circular && this.#used + bytes > this.#size && this.#frames.length > 0)
      this.#used -= sizeOf(this.#frames.shift() as TraceFrame);
    if (this.#used + bytes > this.#size) {
      this.stop({ why: 'full' });
      return;
    }
    this.#frames.push(frame);
    this.#used += bytes;
    this.#created++;
    const hits = (this.#hits.get(frame.tracepoint) ?? 0) + 1;
    this.#hits.set(frame.tracepoint, hits);
    if (frame.failure !== undefined)
      this.stop({ why: 'error', tracepoint: frame.tracepoint, text: frame.failure.slice(0, MAX_TEXT) });
    else if (passes > 0 && hits >= passes) this.stop({ why: 'passes', tracepoint: frame.tracepoint });
  }

  get status(): TraceStatus {
    return {
      running: this.#running,
      ...(this.#running ? {} : { stopped: this.#stopped }),
      frames: this.#frames.length,
      created: this.#created,
      bytes: this.#size,
      free: Math.max(0, this.#size - this.#used),
      circular: this.#circular,
      hits: [...this.#hits].map(([tracepoint, hits]) => ({ tracepoint, hits })),
    };
  }

  /** By its number from 0 on; undefined when there is none. */
  at(index: number): TraceFrame | undefined {
    return this.#frames[index];
  }

  /** What tells the frames apart, oldest first. */
  list(): { tracepoint: number; address: bigint }[] {
    return this.#frames.map(({ tracepoint, address }) => ({ tracepoint, address }));
  }
}
