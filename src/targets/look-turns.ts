/** Whose turn it is: guests on the screen at each look, the others at every fourth, spread over the looks. */
import type { Urgent } from '../engine/fleet.js';

const OTHERS_EVERY = 4;

export class LookTurns {
  #look = 0;
  #place = 0;
  readonly #places = new Map<string, number>();

  /** Begins a look at these guests. */
  begin(keys: Iterable<string>): void {
    this.#look++;
    const there = new Set(keys);
    for (const key of this.#places.keys()) if (!there.has(key)) this.#places.delete(key);
  }

  /** Whether a guest is to be asked in this look. A new one is. */
  due(key: string, urgent: Urgent | undefined): boolean {
    const place = this.#places.get(key);
    if (place === undefined) this.#places.set(key, this.#place++);
    return place === undefined || !urgent || urgent(key) || (place + this.#look) % OTHERS_EVERY === 0;
  }
}
