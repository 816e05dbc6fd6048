/** All running guests in a table, with rates: the screen of `vmscope top`. */
import type { ExitWatcher, Fleet, GuestAction, GuestDetails, Urgent } from '../../engine/fleet.js';
import { EXIT_KINDS, GUEST_ACTIONS } from '../../engine/fleet.js';
import { runScreen, type ScreenOptions, type TerminalScreen } from '../app.js';
import { Prompt } from '../prompt.js';
import { CellPane } from '../screen/cell-pane.js';
import { rate } from '../screen/text.js';
import type { Theme } from '../screen/theme.js';
import { reason } from '../sources.js';
import type { Surface } from '../surface.js';
import { TextPopup } from '../text-popup.js';
import { COLUMNS, type Column, DISK_COLUMNS, fitting, NIC_COLUMNS, percent, stateLetter, titleOf } from './columns.js';
import { CPU_COLUMNS, type CpuRow, cpuRows } from './cpus.js';
import { detailLines, type History, newHistory, remember } from './details.js';
import { EXIT_COLUMNS, type ExitInterval, type ExitRow, exitRows, traceText } from './exits.js';
import { passes } from './filter.js';
import { helpLines } from './help.js';
import { type DeviceRow, diskRows, type GuestRow, type Interval, nextInterval, nicRows } from './rows.js';
import { MAX_INTERVAL_MS, MIN_INTERVAL_MS, newTopState, type TopState, type TopView, VIEWS } from './state.js';
import { Table } from './table.js';
import { whyDeviceEmpty, whyEmpty, whyLine } from './why.js';

/** Sorting by one key: virt-top's letters, and E. */
const SORT_KEYS: Record<string, string> = { P: 'cpu', M: 'mem', T: 'time', N: 'name', E: 'exits' };
const VIEW_KEYS: Record<string, TopView> = { '0': 'guests', '1': 'cpus', '2': 'nics', '3': 'disks', '4': 'exits' };
const ACTION_KEYS: Record<string, GuestAction> = { p: 'pause', r: 'resume', s: 'shutdown', R: 'reset', D: 'destroy' };
/** What takes from the table to the guest itself. */
const OPEN_KEYS: Record<string, OpenedView> = { c: 'console', o: 'debug' };
const OPEN_WORDS: Record<OpenedView, string> = { console: 'console', debug: 'attach' };
const COMMANDS = ['sort', 'columns', 'view', 'delay', 'filter', ...GUEST_ACTIONS, 'attach', 'console', 'help', 'quit'];
const EMPTY = 'no guest is found: vmscope run IMAGE, virsh start DOMAIN, or qemu-system-x86_64 ...';

/** The screen asks ten times a second: a look may be half of that before its time, so that a quarter of a second is one. */
const EARLY_MS = 50;

/** Where the dashboard of a guest begins. */
export type OpenedView = 'debug' | 'console';
/** What `runTop` was left for. */
export interface Opened {
  attach: string;
  name: string;
  view: OpenedView;
}

/** What is typed at the foot. */
type Typing = { mark: ':' | '/' | 'delay'; prompt: Prompt } | undefined;

/** What leaves the screen, beside quitting. */
export interface TopDoor {
  /** Keeps the settings. @returns where. @throws Error */
  save(state: TopState): string;
}

class TopScreen implements TerminalScreen {
  chosen: Opened | undefined;
  private interval: Interval | undefined;
  /** The one that is shown: stands still while frozen. */
  private shown: Interval | undefined;
  private readonly cells: Record<'header' | 'table' | 'details' | 'footer', CellPane>;
  private readonly popup: TextPopup;
  private readonly guests: Table<GuestRow>;
  private readonly devices: Record<'nics' | 'disks', Table<DeviceRow>>;
  private readonly cpus: Table<CpuRow>;
  private readonly exits: Table<ExitRow>;
  /** Open while the view of exits is. */
  private watcher: ExitWatcher | undefined;
  private watched: (ExitInterval & { ms: number }) | undefined;
  /** Why exits cannot be watched. */
  private unwatched = '';
  private readonly histories = new Map<string, History>();
  private more: { key: string; answer: GuestDetails | string | undefined } | undefined;
  private dueMs = Number.NEGATIVE_INFINITY;
  private looking = false;
  private frozen = false;
  private mouseOn = true;
  private typing: Typing;
  private readonly prompts = { ':': new Prompt(':'), '/': new Prompt('/'), delay: new Prompt('delay') };
  /** A question that y or a letter answers. */
  private question: { text: string; answer(key: string): void } | undefined;
  private error = '';
  /** First line of the details that is shown, and of which guest. */
  private detailsTop = { key: '', line: 0 };

