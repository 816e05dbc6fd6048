/** Pictures as sixels: lines of six pixels' height, colour by colour, by registers that the picture sets itself. */
import type { Pixels } from './half-blocks.js';

/** Colour registers, and which of them a pixel has: those of all its parts, so that parts can be drawn alone. */
export interface SixelPalette {
  /** Of each register: red, green and blue in percent. */
  colours: readonly (readonly [number, number, number])[];
  /** @param x, y place on the screen, for what is dithered */
  register(red: number, green: number, blue: number, x: number, y: number): number;
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
  return { colours, key, register: (red, green, blue) => index.get(told(red, green, blue)) ?? 0 };
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
  register: (red, green, blue, x, y) =>
    (red + green + blue) / 765 + (ORDER[(y & 3) * 4 + (x & 3)]! + 0.5) / 16 >= 1 ? 1 : 0,
};

const SIX = 6;
/** Of a run of the same sixel: shorter ones are written out. */
const LEAST_RUN = 4;

/** An image at the cursor, that leaves what it does not cover. `top` is its first line's place on the screen. @vt "Sixel" */
export function sixelImage({ width, height, rgb }: Pixels, palette: SixelPalette, top: number): string {
  const { colours } = palette;
  const out = [`\x1bP0;1;0q"1;1;${width};${height}`];
  const used = new Uint8Array(colours.length);
  const registers = new Uint16Array(width * SIX);
  const body: string[] = [];
  for (let y = 0; y < height; y += SIX) {
    const lines = Math.min(SIX, height - y);
    const spans = new Map<number, { first: number; last: number }>();
    for (let line = 0; line < lines; line++) {
      for (let x = 0, at = (y + line) * width * 3; x < width; x++, at += 3) {
        const register = palette.register(rgb[at]!, rgb[at + 1]!, rgb[at + 2]!, x, top + y + line);
        registers[line * width + x] = register;
        const span = spans.get(register);
        if (!span) spans.set(register, { first: x, last: x });
        else {
          if (x < span.first) span.first = x;
          if (x > span.last) span.last = x;
        }
      }
    }
    const rows: string[] = [];
    for (const [register, { first, last }] of spans) {
      used[register] = 1;
      rows.push(`#${register}${sixelRow(registers, register, width, lines, first, last)}`);
    }
    body.push(rows.join('$'));
  }
  for (const [register, [red, green, blue]] of colours.entries())
    if (used[register]) out.push(`#${register};2;${red};${green};${blue}`);
  return `${out.join('')}${body.join('-')}\x1b\\`;
}

function sixelRow(
  registers: Uint16Array,
  register: number,
  width: number,
  lines: number,
  first: number,
  last: number,
): string {
  let out = first > 0 ? run(0, first) : '';
  let bits = -1;
  let count = 0;
  for (let x = first; x <= last; x++) {
    let now = 0;
    for (let line = 0; line < lines; line++) if (registers[line * width + x] === register) now |= 1 << line;
    if (now === bits) count++;
    else {
      if (count > 0) out += run(bits, count);
      bits = now;
      count = 1;
    }
  }
  return out + run(bits, count);
}

function run(bits: number, count: number): string {
  const character = String.fromCharCode(63 + bits);
  return count < LEAST_RUN ? character.repeat(count) : `!${count}${character}`;
}
