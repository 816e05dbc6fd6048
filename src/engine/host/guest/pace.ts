import type { Nanoseconds } from '../../time/virtual-time.js';

/** What is told is of the last one to two of these, ms. */
const SPAN_MS = 500;

interface Look {
  readonly ms: number;
  readonly clock: Nanoseconds;
}

/** How fast a guest's time runs beside the host's, while it runs. */
export class Pace {
  /** Looks that begin the span before this one, and this one. */
  #before: Look | undefined;
  #begin: Look | undefined;
  #last: Look | undefined;
  #ranMs = 0;
  #passed: Nanoseconds = 0;

  /** The guest runs, and this is its virtual time; `ms`: the host's clock. */
  look(ms: number, clock: Nanoseconds): void {
    const here = { ms, clock };
    // it was put elsewhere
    if (this.#last && clock < this.#last.clock) this.stop();
    if (this.#last) {
      this.#ranMs += ms - this.#last.ms;
      this.#passed += clock - this.#last.clock;
    }
    this.#last = here;
    this.#begin ??= here;
    if (ms - this.#begin.ms < SPAN_MS) return;
    this.#before = this.#begin;
    this.#begin = here;
  }

  /** It stands: what passes of the host's time is no part of it. */
  stop(): void {
    this.#before = undefined;
    this.#begin = undefined;
    this.#last = undefined;
  }

  /** Of late: 1 is as fast as the host's. Undefined when it has not run for long enough. */
  get now(): number | undefined {
    const { ms, clock } = this.#last ?? { ms: 0, clock: 0 };
    return this.#before && (clock - this.#before.clock) / 1e6 / (ms - this.#before.ms);
  }

  /** Over all that it has run. */
  get mean(): number | undefined {
    return this.#ranMs > 0 ? this.#passed / 1e6 / this.#ranMs : undefined;
  }
}
