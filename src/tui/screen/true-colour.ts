/** Cells in colours of 24 bits, which blessed does not know: they are drawn beside it, before its own. */
import type { ScreenLine } from './cell-pane.js';

/** Above every attribute word of blessed's; 24 bits of foreground and as many of background lie below. */
const MARK = 2 ** 48;
const FOREGROUND = 2 ** 24;

/** An attribute word; a colour is red, green and blue in 24 bits. */
export function trueColour(foreground: number, background: number): number {
  return MARK + foreground * FOREGROUND + background;
}

export const isTrueColour = (attr: number): boolean => attr >= MARK;

/** What `trueColour` was made of. */
export const trueColoursOf = (attr: number): { foreground: number; background: number } => ({
  foreground: Math.floor((attr - MARK) / FOREGROUND),
  background: (attr - MARK) % FOREGROUND,
});

const rgb = (colour: number): string => `2;${colour >> 16};${(colour >> 8) & 255};${colour & 255}`;

/**
 * Draws the cells of such colours that `shown` has not, and notes them there: blessed finds no difference in them.
 * Lines that are not dirty are as they are shown.
 */
export function drawTrueColour(lines: readonly ScreenLine[], shown: readonly ScreenLine[]): string {
  let out = '';
  let foreground = -1;
  let background = -1;
  for (let y = 0; y < lines.length; y++) {
    const line = lines[y]!;
    const before = shown[y];
    if (!line.dirty || !before) continue;
    let next = -1;
    for (let x = 0; x < line.length; x++) {
      const [attr, character] = line[x]!;
      const old = before[x]!;
      if (attr < MARK || (old[0] === attr && old[1] === character)) continue;
      old[0] = attr;
      old[1] = character;
      if (x !== next) out += `\x1b[${y + 1};${x + 1}H`;
      next = x + 1;
      const { foreground: fore, background: back } = trueColoursOf(attr);
      const changes: string[] = [];
      if (character !== ' ' && fore !== foreground) {
        changes.push(`38;${rgb(fore)}`);
        foreground = fore;
      }
      if (back !== background) {
        changes.push(`48;${rgb(back)}`);
        background = back;
      }
      out += changes.length > 0 ? `\x1b[${changes.join(';')}m${character}` : character;
    }
  }
  return out && `\x1b7${out}\x1b[m\x1b8`;
}
