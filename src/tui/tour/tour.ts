/** The tour of `vmscope demo`: a strip above the foot that explains a step, sees when it is done, and can be left and come back to. */
import { wrap } from '../panes/pane.js';
import type { CellPane } from '../screen/cell-pane.js';
import { TOUR, type TourFacts } from './steps.js';

/** What a click on the strip means. */
export type TourButton =
  | { kind: 'next' | 'back' | 'leave' }
  | { kind: 'command'; line: string }
  | { kind: 'key'; name: string };

interface Area {
  x: number;
  y: number;
  width: number;
  button: TourButton;
}

export class Tour {
  at = 0;
  open = true;
  private before: TourFacts | undefined;
  private readonly finished = TOUR.map(() => false);
  private commands = new Set<string>();
  private areas: Area[] = [];
  /** Rows of the strip for a width. */
  private rows = new Map<number, number>();

  get step() {
    return TOUR[this.at]!;
  }

  get done(): boolean {
    return this.finished[this.at]!;
  }

  /** A command ran without an error. */
  noteCommand(name: string): void {
    this.commands.add(name);
  }

  get commandsGiven(): ReadonlySet<string> {
    return this.commands;
  }

  /** Looks whether the step is done. */
  look(now: TourFacts): void {
    this.before ??= now;
    if (this.done) return;
    const { step } = this;
    this.finished[this.at] = step.lacks?.(now) !== undefined || step.done(now, this.before);
    this.lack = step.lacks?.(now);
  }
  private lack: string | undefined;

  /** Opens it again, or goes to another step. */
  go(step: 1 | -1): void {
    if (!this.open) {
      this.open = true;
      return;
    }
    const next = this.at + step;
    if (next >= TOUR.length) this.open = false;
    this.at = Math.max(0, Math.min(TOUR.length - 1, next));
    this.before = undefined;
    this.commands = new Set();
    this.lack = undefined;
  }

  /** Rows that the strip takes: as many as its longest step needs, so that nothing moves from step to step. */
  height(columns: number): number {
    if (!this.open) return 0;
    let rows = this.rows.get(columns);
    if (rows === undefined) {
      const width = columns - 4;
      rows = 3 + Math.max(...TOUR.map((step) => wrap(step.text, width).length + wrap(step.todo, width - 2).length));
      this.rows.set(columns, rows);
    }
    return rows;
  }

  draw(cells: CellPane): void {
    const { theme } = cells;
    const { step, done } = this;
    this.areas = [];
    const count = this.finished.filter(Boolean).length;
    cells.clear();
    cells.frame({ focused: false, first: true, last: true });
    cells.heading([
      [` Tour ${this.at + 1} of ${TOUR.length}: ${step.title} `],
      [` ${count} done `, count ? theme.ok : theme.dim],
    ]);
    const width = cells.width - 2;
    let y = 0;
    for (const line of wrap(step.text, width)) cells.put(1, y++, line);
    const todo = done ? (this.lack === undefined ? 'Done.' : `Not here: ${this.lack}.`) : step.todo;
    const attr = done ? theme.ok : theme.warn;
    for (const [n, line] of wrap(todo, width - 2).entries())
      this.todo(cells, y++, n ? '  ' : done ? '✓ ' : '► ', line, attr);
    this.buttons(cells, cells.height - 1);
  }

  /** What stands in `[]` can be clicked too. */
  private todo(cells: CellPane, y: number, mark: string, line: string, attr: number): void {
    let x = cells.put(1, y, mark, attr);
    for (const part of line.split(/(\[[^\]]*\]?)/)) {
      const word = /^\[([^\]]+)\]$/.exec(part)?.[1];
      if (word !== undefined) this.area(cells, x, y, part.length, buttonOf(word));
      x = cells.put(x, y, part, part.startsWith('[') ? cells.theme.key : attr);
    }
  }

  private area(cells: CellPane, x: number, y: number, width: number, button: TourButton): void {
    const { x: left, y: top } = cells.rectangle;
    this.areas.push({ x: left + 1 + x, y: top + 1 + y, width, button });
  }

  private buttons(cells: CellPane, y: number): void {
    const { theme } = cells;
    let x = 1;
    const put = (text: string, attr: number, button: TourButton) => {
      if (x + text.length > cells.width) return;
      this.area(cells, x, y, text.length, button);
      x = cells.put(x, y, text, attr) + 1;
    };
    if (this.at > 0) put('[R back]', theme.key, { kind: 'back' });
    const last = this.at === TOUR.length - 1;
    put(last ? '[T ends the tour]' : this.done ? '[T next step]' : '[T skip]', this.done ? theme.sel : theme.key, {
      kind: 'next',
    });
    put('[leave]', theme.key, { kind: 'leave' });
    if (!this.done)
      for (const line of this.step.commands ?? []) put(`[:${line}]`, theme.label, { kind: 'command', line });
  }

  buttonAt(x: number, y: number): TourButton | undefined {
    return this.areas.find((area) => area.y === y && x >= area.x && x < area.x + area.width)?.button;
  }
}

/** `:memory rsp`, `Tab`, `e` */
function buttonOf(word: string): TourButton {
  return word.startsWith(':')
    ? { kind: 'command', line: word.slice(1) }
    : { kind: 'key', name: word === 'Tab' ? 'tab' : word };
}
