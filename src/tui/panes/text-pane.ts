/** A pane of lines that only scrolls. */
import { NothingThere } from '../../commands/command.js';
import { counted } from '../../engine/counted.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import { onBackground } from '../screen/theme.js';
import { matches, Pane, type PaneKey } from './pane.js';

export abstract class TextPane extends Pane {
  private shown = 1;
  private content: string[] = [];
  /** Lines that match this are marked. */
  private found = '';
  private foundAt = -1;

  override get rowsWanted(): number {
    return this.content.length;
  }

  /** The lines for a width, or undefined with the reason already drawn. */
  protected abstract lines(cells: CellPane): Segment[][] | undefined;

  override draw(cells: CellPane, _focused: boolean): void {
    const lines = this.lines(cells);
    if (!lines) return;
    this.content = lines.map((line) => line.map(([text]) => text).join(''));
    this.shown = cells.height;
    this.top = Math.max(0, Math.min(this.top, lines.length - cells.height));
    for (let y = 0; y < cells.height && this.top + y < lines.length; y++) {
      cells.line(y, lines[this.top + y]!);
      if (this.found && matches(this.found, this.content[this.top + y]!))
        cells.shade(0, y, cells.width, (attr) => onBackground(attr, this.theme.sel));
    }
    const below = lines.length - this.top - cells.height;
    if (below > 0) {
      const text = ` ↓${below} `;
      cells.put(cells.width - text.length, cells.height - 1, text, this.theme.dim);
    }
  }

  /** Scrolls so that a line can be seen. */
  protected reveal(line: number): void {
    this.top = Math.max(line - this.shown + 1, Math.min(this.top, line));
  }

  override find(text: string): string {
    this.foundAt = text === this.found ? this.foundAt : -1;
    this.found = text;
    const at = (n: number) => (this.foundAt + 1 + n) % this.content.length;
    for (let n = 0; n < this.content.length; n++) {
      if (!matches(text, this.content[at(n)]!)) continue;
      this.foundAt = at(n);
      this.reveal(this.foundAt);
      const count = this.content.filter((line) => matches(text, line)).length;
      return `${counted(count, 'line')}; / Enter goes to the next, Esc ends`;
    }
    this.found = '';
    throw new NothingThere(`"${text}" is not here`);
  }

  /** Takes the marks of a search away. @returns whether there were any. */
  protected endFind(): boolean {
    const had = this.found !== '';
    this.found = '';
    return had;
  }

  override key({ name }: PaneKey): boolean {
    const steps: Record<string, number> = { up: -1, k: -1, down: 1, j: 1, pageup: -this.shown, pagedown: this.shown };
    if (name === 'escape') return this.endFind();
    if (name === 'home') this.top = 0;
    else if (name === 'end') this.top = Number.MAX_SAFE_INTEGER;
    else if (steps[name] !== undefined) this.top = Math.max(0, this.top + steps[name]!);
    else return false;
    return true;
  }
}
