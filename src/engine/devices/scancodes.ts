/** Keys of a PS/2 keyboard: names, scan codes of set 2, their translation to set 1, and the US layout. */

/** Set 2 make codes by key name; from 0x100 on the code has the prefix e0. */
export const SET2_CODES: Readonly<Record<string, number>> = {
  ...{ a: 0x1c, b: 0x32, c: 0x21, d: 0x23, e: 0x24, f: 0x2b, g: 0x34, h: 0x33, i: 0x43, j: 0x3b, k: 0x42, l: 0x4b },
  ...{ m: 0x3a, n: 0x31, o: 0x44, p: 0x4d, q: 0x15, r: 0x2d, s: 0x1b, t: 0x2c, u: 0x3c, v: 0x2a, w: 0x1d, x: 0x22 },
  ...{ y: 0x35, z: 0x1a },
  ...{ '0': 0x45, '1': 0x16, '2': 0x1e, '3': 0x26, '4': 0x25, '5': 0x2e, '6': 0x36, '7': 0x3d, '8': 0x3e, '9': 0x46 },
  ...{ '`': 0x0e, '-': 0x4e, '=': 0x55, '\\': 0x5d, '[': 0x54, ']': 0x5b, ';': 0x4c, "'": 0x52 },
  ...{ ',': 0x41, '.': 0x49, '/': 0x4a, less: 0x61 },
  ...{ space: 0x29, enter: 0x5a, esc: 0x76, tab: 0x0d, backspace: 0x66, capslock: 0x58 },
  ...{ shift: 0x12, 'right-shift': 0x59, ctrl: 0x14, 'right-ctrl': 0x114, alt: 0x11, 'right-alt': 0x111 },
  ...{ meta: 0x11f, 'right-meta': 0x127, menu: 0x12f },
  ...{ f1: 0x05, f2: 0x06, f3: 0x04, f4: 0x0c, f5: 0x03, f6: 0x0b, f7: 0x83, f8: 0x0a, f9: 0x01, f10: 0x09 },
  ...{ f11: 0x78, f12: 0x07, numlock: 0x77, scrolllock: 0x7e },
  ...{ up: 0x175, down: 0x172, left: 0x16b, right: 0x174, home: 0x16c, end: 0x169, pageup: 0x17d, pagedown: 0x17a },
  ...{ insert: 0x170, delete: 0x171 },
  ...{ kp0: 0x70, kp1: 0x69, kp2: 0x72, kp3: 0x7a, kp4: 0x6b, kp5: 0x73, kp6: 0x74, kp7: 0x6c, kp8: 0x75, kp9: 0x7d },
  ...{ 'kp.': 0x71, 'kp+': 0x79, 'kp-': 0x7b, 'kp*': 0x7c, 'kp/': 0x14a, kpenter: 0x15a },
};

/** Other names for the same keys. */
const ALIASES: Readonly<Record<string, string>> = {
  ...{ return: 'enter', escape: 'esc', ' ': 'space', control: 'ctrl', 'left-shift': 'shift', 'left-ctrl': 'ctrl' },
  ...{
    'left-alt': 'alt',
    del: 'delete',
    ins: 'insert',
    pgup: 'pageup',
    pgdn: 'pagedown',
    '\n': 'enter',
    '\r': 'enter',
  },
  ...{ '\t': 'tab', '\b': 'backspace', '\x7f': 'backspace', '\x1b': 'esc', arrowup: 'up', arrowdown: 'down' },
  ...{ arrowleft: 'left', arrowright: 'right', linefeed: 'enter', super: 'meta' },
};

/** Characters of the US layout that need shift, and the key they are on. */
const SHIFTED: Readonly<Record<string, string>> = {
  ...{ '~': '`', '!': '1', '@': '2', '#': '3', $: '4', '%': '5', '^': '6', '&': '7', '*': '8', '(': '9', ')': '0' },
  ...{ _: '-', '+': '=', '|': '\\', '{': '[', '}': ']', ':': ';', '"': "'", '<': ',', '>': '.', '?': '/' },
};

/**
 * The keys to hold and to press for a name such as `a`, `A`, `Enter`, `F1`, `ctrl-c`, `ctrl-alt-delete`, `?`.
 * The last one is the key, those before it are held. @returns undefined for a name that is no key.
 */
export function keysOf(name: string): string[] | undefined {
  const held: string[] = [];
  let rest = name;
  for (let match = /^(ctrl|control|c|alt|m|shift|s|meta|super)-(?=.)/i.exec(rest); match; ) {
    const modifier = match[1].toLowerCase();
    held.push({ c: 'ctrl', control: 'ctrl', m: 'alt', s: 'shift', super: 'meta' }[modifier] ?? modifier);
    rest = rest.slice(match[0].length);
    match = /^(ctrl|control|c|alt|m|shift|s|meta|super)-(?=.)/i.exec(rest);
  }
  if (rest.length === 1 && (SHIFTED[rest] !== undefined || (rest >= 'A' && rest <= 'Z'))) {
    if (!held.includes('shift')) held.push('shift');
    return [...held, SHIFTED[rest] ?? rest.toLowerCase()];
  }
  const lower = rest.toLowerCase();
  const key = ALIASES[lower] ?? lower;
  if (!isKey(key)) return undefined;
  return [...held, key];
}

/** The keyboard has a key of that name: one of `SET2_CODES`, Pause or Print Screen. */
export function isKey(key: string): boolean {
  return Object.hasOwn(SET2_CODES, key) || key === 'pause' || key === 'print';
}

/** Bytes that a keyboard in scan code set 2 sends for a key going down or up. */
export function set2Bytes(key: string, down: boolean): number[] {
  // Pause sends make and break at once and nothing on release; Print Screen pretends a shift.
  if (key === 'pause') return down ? [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77] : [];
  if (key === 'print') return down ? [0xe0, 0x12, 0xe0, 0x7c] : [0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12];
  if (!isKey(key)) return [];
  const code = SET2_CODES[key];
  return [...(code >= 0x100 ? [0xe0] : []), ...(down ? [] : [0xf0]), code & 0xff];
}

/** Set 1 code of each set 2 code below 0x80, as the 8042 translates. */
const TRANSLATION = [
  0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59, 0x65, 0x38, 0x2a,
  0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b, 0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05,
  0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d, 0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a,
  0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f, 0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26,
  0x27, 0x19, 0x0c, 0x61, 0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63,
  0x76, 0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, 0x52, 0x53,
  0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
];

/** The 8042's translation of one byte; codes above the table pass unchanged (answers such as fa). */
export function translateToSet1(code: number): number {
  if (code < 0x80) return TRANSLATION[code];
  return code === 0x83 ? 0x41 : code === 0x84 ? 0x54 : code;
}

/** Print Screen, as with Alt and without; Pause. @qemu ui/keycodemapdb "qnum" */
const OTHER_PLACES: Readonly<Record<number, string>> = { 84: 'print', 183: 'print', 198: 'pause' };
const PLACES = new Map(
  Object.entries(SET2_CODES).map(([key, code]) => [translateToSet1(code & 0xff) | (code >= 0x100 ? 0x80 : 0), key]),
);

/** The key whose scan code of set 1 that is, with bit 7 for those behind e0. */
export function keyAt(place: number): string | undefined {
  return PLACES.get(place) ?? OTHER_PLACES[place];
}
