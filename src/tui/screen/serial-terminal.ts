/** What a guest writes to its serial port, as a terminal shows it: @xterm/headless, loaded with the first byte. */
import type { IBufferCell, IBufferLine, Terminal } from '@xterm/headless';
import { SerialFilter } from './serial-filter.js';

export interface SerialCell {
  character: string;
  /** 0..255 of the palette, or -1 for the default. */
  foreground: number;
  background: number;
}

/** What a serial line's own terminal has, and what programs take it for where nobody tells them another size. */
const COLUMNS = 80;
const ROWS = 24;
/** Lines above the screen that are kept. */
const MAX_HISTORY = 2000;
/** Bytes that wait to be shown: a guest that writes faster than anybody reads loses what comes then. */
const MAX_WAITING = 8 << 20;

type Library = typeof import('@xterm/headless');

export class SerialTerminal {
  #library: Promise<Library> | undefined;
  #terminal: Terminal | undefined;
  /** Before the library is there. */
  #early: Uint8Array[] = [];
  #waiting = 0;
  #settled: (() => void)[] = [];
  /** Counts resets: what was on its way before one is not shown. */
  #era = 0;
  #filter = new SerialFilter();
  /** Something has come. */
  used = false;
  /** Takes what a terminal answers to questions of the guest; undefined: it answers nothing. */
  onReply: ((text: string) => void) | undefined;

  /** @param changed called when what was written shows */
  constructor(
    readonly columns = COLUMNS,
    readonly rows = ROWS,
    private readonly changed: () => void = () => {},
  ) {}

  /** Forgets everything. */
  reset(): void {
    this.#era++;
    this.#terminal?.dispose();
    this.#terminal = undefined;
    this.#early = [];
    this.#waiting = 0;
    this.#filter = new SerialFilter();
    this.used = false;
    this.#tellSettled();
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#waiting + bytes.length > MAX_WAITING) return;
    this.used = true;
    const data = this.#filter.take(bytes);
    this.#waiting += data.length;
    if (this.#terminal) this.#show(this.#terminal, data);
    else {
      this.#early.push(data);
      this.#library ??= import('@xterm/headless').then((found) =>
        'default' in found ? (found.default as Library) : found,
      );
      const era = this.#era;
      if (this.#early.length === 1) void this.#library.then((library) => this.#begin(library, era));
    }
  }

  /** Resolves when all that was written shows. */
  settled(): Promise<void> {
    if (this.#waiting === 0) return Promise.resolve();
    return new Promise((resolve) => this.#settled.push(resolve));
  }

  #begin({ Terminal }: Library, era: number): void {
    if (era !== this.#era) return;
    const { columns: cols, rows } = this;
    const terminal = new Terminal({ cols, rows, scrollback: MAX_HISTORY, allowProposedApi: true });
    terminal.onData((text) => this.onReply?.(text));
    this.#terminal = terminal;
    for (const data of this.#early.splice(0)) this.#show(terminal, data);
  }

  #show(terminal: Terminal, data: Uint8Array): void {
    const era = this.#era;
    terminal.write(data, () => {
      if (era !== this.#era) return;
      this.#waiting -= data.length;
      if (this.#waiting === 0) this.#tellSettled();
      this.changed();
    });
  }

  #tellSettled(): void {
    for (const resolve of this.#settled.splice(0)) resolve();
  }

  // ---- what is seen ----

  /** Lines above the screen and those of the screen, down to the last one in use. */
  get length(): number {
    const buffer = this.#terminal?.buffer.active;
    if (!buffer) return 1;
    let last = buffer.baseY + this.rows - 1;
    const cursor = buffer.baseY + buffer.cursorY;
    while (last > cursor && buffer.getLine(last)?.translateToString(true) === '') last--;
    return last + 1;
  }

  /** The first line of the screen: above it is what has scrolled out. */
  get top(): number {
    return this.#terminal?.buffer.active.baseY ?? 0;
  }

  /** Where the next character comes: line as `line` counts, and column. */
  get cursor(): { line: number; column: number } {
    const buffer = this.#terminal?.buffer.active;
    if (!buffer) return { line: 0, column: 0 };
    return { line: buffer.baseY + buffer.cursorY, column: Math.min(buffer.cursorX, this.columns - 1) };
  }

  /** Text of a line, without what is empty behind it. */
  text(index: number): string {
    return this.#line(index)?.translateToString(true) ?? '';
  }

  /** Cells of a line, to the last one that shows something. */
  line(index: number): SerialCell[] {
    const line = this.#line(index);
    const cells: SerialCell[] = [];
    if (!line) return cells;
    let last = 0;
    let reused: IBufferCell | undefined;
    for (let x = 0; x < this.columns; x++) {
      reused = line.getCell(x, reused);
      if (!reused) break;
      const cell = cellOf(reused);
      cells.push(cell);
      if (cell.character !== ' ' || cell.background >= 0) last = x + 1;
    }
    return cells.slice(0, last);
  }

  #line(index: number): IBufferLine | undefined {
    return this.#terminal?.buffer.active.getLine(index);
  }
}

function cellOf(cell: IBufferCell): SerialCell {
  const plain = cell.isFgDefault() ? -1 : paletteOf(cell.getFgColor(), cell.isFgRGB());
  const background = cell.isBgDefault() ? -1 : paletteOf(cell.getBgColor(), cell.isBgRGB());
  const foreground = plain >= 0 && plain < 8 && cell.isBold() ? plain | 8 : plain;
  const character = cell.isInvisible() ? ' ' : cell.getChars() || ' ';
  return cell.isInverse()
    ? { character, foreground: Math.max(0, background), background: foreground < 0 ? 7 : foreground }
    : { character, foreground, background };
}

/** The colour of the palette's cube that is next to one of 24 bits. */
function paletteOf(colour: number, rgb: boolean): number {
  if (!rgb) return colour;
  const [red, green, blue] = [16, 8, 0].map((shift) => Math.round((((colour >> shift) & 255) * 5) / 255)) as [
    number,
    number,
    number,
  ];
  return 16 + 36 * red + 6 * green + blue;
}