  constructor(
    private readonly fleet: Fleet,
    private readonly surface: Surface,
    private readonly theme: Theme,
    private readonly state: TopState,
    private readonly door: TopDoor,
  ) {
    const add = () => {
      const cells = new CellPane(theme);
      surface.add(cells);
      return cells;
    };
    this.cells = { header: add(), table: add(), details: add(), footer: add() };
    this.popup = new TextPopup(add());
    const device = (columns: readonly Column<DeviceRow>[]) =>
      new Table<DeviceRow>(
        columns,
        (row) => `${row.guest.sample.key} ${row.device}`,
        (row) => `${row.guest.sample.name} ${row.device}`,
        (column, row, colours) => guestColour(column.id, row.guest, colours),
      );
    this.guests = new Table<GuestRow>(
      COLUMNS,
      (row) => row.sample.key,
      (row) => row.sample.name,
      (column, row, colours) => guestColour(column.id, row, colours),
    );
    this.devices = { nics: device(NIC_COLUMNS), disks: device(DISK_COLUMNS) };
    this.cpus = new Table<CpuRow>(
      CPU_COLUMNS,
      (row) => String(row.number),
      (row) => String(row.number).padStart(6),
      (_column, _row, colours) => colours.normal,
    );
    this.exits = new Table<ExitRow>(
      EXIT_COLUMNS,
      (row) => `${row.guest.sample.key} ${row.vcpu} ${row.reason}`,
      (row) => `${row.guest.sample.name} ${row.reason}`,
      (column, row, colours) => guestColour(column.id, row.guest, colours),
    );
    this.guests.chosen = state.guest;
  }

  async start(): Promise<void> {
    await this.look();
  }

  async poll(): Promise<void> {
    if (performance.now() < this.dueMs - EARLY_MS) return;
    // A look that takes long must not hold the screen up.
    if (!this.looking) void this.look();
  }

  skip(pollMs: number): number {
    return this.looking ? 0 : Math.max(0, Math.floor((this.dueMs - performance.now()) / pollMs) - 1);
  }

  private async look(): Promise<void> {
    this.looking = true;
    // By the clock and not by the last look, so that looks do not come later and later.
    const now = performance.now();
    const punctual = now - this.dueMs < this.state.intervalMs;
    this.dueMs = (punctual ? this.dueMs : now) + this.state.intervalMs;
    try {
      this.interval = nextInterval(
        this.interval,
        await this.fleet.look(this.urgent(), { pcpu: this.state.view === 'cpus' }),
      );
      for (const row of this.interval.rows) {
        let history = this.histories.get(row.sample.key);
        if (!history) this.histories.set(row.sample.key, (history = newHistory()));
        remember(history, row);
      }
      const keys = new Set(this.interval.rows.map((row) => row.sample.key));
      for (const key of this.histories.keys()) if (!keys.has(key)) this.histories.delete(key);
      if (!this.frozen) this.shown = this.interval;
      this.watch();
      this.error = this.interval.now.failures.join('   ');
    } catch (error) {
      this.error = reason(error);
    }
    this.looking = false;
    this.arrange();
  }

  close(): void {
    this.watcher?.close();
    this.watcher = undefined;
  }

  /** Traces exits while their view is open, and only then. */
  private watch(): void {
    if (this.state.view !== 'exits') {
      this.close();
      this.watched = undefined;
      return;
    }
    try {
      if (!this.watcher) {
        if (!this.fleet.watchExits) throw new Error('these guests have no exits to watch');
        this.watcher = this.fleet.watchExits();
      }
      if (this.frozen) return;
      const ms = performance.now();
      const before = this.watched;
      const now = this.watcher.look();
      this.watched = before ? { before: before.now, now, seconds: (ms - before.ms) / 1000, ms } : { now, ms };
    } catch (error) {
      this.unwatched = reason(error);
    }
  }

  /** The guests on the screen and the one under the cursor; all until there are two looks. */
  private urgent(): Urgent | undefined {
    if (this.interval?.before === undefined) return undefined;
    const keys = new Set(this.visibleKeys());
    return (key) => keys.has(key);
  }

