/** A pane of lines that only scrolls. */
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { Pane, type PaneKey } from './pane.js';

export abstract class TextPane extends Pane {
  private shown = 1;

  /** The lines for a width, or undefined with the reason already drawn. */
  protected abstract lines(cells: CellPane): Segment[][] | undefined;

  override draw(cells: CellPane): void {
    const lines = this.lines(cells);
    if (!lines) return;
    this.shown = cells.height;
    this.top = Math.max(0, Math.min(this.top, lines.length - cells.height));
    for (let y = 0; y < cells.height && this.top + y < lines.length; y++) cells.line(y, lines[this.top + y]!);
    const below = lines.length - this.top - cells.height;
    if (below > 0) {
      const text = ` ↓${below} `;
      cells.put(cells.width - text.length, cells.height - 1, text, this.theme.dim);
    }
  }

  override key({ name }: PaneKey): boolean {
    const steps: Record<string, number> = { up: -1, k: -1, down: 1, j: 1, pageup: -this.shown, pagedown: this.shown };
    if (name === 'home') this.top = 0;
    else if (name === 'end') this.top = Number.MAX_SAFE_INTEGER;
    else if (steps[name] !== undefined) this.top = Math.max(0, this.top + steps[name]!);
    else return false;
    return true;
  }
}
