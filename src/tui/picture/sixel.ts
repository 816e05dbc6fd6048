/** Pictures as sixels: lines of six pixels' height, colour by colour, by registers that the picture sets itself. */
import type { Pixels } from './half-blocks.js';

/** Colour registers, and which of them a pixel has: those of all its parts, so that parts can be drawn alone. */
export interface SixelPalette {
  /** Of each register: red, green and blue in percent. */
  colours: readonly (readonly [number, number, number])[];
  /** @param x, y place on the screen, for what is dithered */
  register(red: number, green: number, blue: number, x: number, y: number): number;
  /** A colour has one register, wherever it is. */
  exact: boolean;
  /** Tells palettes apart. */
  key: string;
}

const percent = (value: number): number => Math.round((value * 100) / 255);
/** A colour as far as sixels tell it. */
const told = (red: number, green: number, blue: number): number =>
  (percent(red) * 101 + percent(green)) * 101 + percent(blue);

/** @param registers that the terminal has, at least 2 */
export function sixelPalette({ rgb }: Pixels, registers: number, before?: SixelPalette): SixelPalette {
  return exactPalette(rgb, registers, before) ?? evenPalette(registers);
}

/** All colours of the picture; undefined where there are too many. One that has them already is kept. */
function exactPalette(rgb: Uint8Array, registers: number, before?: SixelPalette): SixelPalette | undefined {
  const index = new Map<number, number>();
  const colours: [number, number, number][] = [];
  let last = -1;
  for (let at = 0; at < rgb.length; at += 3) {
    const word = (rgb[at]! << 16) | (rgb[at + 1]! << 8) | rgb[at + 2]!;
    if (word === last) continue;
    last = word;
    const key = told(rgb[at]!, rgb[at + 1]!, rgb[at + 2]!);
    if (index.has(key)) continue;
    if (colours.length === registers) return undefined;
    index.set(key, colours.length);
    colours.push([percent(rgb[at]!), percent(rgb[at + 1]!), percent(rgb[at + 2]!)]);
  }
  const key = `exact ${[...index.keys()].sort((a, b) => a - b).join()}`;
  if (before?.key === key) return before;
  return { colours, key, exact: true, register: (red, green, blue) => index.get(told(red, green, blue)) ?? 0 };
}

/** @bayer 4 x 4 ordered dither */
const ORDER = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5];

/** As many steps of red, green and blue as there are registers for; what lies between them is dithered. */
function evenPalette(registers: number): SixelPalette {
  const steps: [number, number, number] = [2, 2, 2];
  // green is seen best, blue worst
  for (let grown = true; grown; ) {
    grown = false;
    for (const channel of [1, 0, 2]) {
      const product = steps.reduce((all, count, i) => all * (i === channel ? count + 1 : count), 1);
      if (product > registers) continue;
      steps[channel]!++;
      grown = true;
    }
  }
  const [reds, greens, blues] = steps;
  if (reds * greens * blues > registers) return twoTones;
  const colours: [number, number, number][] = [];
  const share = (step: number, count: number): number => Math.round((step * 100) / (count - 1));
  for (let red = 0; red < reds; red++)
    for (let green = 0; green < greens; green++)
      for (let blue = 0; blue < blues; blue++)
        colours.push([share(red, reds), share(green, greens), share(blue, blues)]);
  const step = (value: number, count: number, threshold: number): number =>
    Math.floor((value * (count - 1)) / 255 + threshold);
  return {
    colours,
    key: `even ${steps.join()}`,
    exact: false,
    register: (red, green, blue, x, y) => {
      const threshold = (ORDER[(y & 3) * 4 + (x & 3)]! + 0.5) / 16;
      const [r, g, b] = [step(red, reds, threshold), step(green, greens, threshold), step(blue, blues, threshold)];
      return (r * greens + g) * blues + b;
    },
  };
}

