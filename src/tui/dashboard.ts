/** The dashboard itself: views, focus, keys and what they do. Drawing goes to CellPanes; the screen is `app.ts`. */
import type { Disassembler } from '../disasm/index.js';
import type { AddressSpace, Debugger, ExitRecord } from '../engine/debugger.js';
import type { DashboardOptions, TerminalScreen } from './app.js';
import { Borders } from './borders.js';
import {
  completionRows,
  drawCompletions,
  drawFooter,
  drawHeader,
  drawPrompt,
  drawTabs,
  helpLines,
  progressStatus,
  type Status,
  TABS_WIDTH,
} from './chrome.js';
import { completions, findCommand } from './commands.js';
import { type Names, UnknownName } from './expression.js';
import { linearPc } from './guest-mode.js';
import { bindingOf } from './keys.js';
import { type Layout, layout, type PaneId, VIEW_PANES, type View } from './layout.js';
import { Model, reason } from './model.js';
import { BreakpointsPane } from './panes/breakpoints.js';
import { ConsolePane } from './panes/console.js';
import { DevicesPane } from './panes/devices.js';
import { DisassemblyPane } from './panes/disassembly.js';
import { EptPane } from './panes/ept.js';
import { ExitPane } from './panes/exit.js';
import { LogPane } from './panes/log.js';
import { MemoryPane } from './panes/memory.js';
import { ModulesPane } from './panes/modules.js';
import type { Pane, Ui } from './panes/pane.js';
import { ProcessesPane } from './panes/processes.js';
import { ReasonsPane } from './panes/reasons.js';
import { RegistersPane } from './panes/registers.js';
import { StackPane } from './panes/stack.js';
import { TracePane } from './panes/trace.js';
import { VmcsPane } from './panes/vmcs.js';
import { WalkPane } from './panes/walk.js';
import { Places } from './places.js';
import { Prompt } from './prompt.js';
import { ps2Key } from './ps2-keys.js';
import { CellPane } from './screen/cell-pane.js';
import type { Theme } from './screen/theme.js';
import { TextPopup } from './text-popup.js';
import { Turns } from './turns.js';

/** What the dashboard needs of the terminal. */
export interface Surface {
  readonly columns: number;
  readonly rows: number;
  /** Adds a pane to the screen; later ones lie on top. */
  add(pane: CellPane): void;
  /** Asks for a tick. */
  dirty(): void;
  /** Sends all keys there, until undefined. */
  capture(sink: ((sequence: string) => void) | undefined): void;
  mouse(on: boolean): void;
  /** Copies to the clipboard of the terminal. */
  copy(text: string): void;
  /** Forgets what the terminal shows. */
  redraw(): void;
  setInterval(factor: number): number;
  /** Gives the terminal back to the shell until the process is continued. */
  suspend(): void;
  quit(): void;
}

export class Dashboard implements Ui, TerminalScreen {
  readonly model: Model;
  syntax: 'intel' | 'att' = 'intel';
  view: View;
  focus: PaneId;
  private readonly panes = new Map<PaneId, { pane: Pane; cells: CellPane }>();
  private readonly disassembly: DisassemblyPane;
  private readonly memoryPane: MemoryPane;
  private readonly header: CellPane;
  private readonly tabs: CellPane;
  private readonly footer: CellPane;
  private readonly list: CellPane;
  private readonly popup: TextPopup;
  private tabAreas: { view: View; from: number; to: number; y: number }[] = [];
  private laidOut: Layout | undefined;
  private undrawn = false;
  private zoomed = false;
  private readonly borders = new Borders();
  private chord = '';
  private status: Status | undefined;
  private readonly commandPrompt = new Prompt(':');
  private readonly filterLine = new Prompt('/');
  private readonly findLine = new Prompt('find ');
  private active: Prompt | undefined;
  private lastFind = '';
  private readonly turns = new Turns(() => ['breakpoint', 'watchpoint', 'ended'].includes(this.model.stop?.kind ?? ''));
  private asking = false;
  private chosenExit: ExitRecord | undefined;
  private mouseOn = true;
  private captured: ConsolePane | undefined;
  private readonly places = new Places();

