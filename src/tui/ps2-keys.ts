/** What a terminal sends for a key, as names of PS/2 keys. */

const SEQUENCES: Record<string, string> = {
  '\x1b': 'Escape',
  '\r': 'Enter',
  '\n': 'Enter',
  '\t': 'Tab',
  '\x7f': 'Backspace',
  '\b': 'Backspace',
  ' ': 'Space',
  '[A': 'Up',
  '[B': 'Down',
  '[C': 'Right',
  '[D': 'Left',
  '[H': 'Home',
  '[F': 'End',
  '[1~': 'Home',
  '[2~': 'Insert',
  '[3~': 'Delete',
  '[4~': 'End',
  '[5~': 'PageUp',
  '[6~': 'PageDown',
  '[11~': 'F1',
  '[12~': 'F2',
  '[13~': 'F3',
  '[14~': 'F4',
  '[15~': 'F5',
  '[17~': 'F6',
  '[18~': 'F7',
  '[19~': 'F8',
  '[20~': 'F9',
  '[21~': 'F10',
  '[23~': 'F11',
  '[24~': 'F12',
  OP: 'F1',
  OQ: 'F2',
  OR: 'F3',
  OS: 'F4',
  OA: 'Up',
  OB: 'Down',
  OC: 'Right',
  OD: 'Left',
  OH: 'Home',
  OF: 'End',
};

/** Names of the keys in an input sequence; pasted text gives one a character. */
export function ps2Key(sequence: string): string[] {
  if (sequence.startsWith('\x1b') && sequence.length > 1) {
    const name = SEQUENCES[sequence.slice(1)];
    if (name) return [name];
    return sequence.length === 2 ? ps2Key(sequence[1]!).map((key) => `alt-${key}`) : [];
  }
  const names: string[] = [];
  for (const character of sequence) {
    const code = character.codePointAt(0)!;
    const name = SEQUENCES[character];
    if (name) names.push(name);
    else if (code >= 1 && code <= 26) names.push(`ctrl-${String.fromCharCode(code + 96)}`);
    else if (code > 0x20 && code < 0x7f) names.push(character);
  }
  return names;
}
