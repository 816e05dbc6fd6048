/** The guest's screen as it was last seen: only what has changed is asked for, and no more often than it can be shown. */
import type { Debugger, FitInto } from '../../engine/debugger.js';
import type { Pixels } from './half-blocks.js';
import type { Pace } from './pace.js';

type Console = NonNullable<Debugger['console']>;

/** A screen that was looked at. */
export interface SeenScreen {
  mode: string;
  /** Of the whole screen, in pixels. */
  width: number;
  height: number;
  /** All of it, or made smaller. */
  pixels: Pixels;
  /** Whether lines from one to before another have changed since a look, by its `version`. */
  changedSince(version: number, from: number, end: number): boolean;
  version: number;
}

/** Lines whose changes are told together. */
const BAND = 16;

export class ScreenMirror {
  #whole: { pixels: Pixels; bands: number[]; version: number } | undefined;
  #small: { pixels: Pixels; key: string; version: number } | undefined;
  #looks = 0;

  constructor(
    private readonly console: Console,
    private readonly pace: Pace,
  ) {}

  /** Made smaller where it does not fit. */
  async small(fit: FitInto): Promise<SeenScreen> {
    await this.pace.turn();
    const key = `${fit.width} ${fit.height} ${fit.aspect}`;
    const since = this.#small?.key === key ? this.#small.version : 0;
    const look = await this.console.look?.(since, fit).catch(() => undefined);
    if (!look) return this.#plain(fit);
    const { mode, width, height, version } = look;
    const pixels = look.picture ?? this.#small?.pixels;
    if (!pixels) throw new Error('the screen was not sent');
    this.#small = { pixels, key, version };
    return { mode, width, height, pixels, version, changedSince: () => true };
  }

  /** One that cannot tell what has changed. */
  async #plain({ width, height }: FitInto): Promise<SeenScreen> {
    if (!this.console.picture) throw new Error('this target shows no pictures');
    const pixels = await this.console.picture(width, height);
    const version = ++this.#looks;
    return { mode: pixels.mode, width: pixels.width, height: pixels.height, pixels, version, changedSince: () => true };
  }

  /** All its pixels; undefined where the target tells small ones alone. */
  async whole(): Promise<SeenScreen> {
    await this.pace.turn();
    const known = this.#whole;
    const look = await this.console.look?.(known?.version ?? 0);
    if (!look) throw new Error('this target shows no pictures');
    const { mode, width, height, version } = look;
    const same = known && known.pixels.width === width && known.pixels.height === height;
    const looks = ++this.#looks;
    const now = same
      ? { ...known, version }
      : {
          pixels: { width, height, rgb: new Uint8Array(width * height * 3) },
          bands: new Array<number>(Math.ceil(height / BAND)).fill(looks),
          version,
        };
    this.#whole = now;
    const pitch = width * 3;
    for (const { y, rgb } of look.lines ?? []) {
      const end = Math.min(height, y + Math.floor(rgb.length / pitch));
      now.pixels.rgb.set(rgb.subarray(0, Math.max(0, end - y) * pitch), y * pitch);
      for (let band = Math.floor(y / BAND); band * BAND < end; band++) now.bands[band] = looks;
    }
    const { bands } = now;
    const changedSince = (since: number, from: number, end: number): boolean => {
      for (let band = Math.floor(from / BAND); band * BAND < end; band++) if (bands[band]! > since) return true;
      return false;
    };
    return { mode, width, height, pixels: now.pixels, version: looks, changedSince };
  }
}
