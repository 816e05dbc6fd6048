/** Text of others (guests, files, peers) as it may go to a terminal. */

/** Controls (C0, DEL, C1), line separators, and marks that turn the direction of text. */
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** The text as one line that drives no terminal: what would do so is shown as `\x1b`, `\n` or `\u202e`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    if (character === '\n') return '\\n';
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
  });
}

/** The same for text of several lines, with tabs. */
export function printableLines(text: string): string {
  return text
    .split(/([\n\t])/)
    .map((piece, index) => (index % 2 === 1 ? piece : printable(piece)))
    .join('');
}
