/** Debian's Linux under the hands of a person: time passes at the keyboard's pace there, and at none in a script. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { PROGRAM, vmscope } from '../cli/vmscope.js';
import { Tui } from '../pty.js';
import { named, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const apt = requireTool('apt-get');
const guest = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const folder = `${root}build/guests/linux`;
const run = ['run', '--kernel', `${folder}/vmlinuz`, '--initrd', `${folder}/initrd.gz`, '-m', '256M', '--headless'];
const SLOW = 240_000;

describe("the console of Debian's Linux", () => {
  test.skipIf(!guest.available)(
    named('on a terminal: a second lasts a second, keys echo at once, ctrl-a c asks the monitor', guest),
    async () => {
      const args = [...run, '--serial', 'stdio', '--append', 'console=ttyS0 quiet'];
      const tui = new Tui(PROGRAM, args, 100, 40);
      try {
        await tui.until(/\/root # $/m, SLOW);
        tui.send('echo a b');
        await tui.until(/# echo a b$/m, 2000);
        tui.send('\x15time sleep 2\r');
        const start = performance.now();
        await tui.until(/real\s+0m 2\.\d\ds/, 30_000);
        expect(performance.now() - start).toBeGreaterThan(1950);
        await tui.until(/sys.*\n\/root # $/m, 30_000);
        tui.send('\x01c');
        await tui.until(/\(vmscope\) $/m);
        tui.send('info ps\r');
        await tui.until(/^ +\d+ +1 S +1 0x[0-9a-f]+ +sh$/m, 30_000);
        tui.send('\x01x');
        expect(await tui.exit).toBe(0);
      } finally {
        tui.kill();
      }
    },
    SLOW + 60_000,
  );

  test.skipIf(!guest.available)(
    named('in a script: an hour of sleep takes no time', guest),
    async () => {
      const append = 'console=ttyS0 quiet RUN="time sleep 3600"';
      const { stdout, status } = await vmscope([...run, '--append', append], { timeoutMs: SLOW });
      expect(stdout).toMatch(/real\s+1h 0m 00s/);
      expect(status).toBe(0);
    },
    SLOW,
  );
});
