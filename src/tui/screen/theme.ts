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

/** Colours that the terminal has; 0: none are wanted. */
export type ColourDepth = 256 | 16 | 8 | 0;

export interface Theme extends Record<Role, number> {
  depth: ColourDepth;
  /** Dark text on a light background. */
  light: boolean;
  /** Only ASCII may be written. */
  ascii: boolean;
  /** Pictures may have colours of 24 bits. */
  trueColours: boolean;
}

/** What the user, or an answer of the terminal, has settled. */
export interface ThemeChoice {
  light?: boolean;
  depth?: ColourDepth;
  ascii?: boolean;
  trueColours?: boolean;
}

type Row = [foreground?: number, background?: number, flags?: number];
type Rows = Record<Role, Row>;

const RICH: Rows = {
  normal: [],
  dim: [246],
  bold: [DEFAULT, DEFAULT, BOLD],
  border: [242],
  focus: [75],
  title: [110, DEFAULT, BOLD],
  header: [252, 236],
  running: [46, 236, BOLD],
  stopped: [214, 236, BOLD],
  tab: [250, 236],
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

const RICH_LIGHT: Rows = {
  normal: [],
  dim: [242],
  bold: [DEFAULT, DEFAULT, BOLD],
  border: [245],
  focus: [25],
  title: [24, DEFAULT, BOLD],
  header: [235, 252],
  running: [22, 252, BOLD],
  stopped: [88, 252, BOLD],
  tab: [238, 252],
  tabActive: [231, 25, BOLD],
  key: [25, DEFAULT, BOLD],
  ok: [22],
  warn: [94],
  crit: [124, DEFAULT, BOLD],
  sel: [16, 153],
  changed: [124, DEFAULT, BOLD],
  faded: [95],
  pc: [16, 221],
  bp: [124, DEFAULT, BOLD],
  symbol: [22],
  mnemonic: [25],
  number: [94],
  label: [23],
  input: [16, 254],
  popup: [235, 254],
};

/** Of 8 colours the Linux console's: bold makes the bright one of each, and there is no other way to it. */
const BASIC: Rows = {
  normal: [],
  dim: [7],
  bold: [7, DEFAULT, BOLD],
  border: [6],
  focus: [3, DEFAULT, BOLD],
  title: [6, DEFAULT, BOLD],
  header: [0, 7],
  running: [0, 2],
  stopped: [7, 1, BOLD],
  tab: [0, 7],
  tabActive: [7, 4, BOLD],
  key: [6, DEFAULT, BOLD],
  ok: [2],
  warn: [3, DEFAULT, BOLD],
  crit: [1, DEFAULT, BOLD],
  sel: [7, 4, BOLD],
  changed: [1, DEFAULT, BOLD],
  faded: [5, DEFAULT, BOLD],
  pc: [0, 6],
  bp: [1, DEFAULT, BOLD],
  symbol: [2],
  mnemonic: [6],
  number: [3, DEFAULT, BOLD],
  label: [6],
  input: [0, 7],
  popup: [7, DEFAULT],
};

const BASIC_LIGHT: Rows = {
  normal: [],
  dim: [],
  bold: [DEFAULT, DEFAULT, BOLD],
  border: [4],
  focus: [1],
  title: [4],
  header: [7, 0],
  running: [0, 2],
  stopped: [7, 1, BOLD],
  tab: [7, 0],
  tabActive: [7, 4, BOLD],
  key: [4],
  ok: [4],
  warn: [3],
  crit: [1],
  sel: [7, 4, BOLD],
  changed: [1],
  faded: [5],
  pc: [0, 6],
  bp: [1],
  symbol: [4],
  mnemonic: [5],
  number: [3],
  label: [4],
  input: [7, 0],
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

/** Bright colours have numbers of their own where there are 16. */
function brightened([foreground = DEFAULT, background, flags = 0]: Row): Row {
  return [flags & BOLD && foreground < 8 ? foreground + 8 : foreground, background, flags];
}

type Environment = Record<string, string | undefined>;

/** Whether a terminal of this locale takes UTF-8. @posix 8.2 "Internationalization Variables" */
function isUtf8({ LC_ALL, LC_CTYPE, LANG }: Environment): boolean {
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '');
}

/** Whether COLORFGBG, which rxvt and others set, names a light background; undefined: it says nothing. */
function lightByEnvironment({ COLORFGBG }: Environment): boolean | undefined {
  const background = /;(\d+)$/.exec(COLORFGBG ?? '')?.[1];
  return background === undefined ? undefined : Number(background) === 7 || Number(background) > 8;
}

/**
 * Whether a terminal says of itself that it has colours of 24 bits; undefined: it says nothing. tmux takes them and makes of
 * them what its own terminal has.
 */
export function trueColoursByEnvironment({ COLORTERM, TERM, TERM_PROGRAM, ...rest }: Environment): boolean | undefined {
  if (/^(truecolor|24bit)$/i.test(COLORTERM ?? '')) return true;
  if (/-direct$|kitty|alacritty|^foot|ghostty|wezterm|contour/.test(TERM ?? '')) return true;
  if (/^(iTerm\.app|vscode|WezTerm|ghostty|tmux)$/i.test(TERM_PROGRAM ?? '')) return true;
  return rest.TMUX || rest.WT_SESSION || Number(rest.VTE_VERSION) >= 3600 || rest.KONSOLE_VERSION ? true : undefined;
}

/** Colours of a terminal: what the user chose, then NO_COLOR (any value), then what the terminal can do. */
export function createTheme(terminalColours: number, environment: Environment, choice: ThemeChoice = {}): Theme {
  const able: ColourDepth = terminalColours >= 256 ? 256 : terminalColours >= 16 ? 16 : terminalColours >= 8 ? 8 : 0;
  const depth = choice.depth ?? (environment.NO_COLOR ? 0 : able);
  const light = choice.light ?? lightByEnvironment(environment) ?? false;
  const ascii = choice.ascii ?? !isUtf8(environment);
  const basic = light ? BASIC_LIGHT : BASIC;
  const rows = depth === 256 ? (light ? RICH_LIGHT : RICH) : depth === 0 ? MONO : basic;
  const roles = Object.fromEntries(
    Object.entries(rows).map(([role, row]) => [role, attribute(...(depth === 16 ? brightened(row) : row))]),
  );
  const trueColours = depth === 256 && (choice.trueColours ?? trueColoursByEnvironment(environment) ?? false);
  return { ...(roles as Record<Role, number>), depth, light, ascii, trueColours };
}

const WORDS: Record<string, ThemeChoice> = {
  auto: {},
  dark: { light: false },
  light: { light: true },
  mono: { depth: 0 },
  '8': { depth: 8 },
  '16': { depth: 16 },
  '256': { depth: 256, trueColours: false },
  '24bit': { depth: 256, trueColours: true },
  ascii: { ascii: true },
  utf8: { ascii: false },
};

/** `light`, `dark,16,ascii`. @throws Error that lists the words */
export function parseTheme(text: string): ThemeChoice {
  const choice: ThemeChoice = {};
  for (const word of text.split(',').map((part) => part.trim().toLowerCase())) {
    const part = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
    if (part === undefined)
      throw new Error(`"${word}" is not a theme: ${Object.keys(WORDS).join(', ')}, or several with commas`);
    Object.assign(choice, part);
  }
  return choice;
}

/** Whether an answer to OSC 11 tells of a light background; undefined: it is none. @xterm "Operating System Commands" */
export function lightByAnswer(reply: string): boolean | undefined {
  const match = /^\x1b\]11;rgba?:([0-9a-f]{1,4})\/([0-9a-f]{1,4})\/([0-9a-f]{1,4})/i.exec(reply);
  if (!match) return undefined;
  const parts = match.slice(1, 4).map((part) => Number.parseInt(part, 16) / (16 ** part.length - 1));
  return luminance(parts as [number, number, number]) > 0.35;
}

