/** What a guest has printed in each line of its run, with the instants: what stood on its console at any of them. */
import type { Line } from './lines.js';

/** Bytes of each line that are kept, the newest. */
const MAX_BYTES = 65536;

/** One line's own, from its fork on. */
class Roll {
  #bytes = new Uint8Array(256);
  /** Instructions of the run when each of them came. */
  #at = new Float64Array(256);
  #length = 0;

  add(icount: number, bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (this.#length === this.#bytes.length) this.#grow();
      this.#bytes[this.#length] = byte;
      this.#at[this.#length++] = icount;
    }
  }

  /** The last bytes before an instruction. */
  before(icount: number, most: number): Uint8Array {
    let [low, high] = [0, this.#length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#at[middle] < icount) low = middle + 1;
      else high = middle;
    }
    return this.#bytes.slice(Math.max(0, low - most), low);
  }

  /** Makes room: more of it, or that of the older half. */
  #grow(): void {
    const half = this.#length >> 1;
    const from = this.#length >= MAX_BYTES ? half : 0;
    const size = from > 0 ? this.#length : this.#length * 2;
    const [bytes, at] = [new Uint8Array(size), new Float64Array(size)];
    bytes.set(this.#bytes.subarray(from, this.#length));
    at.set(this.#at.subarray(from, this.#length));
    this.#bytes = bytes;
    this.#at = at;
    this.#length -= from;
  }
}

export class Printed {
  #rolls = new WeakMap<Line, Roll>();

  add(line: Line, icount: number, bytes: Uint8Array): void {
    let roll = this.#rolls.get(line);
    if (!roll) this.#rolls.set(line, (roll = new Roll()));
    roll.add(icount, bytes);
  }

  /** The last bytes, of at most so many, that a line has printed before an instruction. */
  before(line: Line, icount: bigint, most: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let left = most;
    let until = Number(icount);
    for (let at: Line | undefined = line; at && left > 0; at = at.parent) {
      const own = this.#rolls.get(at)?.before(until, left) ?? new Uint8Array(0);
      parts.unshift(own);
      left -= own.length;
      if (at.fork) until = Math.min(until, Number(at.fork.icount));
    }
    return Uint8Array.from(Buffer.concat(parts));
  }

  /** The run begins anew. */
  forget(): void {
    this.#rolls = new WeakMap();
  }
}
