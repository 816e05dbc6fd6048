/** The dashboard itself: views, focus, keys and what they do. Drawing goes to CellPanes; the screen is `app.ts`. */
import type { Offers } from '../commands/candidates.js';
import type { Command, Session, Work } from '../commands/command.js';
import { mustBeAlive, NothingThere, value } from '../commands/command.js';
import { namesOf } from '../commands/names.js';
import { memoryPattern, type Wanted } from '../commands/search.js';
import type { Disassembler } from '../disasm/index.js';
import { counted } from '../engine/counted.js';
import { exitRip } from '../engine/debug/exit-place.js';
import { type Names, UnknownName } from '../engine/debug/expression/names.js';
import type { AddressSpace, Breakpoint, Debugger, ExitGroupKey, ExitRecord } from '../engine/debugger.js';
import type { DashboardOptions, TerminalScreen } from './app.js';
import { Arrangements } from './arrangement.js';
import { helpLines, progressStatus, type Status } from './chrome.js';
import { COMMANDS, findCommand } from './commands.js';
import { filesFrom } from './file-names.js';
import { GuestKeyboard } from './guest-keyboard.js';
import { markLines, restoreMarks } from './image-marks.js';
import { bindingOf } from './keys.js';
import type { PaneId, Slot, View } from './layout.js';
import { Layouts } from './layouts.js';
import { Margins } from './margins.js';
import { Model } from './model.js';
import { Palette, type PaletteChoice } from './palette.js';
import { createPanes, type Panes } from './panes/all.js';
import { ConsolePane } from './panes/console.js';
import type { Pane, Ui } from './panes/pane.js';
import type { WatchesPane } from './panes/watches.js';
import type { Pictures } from './picture/pictures.js';
import { Places } from './places.js';
import { Prompts } from './prompts.js';
import { CellPane, type ScreenLine } from './screen/cell-pane.js';
import type { Theme } from './screen/theme.js';
import { reason } from './sources.js';
import { Stage } from './stage.js';
import type { Surface } from './surface.js';
import { TextPopup } from './text-popup.js';
import type { TourFacts } from './tour/steps.js';
import { Tour, type TourButton } from './tour/tour.js';
import { Turns } from './turns.js';
import type { ImageMemory } from './user-memory.js';

/** A guest that stands tells when it runs on. */
const STANDING_POLLS = 9;
/** Between two looks of how far long work is. */
const SHARE_MS = 100;
const CONSOLES: readonly PaneId[] = ['console', 'serial', 'vga'];

export class Dashboard implements Ui, TerminalScreen {
  readonly model: Model;
  readonly session: Session;
  syntax: 'intel' | 'att' = 'intel';
  private readonly panes: Panes;
  private readonly stage: Stage;
  private readonly arrangements: Arrangements;
  readonly layouts: Layouts;
  private readonly margins: Margins;
  private readonly popup: TextPopup;
  /** All that is drawn; later ones lie on top. */
  private readonly allCells: CellPane[] = [];
  /** Long work of commands. */
  private readonly works = new Set<{ cancelled: boolean }>();
  private undrawn = false;
  private ofImage: ImageMemory | undefined;
  private lastBreakpoints: readonly Breakpoint[] | undefined;
  private restoring: Promise<string | undefined> = Promise.resolve(undefined);
  /** Lines of the last session that mean nothing in this one. */
  private unrestored: readonly string[] = [];
  private chord = '';
  private status: Status | undefined;
  private readonly prompts: Prompts;
  private lastFind = '';
  private readonly turns = new Turns(() => ['breakpoint', 'watchpoint', 'ended'].includes(this.model.stop?.kind ?? ''));
  private asking = false;
  private chosenExit: ExitRecord | undefined;
  /** Where the mouse's button was pressed, while it is held. */
  private dragged: Slot | undefined;
  private mouseOn = true;
  private readonly keyboard: GuestKeyboard;
  private readonly places = new Places();
  private readonly palette: Palette;
  private readonly tour: Tour | undefined;
  private readonly tourCells: CellPane | undefined;

