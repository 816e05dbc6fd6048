/** What of a screen a client has not got yet: for each band of lines the columns from the first to the last. */
import type { Area } from './screen.js';

const BAND = 16;

export class Damage {
  readonly #left: Uint16Array;
  readonly #right: Uint16Array;
  #none = true;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.#left = new Uint16Array(Math.ceil(height / BAND));
    this.#right = new Uint16Array(this.#left.length);
  }

  get none(): boolean {
    return this.#none;
  }

  /** What lies outside the screen is left out. */
  add({ x, y, width, height }: Area): void {
    const right = Math.min(this.width, x + width);
    const bottom = Math.min(this.height, y + height);
    if (right <= x || bottom <= y) return;
    this.#none = false;
    for (let band = Math.floor(y / BAND); band * BAND < bottom; band++) {
      const empty = this.#right[band] === 0;
      this.#left[band] = empty ? x : Math.min(this.#left[band], x);
      this.#right[band] = Math.max(this.#right[band], right);
    }
  }

  /** All of it; then there is none. Bands of the same columns are one area. */
  take(): Area[] {
    const areas: Area[] = [];
    for (let band = 0; band < this.#left.length; band++) {
      const [left, right] = [this.#left[band], this.#right[band]];
      if (right === 0) continue;
      const y = band * BAND;
      const height = Math.min(BAND, this.height - y);
      const last = areas.at(-1);
      if (last && last.y + last.height === y && last.x === left && last.width === right - left) last.height += height;
      else areas.push({ x: left, y, width: right - left, height });
    }
    this.#left.fill(0);
    this.#right.fill(0);
    this.#none = true;
    return areas;
  }
}
