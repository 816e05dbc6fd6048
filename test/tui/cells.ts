/** The dashboard over a made-up guest without a terminal: what its panes write into the screen's cells. */
import { Disassembler } from '../../src/disasm/index.js';
import type { Debugger } from '../../src/engine/debugger.js';
import { Dashboard } from '../../src/tui/dashboard.js';
import type { View } from '../../src/tui/layout.js';
import type { CellPane, ScreenLine } from '../../src/tui/screen/cell-pane.js';
import { createTheme, type Theme } from '../../src/tui/screen/theme.js';
import type { Surface } from '../../src/tui/surface.js';
import type { UserMemory } from '../../src/tui/user-memory.js';

export interface CellsOptions {
  columns?: number;
  rows?: number;
  view?: View;
  theme?: Theme;
  now?: () => number;
  tour?: boolean;
  memory?: UserMemory;
}

export class Cells {
  readonly panes: CellPane[] = [];
  readonly dashboard: Dashboard;
  columns: number;
  rows: number;
  quits = 0;
  private wanted = false;

  private constructor(debug: Debugger, disassembler: Disassembler, options: CellsOptions) {
    this.columns = options.columns ?? 120;
    this.rows = options.rows ?? 40;
    const { panes } = this;
    const surface: Surface = {
      add: (pane) => panes.push(pane),
      dirty: () => {
        this.wanted = true;
      },
      ...{ capture() {}, mouse() {}, copy() {}, redraw() {}, suspend() {} },
      setInterval: () => 100,
      quit: () => void this.quits++,
      columns: 0,
      rows: 0,
    };
    Object.defineProperties(surface, { columns: { get: () => this.columns }, rows: { get: () => this.rows } });
    this.dashboard = new Dashboard(
      debug,
      disassembler,
      options.theme ?? createTheme(256, { LANG: 'C.UTF-8' }),
      surface,
      {
        title: 'demo',
        initialView: options.view,
        tour: options.tour,
        memory: options.memory,
        now: options.now ?? (() => 0),
        onQuit: () => undefined,
      },
    );
  }

  static async open(debug: Debugger, options: CellsOptions = {}): Promise<Cells> {
    const cells = new Cells(debug, await Disassembler.load(), options);
    await cells.dashboard.start();
    await cells.settle();
    return cells;
  }

  /** Draws until nothing asks for another frame. */
  async settle(): Promise<void> {
    await this.dashboard.model.serial.settled();
    for (let n = 0; n < 100; n++) {
      this.wanted = false;
      this.dashboard.draw();
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      if (!this.wanted) return;
    }
    throw new Error('the dashboard asks for frames without an end');
  }

  async key(...names: string[]): Promise<void> {
    for (const name of names) {
      this.dashboard.key(name);
      await this.settle();
    }
  }

  /** Waits until the screen matches. @throws Error with the screen when it does not for long */
  async until(pattern: RegExp, max = 20_000): Promise<void> {
    for (const start = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, 2))) {
      await this.settle();
      if (pattern.test(this.text())) return;
      if (Date.now() - start > max) throw new Error(`no ${pattern} in\n${this.text()}`);
    }
  }

  /** A line of the command line. */
  async command(line: string): Promise<void> {
    await this.key(':', ...line, 'enter');
  }

  async click(x: number, y: number): Promise<void> {
    this.dashboard.click(x, y);
    this.dashboard.drop();
    await this.settle();
  }

  lines(): ScreenLine[] {
    const lines = Array.from({ length: this.rows }, () =>
      Array.from({ length: this.columns }, (): [number, string] => [0, ' ']),
    );
    for (const pane of this.panes) pane.blit(lines);
    return lines;
  }

  text(): string {
    return this.lines()
      .map((line) =>
        line
          .map(([, character]) => character)
          .join('')
          .trimEnd(),
      )
      .join('\n');
  }

  /** Where a text stands: column and row. @throws Error when it is nowhere */
  find(text: string): { x: number; y: number } {
    const rows = this.text().split('\n');
    const y = rows.findIndex((row) => row.includes(text));
    if (y < 0) throw new Error(`no "${text}" in\n${rows.join('\n')}`);
    return { x: rows[y]!.indexOf(text), y };
  }
}
