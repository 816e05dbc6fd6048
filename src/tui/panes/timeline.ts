/** The run as a line: its exits, stops, bookmarks, snapshots and branches; a cursor on it, and what the guest had printed there. */
import type { Branch, PastStop } from '../../engine/debugger.js';
import type { TimelineView } from '../model.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { plainLines } from '../screen/plain-lines.js';
import { grouped } from '../screen/text.js';
import { onBackground } from '../screen/theme.js';
import type { SubjectHelp } from '../subject-help.js';
import { Pane, type PaneKey } from './pane.js';
import { Axis } from './time-axis.js';

/** Columns of a row's name. */
const NAME_CELLS = 10;
/** Of what the guest printed. */
const PRINTED_BYTES = 4096;
/** Rows above the lines of the run: the cursor's place, exits, stops, bookmarks. */
const HEAD_ROWS = 4;
/** Heights of a column of exits. */
const HEIGHTS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const STOP_SIGNS: Partial<Record<PastStop['kind'], string>> = {
  breakpoint: 'b',
  watchpoint: 'w',
  exit: 'x',
  step: 's',
  ended: 'E',
  'entry-failed': 'E',
};

/** What the cursor can jump to, and how it is said where to go. */
interface Mark {
  line: string;
  icount: bigint;
  place: string;
}

export class TimelinePane extends Pane {
  readonly id = 'timeline';
  override readonly keys = [
    ['← →', 'left', 'move the cursor'],
    ['↑ ↓', 'up', 'other branch'],
    ['< >', '<', 'to the mark before, behind'],
    ['Enter', 'enter', 'go there'],
    ['m', 'm', 'closer'],
    ['M', 'M', 'farther'],
  ] as const;
  override readonly clickEnters = true;
  private view: TimelineView | undefined;
  private axis = new Axis(0n, 1n, 1);
  /** Where the cursor was put; undefined: it is where the guest stands. */
  private at: Mark | undefined;
  private zoom = 0;
  private firstLine = 0;
  private shownLines = 1;
  /** The mouse holds the cursor: where the axis begins stays, and letting go leads there once it was moved. */
  private held: 'pressed' | 'moved' | undefined;

  override title(): Segment[] {
    const closer = this.zoom > 0 ? ` ${2 ** this.zoom}x closer ` : '';
    return [[' Timeline '], [' Enter goes there, < > marks, m closer ', this.theme.dim], [closer, this.theme.number]];
  }

  override get cursorAt(): unknown {
    const { line, icount } = this.mark;
    return `${line} ${this.axis.column(icount)}`;
  }

  override explain(): SubjectHelp | undefined {
    const { view } = this;
    if (!view) return undefined;
    const { line, icount } = this.mark;
    const branch = view.branches.find(({ name }) => name === line);
    return {
      title: `instruction ${grouped(icount)} of ${line}`,
      lines: [
        ...(branch?.fork
          ? [['leaves', `${branch.parent} at instruction ${grouped(branch.fork.icount)}`] as const]
          : []),
        ...(branch
          ? [['runs', `up to instruction ${grouped(branch.last.icount)}, exit ${grouped(branch.last.exit)}`] as const]
          : []),
        ['marks', '+ snapshot, @ bookmark, b w x s stops, * the guest'],
      ],
    };
  }

  /** Where the cursor is: where it was put, or where the guest stands. */
  private get mark(): Mark {
    const { where } = this.view ?? {};
    return this.at ?? { line: where?.line ?? 'trunk', icount: where?.icount ?? 0n, place: '' };
  }

  override draw(cells: CellPane, focused: boolean): void {
    const source = this.model.timeline();
    if (!this.have(cells, source)) return;
    const view = (this.view = source.value);
    if (this.at && !view.branches.some(({ name }) => name === this.at!.line)) this.at = undefined;
    const width = Math.max(1, cells.width - NAME_CELLS - 1);
    this.setAxis(view, width);
    this.drawHead(cells, view);
    const lines = Math.max(1, Math.min(view.branches.length, Math.floor((cells.height - HEAD_ROWS - 1) / 2)));
    this.drawLines(cells, view, lines, focused);
    this.drawPrinted(cells, HEAD_ROWS + lines);
    const column = this.axis.column(this.mark.icount);
    if (column !== undefined)
      for (let y = 1; y < HEAD_ROWS + lines; y++)
        cells.shade(NAME_CELLS + column, y, 1, (attr) => onBackground(attr, this.theme.sel));
  }

