/** What the screen shows, for a file: text, ANSI sequences, or SVG. */
import type { ScreenLine } from './cell-pane.js';
import { BOLD, DEFAULT, INVERSE, paletteRgb, type Theme, UNDERLINE } from './theme.js';
import { isTrueColour, trueColoursOf } from './true-colour.js';

export const SCREENSHOT_FORMATS = ['text', 'ansi', 'svg'] as const;
export type ScreenshotFormat = (typeof SCREENSHOT_FORMATS)[number];

/** By the end of a file's name. */
export function formatOfName(file: string): ScreenshotFormat {
  if (/\.svg$/i.test(file)) return 'svg';
  return /\.ansi?$/i.test(file) ? 'ansi' : 'text';
}

/** A number of the palette of 256, red, green and blue, or the terminal's own. */
type Paint = { readonly index: number } | { readonly rgb: number } | undefined;

interface Style {
  readonly foreground: Paint;
  readonly background: Paint;
  readonly bold: boolean;
  readonly underline: boolean;
  readonly inverse: boolean;
}

/** Cells of one style that follow each other. */
interface Run {
  readonly attr: number;
  readonly from: number;
  text: string;
}

export function screenshot(
  format: ScreenshotFormat,
  lines: readonly ScreenLine[],
  theme: Pick<Theme, 'light' | 'depth'>,
): string {
  const rows = lines.map((line) => runsOf(line));
  switch (format) {
    case 'text':
      return rows
        .map((runs) => `${runs.map(({ text }) => text).join('')}`.trimEnd())
        .map((row) => `${row}\n`)
        .join('');
    case 'ansi':
      return rows
        .map((runs) => `${runs.map((run) => `${sgr(styleOf(run.attr))}${run.text}`).join('')}\x1b[0m\n`)
        .join('');
    case 'svg':
      return svg(rows, Math.max(1, ...lines.map((line) => line.length)), theme);
  }
}

function runsOf(line: ScreenLine): Run[] {
  const runs: Run[] = [];
  for (const [x, [attr, character]] of line.entries()) {
    const last = runs.at(-1);
    if (last?.attr === attr) last.text += character;
    else runs.push({ attr, from: x, text: character });
  }
  return runs;
}

function styleOf(attr: number): Style {
  if (isTrueColour(attr)) {
    const { foreground, background } = trueColoursOf(attr);
    return { foreground: { rgb: foreground }, background: { rgb: background }, ...PLAIN };
  }
  const flags = attr >> 18;
  const paint = (index: number): Paint => (index === DEFAULT ? undefined : { index });
  return {
    foreground: paint((attr >> 9) & 0x1ff),
    background: paint(attr & 0x1ff),
    bold: (flags & BOLD) !== 0,
    underline: (flags & UNDERLINE) !== 0,
    inverse: (flags & INVERSE) !== 0,
  };
}

const PLAIN = { bold: false, underline: false, inverse: false };

/** Select Graphic Rendition, from whatever was before. @ecma 48 8.3.117 "SGR" */
function sgr({ foreground, background, bold, underline, inverse }: Style): string {
  const codes = [0, ...(bold ? [1] : []), ...(underline ? [4] : []), ...(inverse ? [7] : [])];
  return `\x1b[${[...codes, ...paintCodes(foreground, 30), ...paintCodes(background, 40)].join(';')}m`;
}

/** @param base 30 for the text, 40 for what is behind it; the bright eight are 60 above */
function paintCodes(paint: Paint, base: 30 | 40): number[] {
  if (paint === undefined) return [];
  if ('rgb' in paint) return [base + 8, 2, paint.rgb >> 16, (paint.rgb >> 8) & 255, paint.rgb & 255];
  const { index } = paint;
  if (index < 8) return [base + index];
  return index < 16 ? [base + 60 + index - 8] : [base + 8, 5, index];
}

/** Of a cell, in units of the drawing. */
const [WIDTH, HEIGHT, BASELINE, FONT] = [8, 17, 13, 13];
const FONTS = "'DejaVu Sans Mono', Menlo, Consolas, monospace";

/** A rectangle and a text a run, each as wide as its cells whatever the font. */
function svg(rows: readonly Run[][], columns: number, theme: Pick<Theme, 'light' | 'depth'>): string {
  const [width, height] = [columns * WIDTH, rows.length * HEIGHT];
  const [ink, paper] = theme.light ? ['#202020', '#ffffff'] : ['#d4d4d4', '#101010'];
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<rect width="${width}" height="${height}" fill="${paper}"/>`,
    `<g font-family="${FONTS}" font-size="${FONT}" xml:space="preserve">`,
  ];
  for (const [y, runs] of rows.entries()) {
    for (const { attr, from, text } of runs) {
      const style = styleOf(attr);
      const { bold, underline, inverse } = style;
      const fore = colourOf(style.foreground, bold && theme.depth === 8) ?? ink;
      const back = colourOf(style.background, false) ?? paper;
      const [shown, behind] = inverse ? [back, fore] : [fore, back];
      const [x, wide] = [from * WIDTH, [...text].length * WIDTH];
      if (behind !== paper)
        out.push(`<rect x="${x}" y="${y * HEIGHT}" width="${wide}" height="${HEIGHT}" fill="${behind}"/>`);
      if (text.trim() === '' && !underline) continue;
      const extra = `${bold ? ' font-weight="bold"' : ''}${underline ? ' text-decoration="underline"' : ''}`;
      const place = `x="${x}" y="${y * HEIGHT + BASELINE}" textLength="${wide}" lengthAdjust="spacingAndGlyphs"`;
      out.push(`<text ${place} fill="${shown}"${extra}>${escaped(text)}</text>`);
    }
  }
  return `${[...out, '</g>', '</svg>'].join('\n')}\n`;
}

/** @param bright bold makes the first eight colours bright, as on the Linux console */
function colourOf(paint: Paint, bright: boolean): string | undefined {
  if (paint === undefined) return undefined;
  const rgb = 'rgb' in paint ? paint.rgb : paletteRgb(bright && paint.index < 8 ? paint.index + 8 : paint.index);
  return `#${rgb.toString(16).padStart(6, '0')}`;
}

const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
