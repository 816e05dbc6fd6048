/** Debian's memtest86+, unmodified: a program that nobody here wrote. */
import { afterEach, describe, expect, test } from 'vitest';
import { PROGRAM } from '../cli/vmscope.js';
import { Tui } from '../pty.js';
import { named, requireFile } from '../tools.js';

const memtest = requireFile('/boot/memtest86+x64.bin', 'memtest86+');
const SLOW = 240_000;

describe('memtest86+', () => {
  let tui: Tui;
  afterEach(() => tui?.proc.kill('SIGKILL'));

  test.skipIf(!memtest.available)(
    named('passes its first tests without errors, on the serial console', memtest),
    async () => {
      tui = new Tui(
        PROGRAM,
        ['run', memtest.path, '-m', '5M', '--headless', '--append', 'console=ttyS0,115200'],
        80,
        26,
      );
      await tui.until(/Memtest86\+ v\d/, SLOW);
      await tui.until(/Test #[4-9]/, SLOW);
      expect(tui.text()).toMatch(/CPU: 1 Cores/);
      expect(tui.text()).toMatch(/Status: Testing/);
      expect(tui.text()).toMatch(/Pass: +0 +Errors: 0 /);
    },
    SLOW,
  );

  test.skipIf(!memtest.available)(
    named("shows its VGA screen in the dashboard's console", memtest),
    async () => {
      tui = new Tui(PROGRAM, ['run', memtest.path, '-m', '5M'], 120, 50);
      await tui.until(/RUNNING/, SLOW);
      tui.send('gc');
      await tui.until(/Memtest86\+ v\d[\s\S]*vmscope software x86-64 CPU[\s\S]*Errors: 0/, SLOW);
    },
    SLOW,
  );
});
