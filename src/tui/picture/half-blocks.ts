/** Pictures as half blocks: a cell is two pixels, one above the other, in the colours that the terminal has. */
import type { CellPane, Rectangle } from '../screen/cell-pane.js';
import { attribute, DEFAULT, type Theme } from '../screen/theme.js';
import { trueColour } from '../screen/true-colour.js';

export interface Pixels {
  width: number;
  height: number;
  /** Red, green and blue of each pixel, line by line. */
  rgb: Uint8Array;
}

type Colour = readonly [red: number, green: number, blue: number];

const UPPER_HALF = '▀';
/** Dark to bright, for terminals without colours. */
const SHADES = ' .:-=+*#%@';
/** Levels of a component in the 6 x 6 x 6 colours that follow the 16 of the terminal. */
const LEVELS = [0, 95, 135, 175, 215, 255];
const CUBE = 16;
const GREYS = 232;
const GREY_COUNT = 24;
/** From here on a component of one of 8 colours is on. */
const HALF = 96;

/** Component's nearest level. */
function level(value: number): number {
  return value < 48 ? 0 : value < 115 ? 1 : Math.min(5, Math.floor((value - 35) / 40));
}

const distance = (a: Colour, b: Colour): number => (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;

/** Index of the nearest colour of a terminal with 256 of them. */
export function nearest256(rgb: Colour): number {
  const steps = rgb.map(level);
  const cube = CUBE + 36 * steps[0]! + 6 * steps[1]! + steps[2]!;
  const mean = (rgb[0] + rgb[1] + rgb[2]) / 3;
  const grey = Math.max(0, Math.min(GREY_COUNT - 1, Math.round((mean - 8) / 10)));
  const greyValue = 8 + 10 * grey;
  const ofCube = distance(rgb, [LEVELS[steps[0]!]!, LEVELS[steps[1]!]!, LEVELS[steps[2]!]!]);
  return distance(rgb, [greyValue, greyValue, greyValue]) < ofCube ? GREYS + grey : cube;
}

/** Index of the nearest of the terminal's 16 colours, as xterm has them. */
export function nearest16(rgb: Colour): number {
  const bright = Math.max(...rgb) > 215 ? 8 : 0;
  const limit = bright ? 160 : 64;
  const bits = rgb.reduce((sum, value, i) => (value > limit ? sum | (1 << i) : sum), 0);
  if (bits === 0 && Math.max(...rgb) > 50) return 8;
  return bits === 7 && !bright && Math.max(...rgb) < 160 ? 8 : bits | bright;
}

/** Of the terminal's 8, of which backgrounds have no bright ones. */
export function nearest8(rgb: Colour): number {
  return rgb.reduce((sum, value, i) => (value >= HALF ? sum | (1 << i) : sum), 0);
}

type Draw = (upper: Colour, lower: Colour) => readonly [character: string, attr: number];

/** How two pixels are shown in a cell. */
function cellOf({ depth, trueColours, ascii }: Theme): Draw {
  if (depth === 0) {
    const plain = attribute(DEFAULT, DEFAULT);
    return (upper, lower) => {
      const sum = upper[0] + upper[1] + upper[2] + lower[0] + lower[1] + lower[2];
      return [SHADES[Math.min(SHADES.length - 1, Math.floor((sum / (6 * 256)) * SHADES.length))]!, plain];
    };
  }
  const word = (rgb: Colour): number => (rgb[0] << 16) | (rgb[1] << 8) | rgb[2];
  const index = trueColours ? word : depth === 256 ? remembered(nearest256) : depth === 16 ? nearest16 : nearest8;
  const pair = trueColours ? trueColour : (fore: number, back: number) => attribute(fore, back);
  if (ascii) {
    // a background is all that ASCII leaves
    return (upper, lower) => {
      const colour = index([(upper[0] + lower[0]) >> 1, (upper[1] + lower[1]) >> 1, (upper[2] + lower[2]) >> 1]);
      return [' ', pair(colour, colour)];
    };
  }
  return (upper, lower) => {
    const [fore, back] = [index(upper), index(lower)];
    return [fore === back ? ' ' : UPPER_HALF, pair(fore, back)];
  };
}

/** The same colours come again and again, in one picture. */
function remembered(nearest: (rgb: Colour) => number): (rgb: Colour) => number {
  const known = new Map<number, number>();
  return (rgb) => {
    const key = (rgb[0] << 16) | (rgb[1] << 8) | rgb[2];
    let index = known.get(key);
    if (index === undefined) known.set(key, (index = nearest(rgb)));
    return index;
  };
}

/**
 * Draws a picture into a part of a pane, made larger or smaller to fill it.
 * @param halves lines of half cells that it fills of the part
 */
export function drawPicture(cells: CellPane, pixels: Pixels, part: Rectangle, halves = part.height * 2): void {
  const { width, height, rgb } = pixels;
  const draw = cellOf(cells.theme);
  const pixel = (x: number, half: number): Colour => {
    if (half >= halves) return [0, 0, 0];
    const at = (Math.floor((half * height) / halves) * width + Math.floor((x * width) / part.width)) * 3;
    return [rgb[at]!, rgb[at + 1]!, rgb[at + 2]!];
  };
  for (let row = 0; row < part.height; row++) {
    for (let x = 0; x < part.width; x++)
      cells.put(part.x + x, part.y + row, ...draw(pixel(x, 2 * row), pixel(x, 2 * row + 1)));
  }
}
