/** What EPT maps, as ranges. */
import type { EptRange } from '../../engine/debugger.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { hex, size } from '../screen/text.js';
import { matches, Pane, type PaneKey } from './pane.js';

export class EptPane extends Pane {
  readonly id = 'ept';
  override readonly keys = [
    ['Enter', 'enter', 'walk it'],
    ['/', '/', 'filter'],
  ] as const;
  override readonly clickEnters = true;
  override readonly filterable = true;
  private rows: EptRange[] = [];

  override title(): Segment[] {
    return [
      [' EPT ranges '],
      [` gpa → hpa  Enter walks it${this.filterText ? `  / ${this.filterText}` : ''} `, this.theme.dim],
    ];
  }

  override draw(cells: CellPane, focused: boolean): void {
    const source = this.model.eptRanges();
    if (!this.have(cells, source)) return;
    this.rows = source.value.filter((range) =>
      matches(this.filterText, `${hex(range.gpa)} ${range.label} ${permissions(range)}`),
    );
    const { theme } = this;
    const wide = cells.width >= 60;
    this.list(
      cells,
      this.rows.length,
      focused,
      (index) => {
        const range = this.rows[index]!;
        const extent = size(range.bytes).padStart(6);
        const detail = `${range.memoryType.padEnd(2)} ${wide ? `${size(BigInt(range.pageBytes)).padStart(2)} ${extent} ` : ''}`;
        return [
          [` ${hex(range.gpa, 8)}`, theme.number],
          [wide ? `-${hex(range.gpa + range.bytes - 1n, 8)} ` : `${extent} `, theme.dim],
          [`→ ${hex(range.hpa, 8)} `],
          [permissions(range), range.write && range.execute ? theme.ok : theme.warn],
          [` ${detail}`, theme.dim],
          [range.label, theme.label],
        ];
      },
      (index) => hex(this.rows[index]!.gpa),
    );
  }

  override key({ name }: PaneKey): boolean {
    if (this.move(name)) return true;
    const range = this.rows[this.cursor];
    if (name !== 'enter' || !range) return false;
    this.ui.gotoMemory(range.gpa, 'gpa');
    return true;
  }

  override click(row: number): void {
    this.cursor = this.top + row;
  }

  override copy(): string | undefined {
    const range = this.rows[this.cursor];
    return (
      range &&
      `${hex(range.gpa)}-${hex(range.gpa + range.bytes - 1n)} → ${hex(range.hpa)} ${permissions(range)} ${range.label}`
    );
  }
}

export function permissions(range: Pick<EptRange, 'read' | 'write' | 'execute'>): string {
  return (range.read ? 'r' : '-') + (range.write ? 'w' : '-') + (range.execute ? 'x' : '-');
}
