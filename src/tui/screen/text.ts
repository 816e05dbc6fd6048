/** Text as terminal cells: which characters may reach the terminal, and numbers as text. */
import { hex } from '../../commands/numbers.js';

export { grouped, hex } from '../../commands/numbers.js';

/** Stands for every character that must not reach the terminal. */
export const UNSAFE = '·';

/**
 * Ranges above ASCII that are one cell wide in every terminal, print something, and do nothing else. All others
 * (C1 controls, bidi marks, combining and zero-width characters, wide characters, emoji) become a dot: guest text
 * must neither drive the terminal nor shift the columns beside it.
 */
const NARROW: readonly [number, number][] = [
  [0xa1, 0xac],
  [0xae, 0x2ff],
  [0x370, 0x482],
  [0x48a, 0x52f],
  [0x2010, 0x2027],
  [0x2030, 0x205e],
  [0x2070, 0x209c],
  [0x20a0, 0x20bf],
  [0x2100, 0x2319],
  [0x231c, 0x2328],
  [0x232b, 0x23e8],
  [0x2500, 0x25fc],
  [0x263a, 0x263c],
  [0x2640, 0x2640],
  [0x2642, 0x2642],
  [0x2660, 0x266b],
  [0x2713, 0x2713],
  [0x2717, 0x2717],
  [0x2800, 0x28ff],
];

/** What stands for a character where only ASCII may be written. */
const ASCII: Record<string, string> = {
  ...Object.fromEntries([...'┌┐└┘├┤┬┴┼'].map((corner) => [corner, '+'])),
  ...{ '─': '-', '│': '|', '►': '>', '●': '*', '○': 'o', '→': '>', '←': '<', '↑': '^', '↓': 'v', '↳': '>' },
  ...{ '✗': 'x', '✓': '+', '·': '.', '…': '~', '×': 'x', '▲': '^', '▼': 'v' },
  ...{
    ' ': ' ',
    '▁': '_',
    '▂': '_',
    '▃': '.',
    '▄': 'o',
    '▅': 'o',
    '▆': 'O',
    '▇': 'O',
    '█': '#',
    '░': '.',
    '▒': ':',
    '▓': '#',
  },
};

/** The same for a terminal that takes no UTF-8; what has no likeness is a question mark. */
export function asciiCharacter(character: string): string {
  const code = character.codePointAt(0)!;
  if (code >= 0x20 && code < 0x7f) return character;
  // dots of a chart
  if (code >= 0x2800 && code < 0x2900) return code === 0x2800 ? ' ' : '*';
  const likeness = ASCII[cellCharacter(character)];
  return likeness ?? '?';
}

/** The character as it may be written to one cell. */
export function cellCharacter(character: string): string {
  const code = character.codePointAt(0)!;
  if (code >= 0x20 && code < 0x7f) return character;
  for (const [low, high] of NARROW) if (code >= low && code <= high) return character;
  return UNSAFE;
}

/** `serial_ini~+0x15`: a place cut to `width` cells in its name, since half an offset would be another one. */
export function fitPlace(place: string, width: number): string {
  if (place.length <= width) return place;
  const offset = /\+0x[0-9a-f]+(?: \[[\w-]+\])?$/.exec(place)?.[0] ?? '';
  return `${place.slice(0, Math.max(0, width - offset.length - 1))}~${offset}`;
}

/** 4096 as `4K`, 3145728 as `3M`; sizes that are no whole unit in hexadecimal bytes. */
export function size(bytes: bigint): string {
  const units = ['', 'K', 'M', 'G', 'T', 'P'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024n && value % 1024n === 0n && unit < units.length - 1) {
    value /= 1024n;
    unit++;
  }
  return value < 10_000n ? `${value}${units[unit]}` : `0x${hex(bytes)}`;
}

/** Four significant places with a unit: 41234 as `41.2k`. */
export function rate(value: number): string {
  if (value < 1000) return value < 10 && value % 1 ? value.toFixed(1) : String(Math.round(value));
  if (value < 1e6) return `${(value / 1e3).toFixed(1)}k`;
  return `${(value / 1e6).toFixed(1)}M`;
}

const BARS = ' ▁▂▃▄▅▆▇█';

/** The newest `width` values as a bar each, scaled to the largest of them. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width);
  const top = Math.max(1e-9, ...shown);
  return shown
    .map((value) => BARS[value <= 0 ? 0 : Math.max(1, Math.round((value / top) * 8))])
    .join('')
    .padStart(width);
}