  constructor(
    readonly debug: Debugger,
    readonly disassembler: Disassembler,
    readonly theme: Theme,
    private readonly surface: Surface,
    private readonly options: DashboardOptions,
  ) {
    const view = options.initialView ?? 'debug';
    this.model = new Model(debug, disassembler, () => surface.dirty(), options.now ?? (() => Date.now()));
    this.session = this.openSession(false);
    this.panes = createPanes(this, disassembler);
    debug.onEvent((event) => {
      surface.hurry?.();
      // What is looked at is where the guest stands now.
      if (event.type === 'stopped') {
        this.chosenExit = undefined;
        // a temporary one is gone
        if (event.stop.kind === 'breakpoint') void this.noteBreakpoints();
      } else if (event.type === 'printed') {
        // the rest is in :messages
        const last = event.text.trimEnd().split('\n').at(-1);
        if (last) this.say(last);
      }
    });
    this.arrangements = new Arrangements(options.memory?.settings.changes, options.memory?.settings.layouts);
    this.stage = new Stage(
      this.panes,
      () => this.newCells(),
      view,
      (pane) => this.nothingIn(pane),
      options.memory?.settings.borders ?? {},
      this.arrangements,
    );
    this.layouts = new Layouts(this.stage, this.arrangements, () => this.keepSettings());
    this.margins = new Margins(() => this.newCells(), this.model, options.title);
    this.palette = new Palette(this.newCells());
    this.tour = options.tour ? new Tour() : undefined;
    this.tourCells = this.tour && this.newCells();
    this.popup = new TextPopup(this.newCells());
    this.prompts = new Prompts(
      {
        command: (line) => {
          options.memory?.note(line);
          this.command(line);
        },
        filter: (text) => this.filter(this.stage.focus, text),
        find: (text) => this.find(text),
        symbols: () => this.model.symbols,
        offers: () => this.offers(),
      },
      options.memory?.lines,
    );
    // a program that the user has started there may ask the terminal what it is
    this.model.serial.onReply = (text) => {
      const { console } = debug;
      if (this.keyboard.held && console) this.act(console.serialInput(new TextEncoder().encode(text)));
    };
    this.keyboard = new GuestKeyboard(
      surface,
      (work) => this.act(work),
      () => surface.dirty(),
      () => this.model.stir(),
    );
  }

  /** How the guest's screen can be shown. */
  get pictures(): Pictures | undefined {
    return this.surface.pictures;
  }

  /** Panes that have nothing to show of this guest. */
  private nothingIn(pane: PaneId): boolean {
    const { info } = this.model;
    if (pane === 'vcpus') return (info?.vcpus ?? 1) < 2;
    if (pane === 'profile') return this.panes.profile.empty;
    if (pane === 'watches') return this.panes.watches.expressions.length === 0;
    const lines = this.debug.source !== undefined && info?.unavailable.source === undefined;
    return (pane === 'source' || pane === 'variables') && !lines;
  }

  get lively(): boolean {
    return this.model.state.running;
  }

  get focus(): PaneId {
    return this.stage.focus;
  }

  /** The guest as commands see it: what the panes look at, of values that are on the screen. */
  private openSession(waits: boolean): Session {
    const { model } = this;
    return {
      debug: this.debug,
      waits,
      get vcpu() {
        return model.vcpu;
      },
      set vcpu(index) {
        model.vcpu = index;
      },
      disassembler: async () => this.disassembler,
      symbols: async () => model.symbols,
      profiled: (profiler, by) => {
        this.panes.profile.watch(profiler, by);
        this.showPane('profile');
      },
      work: (task) => this.begins(task),
      names: async () => this.names(),
      info: async () => model.info ?? (await this.debug.info()),
      state: async () => model.state,
      changed: (what) => {
        if (what === 'machine') model.reset();
        else model.invalidate();
      },
    };
  }

  get watches(): WatchesPane {
    return this.panes.watches;
  }

