/** Exits by reason: how many, how fast, where from. */

import { KERNEL_COUNTER, totalExits } from '../../engine/exit-counts.js';
import type { RateSample } from '../exit-rates.js';
import { exitReasonByName } from '../facts.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { grouped, rate, sparkline } from '../screen/text.js';
import { reasonHelp, type SubjectHelp } from '../subject-help.js';
import { matches, Pane, type PaneKey } from './pane.js';

interface Row {
  name: string;
  count: number;
  /** Exits a second: over the last second, and the mean and largest of the last minute. */
  rate: number;
  average: number;
  peak: number;
  history: number[];
}

/** Cells of the history. */
const SPARK = 30;
const SORTS = ['rate', 'count', 'average', 'peak', 'name'] as const;

export class ReasonsPane extends Pane {
  readonly id = 'reasons';
  override readonly keys = [
    ['Enter', 'enter', 'only these in the trace'],
    ['b', 'b', 'break on the reason'],
    ['<', '<', 'sort by another column'],
    ['>', '>', 'sort by the next column'],
    ['I', 'I', 'reverse'],
    ['/', '/', 'filter'],
  ] as const;
  override readonly clickEnters = true;
  override readonly filterable = true;
  private rows: Row[] = [];
  private total = 0;
  private rate = 0;
  /** Until one is chosen: the rate while the guest runs, the count while it stands. */
  private chosen: (typeof SORTS)[number] | undefined;
  private reversed = false;

  private get sort(): (typeof SORTS)[number] {
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
    return [[' Exits by reason '], [` ${order}${filter}  ${grouped(this.total)}${speed}${density} `, this.theme.dim]];
  }

  override draw(cells: CellPane, focused: boolean): void {
    const source = this.model.counts();
    if (!this.have(cells, source)) return;
    this.collect(source.value);
    const { theme } = this;
    const columns = this.columns(cells.width);
    cells.put(
      0,
      0,
      ` ${'REASON'.padEnd(20)}${columns.map(({ head, width }) => head.padStart(width)).join('')}`,
      theme.dim,
    );
    const spark = cells.width >= 90;
    const x = 21 + columns.reduce((sum, { width }) => sum + width, 2);
    if (spark) cells.put(x, 0, `${'LAST 60 s'.padEnd(SPARK + 1)}LAST RIP`, theme.dim);
    const body = cells.height - 1;
    if (this.rows.length === 0)
      cells.put(1, 1, this.filterText ? 'no exit reason matches' : 'no VM exit so far', theme.dim);
    this.stayOnRow(this.rows.length, (index) => this.rows[index]!.name);
    this.clamp(this.rows.length, body);
    for (let y = 0; y < body && this.top + y < this.rows.length; y++) {
      const index = this.top + y;
      const row = this.rows[index]!;
      const segments: Segment[] = [
        [` ${row.name.padEnd(20).slice(0, 20)}`, theme.mnemonic],
        ...columns.map(({ text, width }, n): Segment => [text(row).padStart(width), n ? theme.normal : theme.number]),
        ['  '],
      ];
      if (spark) segments.push([`${sparkline(row.history, SPARK)} `, theme.ok], [this.lastRip(row.name), theme.symbol]);
      cells.line(y + 1, segments);
      if (index === this.cursor) this.highlight(cells, y + 1, focused);
    }
  }

  private columns(width: number): { head: string; width: number; text: (row: Row) => string }[] {
    const perSecond = (value: number) => (value ? rate(value) : '-');
    const all = [
      { head: 'COUNT', width: 12, text: (row: Row) => grouped(row.count) },
      { head: 'RATE/s', width: 9, text: (row: Row) => perSecond(row.rate) },
      {
        head: 'SHARE',
        width: 8,
        // Of the exits of the last second while the guest runs, of all otherwise.
        text: (row: Row) =>
          row.name.startsWith(KERNEL_COUNTER)
            ? '-'
            : percent(this.rate ? row.rate / this.rate : row.count / this.total),
      },
      { head: 'AVG/s', width: 9, text: (row: Row) => perSecond(row.average) },
      { head: 'PEAK/s', width: 9, text: (row: Row) => perSecond(row.peak) },
    ];
    return width >= 72 ? all : all.slice(0, 3);
  }

  private collect(counts: Record<string, number>): void {
    const { samples } = this.model;
    const first = samples.at(-2);
    const last = samples.at(-1);
    this.total = totalExits(counts);
    this.rate = this.model.exitRate() ?? 0;
    const rows = Object.entries(counts)
      .filter(([name]) => matches(this.filterText, name))
      .map(([name, count]) => {
        const history = samples.slice(1).map((sample, n) => perSecond(name, samples[n]!, sample));
        return {
          name,
          count,
          rate: first && last && this.model.state.running ? perSecond(name, first, last) : 0,
          average: samples.length > 1 ? perSecond(name, samples[0]!, last!) : 0,
          peak: Math.max(0, ...history),
          history,
        };
      });
    const order = {
      count: (a: Row, b: Row) => b.count - a.count,
      rate: (a: Row, b: Row) => b.rate - a.rate || b.count - a.count,
      average: (a: Row, b: Row) => b.average - a.average,
      peak: (a: Row, b: Row) => b.peak - a.peak,
      name: (a: Row, b: Row) => (a.name < b.name ? -1 : 1),
    }[this.sort];
    rows.sort((a, b) => (this.reversed ? -1 : 1) * (order(a, b) || (a.name < b.name ? -1 : 1)));
    this.rows = rows;
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

  override key({ name }: PaneKey): boolean {
    if (this.move(name)) {
      this.cursor = Math.min(this.cursor, this.rows.length - 1);
      return true;
    }
    const row = this.rows[this.cursor];
    if (name === 'enter' && row) this.ui.filter('trace', `\\b${row.name}\\b`);
    else if (name === 'b' && row) this.ui.command(`break vmexit ${row.name}`);
    else if (name === '<' || name === '>') {
      const step = name === '>' ? 1 : SORTS.length - 1;
      this.chosen = SORTS[(SORTS.indexOf(this.sort) + step) % SORTS.length]!;
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

const percent = (share: number): string => `${(100 * (share || 0)).toFixed(1)}%`;

/** Exits of a reason a second between two samples. */
function perSecond(name: string, before: RateSample, after: RateSample): number {
  return (((after.counts[name] ?? 0) - (before.counts[name] ?? 0)) * 1000) / Math.max(1, after.ms - before.ms);
}
