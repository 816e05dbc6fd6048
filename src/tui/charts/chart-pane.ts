/** Panes that draw a chart beside the list of what it is of. */

import { Pane, type PaneKey, type PaneKeyHelp } from '../panes/pane.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { type ChartCell, type ChartMakers, chartMakers, paint } from './widget.js';

/** One line of a chart, or what a bar chart is of. */
export interface Series {
  readonly name: string;
  /** Beside its name. */
  readonly note: string;
  readonly values: readonly number[];
}

/** Names of blessed-contrib's colours by the order of the series; cells get a role of the theme for each. */
const LINES = ['red', 'green', 'yellow', 'blue', 'magenta', 'cyan'] as const;
const TEXT = 'white';
const AXIS = 'black';
/** Cells of the list. */
const LIST = 34;
const LEAST_CHART = 24;
const LEAST_ROWS = 6;

export abstract class ChartPane extends Pane {
  override readonly keys: readonly PaneKeyHelp[] = [['Enter', 'enter', 'this one alone, or all']];
  override readonly clickEnters = true;
  protected series: readonly Series[] = [];
  /** Shown alone. */
  protected alone: string | undefined;
  private painted: { key: string; cells: ChartCell[][] } | undefined;

  /** What is drawn, or undefined with the reason already shown. */
  protected abstract collect(cells: CellPane): readonly Series[] | undefined;
  /** @param shown those of the series that are to be seen */
  protected abstract picture(
    makers: ChartMakers,
    shown: readonly Shown[],
    width: number,
    height: number,
  ): ChartCell[][];

  override draw(cells: CellPane, focused: boolean): void {
    const series = this.collect(cells);
    if (!series) return;
    this.series = series;
    this.stayOnRow(series.length, (index) => series[index]!.name);
    const list = cells.width >= LIST + LEAST_CHART ? LIST : 0;
    if (list > 0 || cells.height < LEAST_ROWS + 1) this.drawList(cells, list || cells.width, focused);
    if (list === 0 && cells.height < LEAST_ROWS + 1) return;
    this.drawChart(cells, list);
  }

  /** A line's colour does not tell it from others where there is none, so it stands alone there. */
  private get shown(): Shown[] {
    const all = this.series.map((series, index) => ({ series, colour: LINES[index % LINES.length]! }));
    const { depth } = this.theme;
    const alone = this.alone ?? (depth === 0 || this.single ? this.series[this.cursor]?.name : undefined);
    return alone === undefined ? all.slice(0, LINES.length) : all.filter(({ series }) => series.name === alone);
  }

  /** The picture is of the one under the cursor. */
  protected readonly single: boolean = false;

  private drawList(cells: CellPane, width: number, focused: boolean): void {
    const shown = new Set(this.shown.map(({ series }) => series.name));
    this.clamp(this.series.length, cells.height);
    for (let y = 0; y < cells.height && this.top + y < this.series.length; y++) {
      const index = this.top + y;
      const { name, note } = this.series[index]!;
      const room = Math.max(1, width - note.length - 5);
      const row: Segment[] = [
        [shown.has(name) ? ' ● ' : '   ', this.single ? this.theme.key : this.role(index)],
        [name.slice(0, room).padEnd(room), this.theme.mnemonic],
        [` ${note}`, this.theme.number],
      ];
      cells.line(y, row, 0, width - 1);
      if (focused && index === this.cursor) this.highlightPart(cells, y, width - 1);
    }
  }

  private highlightPart(cells: CellPane, y: number, width: number): void {
    const { sel } = this.theme;
    cells.shade(0, y, width, () => sel);
  }

  private role(index: number): number {
    const { crit, ok, warn, key, symbol, mnemonic } = this.theme;
    return [crit, ok, warn, key, symbol, mnemonic][index % LINES.length]!;
  }

