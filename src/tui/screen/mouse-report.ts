/** What the terminal's mouse does, as SGR reports tell it. @xterm "Extended coordinates" */

export interface MouseReport {
  /** Cell, from 0 on. */
  x: number;
  y: number;
  kind: 'down' | 'up' | 'move' | 'wheel';
  /** Which went down or up, or is held while it moves, as PS/2 mice number them: left 1, right 2, middle 4; 0: none. */
  button: number;
  /** Notches towards the user. */
  wheel: number;
}

const MOTION = 32;
const WHEEL = 64;
/** Beyond the three buttons and the wheel: those of the side. */
const MORE = 128;
const BUTTONS = [1, 4, 2, 0];

/** Undefined: it is none, or of a button that no PS/2 mouse has. */
export function mouseReport(sequence: string): MouseReport | undefined {
  const match = /^\x1b\[<(\d{1,5});(\d{1,5});(\d{1,5})([Mm])$/.exec(sequence);
  if (!match) return undefined;
  const [code, column, row] = match.slice(1, 4).map(Number) as [number, number, number];
  if (code >= MORE || column < 1 || row < 1) return undefined;
  const at = { x: column - 1, y: row - 1 };
  if (code & WHEEL) {
    // 2 and 3 are a wheel that turns sideways
    const wheel = [-1, 1, 0, 0][code & 3]!;
    return { ...at, kind: 'wheel', button: 0, wheel };
  }
  const button = BUTTONS[code & 3]!;
  if (code & MOTION) return { ...at, kind: 'move', button, wheel: 0 };
  return { ...at, kind: match[4] === 'm' ? 'up' : 'down', button, wheel: 0 };
}
