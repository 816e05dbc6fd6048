/** The source of the code that runs, and steps by its lines. */
import { chosenFrame } from '../../commands/chosen-frame.js';
import { missing } from '../../commands/source.js';
import { sourcePaths } from '../../commands/source-paths.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { onBackground } from '../screen/theme.js';
import type { Source } from '../sources.js';
import { Pane, type PaneKey } from './pane.js';

interface View {
  file: string;
  line: number;
  level: number;
  /** Undefined where the file is not found. */
  lines?: string[];
  /** Lines of this file at which breakpoints stand; false: switched off. */
  breakpoints: Map<number, boolean>;
}

/** Lines above the one that runs next, when the pane has to move. */
const LEAD = 4;

export class SourcePane extends Pane {
  readonly id = 'source';
  override readonly keys = [
    ['n', 'n', 'next line, calls as one'],
    ['s', 's', 'next line, into functions'],
    ['f', 'f', 'until the function returns'],
    ['u', 'u', 'run to the line under the cursor'],
    ['b', 'b', 'breakpoint at the line, on or off'],
    ['<', '<', "the caller's frame"],
    ['>', '>', "the callee's frame"],
    ['Enter', 'enter', 'its code'],
    ['Home', 'home', 'back to the line that runs next'],
    ['/', '/', 'find text'],
  ] as const;
  private place = '';
  private view: View | undefined;

  override title(): Segment[] {
    const view = this.view;
    if (this.model.state.running || !view) return [[' Source '], [' n s by line  u to here  b break ', this.theme.dim]];
    const frame = view.level > 0 ? ` frame ${view.level}` : '';
    return [[` Source ${view.file}:${view.line} `], [`${frame} n s by line  u to here  b break `, this.theme.dim]];
  }

  override draw(cells: CellPane, focused: boolean): void {
    const { model, theme } = this;
    if (model.debug.source === undefined || model.info?.unavailable.source !== undefined) {
      this.reason(cells, model.unavailable('source'));
      return;
    }
    if (model.state.running) {
      cells.put(1, 0, 'the guest is running', theme.dim);
      return;
    }
    const source = this.look();
    if (!this.have(cells, source)) return;
    const view = source.value;
    this.view = view;
    const { lines } = view;
    if (lines === undefined) {
      this.reason(cells, missing(view.file));
      return;
    }
    const place = `${view.file}:${view.line}:${view.level}:${model.halts}`;
    if (place !== this.place) {
      this.place = place;
      this.cursor = view.line - 1;
      if (this.cursor < this.top || this.cursor >= this.top + cells.height - 1)
        this.top = Math.max(0, this.cursor - Math.min(LEAD, cells.height >> 2));
    }
    const digits = String(lines.length).length;
    this.list(cells, lines.length, focused, (index) => this.row(index, view, lines, digits));
    const y = view.line - 1 - this.top;
    if (y >= 0 && y < cells.height && !(focused && this.cursor === view.line - 1))
      cells.shade(0, y, cells.width, (attr) => onBackground(attr, theme.pc));
  }

  private row(index: number, view: View, lines: readonly string[], digits: number): Segment[] {
    const { theme } = this;
    const number = index + 1;
    const stands = view.breakpoints.get(number);
    const here = number === view.line;
    return [
      [stands === undefined ? ' ' : stands ? '●' : '○', theme.bp],
      [here ? (view.level === 0 ? '►' : '▷') : ' ', theme.warn],
      [`${String(number).padStart(digits)} `, theme.dim],
      [expanded(lines[index]!), theme.normal],
    ];
  }

  private look(): Source<View> {
    const { debug } = this.model;
    return this.model.ask(`source of ${this.model.vcpu}`, async () => {
      const frame = await chosenFrame(this.ui.session);
      const line = frame?.line;
      if (frame === undefined || line === undefined)
        throw new Error('no line information for this code: s and n step by instruction in the disassembly');
      const lines = await sourcePaths(debug).text(debug, line.file);
      const points = (await debug.breakpoints()).flatMap((point) => (point.kind === 'execute' ? [point] : []));
      const places = points.length > 0 ? ((await debug.source?.locate(points.map(({ gva }) => gva))) ?? []) : [];
      const breakpoints = new Map<number, boolean>();
      for (const [n, place] of places.entries())
        if (place?.file === line.file)
          breakpoints.set(place.line, points[n]!.enabled || breakpoints.get(place.line) === true);
      return { ...line, level: frame.level, breakpoints, ...(lines === undefined ? {} : { lines }) };
    });
  }

  /** The line under the cursor, as commands take it. */
  private get at(): string | undefined {
    return this.view?.lines && `${this.view.file}:${this.cursor + 1}`;
  }

  override key({ name }: PaneKey): boolean {
    if (name === 'home') {
      this.place = '';
      return true;
    }
    if (name !== 'k' && name !== 'j' && this.move(name)) return true;
    const line: Readonly<Record<string, string>> = { n: 'next', s: 'step-line', f: 'out', '<': 'up', '>': 'down' };
    if (Object.hasOwn(line, name)) {
      // where nothing tells of lines the keys are those of the disassembly
      if (this.view === undefined && (name === 'n' || name === 's')) return false;
      this.ui.command(line[name]!);
      return true;
    }
    const { at } = this;
    if (at === undefined) return false;
    if (name === 'u') this.ui.command(`advance ${at}`);
    else if (name === 'b') this.ui.command(`break ${at}`);
    else if (name === 'enter') void this.showCode();
    else return false;
    return true;
  }

  private async showCode(): Promise<void> {
    const { view } = this;
    if (view === undefined) return;
    const found = await this.model.debug.source?.address(view.file, this.cursor + 1);
    if (found) this.ui.gotoCode(found.address);
    this.ui.dirty();
  }

  override find = (text: string): string => {
    const lines = this.view?.lines ?? [];
    for (let step = 1; step <= lines.length; step++) {
      const at = (this.cursor + step) % lines.length;
      if (!lines[at]!.toLowerCase().includes(text.toLowerCase())) continue;
      this.cursor = at;
      this.ui.dirty();
      return `line ${at + 1}`;
    }
    throw new Error(`no "${text}" in this file`);
  };

  override click(row: number): void {
    this.cursor = this.top + row;
  }

  override copy(): string | undefined {
    return this.view?.lines?.[this.cursor];
  }
}

/** Tabs to columns of eight. */
function expanded(text: string): string {
  let out = '';
  for (const character of text) out += character === '\t' ? ' '.repeat(8 - (out.length % 8)) : character;
  return out;
}
