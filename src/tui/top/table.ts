/** A table with a cursor that stays on its row while rows move, in any of the views. */
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { onBackground, type Theme } from '../screen/theme.js';
import { type CellOptions, type Column, cell, chosenColumns, fitting, sorted, titleOf } from './columns.js';

export interface TableOptions extends CellOptions {
  sort: string;
  reversed: boolean;
}

/** Columns up to this are missed where they are left out. */
const ASKED_FOR = 7;

export class Table<Row> {
  private rows: Row[] = [];
  private shown: Column<Row>[] = [];
  /** Those that the user wants to see, by their ids; undefined: all. */
  wanted: readonly string[] | undefined;
  /** Columns in which no row has anything. */
  private empty = new Set<Column<Row>>();
  /** Key of the row under the cursor. */
  chosen: string | undefined;
  private at = 0;
  private top = 0;
  private height = 1;

  constructor(
    readonly columns: readonly Column<Row>[],
    private readonly key: (row: Row) => string,
    private readonly name: (row: Row) => string,
    private readonly colour: (column: Column<Row>, row: Row, theme: Theme) => number,
  ) {}

  /** Takes new rows; the cursor follows its row, and stays at its place when that has gone. */
  set(rows: readonly Row[], options: TableOptions): void {
    const column = this.columns.find(({ id }) => id === options.sort) ?? this.columns[0]!;
    this.rows = sorted(rows, column, options.reversed, options, this.name);
    this.empty = new Set(this.columns.filter((one) => rows.every((row) => one.text(row, options) === undefined)));
    const found = this.rows.findIndex((row) => this.key(row) === this.chosen);
    this.at = Math.max(0, Math.min(this.rows.length - 1, found >= 0 ? found : this.at));
    this.chosen = this.rows.length ? this.key(this.rows[this.at]!) : undefined;
  }

  get row(): Row | undefined {
    return this.rows[this.at];
  }

  get length(): number {
    return this.rows.length;
  }

  get page(): number {
    return Math.max(1, this.height - 1);
  }

  move(step: number): void {
    this.choose(this.at + step);
  }

  private choose(at: number): void {
    this.at = Math.max(0, Math.min(this.rows.length - 1, at));
    this.chosen = this.rows.length ? this.key(this.rows[this.at]!) : undefined;
  }

  /** @param y line of the pane: 0 is the header. @returns the column's id when its title was clicked */
  click(x: number, y: number): string | undefined {
    if (y > 0) {
      if (this.top + y - 1 < this.rows.length) this.choose(this.top + y - 1);
      return undefined;
    }
    let left = 0;
    for (const column of this.shown) {
      if (x >= left && x < left + column.width) return column.id;
      left += column.width;
    }
    return undefined;
  }

  /** The next column in the order on the screen. */
  beside(id: string, step: number): string {
    const at = this.shown.findIndex((column) => column.id === id);
    return this.shown[(at + step + this.shown.length) % this.shown.length]?.id ?? id;
  }

  /** @param spare lines at the foot of the pane that are not the table's */
  draw(pane: CellPane, options: TableOptions, empty: string, spare = 0): void {
    const { theme } = pane;
    const chosen = chosenColumns(this.columns, this.wanted);
    // what was asked for by name is not left out for being empty
    const bare = this.wanted ? undefined : this.empty;
    this.shown = fitting(chosen, pane.width, options.sort, bare);
    let x = 0;
    for (const column of this.shown) {
      const isSort = column.id === options.sort;
      const title = `${titleOf(column, options)}${isSort ? (options.reversed ? '▲' : '▼') : ''}`;
      x = pane.put(x, 0, cell(column, title), isSort ? theme.title : theme.dim);
    }
    this.height = Math.max(1, pane.height - 1 - spare);
    this.top = Math.max(0, Math.min(this.top, this.at, this.rows.length - this.height));
    if (this.at >= this.top + this.height) this.top = this.at - this.height + 1;
    if (this.rows.length === 0) pane.put(1, 2, empty, theme.dim);
    for (let y = 0; y < this.height && this.top + y < this.rows.length; y++) {
      const row = this.rows[this.top + y]!;
      const segments = this.shown.map((column): Segment => {
        const text = column.text(row, options);
        return [cell(column, text ?? '-'), text === undefined ? theme.dim : this.attribute(column, row, theme)];
      });
      pane.line(y + 1, segments);
      if (this.top + y === this.at) pane.shade(0, y + 1, pane.width, (attr) => onBackground(attr, theme.sel));
    }
  }

  /** Columns in which the row under the cursor has nothing: on the screen, or left out since no row has anything. */
  emptyCells(options: TableOptions): { id: string; title: string }[] {
    const { row } = this;
    if (!row) return [];
    const asked = (column: Column<Row>) =>
      this.shown.includes(column) ||
      (this.wanted === undefined && this.empty.has(column) && column.dispensable <= ASKED_FOR);
    const empty = this.columns.filter((column) => asked(column) && column.text(row, options) === undefined);
    return empty.map((column) => ({ id: column.id, title: titleOf(column, options) }));
  }

  /** Puts the cursor on the first row for which it holds, if there is one. */
  seek(wanted: (row: Row) => boolean): void {
    const at = this.rows.findIndex(wanted);
    if (at >= 0) this.choose(at);
  }

  /** Rows above and below what is on the screen. */
  hidden(): [above: number, below: number] {
    return [this.top, Math.max(0, this.rows.length - this.top - this.height)];
  }

  /** The rows on the screen. */
  visible(): Row[] {
    return this.rows.slice(this.top, this.top + this.height);
  }

  private attribute(column: Column<Row>, row: Row, theme: Theme): number {
    const alarm = column.alarm?.(row);
    return alarm ? theme[alarm] : this.colour(column, row, theme);
  }
}