  /** What arguments may name; of what is not here yet nothing. Processes and frames are read where they are asked for alone. */
  private offers(): Offers {
    const { model } = this;
    return {
      breakpoints: model.breakpoints().value ?? [],
      bookmarks: model.bookmarks().value ?? [],
      branches: model.branches().value ?? [],
      snapshots: model.snapshots().value ?? [],
      get drives() {
        return model.drives().value ?? [];
      },
      get frames() {
        return model.state.running ? 0 : (model.frames().value?.length ?? 0);
      },
      get exits() {
        return model.records.map(({ sequence }) => sequence);
      },
      get processes() {
        return (model.debug.os ? model.system().value?.processes : undefined) ?? [];
      },
      vcpus: model.info?.vcpus ?? 1,
      watches: this.watches.expressions.map((_, n) => n + 1),
      layouts: Object.keys(this.arrangements.saved),
      commands: COMMANDS.map(({ name }) => name),
      files: filesFrom,
    };
  }

  private newCells(): CellPane {
    const cells = new CellPane(this.theme);
    this.surface.add(cells);
    this.allCells.push(cells);
    return cells;
  }

  async start(): Promise<void> {
    const { memory } = this.options;
    this.syntax = memory?.settings.syntax ?? 'intel';
    await this.model.start();
    for (const problem of memory?.problems ?? []) this.say(problem, true);
    this.act(this.begin(this.options.commands ?? []));
  }

  /** What is kept of the image; a guest that lives longer than this screen keeps its breakpoints itself. */
  private get imageMemory(): ImageMemory | undefined {
    const { detach, tour, memory } = this.options;
    const { info } = this.model;
    if (detach || tour || info === undefined) return undefined;
    return (this.ofImage ??= memory?.ofImage(info.image));
  }

  /** Sets the breakpoints of the last session, before the guest runs. @returns what the foot says */
  private async restore(session: Session): Promise<string | undefined> {
    const lines = this.imageMemory?.lines ?? [];
    if (lines.length === 0 || (await this.debug.breakpoints()).length > 0) return undefined;
    const { breakpoints, expressions, failed } = await restoreMarks(
      lines,
      async (line) => {
        const { command, argument } = findCommand(line);
        if ('show' in command) this.watches.add(argument);
        else await this.perform(line, session);
      },
      async () => (await this.debug.breakpoints()).at(-1)?.id,
    );
    this.unrestored = failed;
    for (const line of failed) this.model.message(`not set: ${line.trim()}`);
    const parts = [
      ...(breakpoints ? [counted(breakpoints, 'breakpoint')] : []),
      ...(expressions ? [counted(expressions, 'watched expression')] : []),
      ...(failed.length ? [`${failed.length} could not be set, :messages`] : []),
    ];
    return `from last time: ${parts.join(', ')}; :delete all takes breakpoints away`;
  }

  /** What breakpoints there are, for the next session. */
  private async noteBreakpoints(): Promise<void> {
    if (this.imageMemory) this.lastBreakpoints = await this.debug.breakpoints().catch(() => this.lastBreakpoints);
  }

  private keepMarks(): void {
    const { imageMemory, lastBreakpoints } = this;
    // where nobody has heard of them, they are as they were
    if (!imageMemory || lastBreakpoints === undefined) return;
    const lines = markLines(lastBreakpoints, this.watches.expressions, this.model.symbols);
    imageMemory.keep([...lines, ...this.unrestored]);
  }

  /** One after the other; one that fails ends them. */
  private async begin(commands: readonly string[]): Promise<string | undefined> {
    const session = this.openSession(true);
    this.restoring = this.restore(session);
    let said = await this.restoring;
    await this.noteBreakpoints();
    for (const line of commands) said = await this.perform(line, session);
    if (this.options.runs) await this.debug.resume();
    return said;
  }

  poll(): Promise<void> {
    return this.model.state.running ? this.model.poll() : Promise.resolve();
  }

  skip(): number {
    return this.model.state.running ? this.model.skip() : STANDING_POLLS;
  }

  close(): void {
    this.keepSettings();
    this.keepMarks();
    this.model.close();
  }

  private keepSettings(): void {
    const { memory } = this.options;
    if (!memory) return;
    memory.settings.syntax = this.syntax;
    memory.settings.borders = this.stage.moved;
    memory.settings.changes = this.arrangements.changes;
    memory.settings.layouts = this.arrangements.saved;
    memory.keep();
  }

  // --- drawing ---

