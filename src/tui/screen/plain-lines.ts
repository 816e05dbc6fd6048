/** What a guest has printed as lines of text alone, at once: no colours, and no programs that paint the whole screen. */

// CSI, strings (OSC, DCS, APC, PM), character sets, and other sequences of two characters
const SEQUENCES =
  /\x1b(?:\[[\x20-\x3f]*[\x40-\x7e]|[\]P_^][^\x07\x1b]*(?:\x07|\x1b\\)?|[()#].|[\x30-\x7e])|\x1b\[[\x20-\x3f]*$/g;

/** Lines of at most `columns` characters; what a line was written over with is what it shows. */
export function plainLines(bytes: Uint8Array, columns: number): string[] {
  const text = Buffer.from(bytes).toString('utf8').replace(SEQUENCES, '');
  return text.split(/\r*\n/).flatMap((line) => {
    const shown = over(line);
    const rows = shown.match(new RegExp(`.{1,${columns}}`, 'gsu')) ?? [''];
    return rows;
  });
}

/** A carriage return and backspaces go back, and what follows is written over what was there. */
function over(line: string): string {
  const cells: string[] = [];
  let at = 0;
  for (const character of line) {
    if (character === '\r') at = 0;
    else if (character === '\b') at = Math.max(0, at - 1);
    else if (character === '\t') {
      const stop = (at | 7) + 1;
      while (at < stop) cells[at++] ??= ' ';
    } else if (character >= ' ') cells[at++] = character;
  }
  return Array.from(cells, (cell) => cell ?? ' ')
    .join('')
    .trimEnd();
}
