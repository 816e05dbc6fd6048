/** Exits by reason: how many, how fast, where from. */
import { exitReasonByName } from '../facts.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { grouped, rate, sparkline } from '../screen/text.js';
import { matches, Pane, type PaneKey } from './pane.js';

interface Row {
  name: string;
  count: number;
  rate: number;
  history: number[];
}

const SORTS = ['count', 'rate', 'name'] as const;

export class ReasonsPane extends Pane {
  readonly id = 'reasons';
  override readonly filterable = true;
  private rows: Row[] = [];
  private total = 0;
  private sort: (typeof SORTS)[number] = 'count';
  private reversed = false;

  override title(): Segment[] {
    const filter = this.filterText ? `  / ${this.filterText}` : '';
    return [
      [' Reasons '],
      [` ${grouped(this.total)} exits  sort: ${this.sort}${this.reversed ? ' ▲' : ' ▼'}${filter} `, this.theme.dim],
    ];
  }

  override draw(cells: CellPane, focused: boolean): void {
    const source = this.model.counts();
    if (!this.have(cells, source)) return;
    this.collect(source.value);
    const { theme } = this;
    const wide = cells.width >= 90;
    const heading = `${' REASON'.padEnd(21)}${'COUNT'.padStart(10)}${'RATE/s'.padStart(9)}${'SHARE'.padStart(8)}  `;
    cells.line(0, [
      [heading, theme.dim],
      [wide ? `${'LAST 60 s'.padEnd(31)}${'LAST RIP'}` : '', theme.dim],
    ]);
    const body = cells.height - 1;
    this.clamp(this.rows.length, body);
    for (let y = 0; y < body && this.top + y < this.rows.length; y++) {
      const index = this.top + y;
      const row = this.rows[index]!;
      const share = this.total ? (100 * row.count) / this.total : 0;
      const segments: Segment[] = [
        [` ${row.name.padEnd(20).slice(0, 20)}`, theme.mnemonic],
        [grouped(row.count).padStart(10), theme.number],
        [(row.rate ? rate(row.rate) : '-').padStart(9)],
        [`${share.toFixed(1)}%`.padStart(8)],
        ['  '],
      ];
      if (wide) segments.push([`${sparkline(row.history, 30)} `, theme.ok], [this.lastRip(row.name), theme.symbol]);
      cells.line(y + 1, segments);
      if (index === this.cursor) this.highlight(cells, y + 1, focused);
    }
  }

  private collect(counts: Record<string, number>): void {
    const { samples } = this.model;
    const first = samples.at(-2);
    const last = samples.at(-1);
    const seconds = first && last ? (last.ms - first.ms) / 1000 : 0;
    this.total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const rows = Object.entries(counts)
      .filter(([name]) => matches(this.filterText, name))
      .map(([name, count]) => ({
        name,
        count,
        rate: seconds > 0 ? ((last!.counts[name] ?? 0) - (first!.counts[name] ?? 0)) / seconds : 0,
        history: samples.slice(1).map((sample, n) => (sample.counts[name] ?? 0) - (samples[n]!.counts[name] ?? 0)),
      }));
    const order = {
      count: (a: Row, b: Row) => b.count - a.count,
      rate: (a: Row, b: Row) => b.rate - a.rate,
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
      this.sort = SORTS[(SORTS.indexOf(this.sort) + step) % SORTS.length]!;
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
