/** Keys by QEMU's names for them. @see QKeyCode in QEMU's QMP reference */
import type { Monitor } from './qmp.js';

const NAMES: Record<string, string> = {
  ...{ Enter: 'ret', Escape: 'esc', Tab: 'tab', Backspace: 'backspace', Delete: 'delete', Insert: 'insert' },
  ...{
    Up: 'up',
    Down: 'down',
    Left: 'left',
    Right: 'right',
    Home: 'home',
    End: 'end',
    PageUp: 'pgup',
    PageDown: 'pgdn',
  },
  ...{
    Space: 'spc',
    ' ': 'spc',
    '-': 'minus',
    '=': 'equal',
    '[': 'bracket_left',
    ']': 'bracket_right',
    '\\': 'backslash',
  },
  ...{ ';': 'semicolon', "'": 'apostrophe', '`': 'grave_accent', ',': 'comma', '.': 'dot', '/': 'slash' },
};
/** US layout: with Shift. */
const SHIFTED: Record<string, string> = {
  ...{
    '!': '1',
    '@': '2',
    '#': '3',
    $: '4',
    '%': '5',
    '^': '6',
    '&': '7',
    '*': '8',
    '(': '9',
    ')': '0',
    _: '-',
    '+': '=',
  },
  ...{ '{': '[', '}': ']', '|': '\\', ':': ';', '"': "'", '~': '`', '<': ',', '>': '.', '?': '/' },
};

/** @throws Error when the name is no key */
export async function sendKey(monitor: Monitor, name: string): Promise<void> {
  const keys: string[] = [];
  let rest = name;
  for (let match = /^(ctrl|alt|shift)-(.+)$/.exec(rest); match; match = /^(ctrl|alt|shift)-(.+)$/.exec(rest)) {
    keys.push(match[1]!);
    rest = match[2]!;
  }
  if (/^[A-Z]$/.test(rest) || SHIFTED[rest]) keys.push('shift');
  const plain = SHIFTED[rest] ?? (/^[A-Z]$/.test(rest) ? rest.toLowerCase() : rest);
  const key = NAMES[plain] ?? (/^([a-z0-9]|F\d{1,2})$/.test(plain) ? plain.toLowerCase() : undefined);
  if (key === undefined) throw new Error(`no key ${name}`);
  await monitor.execute('send-key', { keys: [...keys, key].map((data) => ({ type: 'qcode', data })) });
}
