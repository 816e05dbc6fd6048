/** A small VT: what a guest writes to its serial port, as lines of cells. */

export interface SerialCell {
  character: string;
  /** 0..15, or -1 for the default. */
  foreground: number;
  background: number;
}

const MAX_HISTORY = 2000;

export class SerialTerminal {
  /** Lines that have left the screen at the top, oldest first. */
  readonly history: SerialCell[][] = [];
  screen: SerialCell[][];
  row = 0;
  column = 0;
  private foreground = -1;
  private background = -1;
  private bold = false;
  private inverse = false;
  /** Whether a carriage return ever stood beside a line feed: otherwise a guest means it with its line feeds. */
  private returns = false;
  private last = 0;
  private saved = { row: 0, column: 0 };
  private state: 'text' | 'escape' | 'csi' | 'string' | 'skip' = 'text';
  private parameters = '';
  private decoder = new TextDecoder('utf-8');

  constructor(
    readonly columns = 80,
    readonly rows = 25,
  ) {
    this.screen = Array.from({ length: rows }, () => []);
  }

  /** Forgets everything. */
  reset(): void {
    this.history.length = 0;
    this.screen = Array.from({ length: this.rows }, () => []);
    this.row = this.column = 0;
    this.state = 'text';
    this.returns = false;
    this.style([0]);
    this.decoder = new TextDecoder('utf-8');
  }

  write(bytes: Uint8Array): void {
    for (const character of this.decoder.decode(bytes, { stream: true })) this.feed(character);
  }

  /** History and screen down to the last row in use. */
  lines(): SerialCell[][] {
    let last = this.rows - 1;
    while (last > this.row && this.screen[last]!.length === 0) last--;
    return [...this.history, ...this.screen.slice(0, last + 1)];
  }

  private feed(character: string): void {
    const code = character.codePointAt(0)!;
    this.take(character, code);
    this.last = code;
  }

  private take(character: string, code: number): void {
    switch (this.state) {
      case 'text':
        if (code === 0x1b) this.state = 'escape';
        else if (code < 0x20 || code === 0x7f) this.control(code);
        else this.print(character);
        return;
      case 'escape':
        // Controls act inside a sequence too.
        if (code < 0x20 && code !== 0x1b) this.control(code);
        else this.escape(character);
        return;
      case 'csi':
        if (code >= 0x40 && code <= 0x7e) {
          this.state = 'text';
          this.csi(character);
        } else if (code === 0x1b) this.state = 'escape';
        else if (code < 0x20) this.control(code);
        else if (this.parameters.length < 64) this.parameters += character;
        return;
      case 'string':
        if (code === 0x07) this.state = 'text';
        else if (code === 0x1b) this.state = 'skip';
        return;
      case 'skip':
        this.state = 'text';
        return;
    }
  }

  private control(code: number): void {
    const pair = (code === 0x0d && this.last === 0x0a) || (code === 0x0a && this.last === 0x0d);
    this.returns ||= pair;
    if (code === 0x0d) this.column = 0;
    else if (code === 0x0a || code === 0x0b || code === 0x0c) {
      if (!this.returns) this.column = 0;
      this.lineFeed();
    } else if (code === 0x08) this.column = Math.max(0, this.column - 1);
    else if (code === 0x09) this.column = Math.min(this.columns - 1, (this.column | 7) + 1);
  }

  private lineFeed(): void {
    if (this.row < this.rows - 1) {
      this.row++;
      return;
    }
    this.history.push(this.screen.shift()!);
    if (this.history.length > MAX_HISTORY) this.history.shift();
    this.screen.push([]);
  }

  private print(character: string): void {
    if (this.column >= this.columns) {
      this.column = 0;
      this.lineFeed();
    }
    const line = this.screen[this.row]!;
    while (line.length < this.column) line.push({ character: ' ', foreground: -1, background: -1 });
    const foreground = this.foreground >= 0 && this.bold ? this.foreground | 8 : this.foreground;
    line[this.column++] = this.inverse
      ? {
          character,
          foreground: Math.max(0, this.background),
          background: foreground < 0 ? 7 : foreground,
        }
      : { character, foreground, background: this.background };
  }