  /** Draws what is visible into its cells. */
  draw(): void {
    this.undrawn = false;
    const { columns, rows } = this.surface;
    this.model.readAllRegisters();
    const strip = this.tourRows(columns, rows);
    const plan = this.stage.draw(columns, rows, this.keyboard.held, strip);
    this.drawTour(columns, rows, strip);
    this.margins.drawTop(plan, this.stage.view, columns);
    this.margins.drawFoot(plan, columns, rows, { prompts: this.prompts, status: this.footStatus(), chord: this.chord });
    this.popup.draw(columns, rows);
    this.palette.draw(columns, rows);
  }

  /** What the screen shows as soon as the command line is closed. */
  screenLines(): ScreenLine[] {
    this.draw();
    const { columns, rows } = this.surface;
    const lines = Array.from({ length: rows }, () =>
      Array.from({ length: columns }, (): [number, string] => [this.theme.normal, ' ']),
    );
    for (const cells of this.allCells) cells.blit(lines);
    return lines;
  }

  /** A screen on which the panes have no room beside the tour shows the tour alone. */
  private tourRows(columns: number, rows: number): number {
    return Math.min(this.tour?.height(columns) ?? 0, Math.max(0, rows - 6));
  }

  private drawTour(columns: number, rows: number, height: number): void {
    const { tour, tourCells } = this;
    if (!tour || !tourCells) return;
    tour.look(this.tourFacts());
    tourCells.visible = height > 2;
    tourCells.place({ x: 0, y: rows - 1 - height, width: columns, height });
    if (tourCells.visible) tour.draw(tourCells);
  }

  private tourFacts(): TourFacts {
    const { model } = this;
    return {
      stop: model.stop,
      running: model.state.running,
      icount: model.state.icount,
      halts: model.halts,
      view: this.stage.view,
      focus: this.stage.focus,
      chosenExit: this.chosenExit?.sequence,
      rax: model.registers().value?.rax,
      breakpoints: model.breakpoints().value ?? [],
      commands: this.tour?.commandsGiven ?? new Set(),
      past: model.state.position?.past ?? false,
      history: this.debug.history !== undefined && model.info?.unavailable.history === undefined,
    };
  }

  /** The next step of the tour, or the one before; comes back to it where it was left. */
  moveTour(step: 1 | -1): void {
    if (!this.tour) this.say('the tour is in vmscope demo');
    else this.tour.go(step);
  }

  private async tourButton(button: TourButton): Promise<void> {
    if (button.kind === 'command') await this.perform(button.line);
    else if (button.kind === 'key') this.key(button.name);
    else if (button.kind === 'leave') {
      this.tour!.open = false;
      this.say('T comes back to the tour');
    } else this.moveTour(button.kind === 'next' ? 1 : -1);
    this.surface.dirty();
  }

  private footStatus(): Status | undefined {
    if (this.keyboard.held && !this.status?.bad) return { text: this.keyboard.foot, bad: false };
    if (this.asking) {
      const how = this.model.state.running ? 'is running' : 'has not ended';
      const leave = typeof this.options.onDetach === 'function' ? ', d leaves it running without a screen' : '';
      return { text: `The guest ${how}. End it and quit? y/n${leave}`, bad: true };
    }
    const progress = this.model.longWork();
    return progress && !this.status?.bad ? progressStatus(progress) : this.status;
  }

  // --- input ---

  /** One key press. What goes wrong is shown; it never ends the dashboard. */
  key(name: string): void {
    this.model.stir();
    // Keys that come faster than frames act on the rows as the key before left them.
    if (this.undrawn) this.draw();
    this.undrawn = true;
    this.surface.dirty();
    try {
      this.dispatch(name);
    } catch (error) {
      this.sayWhy(error);
    }
  }

