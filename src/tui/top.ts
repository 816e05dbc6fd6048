/** All running guests in a table, with rates: the screen of `vmscope top`. */
import type { RunState } from '../engine/debugger.js';
import { runScreen, type ScreenOptions, type TerminalScreen } from './app.js';
import type { Surface } from './dashboard.js';
import { matches } from './panes/pane.js';
import { Prompt } from './prompt.js';
import { CellPane, type Segment } from './screen/cell-pane.js';
import { grouped, rate, size } from './screen/text.js';
import { onBackground, type Theme } from './screen/theme.js';

/** One look at one guest. */
export interface GuestSample {
  name: string;
  pid: number;
  image: string;
  startedMs: number;
  vcpus: number;
  memoryBytes: number;
  state: RunState;
  /** Exits so far by reason. */
  counts: Record<string, number>;
  /** When it was looked at, Unix time. */
  ms: number;
  cpuSeconds?: number;
  residentBytes?: number;
}

export interface Fleet {
  look(): Promise<GuestSample[]>;
}

/** A guest's row: the newest sample and what changed since the one before. */
export interface GuestRow {
  sample: GuestSample;
  exitsPerSecond?: number;
  instructionsPerSecond?: number;
  cpuShare?: number;
  /** Most frequent reason since the last look, of all exits before there was one. */
  topReason: string;
}

interface Column {
  title: string;
  width: number;
  /** Columns of a higher number go first on a narrow screen. */
  dispensable: number;
  text(row: GuestRow): string;
  /** Sorts by this, the largest first; a text by the alphabet. */
  key(row: GuestRow): number | string;
  left?: boolean;
}

const total = (counts: Record<string, number>) => Object.values(counts).reduce((sum, n) => sum + n, 0);
const or = (value: number | undefined, text: (value: number) => string) => (value === undefined ? '-' : text(value));
const bytes = (value: number) => size(BigInt(Math.round(value / 2 ** 20) * 2 ** 20));

const COLUMNS: readonly Column[] = [
  { title: 'NAME', width: 18, dispensable: 0, left: true, text: (r) => r.sample.name, key: (r) => r.sample.name },
  { title: 'S', width: 3, dispensable: 0, text: (r) => stateLetter(r), key: stateLetter },
  { title: 'vCPU', width: 6, dispensable: 5, text: (r) => String(r.sample.vcpus), key: (r) => r.sample.vcpus },
  {
    title: 'CPU%',
    width: 7,
    dispensable: 1,
    text: (r) => or(r.cpuShare, (share) => (100 * share).toFixed(1)),
    key: (r) => r.cpuShare ?? -1,
  },
  {
    title: 'MEM',
    width: 7,
    dispensable: 4,
    text: (r) => bytes(r.sample.memoryBytes),
    key: (r) => r.sample.memoryBytes,
  },
  {
    title: 'RSS',
    width: 8,
    dispensable: 6,
    text: (r) => or(r.sample.residentBytes, bytes),
    key: (r) => r.sample.residentBytes ?? -1,
  },
  {
    title: 'INSTR/s',
    width: 9,
    dispensable: 3,
    text: (r) => or(r.instructionsPerSecond, rate),
    key: (r) => r.instructionsPerSecond ?? -1,
  },
  {
    title: 'EXITS/s',
    width: 9,
    dispensable: 0,
    text: (r) => or(r.exitsPerSecond, rate),
    key: (r) => r.exitsPerSecond ?? -1,
  },
  {
    title: 'EXITS',
    width: 13,
    dispensable: 7,
    text: (r) => grouped(total(r.sample.counts)),
    key: (r) => total(r.sample.counts),
  },
  { title: 'TOP EXIT', width: 20, dispensable: 2, left: true, text: (r) => r.topReason, key: (r) => r.topReason },
  {
    title: 'UP',
    width: 8,
    dispensable: 8,
    text: (r) => uptime(r.sample),
    key: (r) => r.sample.ms - r.sample.startedMs,
  },
  { title: 'PID', width: 8, dispensable: 9, text: (r) => String(r.sample.pid), key: (r) => r.sample.pid },
];
const SORT_KEYS: Record<string, string> = { P: 'CPU%', M: 'MEM', N: 'NAME', T: 'UP', E: 'EXITS/s' };

/** R running, P paused (at a breakpoint, by a debugger), E ended. */
function stateLetter({ sample: { state } }: GuestRow): string {
  return state.running ? 'R' : state.stop?.kind === 'ended' ? 'E' : 'P';
}

function uptime({ ms, startedMs }: GuestSample): string {
  const seconds = Math.max(0, Math.floor((ms - startedMs) / 1000));
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  return `${hours ? `${hours}:` : ''}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** Rows from two looks at the same guests. */
export function guestRows(before: readonly GuestSample[], now: readonly GuestSample[]): GuestRow[] {
  return now.map((sample) => {
    const old = before.find(({ name, pid }) => name === sample.name && pid === sample.pid);
    const seconds = old ? (sample.ms - old.ms) / 1000 : 0;
    const most = (counts: [string, number][]) => counts.sort((a, b) => b[1] - a[1])[0];
    if (!old || seconds <= 0) return { sample, topReason: most(Object.entries(sample.counts))?.[0] ?? '-' };
    const deltas = Object.entries(sample.counts).map(([name, n]): [string, number] => [
      name,
      n - (old.counts[name] ?? 0),
    ]);
    const top = most(deltas);
    const cpu = (sample.cpuSeconds ?? 0) - (old.cpuSeconds ?? 0);
    // A reset counts from zero again.
    return {
      sample,
      exitsPerSecond: Math.max(0, total(sample.counts) - total(old.counts)) / seconds,
      // KVM does not count instructions
      ...(sample.state.running && sample.state.icount === 0n
        ? {}
        : { instructionsPerSecond: Math.max(0, Number(sample.state.icount - old.state.icount)) / seconds }),
      ...(sample.cpuSeconds === undefined ? {} : { cpuShare: cpu / seconds }),
      topReason: top && top[1] > 0 ? top[0] : '-',
    };
  });
}

/** The columns that fit, the most wanted ones. */
function fitting(width: number): Column[] {
  const shown = new Set(COLUMNS);
  const used = () => [...shown].reduce((sum, column) => sum + column.width + (column.left ? 1 : 0), 0);
  for (const column of [...COLUMNS].sort((a, b) => b.dispensable - a.dispensable))
    if (used() > width && column.dispensable) shown.delete(column);
  return COLUMNS.filter((column) => shown.has(column));
}

const cell = (column: Column, text: string) =>
  column.left ? ` ${text.slice(0, column.width - 1).padEnd(column.width)}` : text.padStart(column.width);

/** The table as lines of text, for where there is no terminal. */
export function topTable(rows: readonly GuestRow[]): string[] {
  const line = (text: (column: Column) => string) =>
    COLUMNS.map((column) => cell(column, text(column)))
      .join('')
      .trimEnd();
  return [line(({ title }) => title), ...rows.map((row) => line((column) => column.text(row)))];
}

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
