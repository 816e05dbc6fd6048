/** Lines of text over the panes: help, messages, answers. */
import type { CellPane, Segment } from './screen/cell-pane.js';
import { INVERSE } from './screen/theme.js';

const MAX_COLUMNS = 100;

export class TextPopup {
  private text:
    | {
        title: string;
        whole: Segment[][];
        lines: Segment[][];
        top: number;
        choose?: (line: number) => void;
        at: number;
      }
    | undefined;

  constructor(readonly cells: CellPane) {}

  get open(): boolean {
    return this.text !== undefined;
  }

  /** @param choose what Enter does with the line under the cursor; then lines are cut, not broken */
  show(title: string, lines: Segment[][], choose?: (line: number) => void): void {
    this.text = { title, whole: lines, lines, top: 0, at: 0, ...(choose ? { choose } : {}) };
  }

  close(): void {
    this.text = undefined;
  }

  scroll(lines: number): void {
    const { text } = this;
    if (!text) return;
    if (text.choose) text.at = Math.max(0, Math.min(text.lines.length - 1, text.at + lines));
    else text.top += lines;
  }

  /** Scrolls; any other key closes it. */
  key(name: string): void {
    const page = Math.max(1, this.cells.height - 1);
    const steps: Record<string, number> = { up: -1, k: -1, down: 1, j: 1, pageup: -page, pagedown: page, space: page };
    const far = Number.MAX_SAFE_INTEGER;
    if (name === 'home') this.scroll(-far);
    else if (name === 'end') this.scroll(far);
    else if (steps[name] !== undefined) this.scroll(steps[name]!);
    else if (name === 'enter' && this.text?.choose) {
      const { choose, at } = this.text;
      this.close();
      choose(at);
    } else this.close();
  }

  draw(columns: number, rows: number): void {
    const { cells, text } = this;
    cells.visible = text !== undefined;
    if (!text) return;
    const { theme } = cells;
    const width = Math.min(columns, MAX_COLUMNS);
    text.lines = text.choose ? text.whole : text.whole.flatMap((line) => wrapped(line, width - 2));
    const height = Math.min(rows, Math.max(5, Math.min(text.lines.length + 2, rows - 2)));
    cells.place({ x: (columns - width) >> 1, y: (rows - height) >> 1, width, height });
    cells.clear(theme.popup);
    const scrolls = text.lines.length > height - 2 ? '  ↑ ↓ PgDn scroll' : '';
    const more = text.choose ? '  ↑ ↓  Enter goes there' : scrolls;
    cells.frame({ focused: true, first: true, last: true });
    cells.heading([[` ${text.title} `], [` Esc closes${more} `, theme.dim]]);
    const last = Math.max(0, text.lines.length - cells.height);
    if (text.choose) text.top = Math.max(text.at - cells.height + 1, Math.min(text.at, text.top));
    text.top = Math.max(0, Math.min(last, text.top));
    for (let y = 0; y < cells.height; y++) {
      const line = text.lines[text.top + y];
      if (!line) break;
      cells.line(
        y,
        line.map(([part, attr]) => [part, attr ?? theme.popup] as const),
      );
      if (text.choose && text.top + y === text.at) cells.shade(0, y, cells.width, (attr) => attr ^ (INVERSE << 18));
    }
  }
}

/**
 * A line that is longer than `width` goes on in further ones, indented: by two where it is one segment, below the text
 * where that stands behind a label. Of three and more the last goes to a line of its own.
 */
function wrapped(line: Segment[], width: number): Segment[][] {
  const label: Segment[] = line.length === 2 ? [line[0]!] : [];
  const from = label[0]?.[0].length ?? 0;
  const [text, attr] = line.at(-1) ?? [''];
  if (line.length > 2) {
    const [start] = line[0]!;
    if (line.reduce((sum, [part]) => sum + part.length, 0) <= width || start.length > width >> 1) return [line];
    return [...wrapped(line.slice(0, -1), width), ...wrapped([[' '.repeat(start.length)], [text, attr]], width)];
  }
  if (from > width >> 1 || from + text.length <= width) return [line];
  const indent = ' '.repeat(label.length ? from : Math.min(/^ */.exec(text)![0].length + 2, width >> 1));
  const lines: Segment[][] = [];
  for (let rest = text; rest; ) {
    const room = Math.max(1, lines.length === 0 ? width - from : width - indent.length);
    const cut = rest.length > room ? lineEnd(rest, room, width - indent.length) : room;
    lines.push(lines.length === 0 ? [...label, [rest.slice(0, cut), attr]] : [[indent + rest.slice(0, cut), attr]]);
    rest = rest.slice(cut).replace(/^ /, '');
  }
  return lines;
}

/** Where the first line of `text` ends: before the word that passes `room`, unless a whole line (`next`) cannot hold that word. */
function lineEnd(text: string, room: number, next: number): number {
  const space = text.lastIndexOf(' ', room);
  const word = text.slice(space + 1).split(' ', 1)[0]!;
  return text.slice(0, Math.max(0, space)).trim() === '' || word.length > next ? room : space;
}
