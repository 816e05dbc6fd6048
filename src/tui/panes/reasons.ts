/** Exits by reason, or by what they were about: how many, how fast, how long, where from. */

import { EXIT_GROUP_KEYS, EXIT_GROUPS } from '../../engine/debug/exit-groups.js';
import type { ExitGroupKey } from '../../engine/debugger.js';
import { KERNEL_COUNTER, totalExits } from '../../engine/exit-counts.js';
import type { RateSample } from '../exit-rates.js';
import { exitReasonByName } from '../facts.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { grouped, rate, sparkline } from '../screen/text.js';
import { reasonHelp, type SubjectHelp } from '../subject-help.js';
import {
  COUNT,
  type Column,
  type ExitRow,
  groupCondition,
  groupFilter,
  groupRows,
  ORDERS,
  OVER_TIME,
  octavesText,
  RATE,
  RATES,
  SORTS,
  type Sort,
  shareColumn,
  timeColumns,
} from './exit-rows.js';
import { matches, Pane, type PaneKey } from './pane.js';

/** Cells of the history, and of the times by their length. */
const SPARK = 20;
const OCTAVES = 24;
const NAME = 20;
/** Widths from which on there are more columns. */
const MEDIUM = 72;
const WIDE = 100;
const WIDEST = 150;

export class ReasonsPane extends Pane {
  readonly id = 'reasons';
  override readonly keys = [
    ['Enter', 'enter', 'only these in the trace'],
    ['b', 'b', 'break on them'],
    ['o', 'o', 'by reason, port, MSR, CPUID leaf, page, instruction, task ...'],
    ['<', '<', 'sort by another column'],
    ['>', '>', 'sort by the next column'],
    ['I', 'I', 'reverse'],
    ['/', '/', 'filter'],
  ] as const;
  override readonly clickEnters = true;
  override readonly filterable = true;
  /** By what exits are put together. */
  by: ExitGroupKey = 'reason';
  private rows: ExitRow[] = [];
  private total = 0;
  private rate = 0;
  /** The times of the rows are on their way. */
  private timesCome = false;
  /** Until one is chosen: the rate while the guest runs, the count while it stands. */
  private chosen: Sort | undefined;
  private reversed = false;

  private get sort(): Sort {
    if (this.by !== 'reason') return this.chosen && !RATES.has(this.chosen) ? this.chosen : 'time';
    return this.chosen ?? (this.model.state.running ? 'rate' : 'count');
  }

  override explain(): SubjectHelp | undefined {
    const row = this.rows[this.cursor];
    return row && reasonHelp(row.name);
  }

  override title(): Segment[] {
    const filter = this.filterText ? `  / ${this.filterText}` : '';
    const { icount } = this.model.state;
    const density = this.total && icount ? `, one in ${rate(Number(icount) / this.total)} instructions` : '';
    const speed = this.rate ? `, ${rate(this.rate)}/s` : '';
    const order = `sort: ${this.sort} ${this.reversed ? '▲' : '▼'} < >`;
    return [
      [` Exits by ${EXIT_GROUPS[this.by].replace(/^exit /, '')} `],
      [` o regroups  ${order}${filter}  ${grouped(this.total)}${speed}${density} `, this.theme.dim],
    ];
  }

  override draw(cells: CellPane, focused: boolean): void {
    const ready = this.by === 'reason' ? this.collect(cells) : this.collectGroups(cells);
    if (!ready) return;
    const { theme } = this;
    const { columns, nameWidth, tail } = this.shape(cells.width);
    const head = this.by === 'reason' ? 'REASON' : EXIT_GROUPS[this.by].toUpperCase();
    cells.put(
      0,
      0,
      ` ${head.padEnd(nameWidth)}${columns.map((column) => column.head.padStart(column.width)).join('')}  ${tail.head}`,
      theme.dim,
    );
    const body = cells.height - 1;
    if (this.rows.length === 0) cells.put(1, 1, this.nothing(), theme.dim);
    this.stayOnRow(this.rows.length, (index) => this.rows[index]!.name);
    this.clamp(this.rows.length, body);
    for (let y = 0; y < body && this.top + y < this.rows.length; y++) {
      const index = this.top + y;
      const row = this.rows[index]!;
      cells.line(y + 1, [
        [` ${row.name.padEnd(nameWidth).slice(0, nameWidth)}`, theme.mnemonic],
        ...columns.map(({ text, width }, n): Segment => [text(row).padStart(width), n ? theme.normal : theme.number]),
        ['  '],
        ...tail.segments(row),
      ]);
      if (index === this.cursor) this.highlight(cells, y + 1, focused);
    }
  }