const twoTones: SixelPalette = {
  colours: [
    [0, 0, 0],
    [100, 100, 100],
  ],
  key: 'two',
  exact: false,
  register: (red, green, blue, x, y) =>
    (red + green + blue) / 765 + (ORDER[(y & 3) * 4 + (x & 3)]! + 0.5) / 16 >= 1 ? 1 : 0,
};

const SIX = 6;
/** Of a run of the same sixel: shorter ones are written out. */
const LEAST_RUN = 4;

/** An image at the cursor, that leaves what it does not cover. `top` is its first line's place on the screen. @vt "Sixel" */
export function sixelImage({ width, height, rgb }: Pixels, palette: SixelPalette, top: number): string {
  const { colours, exact } = palette;
  const used = new Uint8Array(colours.length);
  const registers = new Uint16Array(width * SIX);
  const row = new SixelRow(colours.length);
  const body: string[] = [];
  let register = 0;
  let before = -1;
  for (let y = 0; y < height; y += SIX) {
    const lines = Math.min(SIX, height - y);
    for (let line = 0; line < lines; line++) {
      for (let x = 0, at = (y + line) * width * 3; x < width; x++, at += 3) {
        const colour = (rgb[at]! << 16) | (rgb[at + 1]! << 8) | rgb[at + 2]!;
        if (!exact || colour !== before)
          register = palette.register(rgb[at]!, rgb[at + 1]!, rgb[at + 2]!, x, top + y + line);
        before = colour;
        registers[line * width + x] = register;
        used[register] = 1;
      }
    }
    for (let x = 0; x < width; x++) {
      for (let line = 0, done = 0; line < lines; line++) {
        if (done & (1 << line)) continue;
        const one = registers[line * width + x]!;
        let bits = 0;
        for (let other = line; other < lines; other++) if (registers[other * width + x] === one) bits |= 1 << other;
        done |= bits;
        row.put(one, x, bits);
      }
    }
    body.push(row.take());
  }
  const head = colours.map(([red, green, blue], one) => (used[one] ? `#${one};2;${red};${green};${blue}` : ''));
  return `\x1bP0;1;0q"1;1;${width};${height}${head.join('')}${body.join('-')}\x1b\\`;
}

/** Six lines of a picture: what each register is to draw, from left to right. */
class SixelRow {
  /** Registers that are in it. */
  readonly #here: number[] = [];
  readonly #text: string[];
  /** Of each register: the sixel that is under way, how often, and the column behind it; 0 times: it is not here yet. */
  readonly #bits: Uint8Array;
  readonly #count: Int32Array;
  readonly #next: Int32Array;

  constructor(registers: number) {
    this.#text = new Array<string>(registers).fill('');
    this.#bits = new Uint8Array(registers);
    this.#count = new Int32Array(registers);
    this.#next = new Int32Array(registers);
  }

  put(register: number, x: number, bits: number): void {
    if (this.#count[register] === 0) {
      this.#here.push(register);
      this.#text[register] = x > 0 ? run(0, x) : '';
      this.#start(register, bits);
    } else {
      const gap = x - this.#next[register]!;
      if (gap === 0 && this.#bits[register] === bits) this.#count[register]!++;
      else {
        this.#text[register] += run(this.#bits[register]!, this.#count[register]!) + (gap > 0 ? run(0, gap) : '');
        this.#start(register, bits);
      }
    }
    this.#next[register] = x + 1;
  }

  #start(register: number, bits: number): void {
    this.#bits[register] = bits;
    this.#count[register] = 1;
  }

  /** All of it; then it is empty. */
  take(): string {
    const rows = this.#here.map((one) => {
      const text = `#${one}${this.#text[one]}${run(this.#bits[one]!, this.#count[one]!)}`;
      this.#count[one] = 0;
      return text;
    });
    this.#here.length = 0;
    return rows.join('$');
  }
}

function run(bits: number, count: number): string {
  const character = String.fromCharCode(63 + bits);
  return count < LEAST_RUN ? character.repeat(count) : `!${count}${character}`;
}
