import { counted } from '../../counted.js';
import type * as D from '../../debugger.js';
import { ScreenLooks } from '../../devices/vga/screen-looks.js';
import type { Machine } from '../../vmm/machine.js';
import { formatOf, writePicture } from '../picture-file.js';
import type { KeptRun } from './kept-run.js';
import type { GuestOutput } from './output.js';
import type { RunLoop } from './run-loop.js';

/** Bytes that may wait for the guest to read them before their sender is to wait, and that are taken at most. */
const TYPED_AHEAD = 16 * 1024;
const MAX_TYPED_AHEAD = 2 ** 20;
/** Time between two looks at whether it has read. */
const ROOM_MS = 5;

/** The guest's serial port, keyboard and screen. */
export function consoleGroup(
  machine: Machine,
  output: GuestOutput,
  kept: KeptRun,
  loop: RunLoop,
): NonNullable<D.Debugger['console']> {
  let looks: ScreenLooks | undefined;
  return {
    serialLog: async () => output.serialLog,
    serialInput: async (bytes) => {
      kept.mustBeLive();
      const waiting = machine.inputWaiting;
      if (waiting + bytes.length > MAX_TYPED_AHEAD)
        throw new Error(
          `the guest does not read its serial port, where ${counted(waiting, 'byte waits', 'bytes wait')}: no more is taken`,
        );
      machine.serialInput(bytes);
      loop.wake();
      while (machine.inputWaiting > TYPED_AHEAD && !machine.vm.end) await later(ROOM_MS);
    },
    holdOutput: async (held) => {
      output.held = held;
      loop.wake();
    },
    key: async (name) => {
      kept.mustBeLive();
      machine.key(name);
      loop.wake();
    },
    keyboardIdle: async () => machine.pc.pc.keyboard.idle,
    keyEvent: async (name, down) => {
      kept.mustBeLive();
      machine.keyEvent(name, down);
      loop.wake();
    },
    mouse: async (dx, dy, wheel, buttons) => {
      kept.mustBeLive();
      machine.moveMouse({ dx, dy, wheel, buttons });
      loop.wake();
    },
    screen: async () => machine.screen(),
    picture: async (width, height) =>
      machine.picture(width === undefined || height === undefined ? undefined : { width, height }),
    look: async (since, fit) => {
      looks ??= new ScreenLooks(machine.watchPicture());
      return looks.look(since, fit);
    },
    screendump: async (path, format = formatOf(path)) => {
      const picture = machine.picture();
      const { mode, width, height } = picture;
      return { file: writePicture(path, picture, format), format, mode, width, height };
    },
  };
}

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref());
