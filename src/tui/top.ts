/** All running guests in a table, with rates: the screen of `vmscope top`. */
import { runScreen, type ScreenOptions, type TerminalScreen } from './app.js';
import { matches } from './panes/pane.js';
import { Prompt } from './prompt.js';
import { CellPane, type Segment } from './screen/cell-pane.js';
import { rate } from './screen/text.js';
import { onBackground, type Theme } from './screen/theme.js';
import type { Surface } from './surface.js';
import {
  COLUMNS,
  type Column,
  cell,
  type Fleet,
  fitting,
  type GuestRow,
  type GuestSample,
  guestRows,
  SORT_KEYS,
  stateLetter,
} from './top-rows.js';

/** What the user has set up; it outlives the look at a guest that was chosen. */
export interface TopState {
  sort: string;
  reversed: boolean;
  filter: string;
  /** Name of the guest under the cursor. */
  guest?: string;
  /** Shown at the foot until the next key. */
  notice?: string;
}

export const newTopState = (): TopState => ({ sort: 'EXITS/s', reversed: false, filter: '' });

class TopScreen implements TerminalScreen {
  chosen: string | undefined;
  private rows: GuestRow[] = [];
  private samples: GuestSample[] = [];
  private lookedMs = 0;
  private readonly cells: Record<'header' | 'table' | 'footer', CellPane>;
  private cursor = 0;
  private top = 0;
  private frozen = false;
  private mouseOn = true;
  private readonly prompt = new Prompt('/');
  private typing = false;
  private error = '';

  constructor(
    private readonly fleet: Fleet,
    private readonly surface: Surface,
    private readonly theme: Theme,
    private readonly intervalMs: number,
    private readonly state: TopState,
  ) {
    const add = () => {
      const cells = new CellPane(theme);
      surface.add(cells);
      return cells;
    };
    this.cells = { header: add(), table: add(), footer: add() };
  }

  async start(): Promise<void> {
    await this.poll();
    const at = this.shown().findIndex(({ sample }) => sample.name === this.state.guest);
    if (at >= 0) this.cursor = at;
  }

  async poll(): Promise<void> {
    if (this.frozen || Date.now() - this.lookedMs < this.intervalMs) return;
    this.lookedMs = Date.now();
    try {
      const samples = await this.fleet.look();
      this.rows = guestRows(this.samples, samples);
      this.samples = samples;
      this.error = '';
    } catch (error) {
      this.error = String(error);
    }
    this.surface.dirty();
  }

  close(): void {}

  private shown(): GuestRow[] {
    const column = COLUMNS.find(({ title }) => title === this.state.sort)!;
    const order = (a: GuestRow, b: GuestRow) => {
      const [x, y] = [column.key(a), column.key(b)];
      return typeof x === 'number' && typeof y === 'number' ? y - x : String(x) < String(y) ? -1 : 1;
    };
    return this.rows
      .filter(({ sample }) => matches(this.state.filter, sample.name))
      .sort((a, b) => (this.state.reversed ? -1 : 1) * (order(a, b) || (a.sample.name < b.sample.name ? -1 : 1)));
  }

  draw(): void {
    const { columns, rows } = this.surface;
    const { theme } = this;
    const { header, table, footer } = this.cells;
    header.place({ x: 0, y: 0, width: columns, height: 1 });
    header.clear(theme.header);
    const running = this.rows.filter((row) => row.sample.state.running).length;
    const sum = (of: (row: GuestRow) => number | undefined) => this.rows.reduce((all, row) => all + (of(row) ?? 0), 0);
    header.line(0, [
      [' vmscope top  ', theme.header],
      [this.frozen ? 'FROZEN ' : '', theme.stopped],
      [`${this.rows.length} guests, ${running} running`, theme.running],
      [`  ${rate(sum((row) => row.exitsPerSecond))} exits/s`, theme.header],
      [`  ${rate(sum((row) => row.instructionsPerSecond))} instr/s`, theme.header],
      [`  every ${this.intervalMs / 1000} s`, theme.header],
    ]);
    table.place({ x: 0, y: 1, width: columns, height: Math.max(0, rows - 2) });
    table.clear(theme.normal);
    this.drawTable(table);
    footer.place({ x: 0, y: rows - 1, width: columns, height: rows > 2 ? 1 : 0 });
    footer.clear(this.typing ? theme.input : theme.normal);
    if (this.typing) footer.line(0, [['/', theme.key], [this.prompt.text]]);
    else if (this.error || this.state.notice) footer.put(1, 0, this.error || this.state.notice!, theme.crit);
    else this.drawKeys(footer);
  }

