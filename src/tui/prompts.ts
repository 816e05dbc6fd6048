/** The lines that are typed at the foot of the screen: a command, a filter, text to find. */
import { arguedAt, candidates, completed, type Offers, wordAt } from '../commands/candidates.js';
import type { SymbolTable } from '../disasm/index.js';
import { monitorRow } from '../engine/debug/monitor-rows.js';
import { type AnyCommand, completions, findCommand } from './commands.js';
import { Prompt } from './prompt.js';

/** What the lines do. */
export interface PromptActions {
  command(line: string): void;
  /** Called with each change of the filter. */
  filter(text: string): void;
  find(text: string): void;
  symbols(): SymbolTable;
  /** What else arguments may name. */
  offers(): Offers;
}

/** The command of a line that is being typed; undefined while there is none. */
function commandOf(text: string): AnyCommand | undefined {
  try {
    return findCommand(text).command;
  } catch {
    return undefined;
  }
}

export class Prompts {
  private readonly lines;
  /** The line that takes the keys. */
  active: Prompt | undefined;

  /** @param before command lines of earlier sessions */
  constructor(
    private readonly actions: PromptActions,
    before: readonly string[] = [],
  ) {
    this.lines = { command: new Prompt(':', before), filter: new Prompt('/'), find: new Prompt('find ') };
  }

  open(kind: keyof Prompts['lines'], text = ''): void {
    this.active = this.lines[kind];
    this.active.open(text);
    // asked for now, they are there when Tab is pressed
    if (kind === 'command') this.actions.offers();
  }

  /** The command line, while it takes the keys. */
  get command(): Prompt | undefined {
    return this.active === this.lines.command ? this.active : undefined;
  }

  key(name: string): void {
    const { active: line, actions } = this;
    if (!line) return;
    const { command, filter, find } = this.lines;
    if (name === 'escape' || name === 'C-c') {
      this.active = undefined;
      if (line === filter) actions.filter('');
    } else if (name === 'enter') {
      const text = line.accept();
      this.active = undefined;
      if (line === command && text) actions.command(text);
      if (line === find) actions.find(text);
    } else if (name === 'backspace' && line.text === '') {
      this.active = undefined;
    } else if (name === 'tab' && line === command) {
      this.complete(line);
    } else if (line.key(name) && line === filter) {
      actions.filter(line.text);
    }
  }

  /** Tab: the command's name, else what its argument may be: a word of the command, a name, a symbol. */
  private complete(line: Prompt): void {
    if (!line.text.includes(' ')) {
      const first = completions(line.text)[0];
      if (first) line.open(`${first.name} `);
      return;
    }
    const { word, found } = this.argument(line.text);
    const whole = completed(found, word);
    if (whole !== undefined) line.open(line.text.slice(0, line.text.length - word.length) + whole);
  }

  /** What the argument that a line ends in may be; none while the command itself is typed. */
  argument(line: string): { word: string; found: readonly string[] } {
    const none = { word: '', found: [] };
    if (!line.trimStart().includes(' ')) return none;
    // what the monitor's line may have is what its command has
    const [, text = line] = /^\s*monitor\s+(\S+\s.*)$/.exec(line) ?? [];
    const command = (text === line ? undefined : monitorRow(text)) ?? commandOf(text);
    if (!command) return none;
    const argued = arguedAt(command, text);
    const word = wordAt(argued, text);
    return { word, found: candidates(argued, word, this.actions.symbols(), this.actions.offers()) };
  }
}
