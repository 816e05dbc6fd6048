/** What a screen shows, for who looks again and again and tells what it has seen: several may, each at its own pace. */
import type { FitInto, ScreenLook } from '../../debugger.js';
import { fitted, smaller } from '../../smaller-picture.js';
import type { PictureLook, PictureWatch } from './picture-watch.js';

/** Lines that are told of together. */
const BAND = 16;

export class ScreenLooks {
  /** Counts looks that found something new, and for each band the last one that found it there. */
  #version = 0;
  #mode = '';
  #bands: number[] = [];

  constructor(private readonly watch: Pick<PictureWatch, 'look'>) {}

  /**
   * @param since version of the look that the caller has; 0: none
   * @param fit the whole picture, made smaller, instead of its lines
   */
  look(since: number, fit?: FitInto): ScreenLook {
    const seen = this.watch.look();
    this.#note(seen);
    const { mode, width, height } = seen;
    const look = { mode, width, height, version: this.#version };
    // a version that never was is of another machine
    const before = since > this.#version ? 0 : since;
    if (before === this.#version) return look;
    return fit ? { ...look, picture: small(seen, fit) } : { ...look, lines: this.#linesSince(before, seen) };
  }

  #note({ mode, height, resized, changed }: PictureLook): void {
    if (!resized && changed.length === 0 && mode === this.#mode) return;
    this.#version++;
    this.#mode = mode;
    if (resized) this.#bands = new Array(Math.ceil(height / BAND)).fill(this.#version);
    for (const area of changed)
      for (let band = Math.floor(area.y / BAND); band * BAND < area.y + area.height; band++)
        this.#bands[band] = this.#version;
  }

  #linesSince(version: number, { width, height, rgb }: PictureLook): { y: number; rgb: Uint8Array }[] {
    const lines: { y: number; rgb: Uint8Array }[] = [];
    const pitch = width * 3;
    for (let band = 0; band < this.#bands.length; band++) {
      if (this.#bands[band] <= version) continue;
      let end = band + 1;
      while (this.#bands[end] > version) end++;
      const y = band * BAND;
      // the watch's next look writes into its own
      lines.push({ y, rgb: rgb.slice(y * pitch, Math.min(height, end * BAND) * pitch) });
      band = end;
    }
    return lines;
  }
}

function small({ width, height, rgb }: PictureLook, fit: FitInto): { width: number; height: number; rgb: Uint8Array } {
  const size = fitted({ width, height }, fit);
  const wanted = { width: Math.min(width, size.width), height: Math.min(height, size.height) };
  const pitch = width * 3;
  return smaller({ width, height, draw: (y, to) => to.set(rgb.subarray(y * pitch, (y + 1) * pitch)) }, wanted);
}
