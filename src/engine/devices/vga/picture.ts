/** The screen as pixels, in any mode, as a monitor on the card would show it. */
import type { Picture } from '../../debugger.js';
import { smaller } from '../../smaller-picture.js';
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
/** The whole picture, or one that fits into `most`. */
export function picture(shown: Shown, most?: { width: number; height: number }): Picture {
  const seen = linesOf(shown);
  const share = most ? Math.min(1, most.width / seen.width, most.height / seen.height) : 1;
  if (share >= 1) return whole(seen);
  const size = { width: Math.floor(seen.width * share), height: Math.floor(seen.height * share) };
  return { mode: seen.mode, ...smaller(seen, size) };
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
