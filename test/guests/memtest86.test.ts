/** Debian's memtest86+, unmodified: a program that nobody here wrote. */
import { afterEach, describe, expect, test } from 'vitest';
import { PROGRAM } from '../cli/vmscope.js';
import { Tui } from '../pty.js';
import { named, requireFile } from '../tools.js';

const memtest = requireFile('/boot/memtest86+x64.bin', 'memtest86+');
const SLOW = 240_000;
const LONG = 3_600_000;

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

  test.skipIf(!memtest.available || process.env.VMSCOPE_LONG_TESTS !== '1')(
    named('completes a pass over 5 MiB (with VMSCOPE_LONG_TESTS=1: minutes)', memtest),
    async () => {
      const options = ['-m', '5M', '--headless', '--append', 'console=ttyS0,115200'];
      tui = new Tui(PROGRAM, ['run', memtest.path, ...options], 80, 26);
      await tui.until(/Pass: +1 +Errors: 0 |Errors: +[1-9]/, LONG);
      expect(tui.text()).toMatch(/Pass: +1 +Errors: 0 /);
    },
    LONG,
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