  private escape(character: string): void {
    this.state = 'text';
    if (character === '[') {
      this.state = 'csi';
      this.parameters = '';
    } else if (character === ']' || character === 'P' || character === '_' || character === '^') this.state = 'string';
    else if (character === '(' || character === ')' || character === '#') this.state = 'skip';
    else if (character === 'c') this.reset();
    else if (character === 'D') this.lineFeed();
    else if (character === 'E') {
      this.column = 0;
      this.lineFeed();
    } else if (character === 'M') this.row = Math.max(0, this.row - 1);
    else if (character === '7') this.saved = { row: this.row, column: this.column };
    else if (character === '8') ({ row: this.row, column: this.column } = this.saved);
  }

  private csi(final: string): void {
    if (/^[?<=>]/.test(this.parameters)) return;
    const list = this.parameters.split(';').map((part) => Number.parseInt(part, 10) || 0);
    const n = Math.min(Math.max(1, list[0] ?? 1), 9999);
    const row = (value: number) => Math.max(0, Math.min(this.rows - 1, value));
    const column = (value: number) => Math.max(0, Math.min(this.columns - 1, value));
    switch (final) {
      case 'A':
        this.row = row(this.row - n);
        break;
      case 'B':
        this.row = row(this.row + n);
        break;
      case 'C':
        this.column = column(this.column + n);
        break;
      case 'D':
        this.column = column(this.column - n);
        break;
      case 'E':
      case 'F':
        this.row = row(this.row + (final === 'E' ? n : -n));
        this.column = 0;
        break;
      case 'G':
        this.column = column(n - 1);
        break;
      case 'd':
        this.row = row(n - 1);
        break;
      case 'H':
      case 'f':
        this.row = row(n - 1);
        this.column = column(Math.max(1, list[1] ?? 1) - 1);
        break;
      case 'J':
        this.erase(list[0] ?? 0);
        break;
      case 'K':
        this.eraseLine(list[0] ?? 0);
        break;
      case 'm':
        this.style(list);
        break;
      case 's':
        this.saved = { row: this.row, column: this.column };
        break;
      case 'u':
        ({ row: this.row, column: this.column } = this.saved);
        break;
    }
  }

  private erase(mode: number): void {
    const clear = (from: number, to: number) => {
      for (let y = from; y < to; y++) this.screen[y] = [];
    };
    if (mode === 0) {
      this.eraseLine(0);
      clear(this.row + 1, this.rows);
    } else if (mode === 1) {
      this.eraseLine(1);
      clear(0, this.row);
    } else clear(0, this.rows);
  }

  private eraseLine(mode: number): void {
    const line = this.screen[this.row]!;
    if (mode === 0) line.length = Math.min(line.length, this.column);
    else if (mode === 2) this.screen[this.row] = [];
    else {
      for (let x = 0; x <= this.column && x < line.length; x++) {
        line[x] = { character: ' ', foreground: -1, background: -1 };
      }
    }
  }

  private style(list: readonly number[]): void {
    for (const code of list) {
      if (code === 0) {
        this.foreground = this.background = -1;
        this.bold = this.inverse = false;
      } else if (code === 1) this.bold = true;
      else if (code === 22) this.bold = false;
      else if (code === 7) this.inverse = true;
      else if (code === 27) this.inverse = false;
      else if (code >= 30 && code <= 37) this.foreground = code - 30;
      else if (code === 39) this.foreground = -1;
      else if (code >= 40 && code <= 47) this.background = code - 40;
      else if (code === 49) this.background = -1;
      else if (code >= 90 && code <= 97) this.foreground = code - 82;
      else if (code >= 100 && code <= 107) this.background = code - 92;
      // 38 and 48 take arguments that would read as other codes.
      else if (code === 38 || code === 48) return;
    }
  }
}
