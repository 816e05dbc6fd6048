/**
 * xv6 for x86 with its own tests, which take minutes: only under VMSCOPE_LONG_TESTS=1. VMSCOPE_XV6 names a folder with
 * its source; without it the public repository is cloned.
 */
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { PROGRAM } from '../cli/vmscope.js';
import { Tui } from '../pty.js';
import { named, requireScript, type Tool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = `${root}build/guests/xv6`;
const source = process.env.VMSCOPE_XV6 ?? 'https://github.com/mit-pdos/xv6-public';
const asked: Tool = { available: false, reason: 'VMSCOPE_LONG_TESTS=1 is not set', path: '' };
const xv6 = process.env.VMSCOPE_LONG_TESTS === '1' ? requireScript(`${root}samples/xv6/build`, source, folder) : asked;
const SLOW = 3_600_000;

describe('xv6', () => {
  let tui: Tui;
  afterEach(() => tui?.proc.kill('SIGKILL'));

  test.skipIf(!xv6.available).each([1, 2])(
    named('boots from its IDE disk and passes its usertests on %d vCPUs', xv6),
    async (vcpus) => {
      const disks = ['xv6', 'fs'].flatMap((name) => ['--disk', `${folder}/${name}.img,if=ide,snapshot=on`]);
      const machine = ['-m', '512', '--vcpus', String(vcpus), '--headless', '--serial', 'stdio'];
      tui = new Tui(PROGRAM, ['run', ...disks, ...machine], 80, 25);
      await tui.until(/init: starting sh\n\$/, SLOW);
      expect(tui.raw.match(/cpu\d+: starting/g)).toHaveLength(vcpus);
      tui.send('usertests\r');
      await tui.until(/ALL TESTS PASSED|FAIL|failed|panic/, SLOW);
      expect(tui.text()).toMatch(/ALL TESTS PASSED/);
    },
    SLOW,
  );
});
