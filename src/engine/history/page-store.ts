/** Copies of pages of 4 KiB, in places of a few large buffers. A page of zeros takes no place. */

const PAGE = 4096;
const PAGES_A_CHUNK = 256;

/** The place of a page of zeros. */
export const ZEROS = -1;

export class PageStore {
  readonly #chunks: Uint8Array[] = [];
  readonly #free: number[] = [];
  #used = 0;

  /** Bytes of pages that are kept. */
  get bytes(): number {
    return this.#used * PAGE;
  }

  /** Keeps a copy of the page at `at`; answers its place. */
  keep(memory: Uint8Array, words: Uint32Array, at: number): number {
    if (isZero(words, at >>> 2)) return ZEROS;
    const place = this.#free.pop() ?? this.#grow();
    this.#used++;
    const chunk = this.#chunks[Math.floor(place / PAGES_A_CHUNK)];
    chunk.set(memory.subarray(at, at + PAGE), (place % PAGES_A_CHUNK) * PAGE);
    return place;
  }

  /** Copies a kept page to `at`. */
  copy(place: number, memory: Uint8Array, at: number): void {
    if (place === ZEROS) memory.fill(0, at, at + PAGE);
    else memory.set(this.#page(place), at);
  }

  equals(place: number, memory: Uint8Array, at: number): boolean {
    if (place === ZEROS) return false;
    return Buffer.compare(this.#page(place), memory.subarray(at, at + PAGE)) === 0;
  }

  free(place: number): void {
    if (place === ZEROS) return;
    this.#used--;
    this.#free.push(place);
  }

  #grow(): number {
    const first = this.#chunks.length * PAGES_A_CHUNK;
    this.#chunks.push(new Uint8Array(PAGES_A_CHUNK * PAGE));
    for (let n = PAGES_A_CHUNK - 1; n > 0; n--) this.#free.push(first + n);
    return first;
  }

  #page(place: number): Uint8Array {
    const at = (place % PAGES_A_CHUNK) * PAGE;
    return this.#chunks[Math.floor(place / PAGES_A_CHUNK)].subarray(at, at + PAGE);
  }
}

function isZero(words: Uint32Array, first: number): boolean {
  // most pages tell at once, and one of zeros takes every word: a test for several of them
  for (let at = first; at < first + PAGE / 4; at += 8) {
    const some = words[at] | words[at + 1] | words[at + 2] | words[at + 3];
    if ((some | words[at + 4] | words[at + 5] | words[at + 6] | words[at + 7]) !== 0) return false;
  }
  return true;
}
