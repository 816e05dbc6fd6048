/** Colour roles, as the attribute words that blessed's screen buffer holds: flags, 9-bit foreground, 9-bit background. */

export const BOLD = 1;
export const UNDERLINE = 2;
export const INVERSE = 8;
/** The terminal's own colour. */
export const DEFAULT = 0x1ff;

export function attribute(foreground = DEFAULT, background = DEFAULT, flags = 0): number {
  return (flags << 18) | ((foreground & 0x1ff) << 9) | (background & 0x1ff);
}

/** Meaning of a cell. Every role that carries a meaning has a sign beside the colour, so none is needed to read it. */
export type Role =
  | 'normal'
  | 'dim'
  | 'bold'
  | 'border'
  | 'focus'
  | 'title'
  | 'header'
  | 'running'
  | 'stopped'
  | 'tab'
  | 'tabActive'
  | 'key'
  | 'ok'
  | 'warn'
  | 'crit'
  | 'sel'
  | 'changed'
  | 'faded'
  | 'pc'
  | 'bp'
  | 'symbol'
  | 'mnemonic'
  | 'number'
  | 'label'
  | 'input'
  | 'popup';

export type ColourDepth = 256 | 16 | 0;
export type Theme = Record<Role, number> & { depth: ColourDepth };

type Row = [foreground?: number, background?: number, flags?: number];

const RICH: Record<Role, Row> = {
  normal: [],
  dim: [244],
  bold: [DEFAULT, DEFAULT, BOLD],
  border: [240],
  focus: [75],
  title: [110, DEFAULT, BOLD],
  header: [252, 236],
  running: [46, 236, BOLD],
  stopped: [214, 236, BOLD],
  tab: [248, 236],
  tabActive: [231, 24, BOLD],
  key: [75, DEFAULT, BOLD],
  ok: [71],
  warn: [214],
  crit: [203, DEFAULT, BOLD],
  sel: [231, 24],
  changed: [203, DEFAULT, BOLD],
  faded: [174],
  pc: [16, 178],
  bp: [203, DEFAULT, BOLD],
  symbol: [150],
  mnemonic: [111],
  number: [180],
  label: [109],
  input: [231, 237],
  popup: [252, 235],
};

const BASIC: Record<Role, Row> = {
  normal: [],
  dim: [8],
  bold: [DEFAULT, DEFAULT, BOLD],
  border: [8],
  focus: [14],
  title: [14, DEFAULT, BOLD],
  header: [DEFAULT, DEFAULT, INVERSE],
  running: [10, DEFAULT, BOLD | INVERSE],
  stopped: [11, DEFAULT, BOLD | INVERSE],
  tab: [DEFAULT, DEFAULT, INVERSE],
  tabActive: [15, 4, BOLD],
  key: [14, DEFAULT, BOLD],
  ok: [2],
  warn: [3],
  crit: [9, DEFAULT, BOLD],
  sel: [15, 4],
  changed: [9, DEFAULT, BOLD],
  faded: [1],
  pc: [0, 3],
  bp: [9, DEFAULT, BOLD],
  symbol: [2],
  mnemonic: [6],
  number: [3],
  label: [6],
  input: [DEFAULT, DEFAULT, UNDERLINE],
  popup: [],
};

const MONO: Record<Role, Row> = {
  normal: [],
  dim: [],
  bold: [DEFAULT, DEFAULT, BOLD],
  border: [],
  focus: [DEFAULT, DEFAULT, BOLD],
  title: [DEFAULT, DEFAULT, BOLD],
  header: [DEFAULT, DEFAULT, INVERSE],
  running: [DEFAULT, DEFAULT, INVERSE | BOLD],
  stopped: [DEFAULT, DEFAULT, INVERSE | BOLD],
  tab: [DEFAULT, DEFAULT, INVERSE],
  tabActive: [DEFAULT, DEFAULT, BOLD | UNDERLINE],
  key: [DEFAULT, DEFAULT, BOLD],
  ok: [],
  warn: [DEFAULT, DEFAULT, BOLD],
  crit: [DEFAULT, DEFAULT, BOLD],
  sel: [DEFAULT, DEFAULT, INVERSE],
  changed: [DEFAULT, DEFAULT, BOLD],
  faded: [],
  pc: [DEFAULT, DEFAULT, INVERSE],
  bp: [DEFAULT, DEFAULT, BOLD],
  symbol: [],
  mnemonic: [],
  number: [],
  label: [],
  input: [DEFAULT, DEFAULT, UNDERLINE],
  popup: [],
};

/** Colours of a terminal: NO_COLOR (any value) wins over what the terminal can do. */
export function createTheme(terminalColours: number, environment: Record<string, string | undefined>): Theme {
  const depth: ColourDepth = environment.NO_COLOR ? 0 : terminalColours >= 256 ? 256 : terminalColours >= 8 ? 16 : 0;
  const rows = depth === 256 ? RICH : depth === 16 ? BASIC : MONO;
  const roles = Object.fromEntries(Object.entries(rows).map(([role, row]) => [role, attribute(...row)]));
  return { ...(roles as Record<Role, number>), depth };
}

/** Replaces the background of `attr` by that of `over`, for a cursor line that keeps its colours. */
export function onBackground(attr: number, over: number): number {
  const flags = (over >> 18) & INVERSE;
  return (attr & ~0x1ff) | (over & 0x1ff) | (flags << 18);
}