  private visibleKeys(): string[] {
    const { view } = this.state;
    const shown =
      view === 'nics' || view === 'disks'
        ? this.devices[view].visible().map(({ guest }) => guest)
        : this.guests.visible();
    const chosen = this.guest;
    return [...shown, ...(chosen ? [chosen] : [])].map(({ sample }) => sample.key);
  }

  /** Puts the rows into the tables of the view. */
  private arrange(): void {
    const { state } = this;
    const rows = (this.shown?.rows ?? []).filter(({ sample }) => passes(state.filter, sample.name));
    const before = this.shown?.before?.guests ?? [];
    this.guests.set(rows, state);
    // the view that is open, and no other: with hundreds of guests that is most of the work
    const { view } = state;
    if (view === 'nics') this.devices.nics.set(nicRows(before, rows), state);
    else if (view === 'disks') this.devices.disks.set(diskRows(before, rows), state);
    else if (view === 'cpus') this.cpus.set(cpuRows(this.shown?.before, this.shown?.now, rows), state);
    else if (view === 'exits')
      this.exits.set(this.watched ? exitRows(this.watched, rows, state.perVcpu, state.exitKind) : [], this.order);
    this.state.guest = this.guests.chosen;
    this.surface.dirty();
  }

  /** The state with an order that the view has: exits by their rate, where it is none of their columns. */
  private get order(): TopState {
    const { state } = this;
    const known = state.view !== 'exits' || EXIT_COLUMNS.some(({ id }) => id === state.sort);
    return known ? state : { ...state, sort: 'exits' };
  }

  private get table(): Table<GuestRow> | Table<DeviceRow> | Table<CpuRow> | Table<ExitRow> {
    const { view } = this.state;
    if (view === 'nics' || view === 'disks') return this.devices[view];
    return view === 'guests' ? this.guests : view === 'cpus' ? this.cpus : this.exits;
  }

  /** The guest under the cursor, whatever the view. */
  private get guest(): GuestRow | undefined {
    const { view } = this.state;
    if (view === 'exits') return this.exits.row?.guest ?? this.guests.row;
    return view === 'nics' || view === 'disks' ? this.devices[view].row?.guest : this.guests.row;
  }

  draw(): void {
    const { columns, rows } = this.surface;
    const { theme, state } = this;
    const { header, table, details, footer } = this.cells;
    header.place({ x: 0, y: 0, width: columns, height: 1 });
    header.clear(theme.header);
    const room = Math.max(0, rows - 2);
    const below = state.details && room >= 8 ? Math.max(4, Math.floor(room / 2)) : 0;
    const why = (state.view === 'guests' || state.view === 'nics' || state.view === 'disks') && room >= 8 ? 1 : 0;
    table.place({ x: 0, y: 1, width: columns, height: room - below });
    table.clear(theme.normal);
    this.table.wanted = state.columns[state.view];
    this.table.draw(table, this.order, this.emptyText(), why);
    // After the table, which settles how many rows are hidden.
    this.drawHeader(header);
    if (why) table.put(1, room - below - 1, this.whyText(), theme.dim);
    details.visible = below > 0;
    details.place({ x: 0, y: 1 + room - below, width: columns, height: below });
    details.clear(theme.normal);
    if (below > 0) this.drawDetails(details);
    footer.place({ x: 0, y: rows - 1, width: columns, height: rows > 2 ? 1 : 0 });
    footer.clear(this.typing ? theme.input : theme.normal);
    this.drawFooter(footer);
    this.popup.draw(columns, rows);
  }

  /** Why cells of the row under the cursor are empty. */
  private whyText(): string {
    const { state, guests } = this;
    if (state.view === 'guests') return guests.row ? whyLine(guests.emptyCells(state), guests.row, whyEmpty) : '';
    const table = this.devices[state.view as 'nics' | 'disks'];
    return table.row ? whyLine(table.emptyCells(state), table.row, whyDeviceEmpty) : '';
  }

  private emptyText(): string {
    const { view, filter } = this.state;
    if (!this.shown) return 'looking ...';
    if (view === 'exits') return this.watched ? traceText(this.watched.now) : this.unwatched || 'starting to trace ...';
    if (filter) return `no guest matches ${filter}`;
    if (view === 'nics' || view === 'disks') return this.shown.rows.length ? 'no guest shows any' : EMPTY;
    return view === 'cpus' ? 'the host does not say' : EMPTY;
  }

