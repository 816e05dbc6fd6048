/** A rectangle of cells that panes write and that goes straight into the screen's line buffer. */
import { asciiCharacter, cellCharacter } from './text.js';
import type { Theme } from './theme.js';

/** One row of blessed's screen buffer: [attribute, character] a cell. */
export type ScreenLine = [number, string][] & { dirty?: boolean };

export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Text with its attribute word; without one the pane's normal attribute. */
export type Segment = readonly [text: string, attr?: number];

export interface Frame {
  focused: boolean;
  /** First and last pane of a column close the box; others join to their neighbours. */
  first: boolean;
  last: boolean;
}

/**
 * A pane's cells. Every character passes `cellCharacter` on its way in, so that no text of a guest, however it got
 * here, can reach the terminal as a control sequence.
 */
export class CellPane {
  rectangle: Rectangle = { x: 0, y: 0, width: 0, height: 0 };
  visible = true;
  private chars: string[] = [];
  /** Words of blessed's, and larger ones with colours of 24 bits. */
  private attrs = new Float64Array(0);
  /** Origin and size of the part that `put` addresses: the inside of the frame. */
  private inner: Rectangle = { x: 0, y: 0, width: 0, height: 0 };

  constructor(
    readonly theme: Theme,
    private base = theme.normal,
  ) {}

  get width(): number {
    return this.inner.width;
  }

  get height(): number {
    return this.inner.height;
  }

  place(rectangle: Rectangle): void {
    const cells = Math.max(0, rectangle.width) * Math.max(0, rectangle.height);
    if (cells !== this.chars.length) {
      this.chars = new Array<string>(cells).fill(' ');
      this.attrs = new Float64Array(cells);
    }
    this.rectangle = rectangle;
  }

  /** Blanks the pane; what follows addresses all of it. */
  clear(base = this.base): void {
    this.base = base;
    this.chars.fill(' ');
    this.attrs.fill(base);
    this.inner = { x: 0, y: 0, width: this.rectangle.width, height: this.rectangle.height };
  }

  /** Draws the frame; what follows addresses its inside. */
  frame(frame: Frame): void {
    const { width, height } = this.rectangle;
    if (width < 2 || height < 1) return;
    const line = frame.focused ? this.theme.focus : this.theme.border;
    const [left, right] = frame.first ? '┌┐' : '├┤';
    this.put(0, 0, left + '─'.repeat(width - 2) + right, line);
    for (let y = 1; y < height; y++) {
      this.put(0, y, '│', line);
      this.put(width - 1, y, '│', line);
    }
    if (frame.last && height > 1) this.put(0, height - 1, `└${'─'.repeat(width - 2)}┘`, line);
    this.inner = { x: 1, y: 1, width: width - 2, height: Math.max(0, height - (frame.last ? 2 : 1)) };
  }

  /** Writes the title into the frame; after the content, which may have settled what it says. */
  heading(title: readonly Segment[]): void {
    const inside = this.inner;
    this.inner = { x: 0, y: 0, width: this.rectangle.width, height: 1 };
    let x = 2;
    for (const [text, attr] of title) x = this.put(x, 0, text, attr ?? this.theme.title, this.rectangle.width - 2);
    this.inner = inside;
  }

  /** Writes one line of text, cut at `end` (default: the right edge). @returns the column after it. */
  put(x: number, y: number, text: string, attr = this.base, end = this.inner.width): number {
    const limit = Math.min(end, this.inner.width);
    if (y < 0 || y >= this.inner.height) return x;
    const row = (this.inner.y + y) * this.rectangle.width + this.inner.x;
    const safe = this.theme.ascii ? asciiCharacter : cellCharacter;
    let column = x;
    for (const character of text) {
      if (column >= limit) break;
      if (column >= 0) {
        this.chars[row + column] = safe(character);
        this.attrs[row + column] = attr;
      }
      column++;
    }
    return column;
  }

  /** Writes segments one after the other. @returns the column after them. */
  line(y: number, segments: readonly Segment[], x = 0, end = this.inner.width): number {
    let column = x;
    for (const [text, attr] of segments) column = this.put(column, y, text, attr, end);
    return column;
  }

  /** Changes the attribute of `length` cells by `change`. */
  shade(x: number, y: number, length: number, change: (attr: number) => number): void {
    if (y < 0 || y >= this.inner.height) return;
    const row = (this.inner.y + y) * this.rectangle.width + this.inner.x;
    const end = Math.min(x + length, this.inner.width);
    for (let column = Math.max(0, x); column < end; column++) {
      this.attrs[row + column] = change(this.attrs[row + column]!);
    }
  }

  /** A part of what `put` addresses, on the screen. */
  onScreen({ x, y, width, height }: Rectangle): Rectangle {
    return { x: this.rectangle.x + this.inner.x + x, y: this.rectangle.y + this.inner.y + y, width, height };
  }

  /** Whether the screen's lines show the pane's own cells in a part of it, which nothing lies on. */
  isOnTop(lines: readonly ScreenLine[], { x, y, width, height }: Rectangle): boolean {
    for (let row = y; row < y + height; row++) {
      const at = (row - this.rectangle.y) * this.rectangle.width - this.rectangle.x;
      for (let column = x; column < x + width; column++) {
        const cell = lines[row]?.[column];
        if (!cell || cell[0] !== this.attrs[at + column] || cell[1] !== this.chars[at + column]) return false;
      }
    }
    return true;
  }

  /** Copies changed cells into the screen's lines and marks those lines dirty. @returns cells changed. */
  blit(lines: ScreenLine[]): number {
    if (!this.visible) return 0;
    const { x, y, width, height } = this.rectangle;
    let changed = 0;
    for (let row = 0; row < height; row++) {
      const line = lines[y + row];
      if (!line) break;
      let touched = false;
      for (let column = 0, at = row * width; column < width; column++, at++) {
        const cell = line[x + column];
        if (!cell) break;
        const attr = this.attrs[at]!;
        const character = this.chars[at]!;
        if (cell[0] === attr && cell[1] === character) continue;
        cell[0] = attr;
        cell[1] = character;
        touched = true;
        changed++;
      }
      if (touched) line.dirty = true;
    }
    return changed;
  }
}