type Colour = [red: number, green: number, blue: number];

/** The 16 colours as the Linux console and VGA have them; other terminals' differ, mostly by more contrast. */
const VGA = [
  0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa, 0x555555, 0xff5555, 0x55ff55,
  0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
];
const CUBE = [0, 95, 135, 175, 215, 255];

/** Of a number of the palette of 256, 0 to 1 each. */
function colour(index: number): Colour {
  if (index < 16) return [16, 8, 0].map((shift) => ((VGA[index]! >> shift) & 255) / 255) as Colour;
  if (index >= 232) return Array<number>(3).fill((8 + 10 * (index - 232)) / 255) as Colour;
  const at = index - 16;
  return [CUBE[Math.floor(at / 36)]! / 255, CUBE[Math.floor(at / 6) % 6]! / 255, CUBE[at % 6]! / 255];
}

/** Red, green and blue in 24 bits of a number of the palette of 256. */
export const paletteRgb = (index: number): number =>
  colour(index).reduce((rgb, part) => rgb * 256 + Math.round(part * 255), 0);

/** @wcag 2.1 "relative luminance" */
function luminance(parts: Colour): number {
  const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

/** Least contrast of text. @wcag 2.1 "1.4.3 Contrast (Minimum)" */
export const LEAST_CONTRAST = 4.5;

/** Contrast of an attribute's text, 1 to 21. @wcag 2.1 "contrast ratio" @param bright: bold makes colours bright */
export function contrast(attr: number, { light, depth }: Pick<Theme, 'light' | 'depth'>): number {
  const flags = attr >> 18;
  const [text, paper] = light ? [0, 15] : [15, 0];
  const bright = depth === 8 && flags & BOLD ? 8 : 0;
  const of = (index: number, otherwise: number, add = 0) =>
    luminance(colour(index === DEFAULT ? otherwise : index < 8 ? index + add : index));
  const foreground = of((attr >> 9) & 0x1ff, text, bright);
  const background = of(attr & 0x1ff, paper);
  return (Math.max(foreground, background) + 0.05) / (Math.min(foreground, background) + 0.05);
}

const laid = new Map<number, number>();

/**
 * Replaces the background of `attr` by that of `over`, for a cursor line that keeps its colours; text that could not be
 * read there gets the colour of `over`.
 */
export function onBackground(attr: number, over: number): number {
  const key = attr * 2 ** 26 + over;
  let result = laid.get(key);
  if (result === undefined) {
    const background = over & 0x1ff;
    const flags = (over >> 18) & INVERSE;
    result = (attr & ~0x1ff) | background | (flags << 18);
    const foreground = (attr >> 9) & 0x1ff;
    const unclear =
      background !== DEFAULT &&
      (foreground === DEFAULT || contrast(result, { light: false, depth: 8 }) < LEAST_CONTRAST);
    // bold is a colour of its own among the first 16
    const bold = background < 16 ? 0 : attr & (BOLD << 18);
    if (unclear) result = over | bold;
    laid.set(key, result);
  }
  return result;
}
