/** What the program tells its user on standard error. Names of files, guests and peers in it are other people's. */

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

/** One line for the user. */
export function tell(line: string): void {
  process.stderr.write(`vmscope: ${printable(line)}\n`);
}

/** Lines that are lost on a full disk or a closed pipe are nobody's failure: the guest's own status stands. */
export function keepGoingWithoutReader(): void {
  process.stderr.on('error', () => {});
}