  private drawHeader(header: CellPane): void {
    const { theme, state } = this;
    const rows = this.shown?.rows ?? [];
    const running = rows.filter((row) => row.sample.state === 'running').length;
    const sum = (of: (row: GuestRow) => number | undefined) => rows.reduce((all, row) => all + (of(row) ?? 0), 0);
    const host = this.shown?.now.hosts[0];
    const [above, below] = this.table.hidden();
    const hidden = above || below ? `  ${above ? `↑${above} ` : ''}${below ? `↓${below} ` : ''}more` : '';
    header.line(0, [
      [' vmscope top  ', theme.header],
      [this.frozen ? 'FROZEN ' : '', theme.stopped],
      [`${rows.length} ${rows.length === 1 ? 'guest' : 'guests'}, ${running} running`, theme.running],
      [hidden, theme.stopped],
      [`  ${percent(sum((row) => row.cpuPercent)).trim()} % CPU`, theme.header],
      [`  ${rate(sum((row) => row.exitsPerSecond))} exits/s`, theme.header],
      [`  every ${state.intervalMs / 1000} s`, theme.header],
      [
        state.view === 'exits' && this.watched ? `  ${state.exitKind}  ${traceText(this.watched.now)}` : '',
        theme.stopped,
      ],
      [
        host ? `  ${host.hostname} ${host.arch} ${host.cpus}CPU ${Math.round(host.memoryBytes / 2 ** 20)}MB` : '',
        theme.header,
      ],
      [
        host?.pressure
          ? `  waits: cpu ${host.pressure.cpuSome} io ${host.pressure.ioSome} mem ${host.pressure.memorySome} %`
          : '',
        theme.header,
      ],
    ]);
  }

  private drawDetails(pane: CellPane): void {
    const row = this.guest;
    pane.frame({ focused: false, first: true, last: true });
    if (!row) return;
    pane.heading([[` ${row.sample.name} `]]);
    if (this.more?.key !== row.sample.key) this.fetchDetails(row.sample.key);
    const before = this.shown?.before?.guests ?? [];
    const lines = detailLines(
      row,
      diskRows(before, [row]),
      nicRows(before, [row]),
      this.histories.get(row.sample.key),
      this.more?.answer,
      this.theme,
      pane.width,
    );
    const top = this.detailsTop;
    if (top.key !== row.sample.key) Object.assign(top, { key: row.sample.key, line: 0 });
    top.line = Math.max(0, Math.min(top.line, lines.length - pane.height));
    const rest = lines.length - pane.height - top.line;
    if (top.line > 0 || rest > 0) {
      const more = `${top.line > 0 ? `↑${top.line} ` : ''}${rest > 0 ? `↓${rest} ` : ''}more: J K `;
      pane.heading([[` ${row.sample.name} `], [` ${more}`, this.theme.dim]]);
    }
    lines.slice(top.line, top.line + pane.height).forEach((line, y) => pane.line(y, line));
  }

  private fetchDetails(key: string): void {
    const more = { key, answer: undefined as GuestDetails | string | undefined };
    this.more = more;
    this.fleet.details(key).then(
      (answer) => {
        more.answer = answer;
        this.surface.dirty();
      },
      (error) => {
        more.answer = reason(error);
        this.surface.dirty();
      },
    );
  }

  private drawFooter(footer: CellPane): void {
    const { theme, state } = this;
    if (this.question) footer.put(1, 0, this.question.text, theme.warn);
    else if (this.typing) {
      const mark = this.typing.mark === 'delay' ? 'seconds between refreshes: ' : this.typing.mark;
      const rest = this.typing.mark === ':' && state.notice ? `   ${state.notice}` : '';
      footer.line(0, [[mark, theme.key], [this.typing.prompt.text], [rest, theme.dim]]);
    } else if (state.notice || this.error) footer.put(1, 0, state.notice || this.error, theme.crit);
    else this.drawKeys(footer);
  }