  private drawChart(cells: CellPane, x: number): void {
    const makers = chartMakers(() => this.ui.dirty());
    if (!makers) {
      cells.put(x + 1, 0, '…', this.theme.dim);
      return;
    }
    const [width, height] = [cells.width - x, cells.height];
    const shown = this.shown;
    if (shown.length === 0 || shown.every(({ series }) => series.values.length === 0)) {
      cells.put(x + 1, 0, 'nothing to draw yet', this.theme.dim);
      return;
    }
    const key = JSON.stringify([width, height, shown]);
    if (this.painted?.key !== key) this.painted = { key, cells: this.picture(makers, shown, width, height) };
    for (const [y, row] of this.painted.cells.slice(0, height).entries()) {
      for (const [column, cell] of row.slice(0, width).entries()) {
        if (cell.filled !== undefined && cell.character === ' ') cells.put(x + column, y, '█', this.attr(cell.filled));
        else if (cell.character !== ' ') cells.put(x + column, y, cell.character, this.attr(cell.colour));
      }
    }
  }

  private attr(colour: number | undefined): number {
    const { dim, border } = this.theme;
    const order = [1, 2, 3, 4, 5, 6].indexOf(colour ?? 7);
    return colour === 0 ? border : order < 0 ? dim : this.role(order);
  }

  override key({ name }: PaneKey): boolean {
    if (this.move(name)) {
      this.cursor = Math.min(this.cursor, Math.max(0, this.series.length - 1));
      if (this.alone !== undefined) this.alone = this.series[this.cursor]?.name;
      return true;
    }
    const chosen = this.series[this.cursor];
    if (name !== 'enter' || !chosen) return false;
    this.alone = this.alone === undefined ? chosen.name : undefined;
    return true;
  }

  override click(row: number): void {
    this.cursor = Math.min(this.top + row, Math.max(0, this.series.length - 1));
  }

  override copy(): string | undefined {
    const chosen = this.series[this.cursor];
    return chosen && `${chosen.name} ${chosen.values.join(' ')}`;
  }
}

export interface Shown {
  readonly series: Series;
  readonly colour: (typeof LINES)[number];
}

/** Lines over time. @param labels under the columns @param most the axis goes up to this at least */
export function linePicture(
  { Line }: ChartMakers,
  shown: readonly Shown[],
  labels: readonly string[],
  width: number,
  height: number,
  most: number,
): ChartCell[][] {
  const top = Math.max(most, ...shown.flatMap(({ series }) => series.values)) * 1.1;
  const options = {
    ...{ style: { line: 'yellow', text: TEXT, baseline: AXIS }, maxY: top, minY: 0 },
    ...{ xPadding: 5, xLabelPadding: 3, numYLabels: Math.max(1, Math.min(5, Math.floor(height / 3))) },
    ...{ abbreviate: true, wholeNumbersOnly: top >= 10 },
  };
  const data = shown.map(({ series, colour }) => ({ x: labels, y: series.values, style: { line: colour } }));
  return paint(Line, options, { width: 2 * width, height: 4 * height }, data);
}

/** Cells of a bar at most. */
const MOST_BAR = 12;

/** A bar a value. */
export function barPicture(
  { Bar }: ChartMakers,
  values: readonly number[],
  titles: readonly string[],
  colour: Shown['colour'],
  width: number,
  height: number,
): ChartCell[][] {
  const step = Math.max(9, Math.floor((width - 2) / Math.max(1, values.length)));
  const options = {
    ...{ barWidth: Math.min(MOST_BAR, step - 3), barSpacing: Math.min(MOST_BAR + 3, step), xOffset: 1, maxHeight: 1 },
    ...{ barBgColor: colour, barFgColor: TEXT, labelColor: TEXT },
  };
  const fits = Math.max(1, Math.floor((width - 1) / step));
  return paint(
    Bar,
    options,
    { width, height: height + 2 },
    { titles: titles.slice(0, fits), data: values.slice(0, fits) },
  );
}