  private nothing(): string {
    if (this.filterText) return `no ${EXIT_GROUPS[this.by]} matches`;
    if (this.total === 0) return 'no VM exit so far';
    return `no exit of the trace has a ${EXIT_GROUPS[this.by]}`;
  }

  /** The columns for a width, and what stands behind them. */
  private shape(width: number): {
    columns: Column[];
    nameWidth: number;
    tail: { head: string; segments: (row: ExitRow) => Segment[] };
  } {
    const { theme } = this;
    const ns = this.rows.reduce((sum, { times }) => sum + (times?.ns ?? 0), 0);
    const [timeShare, least, ...times] = timeColumns(ns, this.timesCome) as [Column, Column, ...Column[]];
    const none = { head: '', segments: () => [] };
    if (this.by !== 'reason') {
      const counted = this.rows.reduce((sum, { count }) => sum + count, 0);
      const columns = [COUNT, shareColumn(({ count }) => count / counted), timeShare, ...times];
      if (width >= WIDE) columns.splice(3, 0, least);
      if (width < MEDIUM) columns.splice(2, 2);
      const taken = 3 + columns.reduce((sum, column) => sum + column.width, 0);
      const room = width - taken - (width >= WIDE ? OCTAVES : 0);
      const tail = { head: 'HOW LONG', segments: (row: ExitRow): Segment[] => [[octavesText(row, OCTAVES), theme.ok]] };
      return { columns, nameWidth: Math.max(12, room), tail: width >= WIDE ? tail : none };
    }
    const share = shareColumn((row) => {
      // Of the exits of the last second while the guest runs, of all otherwise.
      if (row.name.startsWith(KERNEL_COUNTER)) return undefined;
      return this.rate ? row.rate / this.rate : row.count / (this.total || 1);
    });
    const columns = [COUNT, RATE, share];
    if (width >= WIDE) columns.push(timeShare, ...(width >= WIDEST ? [least] : []), ...times);
    if (width >= WIDEST || (width >= MEDIUM && width < WIDE)) columns.push(...OVER_TIME);
    const segments = (row: ExitRow): Segment[] => [
      ...(width >= WIDEST ? [[octavesText(row, OCTAVES), theme.number] as const, ['  '] as const] : []),
      [`${sparkline(row.history, SPARK)} `, theme.ok],
      [this.lastRip(row.name), theme.symbol],
    ];
    const long = width >= WIDEST ? `${'HOW LONG'.padEnd(OCTAVES)}  ` : '';
    const head = `${long}${'LAST 60 s'.padEnd(SPARK + 1)}LAST RIP`;
    return { columns, nameWidth: NAME, tail: width >= WIDE ? { head, segments } : none };
  }

  private collectGroups(cells: CellPane): boolean {
    const report = this.model.analysis.report(this.by);
    if (!this.have(cells, report)) return false;
    const { symbols } = this.model;
    this.rate = 0;
    this.total = report.value.samples + report.value.others;
    this.take(groupRows(report.value, (address) => symbols.label(address)));
    return true;
  }

