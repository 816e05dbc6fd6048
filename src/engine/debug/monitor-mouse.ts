/** The monitor's commands for the mouse, in QEMU's words. @qemu hmp-commands.hx "mouse_move" */
import type { I8042 } from '../devices/i8042.js';

/** QEMU's buttons are left, middle, right; a PS/2 mouse's left, right, middle. */
const ps2Buttons = (buttons: number): number => (buttons & 1) | ((buttons & 2) << 1) | ((buttons & 4) >> 1);
const MOST_BUTTONS = 7;

function numbers(words: readonly string[], low: number, high: number): number[] {
  return words.map((word) => {
    const value = /^-?\d+$/.test(word) ? Number(word) : Number.NaN;
    if (!(value >= low && value <= high)) throw new Error(`${word}: not a whole number from ${low} to ${high}`);
    return value;
  });
}

const FAR = 0x7fff;

/** Answers a command; undefined when it is another one. The controller hears at once: who keeps the run keeps the line. */
export function mouseCommand(i8042: I8042, name: string, args: readonly string[]): string | undefined {
  switch (name) {
    case 'mouse_move': {
      if (args.length < 2 || args.length > 3) throw new Error('usage: mouse_move DX DY [DZ]');
      const [dx, dy, dz = 0] = numbers(args, -FAR, FAR);
      i8042.moveMouse({ dx, dy, wheel: dz, buttons: i8042.mouseButtons });
      return '';
    }
    case 'mouse_button': {
      if (args.length !== 1)
        throw new Error('usage: mouse_button STATE: 1 left, 2 middle, 4 right, together their sum');
      const [buttons] = numbers(args, 0, MOST_BUTTONS);
      i8042.moveMouse({ dx: 0, dy: 0, wheel: 0, buttons: ps2Buttons(buttons) });
      return '';
    }
    case 'info mice':
      return `* Mouse #0: PS/2 Mouse${i8042.mouseIsHeard ? '' : ' (no driver listens)'}`;
    default:
      return undefined;
  }
}
