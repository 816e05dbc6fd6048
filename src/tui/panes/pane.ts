/** What every pane is: a title, a way to draw itself, and keys of its own. */

import type { Session } from '../../commands/command.js';
import type { Wanted } from '../../commands/search.js';
import type { ExitRecord } from '../../engine/debugger.js';
import type { Model } from '../model.js';
import type { Pictures } from '../picture/pictures.js';
import type { CellPane, Segment } from '../screen/cell-pane.js';
import type { Theme } from '../screen/theme.js';
import { onBackground } from '../screen/theme.js';
import type { Source } from '../sources.js';
import type { SubjectHelp } from '../subject-help.js';

/** What panes may do to the rest of the dashboard. */
export interface Ui {
  readonly model: Model;
  /** The guest as commands see it. */
  readonly session: Session;
  readonly theme: Theme;
  /** How the guest's screen can be shown; absent: as blocks in cells. */
  readonly pictures?: Pictures | undefined;
  /** Intel or AT&T. */
  syntax: 'intel' | 'att';
  /** The exit that the views explain: the one chosen in the trace, else the one at which the guest stands. */
  exit(): ExitRecord | undefined;
  selectExit(record: ExitRecord | undefined): void;
  /** Shows the code at an address. */
  gotoCode(address: bigint): void;
  /** Shows the memory at an address. */
  gotoMemory(address: bigint, space?: 'gva' | 'gpa' | 'hpa'): void;
  /** Opens the command line with this text in it. */
  prompt(text: string): void;
  /** Runs a command line. */
  command(line: string): void;
  filter(pane: string, text: string): void;
  /** What is to be looked for in memory, as the `search` command takes it. @throws Error in one line */
  memoryPattern(text: string): Promise<Wanted>;
  dirty(): void;
}

export interface PaneKey {
  /** `up`, `pageup`, `enter`, `C-t`, `S-tab`, or the character typed. */
  name: string;
}

/** As titles and the help show a key of a pane, as it is named, and what it does. */
export type PaneKeyHelp = readonly [shown: string, name: string, help: string];

export abstract class Pane {
  abstract readonly id: string;
  /** Its own keys. */
  readonly keys: readonly PaneKeyHelp[] = [];
  /** A click on the row under the cursor is Enter. */
  readonly clickEnters: boolean = false;

  /** What stands under the cursor. */
  explain(): SubjectHelp | undefined {
    return undefined;
  }

  /** What tells whether a click has found the row that the cursor was on. */
  get cursorAt(): unknown {
    return this.cursor;
  }
  /** Filter of the rows, typed after `/`. */
  filterText = '';
  readonly filterable: boolean = false;
  /** Takes every key, Escape too: something is being typed into the pane. */
  get modal(): boolean {
    return false;
  }
  /** Looks for what was typed after `/`, in a pane that has no rows to filter. @throws Error when it is not there. */
  find?(text: string): Promise<string> | string;
  protected cursor = 0;
  protected top = 0;

  constructor(protected readonly ui: Ui) {}

  abstract title(): Segment[];
  /** Draws into the inside of the frame. What it throws is shown in its place. */
  abstract draw(cells: CellPane, focused: boolean): void;

  /** @returns whether the key meant something here. */
  key(_key: PaneKey): boolean {
    return false;
  }
  /** A click at a row and column of the inside. */
  click(_row: number, _column: number): void {}
  /** The button that was pressed in the pane is held, here by now, inside or not; and let go. */
  drag(_row: number, _column: number): void {}
  drop(): void {}
  wheel(delta: number): void {
    this.key({ name: delta < 0 ? 'up' : 'down' });
  }
  /** What `y` copies. */
  copy(): string | undefined {
    return undefined;
  }

  /** Rows that all of its content takes; undefined: it shows more the more room it has. */
  get rowsWanted(): number | undefined {
    return undefined;
  }

  protected get model(): Model {
    return this.ui.model;
  }

  protected get theme(): Theme {
    return this.ui.theme;
  }

  /** Shows why there is nothing to show. @returns true when there is a value. */
  protected have<T>(cells: CellPane, source: Source<T>): source is Source<T> & { value: T } {
    if (source.value !== undefined) return true;
    this.reason(cells, source.error);
    return false;
  }

  /** The reason why there is nothing, wrapped. */
  protected reason(cells: CellPane, error: string | undefined): void {
    const lines = error ? wrap(error, cells.width - 2) : ['…'];
    for (const [y, line] of lines.entries()) cells.put(1, y, line, error ? this.theme.warn : this.theme.dim);
  }

  /**
   * Draws the rows of a list around its cursor.
   * @param name what a row is by, where rows come, go or change places: the cursor stays on the row of its name
   * @param head lines above it
   */
  protected list(
    cells: CellPane,
    count: number,
    focused: boolean,
    row: (index: number) => readonly Segment[],
    name?: (index: number) => string,
    head = 0,
  ): void {
    if (name) this.stayOnRow(count, name);
    const height = Math.max(0, cells.height - head);
    this.clamp(count, height);
    for (let y = 0; y < height && this.top + y < count; y++) {
      const index = this.top + y;
      cells.line(y + head, row(index));
      if (index === this.cursor) this.highlight(cells, y + head, focused);
    }
  }

  protected highlight(cells: CellPane, y: number, focused: boolean): void {
    if (focused) cells.shade(0, y, cells.width, (attr) => onBackground(attr, this.theme.sel));
  }

  protected clamp(count: number, height: number): void {
    this.cursor = Math.max(0, Math.min(count - 1, this.cursor));
    if (this.cursor < this.top) this.top = this.cursor;
    if (this.cursor >= this.top + height) this.top = this.cursor - height + 1;
    this.top = Math.max(0, Math.min(this.top, count - height));
    this.page = Math.max(1, height - 1);
  }
  private page = 10;

  /** Of the row under the cursor, in lists whose rows move. */
  private chosenRow: string | undefined;
  /** The cursor as it was left by `stayOnRow`: elsewhere it was moved. */
  private followedTo = -1;

  /** Puts the cursor to the row that it was on, wherever that is now; to its old place when that row has gone. */
  protected stayOnRow(count: number, name: (index: number) => string): void {
    if (count === 0) return;
    if (this.cursor === this.followedTo && this.chosenRow !== undefined) {
      const named = this.chosenRow;
      if (this.cursor >= count || name(this.cursor) !== named) {
        for (let index = 0; index < count; index++) if (name(index) === named) this.cursor = index;
      }
    }
    this.cursor = Math.max(0, Math.min(count - 1, this.cursor));
    this.chosenRow = name(this.cursor);
    this.followedTo = this.cursor;
  }

  /** Moves a list's cursor. */
  protected move(name: string): boolean {
    const steps: Record<string, number> = {
      up: -1,
      k: -1,
      down: 1,
      j: 1,
      pageup: -this.page,
      pagedown: this.page,
      home: -Infinity,
      end: Infinity,
    };
    const step = steps[name];
    if (step === undefined) return false;
    this.cursor = step === Infinity ? Number.MAX_SAFE_INTEGER : Math.max(0, this.cursor + step);
    return true;
  }
}

/** Words of `text` in lines of at most `width`. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  if (line) lines.push(line);
  return lines;
}

/** Whether a row's text passes a filter; a filter that is no regular expression is looked for as it stands. */
export function matches(filter: string, text: string): boolean {
  if (!filter) return true;
  try {
    return new RegExp(filter, 'i').test(text);
  } catch {
    return text.toLowerCase().includes(filter.toLowerCase());
  }
}