  constructor(
    readonly debug: Debugger,
    readonly disassembler: Disassembler,
    readonly theme: Theme,
    private readonly surface: Surface,
    private readonly options: DashboardOptions,
  ) {
    const view = options.initialView ?? 'debug';
    this.model = new Model(debug, disassembler, () => surface.dirty(), options.now ?? (() => Date.now()));
    this.view = view;
    this.focus = VIEW_PANES[view][0]!;
    this.disassembly = new DisassemblyPane(this, disassembler);
    this.memoryPane = new MemoryPane(this);
    debug.onEvent((event) => {
      // What is looked at is where the guest stands now.
      if (event.type === 'stopped') this.chosenExit = undefined;
    });
    const console = new ConsolePane(this);
    const serial = new ConsolePane(this, 'serial');
    const vga = new ConsolePane(this, 'vga');
    const list: Record<PaneId, Pane> = {
      disassembly: this.disassembly,
      registers: new RegistersPane(this),
      memory: this.memoryPane,
      walk: new WalkPane(this, this.memoryPane),
      exit: new ExitPane(this),
      stack: new StackPane(this),
      trace: new TracePane(this),
      breakpoints: new BreakpointsPane(this),
      console,
      serial,
      vga,
      devices: new DevicesPane(this),
      processes: new ProcessesPane(this),
      modules: new ModulesPane(this),
      log: new LogPane(this),
      reasons: new ReasonsPane(this),
      vmcs: new VmcsPane(this),
      ept: new EptPane(this),
    };
    for (const [id, pane] of Object.entries(list)) this.panes.set(id as PaneId, { pane, cells: this.cells() });
    this.header = this.cells();
    this.tabs = this.cells();
    this.footer = this.cells();
    this.list = this.cells();
    this.popup = new TextPopup(this.cells());
  }

  private cells(): CellPane {
    const cells = new CellPane(this.theme);
    this.surface.add(cells);
    return cells;
  }

  start(): Promise<void> {
    return this.model.start();
  }

  poll(): Promise<void> {
    return this.model.state.running ? this.model.poll() : Promise.resolve();
  }

  close(): void {
    this.model.close();
  }

  // --- drawing ---

  /** Draws what is visible into its cells. */
  draw(): void {
    this.undrawn = false;
    const { columns, rows } = this.surface;
    const plan = layout(this.view, columns, rows, this.focus, this.zoomed, this.borders.shifts);
    this.laidOut = plan;
    if (!plan.slots.some((slot) => slot.pane === this.focus) && plan.slots[0]) this.focus = plan.slots[0].pane;
    for (const { cells } of this.panes.values()) cells.visible = false;
    for (const slot of plan.slots) {
      const { pane, cells } = this.panes.get(slot.pane)!;
      cells.visible = true;
      cells.place(slot);
      const focused = slot.pane === this.focus && !this.captured;
      this.drawPane(pane, cells, { ...slot, focused: slot.pane === this.focus }, focused);
    }
    this.drawHeader(plan, columns);
    this.drawFoot(plan, columns, rows);
    this.popup.draw(columns, rows);
  }

  private drawPane(
    pane: Pane,
    cells: CellPane,
    frame: { first: boolean; last: boolean; focused: boolean },
    focused: boolean,
  ): void {
    cells.clear();
    try {
      cells.frame(frame);
      pane.draw(cells, focused);
      cells.heading(pane.title());
    } catch (error) {
      // One failing pane must not take the others with it.
      cells.clear();
      cells.frame(frame);
      cells.heading([[` ${pane.id} `]]);
      cells.put(1, 0, reason(error), this.theme.crit);
    }
  }

  private drawHeader(plan: Layout, columns: number): void {
    this.header.place(plan.header);
    drawHeader(
      this.header,
      this.model,
      this.options.title,
      plan.tabs || columns < 110 ? columns : columns - TABS_WIDTH - 2,
    );
    this.tabs.visible = plan.tabs !== undefined;
    if (plan.tabs) {
      this.tabs.place(plan.tabs);
      this.tabs.clear(this.theme.tab);
      this.tabAreas = drawTabs(this.tabs, this.view, 1).map((area) => ({ ...area, y: 1 }));
    } else if (columns >= 110) {
      this.tabAreas = drawTabs(this.header, this.view, columns - TABS_WIDTH - 1).map((area) => ({ ...area, y: 0 }));
    } else this.tabAreas = [];
  }

