/** Pictures as half blocks: a cell is two pixels, one above the other, in the colours that the terminal has. */
import type { Picture } from '../../engine/debugger.js';
import type { CellPane } from './cell-pane.js';
import { attribute, type ColourDepth, DEFAULT } from './theme.js';

const UPPER_HALF = '▀';
/** Dark to bright, for terminals without colours. */
const SHADES = ' .:-=+*#%@';
/** Levels of a component in the 6 x 6 x 6 colours that follow the 16 of the terminal. */
const LEVELS = [0, 95, 135, 175, 215, 255];
const CUBE = 16;
const GREYS = 232;
const GREY_COUNT = 24;

/** Component's nearest level. */
function level(value: number): number {
  return value < 48 ? 0 : value < 115 ? 1 : Math.min(5, Math.floor((value - 35) / 40));
}

const distance = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);

/** Index of the nearest colour of a terminal with 256 of them. */
export function nearest256(rgb: readonly [number, number, number]): number {
  const steps = rgb.map(level);
  const cube = CUBE + 36 * steps[0]! + 6 * steps[1]! + steps[2]!;
  const mean = (rgb[0] + rgb[1] + rgb[2]) / 3;
  const grey = Math.max(0, Math.min(GREY_COUNT - 1, Math.round((mean - 8) / 10)));
  const greyValue = 8 + 10 * grey;
  const ofCube = distance(
    rgb,
    steps.map((step) => LEVELS[step]!),
  );
  return distance(rgb, [greyValue, greyValue, greyValue]) < ofCube ? GREYS + grey : cube;
}

/** Index of the nearest of the terminal's 16 colours, as xterm has them. */
export function nearest16(rgb: readonly [number, number, number]): number {
  const bright = Math.max(...rgb) > 215 ? 8 : 0;
  const limit = bright ? 160 : 64;
  const bits = rgb.reduce((sum, value, i) => (value > limit ? sum | (1 << i) : sum), 0);
  if (bits === 0 && Math.max(...rgb) > 50) return 8;
  return bits === 7 && !bright && Math.max(...rgb) < 160 ? 8 : bits | bright;
}

/** Draws a picture from the pane's upper left corner on, as far as the pane goes. */
export function drawPicture(cells: CellPane, { width, height, rgb }: Picture, depth: ColourDepth): void {
  const pixel = (x: number, y: number): [number, number, number] => {
    const at = (y * width + x) * 3;
    return y < height ? [rgb[at]!, rgb[at + 1]!, rgb[at + 2]!] : [0, 0, 0];
  };
  const colour = depth === 256 ? nearest256 : nearest16;
  for (let row = 0; row < Math.min(cells.height, Math.ceil(height / 2)); row++) {
    for (let x = 0; x < Math.min(cells.width, width); x++) {
      const upper = pixel(x, 2 * row);
      const lower = pixel(x, 2 * row + 1);
      if (depth === 0) {
        const sum = [...upper, ...lower].reduce((total, value) => total + value, 0);
        const shade = SHADES[Math.min(SHADES.length - 1, Math.floor((sum / (6 * 256)) * SHADES.length))]!;
        cells.put(x, row, shade, attribute(DEFAULT, DEFAULT));
      } else cells.put(x, row, UPPER_HALF, attribute(colour(upper), colour(lower)));
    }
  }
}
