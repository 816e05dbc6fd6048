/** A screen that is looked at again and again: what has changed since the last look, drawn where it has. */
import { isDark, type Lines, linesOf, type Shown } from './picture.js';
import type { VgaState } from './registers.js';

export interface ChangedArea {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface PictureLook {
  mode: string;
  width: number;
  height: number;
  /** Three bytes a pixel; the next look writes here. */
  rgb: Uint8Array;
  /** It has another size than before: all of it is new. */
  resized: boolean;
  changed: ChangedArea[];
}

/**
 * Video memory is compared with what it held at the last look, which takes a fraction of what drawing it does, and nothing
 * of the guest's: it writes its memory as fast while somebody looks.
 */
export class PictureWatch {
  #rgb = new Uint8Array(0);
  #size = { width: 0, height: 0 };
  /** All but memory that the last picture came from. */
  #from = '';
  #memory: Uint8Array[] = [];

  constructor(private readonly shown: () => Shown) {}

  look(): PictureLook {
    const shown = this.shown();
    const lines = linesOf(shown);
    const { mode, width, height } = lines;
    const resized = width !== this.#size.width || height !== this.#size.height;
    const from = `${mode} ${JSON.stringify(shown.mode)} ${shown.wideDac} ${registersShown(shown.registers)}`;
    const anew = resized || from !== this.#from || !this.#comparable(lines);
    if (resized) this.#rgb = new Uint8Array(width * height * 3);
    const changed = anew || !this.#same(lines) ? this.#draw(lines, anew) : [];
    this.#size = { width, height };
    this.#from = from;
    return { mode, width, height, rgb: this.#rgb, resized, changed };
  }

  #comparable(lines: Lines): boolean {
    return sourcesOf(lines).every(({ length }, i) => length === this.#memory[i]?.length);
  }

  #same(lines: Lines): boolean {
    return sourcesOf(lines).every((bytes, i) => equal(bytes, this.#memory[i]));
  }

  /**
   * What was drawn from is kept before it is drawn: a guest that writes meanwhile, in a thread of its own, is seen next time.
   * @param all whatever its memory held, a line may be another one
   */
  #draw(lines: Lines, all: boolean): ChangedArea[] {
    const { width, height, memory } = lines;
    const lineIn = all ? undefined : lines.lineIn;
    if (!lineIn) this.#keep(sourcesOf(lines));
    const line = new Uint8Array(width * 3);
    const changed: ChangedArea[] = [];
    for (let y = 0; y < height; y++) {
      if (lineIn) {
        const { from, bytes } = lineIn(y);
        const now = memory.subarray(from, from + bytes);
        const before = this.#memory[0].subarray(from, from + bytes);
        if (equal(now, before)) continue;
        before.set(now);
      }
      lines.draw(y, line);
      const kept = this.#rgb.subarray(y * width * 3, (y + 1) * width * 3);
      const span = difference(line, kept);
      if (span === undefined) continue;
      kept.set(line);
      changed.push({ x: span.first, y, width: span.end - span.first, height: 1 });
    }
    return changed;
  }

  #keep(sources: readonly Uint8Array[]): void {
    for (const [i, bytes] of sources.entries()) {
      if (this.#memory[i]?.length === bytes.length) this.#memory[i].set(bytes);
      else this.#memory[i] = bytes.slice();
    }
    this.#memory.length = sources.length;
  }
}

const sourcesOf = ({ memory, also = [] }: Lines): readonly Uint8Array[] => [memory, ...also];

/** What of the registers is seen: not where a guest has got to in writing them. */
function registersShown(s: VgaState): string {
  const { crtc, sequencer, graphics, attribute, palette, dacMask } = s;
  return [isDark(s), crtc, sequencer, graphics, attribute, palette, dacMask].join();
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Pixels in which two lines differ; undefined: in none. */
function difference(a: Uint8Array, b: Uint8Array): { first: number; end: number } | undefined {
  if (equal(a, b)) return undefined;
  let first = 0;
  let last = a.length - 1;
  while (a[first] === b[first]) first++;
  while (a[last] === b[last]) last--;
  return { first: Math.floor(first / 3), end: Math.floor(last / 3) + 1 };
}