  private drawFoot(plan: Layout, columns: number, rows: number): void {
    this.footer.visible = plan.footer !== undefined;
    this.list.visible = false;
    if (!plan.footer) return;
    this.footer.place(plan.footer);
    if (!this.active) {
      const progress = this.model.longWork();
      const status = progress && !this.status?.bad ? progressStatus(progress) : this.status;
      const asked = this.asking ? { text: 'The guest is running. End it and quit? y/n', bad: true } : status;
      drawFooter(this.footer, asked, this.chord, plan.small, this.model.state.running);
      return;
    }
    drawPrompt(this.footer, this.active);
    if (this.active !== this.commandPrompt) return;
    const height = Math.min(completionRows(this.active.text), rows - 3);
    if (height <= 0) return;
    this.list.visible = true;
    this.list.place({ x: 0, y: rows - 1 - height, width: columns, height });
    drawCompletions(this.list, this.active.text);
  }

  // --- input ---

  /** One key press. What goes wrong is shown; it never ends the dashboard. */
  key(name: string): void {
    // Keys that come faster than frames act on the rows as the key before left them.
    if (this.undrawn) this.draw();
    this.undrawn = true;
    this.surface.dirty();
    try {
      this.dispatch(name);
    } catch (error) {
      this.say(reason(error), true);
    }
  }