  /** All lines of the run, or a part of that around the cursor. */
  private setAxis({ where, branches }: TimelineView, width: number): void {
    if (this.held && this.axis.columns === width) return;
    let last = where.icount;
    for (const branch of branches) if (branch.last.icount > last) last = branch.last.icount;
    const { icount: first } = where.first;
    const whole = last > first ? last - first : 1n;
    while (this.zoom > 0 && whole >> BigInt(this.zoom) < BigInt(width)) this.zoom--;
    const span = whole >> BigInt(this.zoom);
    const { icount } = this.mark;
    let from = first;
    if (this.zoom > 0) {
      const centre = icount - (span >> 1n);
      from = centre < first ? first : centre > last - span ? last - span : centre;
    }
    this.axis = new Axis(from, from + span, width);
  }

  private drawHead(cells: CellPane, view: TimelineView): void {
    const { theme } = this;
    const { line, icount } = this.mark;
    const { where } = view;
    const here = !this.at;
    const whole = Number(where.last.icount - where.first.icount) || 1;
    const share = Math.max(0, Math.min(100, (Number(icount - where.first.icount) * 100) / whole));
    cells.line(0, [
      [here ? 'the guest is at ' : 'cursor at ', theme.dim],
      [`instruction ${grouped(icount)}`, theme.number],
      [line === where.line ? `, ${share.toFixed(1)} %` : '', theme.dim],
      [here ? `, exit ${grouped(where.exit)}` : '', theme.number],
      [` of ${line}`, theme.symbol],
      [here && where.past ? ' (past)' : '', theme.warn],
    ]);
    this.name(cells, 1, 'exits');
    const densities = this.densities(view);
    const most = Math.max(...densities, 0);
    cells.line(
      1,
      [[densities.map((n) => HEIGHTS[most > 0 ? Math.ceil((n / most) * 8) : 0]).join(''), theme.mnemonic]],
      NAME_CELLS,
    );
    this.name(cells, 2, 'stops');
    for (const stop of view.stops) this.put(cells, 2, stop.icount, STOP_SIGNS[stop.kind] ?? '▼', theme.bp);
    this.name(cells, 3, 'marks');
    for (const { name, icount: at } of [...view.bookmarks].sort((a, b) => (a.icount < b.icount ? -1 : 1)))
      this.label(cells, 3, at, `@${name}`);
  }

  /** Exits a column: of those whose records are here, and about how many elsewhere. */
  private densities(view: TimelineView): number[] {
    const { axis, model } = this;
    const { where } = view;
    const densities = axis.densities(this.exitCounts(view));
    model.trace();
    const { records } = model;
    // records count from the guest's last reset, the run from power-on
    const offset = where.icount - model.state.icount;
    const oldest = records[0];
    if (model.state.running || offset < 0n || oldest === undefined) return densities;
    const [start, end] = axis.range(oldest.icount + offset, where.icount);
    for (let column = start; column <= end; column++) densities[column] = 0;
    for (const { icount } of records) {
      const column = axis.column(icount + offset);
      if (column !== undefined && column <= end) densities[column]!++;
    }
    return densities;
  }

  /** How many exits there were at instants of the line that the guest is on, in order. */
  private exitCounts({ where, branches }: TimelineView): { icount: bigint; exit: number }[] {
    const known = [where.first, ...where.snapshots, { icount: where.icount, exit: where.exit }];
    const line = branches.find(({ name }) => name === where.line);
    if (line) known.push(line.last);
    return known.sort((a, b) => (a.icount < b.icount ? -1 : a.icount > b.icount ? 1 : a.exit - b.exit));
  }

  private name(cells: CellPane, y: number, text: string, attr = this.theme.dim): void {
    cells.put(0, y, text.padEnd(NAME_CELLS).slice(0, NAME_CELLS - 1), attr);
  }