  private drawKeys(footer: CellPane): void {
    const { theme, state } = this;
    const keys = [
      ['Enter', 'attach'],
      ['/', state.filter ? `filter: ${state.filter}` : 'filter'],
      ['v', 'details'],
      ['a', 'act'],
      ['0 1 2 3 4', 'guests, CPUs, nets, disks, exits'],
      ['< >', 'sort'],
      ['Space', 'freeze'],
      ['?', 'help'],
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
    if (this.popup.open) {
      this.popup.key(name);
      return;
    }
    if (this.question) {
      const { answer } = this.question;
      this.question = undefined;
      answer(name);
      return;
    }
    if (this.typing) {
      this.typed(name);
      return;
    }
    const { state, table } = this;
    const steps: Record<string, number> = {
      up: -1,
      k: -1,
      down: 1,
      j: 1,
      pageup: -table.page,
      pagedown: table.page,
      home: -1e9,
      end: 1e9,
    };
    if (steps[name] !== undefined) {
      table.move(steps[name]!);
      if (state.view === 'guests') state.guest = this.guests.chosen;
    } else if (name === 'enter') this.attach();
    else if (name === '/' || name === ':') this.type(name, name === '/' ? state.filter : '');
    else if (name === 's' || name === 'd') this.type('delay', '');
    else if (name === '+' || name === '-') this.setInterval(state.intervalMs * (name === '+' ? 2 : 0.5));
    else if (name === '<' || name === '>') this.sort(table.beside(this.order.sort, name === '>' ? 1 : -1));
    else if (SORT_KEYS[name]) this.sort(SORT_KEYS[name]!);
    else if (name === 'F') this.chooseSort();
    else if (VIEW_KEYS[name]) this.view(VIEW_KEYS[name]!);
    else if (name === 'I') this.change({ reversed: !state.reversed });
    else if (name === 'B') this.change({ blockInBytes: !state.blockInBytes });
    else if (name === 'i') this.change({ oneCpu: !state.oneCpu });
    else if (name === 'e' && state.view === 'exits') this.change({ exitKind: after(EXIT_KINDS, state.exitKind) });
    else if (name === 'V') this.change({ perVcpu: !state.perVcpu });
    else if (name === 'v' || name === 'tab') this.change({ details: !state.details });
    else if (state.details && (name === 'J' || name === 'K')) this.detailsTop.line += name === 'J' ? 1 : -1;
    else if (name === 'space') this.freeze();
    else if (name === 'a') this.chooseAction();
    else if (name === 'W') this.save();
    else if (name === '?' || name === 'h' || name === 'f1')
      this.popup.show('Keys of vmscope top', helpLines(this.theme, state));
    else if (name === 'escape') this.change({ filter: '' });
    else if (name === 'C-l') this.surface.redraw();
    else if (name === 'C-z' && !state.secure) this.surface.suspend();
    else if (name === 'C-t') {
      this.mouseOn = !this.mouseOn;
      this.showMouse();
    } else if (name === 'q' || name === 'C-c') this.surface.quit();
  }

  private change(part: Partial<TopState>): void {
    Object.assign(this.state, part);
    this.arrange();
  }

  private sort(id: string): void {
    this.change({ sort: id });
  }

  private view(view: TopView): void {
    const guest = this.guest?.sample.key;
    this.state.view = view;
    if (view === 'exits') this.unwatched = '';
    this.watch();
    this.arrange();
    // The cursor stays with its guest in another view.
    const isIt = (row: { guest: GuestRow }): boolean => row.guest.sample.key === guest;
    if (view === 'nics' || view === 'disks') this.devices[view].seek(isIt);
    else if (view === 'exits') this.exits.seek(isIt);
    else this.guests.seek((row) => row.sample.key === guest);
    this.state.guest = this.guests.chosen;
  }

  private freeze(): void {
    this.frozen = !this.frozen;
    if (!this.frozen) this.shown = this.interval;
    this.arrange();
  }

  private setInterval(ms: number): void {
    this.change({ intervalMs: Math.max(MIN_INTERVAL_MS, Math.min(MAX_INTERVAL_MS, Math.round(ms))) });
    this.dueMs = performance.now() + this.state.intervalMs;
  }

  private type(mark: ':' | '/' | 'delay', text: string): void {
    this.typing = { mark, prompt: this.prompts[mark] };
    this.typing.prompt.open(text);
  }

  private typed(name: string): void {
    const { mark, prompt } = this.typing!;
    if (name === 'escape' || name === 'C-c') {
      this.typing = undefined;
      if (mark === '/') this.change({ filter: '' });
    } else if (name === 'enter') {
      this.typing = undefined;
      const text = prompt.accept();
      if (mark === ':') this.command(text);
      else if (mark === 'delay') this.delay(text);
    } else if (name === 'tab' && mark === ':') this.complete(prompt);
    else if (prompt.key(name) && mark === '/') this.change({ filter: prompt.text });
  }

  /** Goes on with the word as far as it is clear; where it is not, tells what there is. */
  private complete(prompt: Prompt): void {
    const [, before, word] = /^(.*?)(\S*)$/s.exec(prompt.text) as unknown as [string, string, string];
    const ids = this.table.columns.map(({ id }) => id);
    const lists: Record<string, readonly string[]> = { sort: ids, columns: ['all', ...ids], view: VIEWS };
    const [verb = ''] = before.trim().split(/\s+/);
    const all = verb ? (lists[verb] ?? []) : COMMANDS;
    const fitting = all.filter((name) => name.startsWith(word));
    if (fitting.length === 1) prompt.open(`${before}${fitting[0]} `);
    else if (fitting.length > 1) prompt.open(`${before}${commonStart(fitting)}`);
    this.state.notice = fitting.length > 1 ? fitting.join(' ') : undefined;
  }

  private delay(text: string): void {
    const ms = Number(text) * 1000;
    if (text && ms >= MIN_INTERVAL_MS && ms <= MAX_INTERVAL_MS) this.setInterval(ms);
    else if (text)
      this.state.notice = `${text}: not from ${MIN_INTERVAL_MS / 1000} to ${MAX_INTERVAL_MS / 1000} seconds`;
  }

  private command(line: string): void {
    const [word, ...rest] = line.split(/\s+/);
    const argument = rest.join(' ');
    const action = GUEST_ACTIONS.find((name) => name === word);
    if (!word) return;
    if (action) this.ask(action);
    else if (word === 'sort') {
      const id = this.columnOf(argument);
      if (id) this.sort(id);
      else
        this.state.notice = `${argument}: no such column; columns are ${this.table.columns.map((c) => c.id).join(' ')}`;
    } else if (word === 'columns') this.chooseColumns(rest.filter(Boolean));
    else if (word === 'view' && (VIEWS as readonly string[]).includes(argument)) this.view(argument as TopView);
    else if (word === 'view') this.state.notice = `${argument}: no such view; views are ${VIEWS.join(' ')}`;
    else if (word === 'delay') this.delay(argument);
    else if (word === 'filter') this.change({ filter: argument });
    else if (word === 'attach') this.attach();
    else if (word === 'console') this.attach('console');
    else if (word === 'help') this.popup.show('Keys of vmscope top', helpLines(this.theme, this.state));
    else if (word === 'q' || word === 'quit') this.surface.quit();
    else this.state.notice = `${word}: no such command; commands are ${COMMANDS.join(' ')}`;
  }

  /** Which columns the view has, in their order; `all`, or none: all of them, as many as fit. */
  private chooseColumns(names: readonly string[]): void {
    const { view, columns } = this.state;
    const { [view]: _before, ...others } = columns;
    const all = names.length === 0 || (names.length === 1 && names[0] === 'all');
    const ids = names.map((name) => this.columnOf(name));
    const unknown = all ? -1 : ids.indexOf(undefined);
    if (unknown >= 0) {
      const known = this.table.columns.map(({ id }) => id).join(' ');
      this.state.notice = `${names[unknown]}: no such column; columns are ${known}`;
    } else this.change({ columns: all ? others : { ...others, [view]: ids as string[] } });
  }

  private columnOf(text: string): string | undefined {
    const wanted = text.toLowerCase();
    return this.table.columns.find(
      (column) => column.id === wanted || titleOf(column as Column<never>, this.state).toLowerCase() === wanted,
    )?.id;
  }

  private chooseSort(): void {
    const shown = fitting(this.table.columns as readonly Column<never>[], this.surface.columns);
    const letters = 'abcdefghijklmnoprstuvwxyz';
    const items = shown
      .slice(0, letters.length)
      .map((column, n) => `${letters[n]} ${titleOf(column, this.state) || column.id}`);
    this.question = {
      text: `sort by: ${items.join('  ')}`,
      answer: (key) => {
        const column = shown[letters.indexOf(key)];
        if (key.length === 1 && column) this.sort(column.id);
      },
    };
  }

  private chooseAction(): void {
    const row = this.guest;
    if (!row) return;
    const items = [
      ...Object.entries(ACTION_KEYS),
      ...Object.entries(OPEN_KEYS).map(([key, view]) => [key, OPEN_WORDS[view]]),
    ].map(([key, action]) => `${key} ${action}`);
    this.question = {
      text: `${row.sample.name}: ${items.join('  ')}`,
      answer: (key) => {
        if (ACTION_KEYS[key]) this.ask(ACTION_KEYS[key]!);
        else if (OPEN_KEYS[key]) this.attach(OPEN_KEYS[key]!);
      },
    };
  }

  /** Whether somebody may do more than look. */
  private refuses(what: string): boolean {
    if (this.state.secure) this.state.notice = `${what}: not in secure mode`;
    return this.state.secure;
  }

  private ask(action: GuestAction): void {
    const row = this.guest;
    if (!row || this.refuses(action)) return;
    const { key, name } = row.sample;
    this.question = {
      text: `${action} ${name}? y: yes, any other key: no`,
      answer: (answer) => {
        if (answer !== 'y' && answer !== 'Y') return;
        this.fleet.act(key, action).then(
          () => {
            this.dueMs = Number.NEGATIVE_INFINITY;
          },
          (error) => {
            this.state.notice = `${action} ${name}: ${reason(error)}`;
            this.surface.dirty();
          },
        );
      },
    };
  }

  private save(): void {
    if (this.refuses('save')) return;
    try {
      this.state.notice = `settings kept in ${this.door.save(this.state)}`;
    } catch (error) {
      this.state.notice = reason(error);
    }
  }

  private attach(view: OpenedView = 'debug'): void {
    const row = this.guest;
    if (!row || this.refuses('attach')) return;
    if (row.sample.attach === undefined) {
      this.state.notice = `${row.sample.name}: ${row.sample.state === 'shut off' ? 'does not run' : 'offers no way to attach'}`;
      return;
    }
    this.chosen = { attach: row.sample.attach, name: row.sample.name, view };
    this.state.guest = row.sample.key;
    this.surface.quit();
  }

  paste(text: string): void {
    if (!this.typing) return;
    this.typing.prompt.insert(text);
    if (this.typing.mark === '/') this.state.filter = this.typing.prompt.text;
    this.arrange();
  }

  click(x: number, y: number): void {
    if (this.popup.open || y < 1) return;
    const id = this.table.click(x, y - 1);
    if (id === this.order.sort) this.change({ reversed: !this.state.reversed });
    else if (id) this.sort(id);
    if (this.state.view === 'guests') this.state.guest = this.guests.chosen;
    this.surface.dirty();
  }

  drag(): void {}
  drop(): void {}

  wheel(_x: number, y: number, delta: number): void {
    if (this.popup.open) this.popup.scroll(delta * 3);
    else if (this.state.details && this.cells.details.visible && y > this.cells.table.height)
      this.detailsTop.line += delta;
    else this.table.move(delta);
    this.surface.dirty();
  }

  showMouse(): void {
    this.surface.mouse(this.mouseOn);
  }
}

/** The one behind `one`, round and round. */
const after = <T>(all: readonly T[], one: T): T => all[(all.indexOf(one) + 1) % all.length]!;

/** What all of them begin with. */
function commonStart(names: readonly string[]): string {
  let length = names[0]!.length;
  for (const name of names) while (!name.startsWith(names[0]!.slice(0, length))) length--;
  return names[0]!.slice(0, length);
}

function guestColour(column: string, row: GuestRow, theme: Theme): number {
  if (column === 'state') {
    if (row.sample.stateText) return theme.warn;
    const colours: Record<string, number> = { R: theme.ok, P: theme.warn, X: theme.crit, D: theme.warn };
    return colours[stateLetter(row)] ?? theme.dim;
  }
  if (column === 'name') return theme.symbol;
  return column === 'reason' ? theme.mnemonic : theme.normal;
}

/** Shows the table until it is quit or a guest is chosen. @returns what to attach to. */
export async function runTop(
  fleet: Fleet,
  state: TopState = newTopState(),
  door: TopDoor = {
    save: () => {
      throw new Error('settings cannot be kept here');
    },
  },
  options: Omit<ScreenOptions, 'title' | 'onQuit'> = {},
): Promise<Opened | undefined> {
  let screen: TopScreen | undefined;
  await runScreen({ ...options, title: 'top', onQuit: () => undefined }, (surface, theme) => {
    screen = new TopScreen(fleet, surface, theme, state, door);
    return screen;
  });
  return screen?.chosen;
}
