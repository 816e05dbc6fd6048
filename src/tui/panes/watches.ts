/** Expressions that are looked at again at each stop. */
import type { Segment } from '../screen/cell-pane.js';
import type { Source } from '../sources.js';
import type { PaneKey } from './pane.js';
import { ValueTreePane } from './value-tree.js';

const MAX_WATCHED = 200;

export class WatchesPane extends ValueTreePane {
  readonly id = 'watches';
  override readonly keys = [
    ['Enter', 'enter', 'unfold, or fold'],
    ['a', 'a', 'add an expression'],
    ['d', 'd', 'delete it'],
    ['e', 'e', 'change its value'],
  ] as const;
  protected readonly none = 'none: a, or :display EXPRESSION, adds one';
  readonly expressions: string[] = [];

  override title(): Segment[] {
    return [[' Watched expressions '], [' Enter unfolds  a add  d delete  e change ', this.theme.dim]];
  }

  /** @throws Error where there are too many */
  add(expression: string): void {
    if (this.expressions.includes(expression)) return;
    if (this.expressions.length >= MAX_WATCHED) throw new Error(`${MAX_WATCHED} expressions are watched already`);
    this.expressions.push(expression);
  }

  /** @param number from 1, as `display` lists them @throws Error where there is none of that number */
  remove(number: number): void {
    if (this.expressions[number - 1] === undefined) throw new Error(`no watched expression ${number}`);
    this.expressions.splice(number - 1, 1);
  }

  protected override roots(): Source<readonly { name: string; expression: string }[]> {
    return { value: this.expressions.map((expression) => ({ name: expression, expression })), pending: false };
  }

  override key(key: PaneKey): boolean {
    if (key.name === 'a') {
      this.ui.prompt('display ');
      return true;
    }
    if (key.name === 'd' && this.chosen) {
      this.remove(this.chosen.root + 1);
      return true;
    }
    return super.key(key);
  }
}
