/** What a terminal is asked about pictures, and what its answers say. Anything else that it sends says nothing. */
import { KITTY_QUESTION, kittyAnswer } from './kitty.js';
import type { Size } from './place.js';

/** Whether it would take kitty's images, how large a cell is, whether it keeps 24 bits of a colour; at the end what it is. */
export const QUESTIONS = [KITTY_QUESTION, '\x1b[16t\x1b[14t', '\x1b[0;48;2;1;2;3m\x1bP$qm\x1b\\\x1b[m', '\x1b[c'].join(
  '',
);
/** Of one with sixels: how many colours they may have, and pixels. @xterm "XTSMGRAPHICS" */
export const SIXEL_QUESTIONS = '\x1b[?1;1;0S\x1b[?2;1;0S\x1b[c';
/** How large a cell is, again: the window may have got another font. */
export const CELL_QUESTIONS = { kitty: '\x1b[16t', sixel: '\x1b[16t\x1b[?2;1;0S' };

const SIXELS = 4;
const MOST_CELL = 256;
const MOST_REGISTERS = 256;
/** Width and height of a picture at most, unless its user says otherwise. @xterm "maxGraphicSize" */
const XTERM_LIMIT = 1000;

export class TerminalAnswers {
  kitty = false;
  sixels = false;
  trueColours = false;
  /** Pixels of a cell; undefined while nothing tells it. */
  get cell(): Size | undefined {
    return this.#cell ?? this.#ofWindow ?? this.#ofGraphics;
  }
  /** Colours of a sixel picture. */
  registers = 16;
  /** Of the pixels of a sixel picture. */
  most: Size = { width: 1000, height: 1000 };
  #cell: Size | undefined;
  #ofWindow: Size | undefined;
  #ofGraphics: Size | undefined;

  /** @returns whether it is the last of what was asked */
  take(reply: string, columns: number, rows: number): boolean {
    const kitty = kittyAnswer(reply);
    if (kitty !== undefined) this.kitty = kitty;
    const text = /^\x1bP1\$r(?:[\d;:]*[;:])?48[:;]2[:;]{1,2}1[:;]2[:;]3(?:[;:][\d;:]*)?m\x1b\\$/;
    if (text.test(reply)) this.trueColours = true;
    const [, kind, numbers, final] = /^\x1b\[(\??)([\d;]*)([ctS])$/.exec(reply) ?? [];
    if (numbers === undefined) return false;
    const values = numbers.split(';').map(Number);
    if (final === 't' && kind === '') this.#takeSize(values, columns, rows);
    else if (final === 'S' && kind === '?') this.#takeGraphics(values, columns, rows);
    else if (final === 'c' && kind === '?') {
      this.sixels ||= values.includes(SIXELS);
      return true;
    }
    return false;
  }

  #takeSize([what, height = 0, width = 0]: number[], columns: number, rows: number): void {
    if (what === 6 && isCell({ width, height })) this.#cell = { width, height };
    const cell = { width: Math.floor(width / columns), height: Math.floor(height / rows) };
    if (what === 4 && isCell(cell)) this.#ofWindow = cell;
  }

  #takeGraphics([item, status, first = 0, second = 0]: number[], columns: number, rows: number): void {
    if (status !== 0) return;
    if (item === 1 && first >= 2) this.registers = Math.min(MOST_REGISTERS, first);
    if (item !== 2 || first < 16 || second < 16) return;
    this.most = { width: first, height: second };
    // xterm tells nobody how large its window is, but that a picture may be as large, up to a limit
    const cell = { width: Math.floor(first / columns), height: Math.floor(second / rows) };
    const limited = first === XTERM_LIMIT || second === XTERM_LIMIT || first === second;
    this.#ofGraphics = !limited && isCell(cell) ? cell : undefined;
  }
}

const isCell = ({ width, height }: Size): boolean =>
  width >= 1 && height >= 1 && width <= MOST_CELL && height <= MOST_CELL;
