/** Which key of a US keyboard an X keysym is on. @rfb 7.5.4 "KeyEvent" */

const ASCII_FIRST = 0x20;
const ASCII_LAST = 0x7e;
const UNICODE = 0x01000000;

/** Keys without a character, by keysym. @x11 keysymdef.h */
const NAMED: Readonly<Record<number, string>> = {
  ...{ 65288: 'backspace', 65289: 'tab', 65290: 'enter', 65293: 'enter', 65299: 'pause', 65300: 'scrolllock' },
  ...{ 65301: 'print', 65307: 'esc', 65360: 'home', 65361: 'left', 65362: 'up', 65363: 'right', 65364: 'down' },
  ...{ 65365: 'pageup', 65366: 'pagedown', 65367: 'end', 65377: 'print', 65379: 'insert', 65383: 'menu' },
  ...{ 65387: 'pause', 65407: 'numlock', 65421: 'kpenter', 65429: 'kp7', 65430: 'kp4', 65431: 'kp8' },
  ...{ 65432: 'kp6', 65433: 'kp2', 65434: 'kp9', 65435: 'kp3', 65436: 'kp1', 65437: 'kp5', 65438: 'kp0' },
  ...{ 65439: 'kp.', 65450: 'kp*', 65451: 'kp+', 65453: 'kp-', 65454: 'kp.', 65455: 'kp/' },
  ...{ 65505: 'shift', 65506: 'right-shift', 65507: 'ctrl', 65508: 'right-ctrl', 65509: 'capslock' },
  ...{ 65511: 'meta', 65512: 'right-meta', 65513: 'alt', 65514: 'right-alt', 65515: 'meta', 65516: 'right-meta' },
  ...{ 65535: 'delete', 65027: 'right-alt', 65056: 'tab' },
};
const FIRST_KEYPAD_DIGIT = 0xffb0;
const FIRST_F = 0xffbe;
const LAST_F = 0xffc9;

/** A character that is typed, or the name of a key; undefined: no key of a US keyboard. */
export function ofKeysym(keysym: number): { character: string } | { key: string } | undefined {
  const code = keysym >= UNICODE ? keysym - UNICODE : keysym;
  if (code >= ASCII_FIRST && code <= ASCII_LAST) return { character: String.fromCharCode(code) };
  if (keysym >= FIRST_F && keysym <= LAST_F) return { key: `f${keysym - FIRST_F + 1}` };
  if (keysym >= FIRST_KEYPAD_DIGIT && keysym < FIRST_KEYPAD_DIGIT + 10)
    return { key: `kp${keysym - FIRST_KEYPAD_DIGIT}` };
  const key = NAMED[keysym];
  return key === undefined ? undefined : { key };
}