  private dispatch(name: string): void {
    if (this.asking) {
      this.asking = false;
      if (name === 'y' || name === 'Y') this.surface.quit();
      else if (name === 'd') this.detach();
      return;
    }
    if (this.popup.open) {
      this.popup.key(name);
      return;
    }
    if (this.palette.open) {
      this.take(this.palette.key(name));
      return;
    }
    if (this.prompts.active) {
      this.prompts.key(name);
      return;
    }
    this.status = undefined;
    const { pane } = this.stage;
    if (pane.modal && !this.chord) {
      pane.key({ name });
      return;
    }
    if (this.chord) {
      const binding = bindingOf(`${this.chord} ${name}`);
      this.chord = '';
      binding?.run(this);
      return;
    }
    if (name === 'g') {
      this.chord = 'g';
      return;
    }
    if (name === 'escape') {
      if (!pane.key({ name })) this.escape();
      return;
    }
    if (name === 'enter' && pane instanceof ConsolePane) {
      this.capture();
      return;
    }
    if (pane.key({ name })) return;
    if (/^[0-9]$/.test(name) && Number(name) < (this.model.info?.vcpus ?? 1)) {
      this.command(`vcpu ${name}`);
      return;
    }
    bindingOf(name)?.run(this);
  }

  /** Does what was chosen in the palette; what needs arguments is put on the command line. */
  private take(choice: PaletteChoice | undefined): void {
    if (!choice) return;
    this.status = undefined;
    if ('binding' in choice) choice.binding.run(this);
    else if (choice.takesArguments) this.prompt(`${choice.command} `);
    else this.command(choice.command);
  }

  openPalette(): void {
    this.palette.show();
    this.surface.dirty();
  }

  paste(text: string): void {
    if (!this.prompts.active) return;
    this.prompts.active.insert(text);
    this.surface.dirty();
  }

  /** What a command does takes long: Esc ends it. */
  private begins(task: string): Work {
    const { model } = this;
    let told = 0;
    const work = {
      cancelled: false,
      share: (share: number) => {
        const now = performance.now();
        if (now - told < SHARE_MS) return;
        told = now;
        model.showProgress({ type: 'progress', task: `${task} (Esc ends it)`, share });
      },
      done: () => {
        model.showProgress({ type: 'progress', task: `${task} (Esc ends it)`, done: true });
        this.works.delete(work);
      },
    };
    this.works.add(work);
    return work;
  }

  private escape(): void {
    for (const work of this.works) work.cancelled = true;
    if (this.works.size > 0) return;
    if (this.stage.zoomed) this.stage.zoomed = false;
    else if (this.stage.pane.filterText) this.filter(this.stage.focus, '');
    else if (this.chosenExit) this.selectExit(undefined);
    else this.panes.disassembly.follow();
  }

  click(x: number, y: number): void {
    this.dragged = undefined;
    if (this.popup.open || this.asking) {
      this.popup.close();
      this.asking = false;
      this.surface.dirty();
      return;
    }
    if (this.palette.open) {
      this.take(this.palette.click(x, y));
      this.surface.dirty();
      return;
    }
    const button = this.tourCells?.visible ? this.tour?.buttonAt(x, y) : undefined;
    if (button) {
      this.act(this.tourButton(button));
      return;
    }
    const key = this.margins.keyAt(x, y);
    if (key !== undefined) {
      this.key(key);
      return;
    }
    const tab = this.margins.tabAt(x, y);
    if (tab) this.show(tab);
    const border = this.stage.takeBorder(x, y);
    const slot = this.stage.slotAt(x, y);
    if (!border && slot && y > slot.y) this.dragged = slot;
    if (slot) {
      if (slot.pane !== this.stage.focus && this.keyboard.held) this.keyboard.release();
      const focused = slot.pane === this.stage.focus;
      this.stage.focus = slot.pane;
      const pane = this.panes[slot.pane];
      const before = pane.cursorAt;
      if (y > slot.y) pane.click(y - slot.y - 1, x - slot.x - 1);
      else this.clickTitle(pane, x - slot.x - 2);
      if (y > slot.y && focused && pane.clickEnters && pane.cursorAt === before) this.key('enter');
    }
    this.surface.dirty();
  }

  /** What a title says of keys can be clicked: `Enter edits`, `/ filter`. */
  private clickTitle(pane: Pane, column: number): void {
    const title = pane
      .title()
      .map(([text]) => text)
      .join('');
    for (const [shown, name] of pane.keys) {
      const at = new RegExp(`(?<=^|[\\s(])${shown.replace(/[^\w\s]/g, '\\$&')}(?= )(?: [\\w/]+)?`).exec(title);
      if (at && column >= at.index && column < at.index + at[0].length) this.key(name);
    }
  }