  private put(cells: CellPane, y: number, icount: bigint, text: string, attr: number): void {
    const column = this.axis.column(icount);
    if (column !== undefined) cells.put(NAME_CELLS + column, y, text, attr);
  }

  /** Beside its column, where there is room. */
  private label(cells: CellPane, y: number, icount: bigint, text: string): void {
    const column = this.axis.column(icount);
    if (column === undefined) return;
    const left = Math.max(0, Math.min(column, this.axis.columns - text.length));
    const [before, behind] = left < column ? [`${text.slice(1)}`, '@'] : ['', text];
    cells.put(NAME_CELLS + column, y, behind, this.theme.label);
    if (before !== '') cells.put(NAME_CELLS + Math.max(0, column - before.length), y, before, this.theme.label);
  }

  private drawLines(cells: CellPane, view: TimelineView, shown: number, focused: boolean): void {
    const { branches } = view;
    const chosen = Math.max(
      0,
      branches.findIndex(({ name }) => name === this.mark.line),
    );
    this.shownLines = shown;
    if (chosen < this.firstLine) this.firstLine = chosen;
    if (chosen >= this.firstLine + shown) this.firstLine = chosen - shown + 1;
    this.firstLine = Math.max(0, Math.min(this.firstLine, branches.length - shown));
    for (let n = 0; n < shown && this.firstLine + n < branches.length; n++) {
      const branch = branches[this.firstLine + n]!;
      const y = HEAD_ROWS + n;
      this.name(cells, y, branch.name, branch.here ? this.theme.bold : this.theme.normal);
      this.drawLine(cells, y, branch, view);
      if (this.firstLine + n === chosen && focused)
        cells.shade(0, y, NAME_CELLS - 1, (attr) => onBackground(attr, this.theme.sel));
    }
    const more = branches.length - shown;
    if (more > 0) {
      const text = ` ${more} more: ↑ ↓ `;
      cells.put(cells.width - text.length, HEAD_ROWS + shown - 1, text, this.theme.dim);
    }
  }

  private drawLine(cells: CellPane, y: number, branch: Branch, { where, branches }: TimelineView): void {
    const { axis, theme } = this;
    const from = branch.fork?.icount ?? where.first.icount;
    const [start, end] = axis.range(from, branch.last.icount);
    if (end >= start)
      cells.put(NAME_CELLS + start, y, '─'.repeat(end - start + 1), branch.here ? theme.focus : theme.border);
    if (branch.here)
      for (const { icount } of where.snapshots) if (icount >= from) this.put(cells, y, icount, '┼', theme.dim);
    for (const { parent, fork } of branches)
      if (parent === branch.name && fork) this.put(cells, y, fork.icount, '┬', theme.warn);
    if (branch.fork) this.put(cells, y, branch.fork.icount, '└', theme.warn);
    if (branch.end) this.put(cells, y, branch.last.icount, '×', theme.crit);
    if (branch.here) this.put(cells, y, where.icount, '●', theme.warn);
  }

  private drawPrinted(cells: CellPane, y: number): void {
    const { theme } = this;
    const { line, icount } = this.mark;
    const left = cells.height - y - 1;
    if (left < 1) return;
    const head = '─ printed up to there ';
    cells.put(0, y, head + '─'.repeat(Math.max(0, cells.width - head.length)), theme.border);
    const source = this.model.printed(line, icount, PRINTED_BYTES);
    if (source.error) cells.put(1, y + 1, source.error, theme.warn);
    if (!source.value) return;
    const lines = plainLines(source.value, Math.max(20, cells.width));
    while (lines.length > 0 && lines.at(-1)!.trim() === '') lines.pop();
    if (lines.length === 0) cells.put(1, y + 1, 'nothing', theme.dim);
    for (const [n, text] of lines.slice(-left).entries()) cells.put(0, y + 1 + n, text, theme.normal);
  }

  // --- moving ---

