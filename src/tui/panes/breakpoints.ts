/** Breakpoints, watchpoints and exit breakpoints. */
import { conditionText, mannerText, whenText } from '../../commands/breakpoint-text.js';
import type { Breakpoint } from '../../engine/debugger.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { hex } from '../screen/text.js';
import { Pane, type PaneKey } from './pane.js';

export class BreakpointsPane extends Pane {
  readonly id = 'breakpoints';
  override readonly keys = [
    ['Enter', 'enter', 'on or off'],
    ['d', 'd', 'delete'],
    ['e', 'e', 'condition'],
  ] as const;
  override readonly clickEnters = true;
  private rows: Breakpoint[] = [];

  override title(): Segment[] {
    return [[' Breakpoints '], [' Enter on/off  d delete  e condition ', this.theme.dim]];
  }

  override draw(cells: CellPane, focused: boolean): void {
    const source = this.model.breakpoints();
    if (!this.have(cells, source)) return;
    this.rows = source.value;
    const { theme } = this;
    if (this.rows.length === 0) cells.put(1, 0, 'none: b at the cursor, :break ADDR, :break vmexit REASON', theme.dim);
    this.list(
      cells,
      this.rows.length,
      focused,
      (index) => {
        const row = this.rows[index]!;
        return [
          [row.enabled ? '● ' : '○ ', theme.bp],
          [`${row.id}`.padEnd(3), theme.dim],
          [this.text(row), row.enabled ? theme.normal : theme.dim],
          [mannerText(row) && `  ${mannerText(row)}`, row.enabled ? theme.label : theme.dim],
          [row.hits ? `  ${row.hits}×` : '', theme.number],
          [row.label ? `  ${row.label}` : '', theme.dim],
        ];
      },
      (index) => String(this.rows[index]!.id),
    );
  }

  private text(row: Breakpoint): string {
    switch (row.kind) {
      case 'execute': {
        const label = this.model.symbols.label(row.gva);
        return `${row.action ? 'print' : 'break'} ${hex(row.gva)}${label ? ` ${label}` : ''}`;
      }
      case 'watch':
        return `${row.access} ${row.space} ${hex(row.address)}+${row.length}`;
      case 'exit':
        return `vmexit ${conditionText(row.condition)}`;
    }
  }

  override key({ name }: PaneKey): boolean {
    if (this.move(name)) return true;
    const row = this.rows[this.cursor];
    if (!row) return false;
    if (name === 'enter') this.ui.command(`${row.enabled ? 'disable' : 'enable'} ${row.id}`);
    else if (name === 'd' || name === 'delete') this.ui.command(`delete ${row.id}`);
    else if (name === 'e') this.ui.prompt(`condition ${row.id} ${whenText(row) ?? ''}`);
    else return false;
    return true;
  }

  override click(row: number): void {
    this.cursor = this.top + row;
  }

  override copy(): string | undefined {
    const row = this.rows[this.cursor];
    return row && this.text(row);
  }
}