  /** The pointer moved with its button down. */
  drag(x: number, y: number): void {
    const { dragged } = this;
    if (dragged) this.panes[dragged.pane].drag(y - dragged.y - 1, x - dragged.x - 1);
    else if (!this.stage.dragBorder(x, y)) return;
    this.surface.dirty();
  }

  drop(): void {
    this.stage.dropBorder();
    const { dragged } = this;
    this.dragged = undefined;
    if (dragged) this.panes[dragged.pane].drop();
  }

  /** Moves a border of the pane in focus. @throws Error where it has none. */
  resize(axis: 'x' | 'y', step: number): void {
    this.stage.moveBorder(axis, step);
  }

  resetSizes(): void {
    this.stage.resetBorders();
  }

  wheel(x: number, y: number, delta: number): void {
    if (this.popup.open) this.popup.scroll(delta * 3);
    else if (this.palette.open) this.palette.scroll(delta);
    else {
      const slot = this.stage.slotAt(x, y);
      if (slot) for (let n = 0; n < 3; n++) this.panes[slot.pane].wheel(delta);
    }
    this.surface.dirty();
  }

  // --- what keys and commands do ---

  /** Waits for a request in the background and shows why it failed. */
  act(work: Promise<unknown>): void {
    work.then(
      (text) => {
        if (typeof text === 'string') this.say(text);
        this.surface.dirty();
      },
      (error: unknown) => this.sayWhy(error),
    );
  }

  /** Why something was not done; where nothing was there to do, that is an answer. */
  private sayWhy(error: unknown): void {
    this.say(reason(error), !(error instanceof NothingThere));
  }

  say(text: string, bad = false): void {
    this.status = { text, bad };
    if (bad) this.model.message(text);
    this.surface.dirty();
  }

  command(line: string): void {
    this.act(this.perform(line));
  }

  private async perform(line: string, session = this.session): Promise<string | undefined> {
    const { command, argument } = findCommand(line);
    const run = async () => {
      for (;;) {
        const { symbols } = this.model;
        try {
          const answer =
            'show' in command ? await command.show(this, argument) : await this.shown(command, argument, session);
          this.tour?.noteCommand(command.name);
          void this.noteBreakpoints();
          return answer;
        } catch (error) {
          // the symbols may have come while it was looked for
          const newer = this.model.symbols !== symbols;
          if (error instanceof UnknownName && (newer || (await this.model.moreNames()))) continue;
          if (error instanceof NothingThere) throw error;
          throw new Error(`${command.name}: ${reason(error)}`);
        }
      }
    };
    return 'moves' in command && command.moves ? this.turns.step(run) : this.turns.change(run);
  }

  /** Runs a command and answers what its foot says; a page comes up by itself. */
  private async shown(command: Command, argument: string, session: Session): Promise<string | undefined> {
    const result = await command.run(session, argument);
    if (command.foot) return command.foot(result);
    const text = await command.text(result, session);
    if (!command.page) return text;
    // the monitor's cpu N is seen where the vCPU's registers are
    if (/^cpu\s*\d/.test(command.name === 'monitor' ? argument : `${command.name} ${argument}`)) return undefined;
    const title = command.name === 'monitor' ? argument : `${command.name} ${argument}`.trim();
    const places = command.places?.(result);
    this.showText(
      title,
      text || 'done',
      places?.some(Boolean)
        ? (line) => {
            const place = places[line];
            if (place) this.gotoMemory(place.address, place.space);
          }
        : undefined,
    );
    return undefined;
  }

  async toggleRun(): Promise<void> {
    this.turns.drop();
    if (this.model.state.running) {
      await this.debug.pause();
      return;
    }
    await this.turns.changes;
    // it would run past them
    await this.restoring.catch(() => undefined);
    await mustBeAlive(this.session);
    this.selectExit(undefined);
    await this.debug.resume();
  }

  nextSameExit(): void {
    const exit = this.exit();
    if (!exit) this.say('no exit yet: e runs to the first');
    else this.command(`next-exit ${exit.reason & 0xffff}`);
  }

