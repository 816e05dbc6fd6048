/** A client's keys: which it holds, and with which shift its characters are typed. */
import { ofKeysym } from './keysyms.js';
import type { Keyboard } from './screen.js';

const SHIFTS = ['shift', 'right-shift'] as const;

export class Typist {
  /** Keys that are down, each by what brought it down: a place, or a keysym. */
  readonly #held = new Map<string, string>();

  constructor(private readonly keyboard: Keyboard) {}

  /** @param place where the client tells the key's place, whatever its own layout has there; 0: it does not */
  key(keysym: number, place: number, down: boolean): void {
    const by = place > 0 ? `place ${place}` : `keysym ${lowered(keysym)}`;
    if (!down) {
      this.#up(by);
      return;
    }
    const at = place > 0 ? this.keyboard.keyAt(place) : undefined;
    if (at !== undefined) {
      this.#down(by, at);
      return;
    }
    const meant = ofKeysym(keysym);
    if (meant === undefined) return;
    if ('key' in meant) {
      this.#down(by, meant.key);
      return;
    }
    const typed = this.keyboard.keyOf(meant.character);
    if (typed === undefined) return;
    const letter = /[a-z]/i.test(meant.character);
    this.#shifted(typed.shift !== (letter && this.keyboard.capsLock), () => this.#down(by, typed.key));
  }

  /** All keys go up: the client has gone. */
  releaseAll(): void {
    for (const by of [...this.#held.keys()]) this.#up(by);
  }

  #down(by: string, key: string): void {
    // a client may say one key after another for the same: the first goes up
    if (this.#held.has(by) && this.#held.get(by) !== key) this.#up(by);
    this.#held.set(by, key);
    this.keyboard.key(key, true);
  }

  #up(by: string): void {
    const key = this.#held.get(by);
    if (key === undefined) return;
    this.#held.delete(by);
    // the same key by another name is still down
    if (![...this.#held.values()].includes(key)) this.keyboard.key(key, false);
  }

  /** The client's layout may have the character on another level than a US keyboard: shift is put right meanwhile. */
  #shifted(wanted: boolean, type: () => void): void {
    const held = SHIFTS.filter((shift) => [...this.#held.values()].includes(shift));
    const change = held.length > 0 === wanted ? [] : wanted ? [SHIFTS[0]] : held;
    for (const key of change) this.keyboard.key(key, wanted);
    type();
    for (const key of change) this.keyboard.key(key, !wanted);
  }
}

/** A letter that went down small may come up as a capital, when shift moved meanwhile. */
function lowered(keysym: number): number {
  return keysym >= 0x41 && keysym <= 0x5a ? keysym + 0x20 : keysym;
}
