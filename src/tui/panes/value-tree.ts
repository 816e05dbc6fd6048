/** Values that unfold: lines of a tree, each an expression of its own. */
import { type TreeValue, treeValue } from '../../commands/value-tree.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import type { Source } from '../sources.js';
import { Pane, type PaneKey } from './pane.js';

interface Line {
  name: string;
  expression: string;
  depth: number;
  /** Number among the roots. */
  root: number;
}

/** Lines of one tree that are looked at. */
const MAX_LINES = 2000;

export abstract class ValueTreePane extends Pane {
  override readonly clickEnters = true;
  private readonly open = new Set<string>();
  private lines: Line[] = [];
  /** Texts at this stop, and at the one before. */
  private now = new Map<string, string>();
  private before = new Map<string, string>();
  private halts = -1;

  /** Names and expressions of the trees; undefined while they are on their way. */
  protected abstract roots(): Source<readonly { name: string; expression: string }[]>;
  /** What is said where there are none. */
  protected abstract readonly none: string;

  override draw(cells: CellPane, focused: boolean): void {
    const { model, theme } = this;
    if (model.state.running) {
      cells.put(1, 0, 'variables are shown while the guest is stopped', theme.dim);
      return;
    }
    if (model.halts !== this.halts) {
      this.halts = model.halts;
      this.before = this.now;
      this.now = new Map();
    }
    const source = this.roots();
    if (!this.have(cells, source)) return;
    this.lines = [];
    for (const [root, { name, expression }] of source.value.entries())
      this.addLine({ name, expression, depth: 0, root });
    if (this.lines.length === 0) cells.put(1, 0, this.none, theme.dim);
    this.list(
      cells,
      this.lines.length,
      focused,
      (index) => this.row(this.lines[index]!, cells.width),
      (index) => `${this.lines[index]!.root} ${this.lines[index]!.expression}`,
    );
  }

  private addLine(line: Line): void {
    if (this.lines.push(line) > MAX_LINES || !this.open.has(line.expression)) return;
    for (const { name, expression } of this.value(line.expression).value?.parts ?? [])
      if (this.lines.length < MAX_LINES) this.addLine({ name, expression, depth: line.depth + 1, root: line.root });
  }

  private value(expression: string): Source<TreeValue> {
    return this.model.ask(`tree ${this.model.vcpu} ${expression}`, () => treeValue(this.ui.session, expression));
  }

  private row(line: Line, width: number): Segment[] {
    const { theme } = this;
    const { value } = this.value(line.expression);
    const text = value?.text ?? '…';
    if (value) this.now.set(line.expression, text);
    const old = this.before.get(line.expression);
    const changed = value !== undefined && old !== undefined && old !== text;
    const mark = value && value.parts.length > 0 ? (this.open.has(line.expression) ? '▾ ' : '▸ ') : '  ';
    const head = `${'  '.repeat(Math.min(line.depth, 16))}${mark}`;
    const room = Math.max(4, width - head.length - line.name.length - 5);
    return [
      [changed ? '*' : ' ', theme.changed],
      [head, theme.dim],
      [line.name, theme.label],
      [' = ', theme.dim],
      [
        text.length > room ? `${text.slice(0, room - 1)}…` : text,
        value?.failed ? theme.warn : changed ? theme.changed : theme.normal,
      ],
    ];
  }

  protected get chosen(): Line | undefined {
    return this.lines[this.cursor];
  }

  override key({ name }: PaneKey): boolean {
    if (this.move(name)) return true;
    const line = this.chosen;
    if (line === undefined) return false;
    const { expression } = line;
    if (name === 'enter') {
      if (!this.open.delete(expression)) this.open.add(expression);
      return true;
    }
    if (name === 'right') {
      this.open.add(expression);
      return true;
    }
    if (name === 'left') {
      if (this.open.delete(expression)) return true;
      // to what it is a part of
      for (let at = this.cursor - 1; at >= 0; at--)
        if (this.lines[at]!.depth < line.depth) {
          this.cursor = at;
          break;
        }
      return true;
    }
    if (name === 'e') {
      this.ui.prompt(`set ${expression} = `);
      return true;
    }
    return false;
  }

  override click(row: number): void {
    this.cursor = this.top + row;
  }

  override copy(): string | undefined {
    const line = this.chosen;
    return line && `${line.expression} = ${this.now.get(line.expression) ?? ''}`;
  }
}