  toggleBreakpoint(): void {
    const address = this.panes.disassembly.address;
    if (address !== undefined) this.command(`break 0x${address.toString(16)}`);
  }

  runToCursor(): void {
    const address = this.panes.disassembly.address;
    if (address !== undefined) this.command(`until 0x${address.toString(16)}`);
  }

  watchPrompt(): void {
    this.prompt(
      `watch ${this.panes.memory.space === 'gpa' ? 'gpa ' : ''}0x${this.panes.memory.address.toString(16)} 4 w`,
    );
  }

  exit(): ExitRecord | undefined {
    if (this.chosenExit) return this.chosenExit;
    const { stop } = this.model;
    return stop?.kind === 'exit' ? stop.exit : this.model.records.at(-1);
  }

  selectExit(record: ExitRecord | undefined): void {
    this.chosenExit = record;
    if (record)
      this.panes.disassembly.goto(
        exitRip(record, this.model.bits()),
        record.bits && { bits: record.bits, base: record.bits === 64 ? 0n : record.csBase },
      );
    else this.panes.disassembly.follow();
    this.surface.dirty();
  }

  moveExit(step: number): void {
    const { records } = this.model;
    const now = this.exit();
    const at = now ? records.findIndex((record) => record.sequence === now.sequence) : records.length;
    const next = records[at + step];
    if (!next) this.say(step < 0 ? 'the trace goes back no further' : 'this is the newest exit');
    else this.selectExit(next);
  }

  gotoCode(address: bigint): void {
    this.remember();
    this.stage.view = 'debug';
    this.stage.focus = 'disassembly';
    this.panes.disassembly.goto(address);
    this.remember();
  }

  gotoMemory(address: bigint, space: AddressSpace = 'gva'): void {
    this.remember();
    this.panes.memory.goto(address, space);
    if (!this.stage.has('memory')) this.stage.view = 'memory';
    this.stage.focus = 'memory';
    this.remember();
  }

  followCode(): void {
    this.panes.disassembly.follow();
  }

  private remember(): void {
    this.places.add({
      view: this.stage.view,
      code: this.panes.disassembly.selected,
      memory: { address: this.panes.memory.address, space: this.panes.memory.space },
    });
  }

  /** Back or forward in the places visited. @throws Error when there is none. */
  jump(step: number): void {
    const place = this.places.go(step);
    this.stage.view = place.view;
    if (place.code === undefined) this.panes.disassembly.follow();
    else this.panes.disassembly.goto(place.code);
    if (place.memory) this.panes.memory.goto(place.memory.address, place.memory.space);
  }

  show(view: View): void {
    this.keyboard.release();
    this.stage.view = view;
    this.surface.dirty();
  }

  /** Exits are put together by this where they are shown so. */
  groupExits(by: ExitGroupKey): void {
    this.panes.reasons.by = by;
    if (!this.stage.has('reasons')) this.stage.view = 'exits';
    this.stage.focus = 'reasons';
    this.surface.dirty();
  }

  /** @throws Error when the view has no such pane */
  focusPane(pane: PaneId): void {
    if (!this.stage.has(pane)) throw new Error(`the view ${this.stage.view} has no ${pane} pane`);
    this.stage.focus = pane;
    this.surface.dirty();
  }

  /** A pane of the debug view, wherever the screen is. */
  showPane(pane: PaneId): void {
    if (!this.stage.has(pane)) this.show('debug');
    this.focusPane(pane);
  }

  focusNext(step: number): void {
    this.stage.focusNext(step);
  }

  zoom(): void {
    this.stage.zoomed = !this.stage.zoomed;
  }

  freeze(): void {
    this.model.freeze(!this.model.frozen);
  }

  changeInterval(factor: number): void {
    this.say(`refresh every ${this.surface.setInterval(factor)} ms while running`);
  }

  prompt(text: string): void {
    this.prompts.open('command', text);
    this.surface.dirty();
  }

  filterPrompt(): void {
    const { pane } = this.stage;
    if (pane.filterable) {
      this.prompts.open('filter', pane.filterText);
    } else if (pane.find) this.prompts.open('find');
    else this.say('nothing to filter or find in this pane');
  }