  private dispatch(name: string): void {
    if (this.asking) {
      this.asking = false;
      if (name === 'y' || name === 'Y') this.surface.quit();
      return;
    }
    if (this.popup.open) {
      this.popup.key(name);
      return;
    }
    if (this.active) {
      this.promptKey(this.active, name);
      return;
    }
    this.status = undefined;
    const { pane } = this.panes.get(this.focus)!;
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

  paste(text: string): void {
    if (!this.active) return;
    this.active.insert(text);
    this.surface.dirty();
  }

  private escape(): void {
    if (this.zoomed) this.zoomed = false;
    else if (this.panes.get(this.focus)!.pane.filterText) this.filter(this.focus, '');
    else if (this.chosenExit) this.selectExit(undefined);
    else this.disassembly.follow();
  }

  private promptKey(prompt: Prompt, name: string): void {
    if (name === 'escape' || name === 'C-c') {
      this.active = undefined;
      if (prompt === this.filterLine) this.filter(this.focus, '');
    } else if (name === 'enter') {
      const line = prompt.accept();
      this.active = undefined;
      if (prompt === this.commandPrompt && line) this.command(line);
      if (prompt === this.findLine) this.find(line);
    } else if (name === 'backspace' && prompt.text === '') {
      this.active = undefined;
    } else if (name === 'tab' && prompt === this.commandPrompt) {
      this.complete(prompt);
    } else if (prompt.key(name) && prompt === this.filterLine) {
      this.filter(this.focus, prompt.text);
    }
  }

  /** Tab: the command's name, else the symbol that the last word begins. */
  private complete(prompt: Prompt): void {
    if (!prompt.text.includes(' ')) {
      const first = completions(prompt.text)[0];
      if (first) prompt.open(`${first.name} `);
      return;
    }
    const word = /[\w.$@]+$/.exec(prompt.text)?.[0];
    const symbol = word && this.model.symbols.find(word, 50).find((entry) => entry.name.startsWith(word));
    if (symbol) prompt.open(prompt.text.slice(0, -word.length) + symbol.name);
  }

  click(x: number, y: number): void {
    if (this.popup.open || this.asking) {
      this.popup.close();
      this.asking = false;
      this.surface.dirty();
      return;
    }
    const tab = this.tabAreas.find((area) => area.y === y && x >= area.from && x < area.to);
    if (tab) this.show(tab.view);
    this.borders.take(this.laidOut, x, y);
    const slot = this.slotAt(x, y);
    if (slot) {
      if (slot.pane !== this.focus && this.captured) this.release();
      this.focus = slot.pane;
      if (y > slot.y) this.panes.get(slot.pane)!.pane.click(y - slot.y - 1, x - slot.x - 1);
    }
    this.surface.dirty();
  }

  /** The pointer moved with its button down. */
  drag(x: number, y: number): void {
    if (this.borders.drag(x, y)) this.surface.dirty();
  }

  drop(): void {
    this.borders.drop();
  }

  /** Moves a border of the pane in focus. @throws Error where it has none. */
  resize(axis: 'x' | 'y', step: number): void {
    this.borders.move(this.laidOut, this.focus, axis, step);
  }

  resetSizes(): void {
    this.borders.reset();
  }

  wheel(x: number, y: number, delta: number): void {
    if (this.popup.open) this.popup.scroll(delta * 3);
    else {
      const slot = this.slotAt(x, y);
      if (slot) for (let n = 0; n < 3; n++) this.panes.get(slot.pane)!.pane.wheel(delta);
    }
    this.surface.dirty();
  }

  private slotAt(x: number, y: number) {
    return this.laidOut?.slots.find((s) => x >= s.x && x < s.x + s.width && y >= s.y && y < s.y + s.height);
  }

  // --- what keys and commands do ---

  /** Waits for a request in the background and shows why it failed. */
  act(work: Promise<unknown>): void {
    work.then(
      (text) => {
        if (typeof text === 'string') this.say(text);
        this.surface.dirty();
      },
      (error: unknown) => this.say(reason(error), true),
    );
  }

  say(text: string, bad = false): void {
    this.status = { text, bad };
    if (bad) this.model.message(text);
    this.surface.dirty();
  }

  command(line: string): void {
    this.act(this.perform(line));
  }

  private async perform(line: string): Promise<string | undefined> {
    const { command, argument } = findCommand(line);
    const run = async () => {
      for (;;) {
        try {
          return await command.run(this, argument);
        } catch (error) {
          if (error instanceof UnknownName && (await this.model.moreNames())) continue;
          throw new Error(`${command.name}: ${reason(error)}`);
        }
      }
    };
    return command.moves ? this.turns.step(run) : this.turns.change(run);
  }

  async toggleRun(): Promise<void> {
    this.turns.drop();
    if (this.model.state.running) {
      await this.debug.pause();
      return;
    }
    await this.turns.changes;
    this.mustBeAlive();
    this.selectExit(undefined);
    await this.debug.resume();
  }

  /** @throws Error when the guest has ended. */
  mustBeAlive(): void {
    const { stop } = this.model;
    if (stop?.kind === 'ended') throw new Error(`${stop.end.message || 'the guest has ended'}; :reset starts it anew`);
  }

  nextSameExit(): void {
    const exit = this.exit();
    if (!exit) this.say('no exit yet: e runs to the first', true);
    else this.command(`next-exit ${exit.reason & 0xffff}`);
  }

  toggleBreakpoint(): void {
    const address = this.disassembly.address;
    if (address !== undefined) this.command(`break 0x${address.toString(16)}`);
  }

  runToCursor(): void {
    const address = this.disassembly.address;
    if (address !== undefined) this.command(`until 0x${address.toString(16)}`);
  }

  watchPrompt(): void {
    this.prompt(`watch ${this.memoryPane.space === 'gpa' ? 'gpa ' : ''}0x${this.memoryPane.address.toString(16)} 4 w`);
  }

  exit(): ExitRecord | undefined {
    if (this.chosenExit) return this.chosenExit;
    const { stop } = this.model;
    return stop?.kind === 'exit' ? stop.exit : this.model.records.at(-1);
  }

  selectExit(record: ExitRecord | undefined): void {
    this.chosenExit = record;
    if (record)
      this.disassembly.goto(record.csBase && this.model.bits() !== 64 ? record.csBase + record.rip : record.rip);
    else this.disassembly.follow();
    this.surface.dirty();
  }

  moveExit(step: number): void {
    const { records } = this.model;
    const now = this.exit();
    const at = now ? records.findIndex((record) => record.sequence === now.sequence) : records.length;
    const next = records[at + step];
    if (!next) this.say(step < 0 ? 'the trace goes back no further' : 'this is the newest exit', true);
    else this.selectExit(next);
  }

  gotoCode(address: bigint): void {
    this.remember();
    if (this.view !== 'debug') this.setView('debug');
    this.focus = 'disassembly';
    this.disassembly.goto(address);
    this.remember();
  }

  gotoMemory(address: bigint, space: AddressSpace = 'gva'): void {
    this.remember();
    this.memoryPane.goto(address, space);
    if (!VIEW_PANES[this.view].includes('memory')) this.setView('memory');
    this.focus = 'memory';
    this.remember();
  }

  followCode(): void {
    this.disassembly.follow();
  }

  private remember(): void {
    this.places.add({
      view: this.view,
      code: this.disassembly.selected,
      memory: { address: this.memoryPane.address, space: this.memoryPane.space },
    });
  }

  /** Back or forth in the places visited. @throws Error when there is none. */
  jump(step: number): void {
    const place = this.places.go(step);
    this.setView(place.view);
    if (place.code === undefined) this.disassembly.follow();
    else this.disassembly.goto(place.code);
    if (place.memory) this.memoryPane.goto(place.memory.address, place.memory.space);
  }

  show(view: View): void {
    this.release();
    this.setView(view);
    this.surface.dirty();
  }

  private setView(view: View): void {
    if (view === this.view) return;
    this.view = view;
    this.zoomed = false;
    this.focus = VIEW_PANES[view][0]!;
  }

  focusNext(step: number): void {
    // Panes that stand on the screen come in the order of the view; those without a place come when focused.
    const order = this.laidOut && !this.laidOut.small ? this.tabOrder() : VIEW_PANES[this.view];
    const at = order.indexOf(this.focus);
    this.focus = order[(at + step + order.length) % order.length]!;
  }

  private tabOrder(): readonly PaneId[] {
    const shown = this.laidOut!.slots.map((slot) => slot.pane);
    const extra = shown.filter((pane) => !VIEW_PANES[this.view].includes(pane));
    const base = VIEW_PANES[this.view].filter((pane) => !(pane === 'console' && shown.includes('serial')));
    return [...extra, ...base];
  }

  zoom(): void {
    this.zoomed = !this.zoomed;
  }

  freeze(): void {
    this.model.freeze(!this.model.frozen);
  }

  changeInterval(factor: number): void {
    this.say(`refresh every ${this.surface.setInterval(factor)} ms while running`);
  }

  prompt(text: string): void {
    this.commandPrompt.open(text);
    this.active = this.commandPrompt;
    this.surface.dirty();
  }

  filterPrompt(): void {
    const { pane } = this.panes.get(this.focus)!;
    if (pane.filterable) {
      this.filterLine.open(pane.filterText);
      this.active = this.filterLine;
    } else if (pane.find) {
      this.findLine.open('');
      this.active = this.findLine;
    } else this.say('nothing to filter or find in this pane', true);
  }

  /** Nothing typed looks for the same again. */
  find(text: string): void {
    const wanted = text || this.lastFind;
    if (!wanted) return;
    this.lastFind = wanted;
    const { pane } = this.panes.get(this.focus)!;
    this.act(Promise.resolve().then(() => pane.find?.(wanted)));
  }

  filter(id: string, text: string): void {
    const entry = this.panes.get(id as PaneId);
    if (!entry?.pane.filterable) throw new Error('this pane has no filter');
    entry.pane.filterText = text;
    this.surface.dirty();
  }

  copy(): void {
    const text = this.panes.get(this.focus)!.pane.copy();
    if (text === undefined) {
      this.say('nothing to copy here', true);
      return;
    }
    this.surface.copy(text);
    this.say(`copied ${text.length} characters`);
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
    this.popup.show('Keys and commands', helpLines(this.popup.cells));
  }

  showText(title: string, text: string): void {
    this.popup.show(
      title,
      text.split(/\r?\n/).map((line) => [[` ${line}`]]),
    );
    this.surface.dirty();
  }

  askQuit(): void {
    if (this.model.state.running && !this.options.detach) this.asking = true;
    else this.surface.quit();
    this.surface.dirty();
  }

  names(): Names {
    const { symbols } = this.model;
    const registers = this.model.registers().value;
    // As an address, rip is where the code is.
    return { symbols, registers: registers && { ...registers, pc: linearPc(registers) } };
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
    if (!['console', 'serial', 'vga'].includes(this.focus)) {
      const shown = this.laidOut?.slots.find((slot) => ['console', 'serial', 'vga'].includes(slot.pane));
      if (!shown) this.setView('console');
      this.focus = shown?.pane ?? 'console';
    }
    const pane = this.panes.get(this.focus)!.pane as ConsolePane;
    this.captured = pane;
    pane.captured = true;
    this.status = undefined;
    this.surface.capture((sequence) => {
      const leave = /[\x1d\x01]/.exec(sequence);
      const typed = leave ? sequence.slice(0, leave.index) : sequence;
      if (typed) this.act(this.type(pane, typed));
      if (leave) this.release();
    });
    this.surface.dirty();
  }

  private async type(pane: ConsolePane, sequence: string): Promise<void> {
    const console = this.debug.console!;
    if (pane.kind === 'serial') {
      await console.serialInput(new TextEncoder().encode(sequence));
      return;
    }
    // pasted text is many keys, an escape sequence is one
    const keys = sequence.startsWith('\x1b') ? [sequence] : sequence;
    for (const key of keys) for (const name of ps2Key(key)) await console.key(name);
  }

  private release(): void {
    if (!this.captured) return;
    this.captured.captured = false;
    this.captured = undefined;
    this.surface.capture(undefined);
    this.surface.dirty();
  }
}
