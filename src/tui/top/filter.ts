/** The filter of the table of guests, in the forms that k9s has: a regular expression, what does not match, fuzzy. */
import { matches } from '../panes/pane.js';

/** Whether the letters stand in the name in this order. */
function fuzzily(letters: string, name: string): boolean {
  let at = 0;
  for (const letter of letters.toLowerCase()) {
    at = name.toLowerCase().indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

/** `web`, `!web` (all but these), `-f wb` (letters in this order). */
export function passes(filter: string, name: string): boolean {
  const fuzzy = /^-f ?(.*)$/s.exec(filter);
  if (fuzzy) return fuzzily(fuzzy[1]!.trim(), name);
  if (filter.startsWith('!')) return filter === '!' || !matches(filter.slice(1), name);
  return matches(filter, name);
}
