/** Programs in a pseudo-terminal, seen through a real terminal emulator. */
import * as pty from '@lydell/node-pty';
import xterm from '@xterm/headless';

/** What a program wrote, as a terminal shows it. */
export abstract class TerminalView {
  readonly term: InstanceType<typeof xterm.Terminal>;
  /** Everything that was written, and when the last of it came. */
  raw = '';
  bytes = 0;
  last = Date.now();
  /** How often the screen is looked at while waiting, and how long nothing must come for it to be at rest. */
  protected lookMs = 15;
  protected quietMs = 150;
  abstract readonly exit: Promise<number>;

  constructor(cols: number, rows: number) {
    this.term = new xterm.Terminal({ cols, rows, allowProposedApi: true, scrollback: 0 });
  }

  abstract send(keys: string): void;
  abstract resize(cols: number, rows: number): void;
  /** Ends the program without asking it. */
  abstract kill(): void;

  protected take(data: string): void {
    this.raw += data;
    this.bytes += Buffer.byteLength(data);
    this.last = Date.now();
    this.term.write(data);
  }

  /** The emulator parses asynchronously: waits until it has taken in everything. */
  flush(): Promise<void> {
    return new Promise((resolve) => this.term.write('', resolve));
  }

  private async wait(done: () => boolean, what: () => string, max: number): Promise<void> {
    for (const start = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, this.lookMs))) {
      await this.flush();
      if (done()) return;
      if (Date.now() - start > max) throw new Error(`${what()} in\n${this.text()}`);
    }
  }

  /** Waits until the screen matches. */
  until(pattern: RegExp, max = 8000): Promise<void> {
    return this.wait(
      () => pattern.test(this.text()),
      () => `no ${pattern}`,
      max,
    );
  }

  /**
   * Waits until nothing was written or sent for `quiet` ms, and in as many looks as fit into that: a host that has no time
   * for this process has none for the program in it.
   */
  settle(quiet = this.quietMs, max = 8000): Promise<void> {
    let looks = 0;
    let seen = -1;
    return this.wait(
      () => {
        const now = this.bytes + this.last;
        looks = now === seen ? looks + 1 : 0;
        seen = now;
        return Date.now() - this.last > quiet && looks >= quiet / this.lookMs;
      },
      () => 'no rest',
      max,
    );
  }

  line(y: number) {
    const buffer = this.term.buffer.active;
    return buffer.getLine(buffer.baseY + y)!;
  }

  text(): string {
    return Array.from({ length: this.term.rows }, (_, y) => this.line(y).translateToString(true)).join('\n');
  }

  /** The screen with `«foreground.background.flags|text»` around what is not plain. */
  styled(): string {
    return Array.from({ length: this.term.rows }, (_, y) => {
      let result = '';
      let current = '';
      for (let x = 0; x < this.term.cols; x++) {
        const cell = this.line(y).getCell(x)!;
        if (!cell.getWidth()) continue;
        const flags = (cell.isBold() ? 'b' : '') + (cell.isUnderline() ? 'u' : '') + (cell.isInverse() ? 'i' : '');
        const colours = [
          cell.isFgDefault() ? '' : cell.getFgColor(),
          cell.isBgDefault() ? '' : cell.getBgColor(),
          flags,
        ];
        const key = cell.isAttributeDefault() ? '' : colours.join('.');
        if (key !== current) result += (current && '»') + (key && `«${key}|`);
        current = key;
        result += cell.getChars() || ' ';
      }
      return (result + (current && '»')).trimEnd();
    }).join('\n');
  }
}

/** A program in a pseudo-terminal of its own. */
export class Tui extends TerminalView {
  readonly proc: pty.IPty;
  readonly exit: Promise<number>;

  /** @param file a program of Node's, or with `native` any other */
  constructor(
    file: string,
    args: string[] = [],
    cols = 80,
    rows = 24,
    env: Record<string, string> = {},
    native = false,
  ) {
    super(cols, rows);
    this.proc = pty.spawn(native ? file : process.execPath, native ? args : [file, ...args], {
      name: 'xterm-256color',
      cols,
      rows,
      env: {
        PATH: process.env.PATH!,
        HOME: '/nonexistent',
        TERM: 'xterm-256color',
        LANG: 'C.UTF-8',
        TZ: 'UTC',
        ...env,
      },
    });
    this.proc.onData((data) => this.take(data));
    // Answers to the program's questions about the terminal.
    this.term.onData((data) => this.answer(data));
    this.exit = new Promise((resolve) => this.proc.onExit((event) => resolve(event.exitCode)));
  }

  protected answer(reply: string): void {
    this.proc.write(reply);
  }

  send(keys: string): void {
    this.last = Date.now();
    this.proc.write(keys);
  }

  resize(cols: number, rows: number): void {
    this.last = Date.now();
    this.term.resize(cols, rows);
    this.proc.resize(cols, rows);
  }

  /** Closes the terminal under the program, as closing its window does. */
  hangUp(): void {
    (this.proc as pty.IPty & { destroy(): void }).destroy();
  }

  /** Ends the program without asking it. */
  kill(): void {
    try {
      this.proc.kill('SIGKILL');
    } catch {
      // It has ended already.
    }
    this.term.dispose();
  }
}
