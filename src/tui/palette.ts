/** Every action by a few letters of its name: what keys do, and the commands. */
import { COMMANDS } from './commands.js';
import { BINDINGS, type Binding, showKey } from './keys.js';
import { Prompt } from './prompt.js';
import type { CellPane } from './screen/cell-pane.js';
import { onBackground } from './screen/theme.js';

export type PaletteChoice = { binding: Binding } | { command: string; takesArguments: boolean };

interface Entry {
  text: string;
  key: string;
  choice: PaletteChoice;
}

const MAX_ROWS = 16;
const MAX_COLUMNS = 100;

const ENTRIES: readonly Entry[] = [
  ...BINDINGS.flatMap(({ bindings }) => bindings).map(
    (binding): Entry => ({ text: binding.help, key: binding.keys.map(showKey).join(' '), choice: { binding } }),
  ),
  ...COMMANDS.map(
    ({ name, usage, help }): Entry => ({
      text: `:${`${name} ${usage}`.trim()}  ${help}`,
      key: '',
      choice: { command: name, takesArguments: usage.replace(/\[[^\]]*\]/g, '').trim() !== '' },
    }),
  ),
];

/**
 * How well letters fit a text, which has them in this order: higher for letters side by side and at the starts of words;
 * undefined: it has not.
 */
export function rank(letters: string, text: string): number | undefined {
  const [wanted, lower] = [letters.toLowerCase(), text.toLowerCase()];
  const whole = lower.indexOf(wanted);
  if (whole >= 0) return 1000 - whole - text.length / 100 + (whole === 0 || !/\w/.test(lower[whole - 1]!) ? 500 : 0);
  let score = 0;
  let at = -1;
  for (const letter of wanted) {
    if (letter === ' ') continue;
    const next = lower.indexOf(letter, at + 1);
    if (next < 0) return undefined;
    if (next === at + 1) score += 5;
    if (next === 0 || !/\w/.test(lower[next - 1]!)) score += 8;
    score -= (next - at) / 10;
    at = next;
  }
  return score - text.length / 100;
}

export class Palette {
  open = false;
  private readonly prompt = new Prompt('> ');
  private cursor = 0;
  private top = 0;
  private shown: readonly Entry[] = ENTRIES;

  constructor(readonly cells: CellPane) {}

  show(): void {
    this.open = true;
    this.prompt.open('');
    this.search();
  }

  private search(): void {
    const { text } = this.prompt;
    const found = ENTRIES.map((entry) => ({ entry, score: rank(text, `${entry.text} ${entry.key}`) }));
    this.shown = found
      .filter((one) => one.score !== undefined)
      .sort((a, b) => b.score! - a.score!)
      .map(({ entry }) => entry);
    this.cursor = this.top = 0;
  }

  /** @returns what was chosen */
  key(name: string): PaletteChoice | undefined {
    const steps: Record<string, number> = {
      up: -1,
      down: 1,
      pageup: -MAX_ROWS,
      pagedown: MAX_ROWS,
      'C-p': -1,
      'C-n': 1,
    };
    if (name === 'escape' || name === 'C-c') this.open = false;
    else if (name === 'enter') return this.choose(this.cursor);
    else if (steps[name] !== undefined)
      this.cursor = Math.max(0, Math.min(this.shown.length - 1, this.cursor + steps[name]!));
    else if (this.prompt.key(name)) this.search();
    return undefined;
  }

  /** @returns what was clicked; a click elsewhere closes it */
  click(x: number, y: number): PaletteChoice | undefined {
    const { rectangle } = this.cells;
    const row = y - rectangle.y - 2;
    const inside = x > rectangle.x && x < rectangle.x + rectangle.width - 1;
    if (inside && row >= 0 && row < this.cells.height - 1) return this.choose(this.top + row);
    if (!inside || y < rectangle.y || y >= rectangle.y + rectangle.height) this.open = false;
    return undefined;
  }

  scroll(delta: number): void {
    this.key(delta < 0 ? 'up' : 'down');
  }

  private choose(index: number): PaletteChoice | undefined {
    const entry = this.shown[index];
    if (entry) this.open = false;
    return entry?.choice;
  }

  draw(columns: number, rows: number): void {
    const { cells } = this;
    cells.visible = this.open;
    if (!this.open) return;
    const { theme } = cells;
    const width = Math.min(columns, MAX_COLUMNS);
    const height = Math.min(rows, MAX_ROWS + 3);
    cells.place({ x: (columns - width) >> 1, y: Math.max(0, (rows - height) >> 2), width, height });
    cells.clear(theme.popup);
    cells.frame({ focused: true, first: true, last: true });
    cells.heading([[' Actions '], [` ${this.shown.length}  type some letters, Enter, Esc `, theme.dim]]);
    const x = cells.put(0, 0, `> ${this.prompt.text}`, theme.key);
    cells.put(x, 0, '_', theme.key);
    const room = Math.max(1, cells.height - 1);
    this.top = Math.max(0, Math.min(this.top, this.cursor));
    if (this.cursor >= this.top + room) this.top = this.cursor - room + 1;
    for (let y = 0; y < room && this.top + y < this.shown.length; y++) {
      const { text, key } = this.shown[this.top + y]!;
      const end = cells.width - key.length - 2;
      cells.put(1, y + 1, text, theme.popup, end);
      cells.put(cells.width - key.length - 1, y + 1, key, theme.key);
      if (this.top + y === this.cursor) cells.shade(0, y + 1, cells.width, (attr) => onBackground(attr, theme.sel));
    }
  }
}