  /** Nothing typed looks for the same again. */
  find(text: string): void {
    const wanted = text || this.lastFind;
    if (!wanted) return;
    this.lastFind = wanted;
    const { pane } = this.stage;
    this.act(Promise.resolve().then(() => pane.find?.(wanted)));
  }

  filter(id: string, text: string): void {
    const pane = this.panes[id as PaneId];
    if (!pane?.filterable) throw new Error('this pane has no filter');
    pane.filterText = text;
    this.surface.dirty();
  }

  memoryPattern(text: string): Promise<Wanted> {
    return memoryPattern(this.session, text);
  }

  copy(): void {
    const text = this.stage.pane.copy();
    if (text === undefined) {
      this.say('nothing to copy here');
      return;
    }
    this.surface.copy(text);
    this.say(`copied ${counted(text.length, 'character')}`);
  }

  toggleMouse(): void {
    this.mouseOn = !this.mouseOn;
    this.surface.mouse(this.mouseOn);
    this.say(this.mouseOn ? 'mouse on' : 'mouse off: the terminal selects text; ctrl-t turns it on');
  }

  /** Switches the terminal's mouse reports to what they should be. */
  showMouse(): void {
    this.surface.mouse(this.mouseOn);
  }

  redraw(): void {
    this.model.invalidate();
    this.surface.redraw();
  }

  suspend(): void {
    this.surface.suspend();
  }

  help(): void {
    this.popup.show('Keys and commands', helpLines(this.popup.cells, this.stage.pane));
  }

  /** What stands under the cursor of the pane in focus; where nothing is to say of it, the pane's keys. */
  explain(): void {
    const { pane } = this.stage;
    const subject = pane.explain();
    const { theme } = this;
    const lines: readonly (readonly string[])[] = subject?.lines ?? pane.keys.map(([shown, , help]) => [shown, help]);
    const width = Math.min(34, Math.max(0, ...lines.map((line) => (line.length > 1 ? line[0]!.length : 0))));
    this.popup.show(
      subject?.title ?? pane.id,
      lines.map(([what, text]) =>
        text === undefined
          ? [[` ${what}`, theme.dim]]
          : [
              [` ${what!.padEnd(width)} `, theme.label],
              [text, theme.normal],
            ],
      ),
    );
  }

  showText(title: string, text: string, choose?: (line: number) => void): void {
    this.popup.show(
      title,
      text.split(/\r?\n/).map((line) => [[` ${line}`]]),
      choose,
    );
    this.surface.dirty();
  }

  askQuit(): void {
    if (this.losesGuest()) this.asking = true;
    else this.surface.quit();
    this.surface.dirty();
  }

  /** Leaving ends a guest that has come further than its start and has not ended by itself. */
  private losesGuest(): boolean {
    const { running, stop } = this.model.state;
    if (this.options.detach) return false;
    return running || !['start', 'ended', 'limit'].includes(stop?.kind ?? 'start');
  }

  /** Leaves the guest as it is, for `vmscope attach`. @throws Error that says why it cannot go on by itself */
  detach(): void {
    const { detach, onDetach } = this.options;
    if (!detach) {
      if (typeof onDetach !== 'function') throw new Error(onDetach ?? 'this guest exists only in this dashboard');
      onDetach();
    }
    this.surface.quit();
  }

  names(): Names {
    const { symbols } = this.model;
    const registers = this.model.registers().value;
    return namesOf(symbols, registers, this.model.state);
  }

  /** A number, symbol, register, what lies in memory, or what is computed of them. @throws Error in one line */
  value(text: string): Promise<bigint> {
    return value(this.session, text);
  }

  dirty(): void {
    this.surface.dirty();
  }

  // --- the guest's keyboard ---

  /** Gives the keyboard to the guest. */
  capture(): void {
    const { console } = this.debug;
    if (!console) {
      this.say(this.model.unavailable('console'), true);
      return;
    }
    if (!CONSOLES.includes(this.stage.focus)) {
      const shown = this.stage.shownOf(CONSOLES);
      if (!shown) this.stage.view = 'console';
      this.stage.focus = shown ?? 'console';
    }
    this.status = undefined;
    this.keyboard.hold(this.stage.pane as ConsolePane, console, this.mouseOn);
  }
}