  private collect(cells: CellPane): boolean {
    const counts = this.model.counts();
    if (!this.have(cells, counts)) return false;
    const { samples } = this.model;
    const first = samples.at(-2);
    const last = samples.at(-1);
    this.total = totalExits(counts.value);
    this.rate = this.model.exitRate() ?? 0;
    const times = new Map(this.timesOf(cells.width).map((row) => [row.name, row.times]));
    this.take(
      Object.entries(counts.value).map(([name, count]): ExitRow => {
        const history = samples.slice(1).map((sample, n) => perSecond(name, samples[n]!, sample));
        const time = times.get(name);
        return {
          ...{ name, count, history, ...(time ? { times: time } : {}) },
          rate: first && last && this.model.state.running ? perSecond(name, first, last) : 0,
          average: samples.length > 1 ? perSecond(name, samples[0]!, last!) : 0,
          peak: Math.max(0, ...history),
        };
      }),
    );
    return true;
  }

  /** Summed where somebody sees them alone. */
  private timesOf(width: number): ExitRow[] {
    this.timesCome = false;
    if (width < WIDE && !['time', 'mean', 'p99', 'max'].includes(this.sort)) return [];
    const { value, error } = this.model.analysis.report('reason');
    this.timesCome = value === undefined && error === undefined;
    return value ? groupRows(value, () => undefined) : [];
  }

  private take(rows: ExitRow[]): void {
    const order = ORDERS[this.sort];
    const turn = this.reversed ? -1 : 1;
    this.rows = rows
      .filter(({ name }) => matches(this.filterText, name))
      .sort((a, b) => turn * (order(a, b) || ORDERS.name(a, b)));
  }

  private lastRip(name: string): string {
    const number = exitReasonByName(name)?.number;
    const { records, symbols } = this.model;
    for (let i = records.length - 1; i >= 0; i--) {
      const record = records[i]!;
      if ((record.reason & 0xffff) !== number) continue;
      return symbols.label(record.csBase + record.rip) ?? symbols.label(record.rip) ?? record.rip.toString(16);
    }
    return '';
  }

  /** @throws Error where rows of this kind cannot be told apart so */
  private only(row: ExitRow): void {
    const text = this.by === 'reason' ? `\\b${row.name}\\b` : row.times && groupFilter(this.by, row.times, row.name);
    if (text === undefined) throw new Error(`rows of the trace do not say their ${EXIT_GROUPS[this.by]}`);
    this.ui.filter('trace', text);
  }

  private break(row: ExitRow): void {
    const condition = this.by === 'reason' ? row.name : row.times && groupCondition(this.by, row.times);
    if (condition === undefined) throw new Error(`no condition on exits can name a ${EXIT_GROUPS[this.by]}`);
    this.ui.command(`break vmexit ${condition}`);
  }

  override key({ name }: PaneKey): boolean {
    if (this.move(name)) {
      this.cursor = Math.min(this.cursor, this.rows.length - 1);
      return true;
    }
    const row = this.rows[this.cursor];
    if (name === 'enter' && row) this.only(row);
    else if (name === 'b' && row) this.break(row);
    else if (name === 'o') {
      this.by = EXIT_GROUP_KEYS[(EXIT_GROUP_KEYS.indexOf(this.by) + 1) % EXIT_GROUP_KEYS.length]!;
      this.cursor = 0;
    } else if (name === '<' || name === '>') {
      const sorts = SORTS.filter((sort) => this.by === 'reason' || !RATES.has(sort));
      const step = name === '>' ? 1 : sorts.length - 1;
      this.chosen = sorts[(Math.max(0, sorts.indexOf(this.sort)) + step) % sorts.length]!;
    } else if (name === 'I') this.reversed = !this.reversed;
    else return false;
    return true;
  }

  override click(row: number): void {
    if (row === 0) this.key({ name: '>' });
    else this.cursor = this.top + row - 1;
  }

  override copy(): string | undefined {
    const row = this.rows[this.cursor];
    return row && `${row.name} ${row.count}`;
  }
}

/** Exits of a reason a second between two samples. */
function perSecond(name: string, before: RateSample, after: RateSample): number {
  return (((after.counts[name] ?? 0) - (before.counts[name] ?? 0)) * 1000) / Math.max(1, after.ms - before.ms);
}
