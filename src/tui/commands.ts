/** The command line: the table that all doors share, and what only a screen has. */
import type { Command } from '../commands/command.js';
import { find, MONITOR_COMMANDS, OWN_COMMANDS, split } from '../commands/table.js';
import type { ScreenCommand } from './commands/command.js';
import { DISPLAY_COMMANDS } from './commands/display.js';
import { EXIT_VIEW_COMMANDS } from './commands/exits.js';
import { LAYOUT_COMMANDS } from './commands/layout.js';
import { SESSION_COMMANDS } from './commands/session.js';
import { WATCH_COMMANDS } from './commands/watches.js';

export type AnyCommand = Command | ScreenCommand;

const BY_BEGINNING: readonly AnyCommand[] = [
  ...OWN_COMMANDS,
  ...DISPLAY_COMMANDS,
  ...EXIT_VIEW_COMMANDS,
  ...LAYOUT_COMMANDS,
  ...WATCH_COMMANDS,
  ...SESSION_COMMANDS,
];
const TAKEN = new Set(BY_BEGINNING.map(({ name }) => name));
/** The monitor's, where the screen has no command of that name. */
const BY_WHOLE_NAME: readonly AnyCommand[] = MONITOR_COMMANDS.filter(({ name }) => !TAKEN.has(name));

export const COMMANDS: readonly AnyCommand[] = [...BY_BEGINNING, ...BY_WHOLE_NAME];

/** Commands whose name holds the typed letters in order; those that start with them first. */
export function completions(text: string): AnyCommand[] {
  const word = text.trimStart().split(/\s/)[0]!.toLowerCase();
  if (text.trimStart().includes(' '))
    return COMMANDS.filter((command) => command.name === split(text).word.toLowerCase());
  const starts = COMMANDS.filter((command) => command.name.startsWith(word));
  const fuzzy = COMMANDS.filter((command) => !command.name.startsWith(word) && subsequence(word, command.name));
  return [...starts, ...fuzzy];
}

function subsequence(letters: string, text: string): boolean {
  let at = 0;
  for (const letter of letters) {
    at = text.indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

/** The command of a line: its whole name, or a beginning that only one has. @throws Error when there is none. */
export function findCommand(line: string): { command: AnyCommand; argument: string } {
  return find(line, BY_BEGINNING, BY_WHOLE_NAME);
}