  private drawTable(table: CellPane): void {
    const { theme } = this;
    const columns = fitting(table.width);
    let x = 0;
    for (const column of columns) {
      const sorted = column.title === this.state.sort;
      const title = sorted ? `${column.title}${this.state.reversed ? '▲' : '▼'}` : column.title;
      x = table.put(x, 0, cell(column, title), sorted ? theme.title : theme.dim);
    }
    const rows = this.shown();
    const height = table.height - 1;
    this.cursor = Math.max(0, Math.min(rows.length - 1, this.cursor));
    this.top = Math.max(0, Math.min(this.top, this.cursor, rows.length - height));
    if (this.cursor >= this.top + height) this.top = this.cursor - height + 1;
    if (rows.length === 0)
      table.put(
        1,
        2,
        this.state.filter ? `no guest matches ${this.state.filter}` : 'no guest runs: vmscope run IMAGE',
        theme.dim,
      );
    for (let y = 0; y < height && this.top + y < rows.length; y++) {
      const row = rows[this.top + y]!;
      table.line(
        y + 1,
        columns.map((column): Segment => [cell(column, column.text(row)), this.colour(column, row)]),
      );
      if (this.top + y === this.cursor) table.shade(0, y + 1, table.width, (attr) => onBackground(attr, theme.sel));
    }
  }

  private colour(column: Column, row: GuestRow): number {
    const { theme } = this;
    if (column.title === 'S') return { R: theme.ok, P: theme.warn, E: theme.dim }[stateLetter(row)]!;
    if (column.title === 'NAME') return theme.symbol;
    return column.title === 'TOP EXIT' ? theme.mnemonic : theme.normal;
  }

  private drawKeys(footer: CellPane): void {
    const { theme } = this;
    const keys = [
      ['Enter', 'attach'],
      ['/', this.state.filter ? `filter: ${this.state.filter}` : 'filter'],
      ['< >', 'sort'],
      ['I', 'reverse'],
      ['P M N T E', 'by CPU, memory, name, time, exits'],
      ['Space', 'freeze'],
    ];
    const quit = ['q', 'quit'];
    const width = ([key, text]: string[]) => key!.length + text!.length + 3;
    const room = footer.width - width(quit);
    let x = 1;
    for (const item of [...keys, quit]) {
      const [key, text] = item;
      if (item !== quit && x + width(item) > room) continue;
      x = footer.line(
        0,
        [
          [key!, theme.key],
          [` ${text}  `, theme.dim],
        ],
        x,
      );
    }
  }

  key(name: string): void {
    this.surface.dirty();
    this.state.notice = undefined;
    if (this.typing) {
      if (name === 'escape' || name === 'C-c') this.state.filter = '';
      if (name === 'escape' || name === 'C-c' || name === 'enter') this.typing = false;
      else if (this.prompt.key(name)) this.state.filter = this.prompt.text;
      return;
    }
    const page = Math.max(1, this.cells.table.height - 2);
    const steps: Record<string, number> = {
      up: -1,
      k: -1,
      down: 1,
      j: 1,
      pageup: -page,
      pagedown: page,
      home: -1e9,
      end: 1e9,
    };
    if (steps[name] !== undefined)
      this.cursor = Math.max(0, Math.min(this.shown().length - 1, this.cursor + steps[name]!));
    else if (name === 'enter') this.attach();
    else if (name === '/') {
      this.prompt.open(this.state.filter);
      this.typing = true;
    } else if (name === '<' || name === '>') this.sortBy(name === '>' ? 1 : -1);
    else if (SORT_KEYS[name]) this.state.sort = SORT_KEYS[name]!;
    else if (name === 'I') this.state.reversed = !this.state.reversed;
    else if (name === 'space') this.frozen = !this.frozen;
    else if (name === 'escape') this.state.filter = '';
    else if (name === 'C-l') this.surface.redraw();
    else if (name === 'C-z') this.surface.suspend();
    else if (name === 'C-t') {
      this.mouseOn = !this.mouseOn;
      this.showMouse();
    } else if (name === 'q' || name === 'C-c') this.surface.quit();
  }

  private sortBy(step: number): void {
    const columns = fitting(this.surface.columns);
    const at = columns.findIndex(({ title }) => title === this.state.sort);
    this.state.sort = columns[(at + step + columns.length) % columns.length]!.title;
  }

  private attach(): void {
    const row = this.shown()[this.cursor];
    if (!row) return;
    this.chosen = row.sample.name;
    this.state.guest = this.chosen;
    this.surface.quit();
  }

  paste(text: string): void {
    if (!this.typing) return;
    this.prompt.insert(text);
    this.state.filter = this.prompt.text;
    this.surface.dirty();
  }

  click(_x: number, y: number): void {
    if (y >= 2) this.cursor = this.top + y - 2;
    this.surface.dirty();
  }

  drag(): void {}
  drop(): void {}

  wheel(_x: number, _y: number, delta: number): void {
    this.key(delta < 0 ? 'up' : 'down');
  }

  showMouse(): void {
    this.surface.mouse(this.mouseOn);
  }
}

/** Shows the table until it is quit or a guest is chosen. @returns the guest's name. */
export async function runTop(
  fleet: Fleet,
  intervalMs: number,
  state: TopState = newTopState(),
  options: Omit<ScreenOptions, 'title' | 'onQuit'> = {},
): Promise<string | undefined> {
  let screen: TopScreen | undefined;
  await runScreen({ ...options, title: 'top', onQuit: () => undefined }, (surface, theme) => {
    screen = new TopScreen(fleet, surface, theme, intervalMs, state);
    return screen;
  });
  return screen?.chosen;
}
