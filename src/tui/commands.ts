/** The command line: every action by name. */
import { BREAKPOINT_COMMANDS } from './commands/breakpoints.js';
import type { Command } from './commands/command.js';
import { DISPLAY_COMMANDS } from './commands/display.js';
import { HISTORY_COMMANDS } from './commands/history.js';
import { RUN_COMMANDS } from './commands/running.js';
import { SESSION_COMMANDS } from './commands/session.js';
import { STATE_COMMANDS } from './commands/state.js';

export const COMMANDS: readonly Command[] = [
  ...BREAKPOINT_COMMANDS,
  ...RUN_COMMANDS,
  ...HISTORY_COMMANDS,
  ...STATE_COMMANDS,
  ...DISPLAY_COMMANDS,
  ...SESSION_COMMANDS,
];

/** Commands whose name holds the typed letters in order; those that start with them first. */
export function completions(text: string): Command[] {
  const word = text.trimStart().split(/\s/)[0]!.toLowerCase();
  if (text.trimStart().includes(' ')) return COMMANDS.filter((command) => command.name === word);
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
export function findCommand(line: string): { command: Command; argument: string } {
  const [, word = '', argument = ''] = /^\s*(\S*)\s*(.*)$/s.exec(line) ?? [];
  const name = word.toLowerCase();
  const exact = COMMANDS.find((command) => command.name === name);
  if (exact) return { command: exact, argument };
  const starts = COMMANDS.filter((command) => command.name.startsWith(name));
  if (starts.length === 1) return { command: starts[0]!, argument };
  if (starts.length > 1) throw new Error(`"${word}" may be ${starts.map((command) => command.name).join(', ')}`);
  throw new Error(`no command "${word}"; : lists them`);
}