  /** Marks of the cursor's line in the order of the run. */
  private marks({ where, branches, bookmarks, stops }: TimelineView): Mark[] {
    const { line } = this.mark;
    const on = (it: { line: string }) => it.line === line;
    const all: Mark[] = [
      ...stops.filter(on).map(({ icount }) => ({ line, icount, place: '' })),
      ...bookmarks.filter(on).map(({ icount, name }) => ({ line, icount, place: `@${name}` })),
      ...branches.flatMap(({ name, parent, fork, last }) => [
        ...(fork && (parent === line || name === line) ? [{ line, icount: fork.icount, place: '' }] : []),
        ...(name === line ? [{ line, icount: last.icount, place: 'end' }] : []),
      ]),
      ...(line === where.line ? where.snapshots.map(({ icount }) => ({ line, icount, place: '' })) : []),
    ];
    return all.sort((a, b) => (a.icount < b.icount ? -1 : 1));
  }

  private moveTo(icount: bigint, view: TimelineView, line = this.mark.line, place = ''): void {
    const branch = view.branches.find(({ name }) => name === line);
    const last = branch?.last.icount ?? view.where.last.icount;
    const { icount: first } = view.where.first;
    this.at = { line, icount: icount < first ? first : icount > last ? last : icount, place };
  }

  override key({ name }: PaneKey): boolean {
    const { view, axis } = this;
    this.held = undefined;
    if (!view) return false;
    const { icount } = this.mark;
    const steps: Record<string, number> = { left: -1, right: 1, pageup: -10, pagedown: 10 };
    const step = steps[name];
    if (step !== undefined) this.moveTo(axis.moved(icount, step), view);
    else if (name === 'home') this.moveTo(view.where.first.icount, view);
    else if (name === 'end') this.moveTo(1n << 64n, view, this.mark.line, 'end');
    else if (name === 'up' || name === 'k') this.otherLine(view, -1);
    else if (name === 'down' || name === 'j') this.otherLine(view, 1);
    else if (name === '<' || name === '>') this.jump(view, name === '<');
    else if (name === 'm') this.zoom = Math.min(60, this.zoom + 2);
    else if (name === 'M') this.zoom = Math.max(0, this.zoom - 2);
    else if (name === 'escape') {
      if (!this.at) return false;
      this.at = undefined;
    } else if (name === 'enter') this.go(view);
    else return false;
    this.ui.dirty();
    return true;
  }

  private jump(view: TimelineView, back: boolean): void {
    const { icount } = this.mark;
    const marks = this.marks(view);
    const mark = back ? marks.findLast((one) => one.icount < icount) : marks.find((one) => one.icount > icount);
    if (mark) this.at = mark;
  }

  private otherLine({ branches }: TimelineView, step: number): void {
    const now = branches.findIndex(({ name }) => name === this.mark.line);
    const branch = branches[now + step];
    if (branch) this.moveTo(this.mark.icount, this.view!, branch.name);
  }

  private go(view: TimelineView): void {
    const mark = this.at;
    if (!mark) return;
    const on = mark.line === view.where.line ? '' : `${mark.line}:`;
    // a bookmark knows its line
    this.ui.command(`travel ${mark.place.startsWith('@') ? mark.place : on + (mark.place || mark.icount)}`);
    this.at = undefined;
  }

  override click(row: number, column: number): void {
    const { view } = this;
    if (!view || row < 1 || row >= HEAD_ROWS + this.shownLines || column < NAME_CELLS) return;
    const line = row < HEAD_ROWS ? undefined : view.branches[this.firstLine + row - HEAD_ROWS];
    this.moveTo(this.axis.icount(column - NAME_CELLS), view, line?.name);
    this.held = 'pressed';
  }

  override drag(_row: number, column: number): void {
    const { view, axis, held } = this;
    if (!view || !held) return;
    const at = Math.max(0, Math.min(axis.columns - 1, column - NAME_CELLS));
    if (axis.column(this.mark.icount) === at) return;
    this.held = 'moved';
    this.moveTo(axis.icount(at), view);
  }

  override drop(): void {
    const { view, held } = this;
    this.held = undefined;
    if (view && held === 'moved') this.go(view);
  }

  override wheel(delta: number): void {
    this.key({ name: delta < 0 ? 'left' : 'right' });
  }

  override copy(): string | undefined {
    return this.view && `${this.mark.line}:${this.mark.icount}`;
  }
}
