/** The screen as pixels, in any mode, as a monitor on the card would show it. */
import type { Picture } from '../../debugger.js';
import { graphicsShape } from './graphics-picture.js';
import { isGraphics, SCREEN_ON, type VgaState } from './registers.js';
import { textPicture } from './text-picture.js';
import type { TextCells } from './text-screen.js';
import type { VbeMode } from './vbe.js';

export interface Shown {
  registers: VgaState;
  /** A mode beyond the VGA's. */
  mode: VbeMode | undefined;
  wideDac: boolean;
  /** Video memory. */
  planes: Uint8Array;
  cells(): TextCells;
  font: Uint8Array | undefined;
  /** Virtual ns, for what blinks. */
  now: number;
}

/** A picture that is drawn line by line, as far as somebody wants to see it. */
export interface Lines {
  width: number;
  height: number;
  /** What a user calls the mode. */
  mode: string;
  /** Puts a line into `to`, three bytes a pixel: red, green, blue. */
  draw(y: number, to: Uint8Array): void;
  /** The memory that it is drawn from, beside the registers. */
  memory: Uint8Array;
  /** More of what it is drawn from. */
  also?: readonly Uint8Array[];
  /** The part of `memory` that a line is drawn from; absent: all of it may be. */
  lineIn?(y: number): { from: number; bytes: number };
}

/** Sequencer's clocking mode: nothing is fetched from video memory. */
const SCREEN_OFF = 0x20;
/** Lines of a large picture that make one of a small one, at most. */
const SAMPLES = 4;

/** The whole picture, or one that fits into `most`. */
export function picture(shown: Shown, most?: { width: number; height: number }): Picture {
  const seen = linesOf(shown);
  const share = most ? Math.min(1, most.width / seen.width, most.height / seen.height) : 1;
  return share < 1 ? smaller(seen, share) : whole(seen);
}

/** What the screen shows, not drawn yet. */
export function linesOf(shown: Shown): Lines {
  const { registers, mode } = shown;
  const lines = mode || isGraphics(registers) ? graphicsShape(shown) : textPicture(shown);
  return isDark(registers)
    ? { ...lines, mode: `${lines.mode}, dark`, draw: (_: number, to: Uint8Array) => void to.fill(0) }
    : lines;
}

/** The card shows nothing of its memory. */
export function isDark({ attributeIndex, sequencer }: VgaState): boolean {
  return (attributeIndex & SCREEN_ON) === 0 || (sequencer[1] & SCREEN_OFF) !== 0;
}

function whole({ width, height, mode, draw }: Lines): Picture {
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) draw(y, rgb.subarray(y * width * 3, (y + 1) * width * 3));
  return { mode, width, height, rgb };
}

/** Each pixel is the mean of those in its place, of some of their lines. */
function smaller(lines: Lines, share: number): Picture {
  const width = Math.max(1, Math.floor(lines.width * share));
  const height = Math.max(1, Math.floor(lines.height * share));
  const rgb = new Uint8Array(width * height * 3);
  const line = new Uint8Array(lines.width * 3);
  const sums = new Float64Array(width * 3);
  for (let y = 0; y < height; y++) {
    const first = Math.floor((y * lines.height) / height);
    const count = Math.max(1, Math.floor(((y + 1) * lines.height) / height) - first);
    const taken = Math.min(count, SAMPLES);
    sums.fill(0);
    for (let i = 0; i < taken; i++) {
      lines.draw(first + Math.floor((i * count) / taken), line);
      for (let x = 0; x < width; x++) addMean(line, lines.width, width, x, sums);
    }
    for (let i = 0; i < width * 3; i++) rgb[y * width * 3 + i] = Math.round(sums[i] / taken);
  }
  return { mode: lines.mode, width, height, rgb };
}

function addMean(line: Uint8Array, from: number, to: number, x: number, sums: Float64Array): void {
  const first = Math.floor((x * from) / to);
  const end = Math.max(first + 1, Math.floor(((x + 1) * from) / to));
  for (let channel = 0; channel < 3; channel++) {
    let sum = 0;
    for (let at = first; at < end; at++) sum += line[at * 3 + channel];
    sums[x * 3 + channel] += sum / (end - first);
  }
}
