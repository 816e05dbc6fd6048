/** Stock gdb on Debian's cloud kernel, from the reset on: it knows the kernel's symbols before there is a kernel. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { Prompt, RunningGuest } from '../gdbstub/running-guest.js';
import { named, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const gdb = requireTool('gdb');
const apt = requireTool('apt-get');
const kernel = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const folder = `${root}build/guests/linux`;
const SLOW = 240_000;

let guest: RunningGuest | undefined;
let prompt: Prompt | undefined;

const boot = (...options: string[]): Promise<RunningGuest> =>
  RunningGuest.start(`${folder}/vmlinuz`, '--initrd', `${folder}/initrd.gz`, '-m', '256M', '--vcpus', '2', ...options);

async function attach(port: number): Promise<Prompt> {
  const plain = ['set pagination off', 'set confirm off'].flatMap((line) => ['-ex', line]);
  prompt = new Prompt(spawn(gdb.path, ['-nx', '-q', ...plain], { stdio: 'pipe' }), SLOW / 2);
  await prompt.type(`target remote 127.0.0.1:${port}`, /0x0*1000200 in .*\n/);
  return prompt;
}

describe.skipIf(!gdb.available || !kernel.available)(named("gdb and Debian's Linux", gdb, kernel), () => {
  afterEach(async () => {
    await prompt?.close();
    await guest?.stop();
  });

  test(
    'stops at start_kernel from the reset, shows who called, and lets the kernel go on',
    async () => {
      guest = await boot('--append', 'console=ttyS0 RUN="echo it went on"');
      const shell = await attach(guest.port);
      await shell.type('hbreak start_kernel', /Hardware assisted breakpoint 1 at 0xffffffff/);
      await shell.type('continue', /hit Breakpoint 1, 0x[0-9a-f]+ in start_kernel \(\)/);
      expect(guest.stdout).not.toContain('Linux version');
      await shell.type('backtrace', /#0 +0x[0-9a-f]+ in start_kernel \(\)\s+#1 .* in secondary_startup_64_no_verify/);
      await shell.type('info threads', /\* 1 +Thread 1\.1 "CPU#0"[\s\S]*start_kernel[\s\S]*2 +Thread 1\.2 "CPU#1"/);
      await shell.type('delete', /\(gdb\)/);
      await shell.type('hbreak vfs_open', /breakpoint 2/);
      await shell.type('continue', /hit Breakpoint 2, 0x[0-9a-f]+ in vfs_open \(\)/);
      // by the kernel's own unwind tables, to the thread's start
      await shell.type(
        'backtrace',
        /#0 .*vfs_open \(\)\s+#1 .*path_openat[\s\S]* in kthread \(\)\s+#\d+ .*ret_from_fork/,
      );
      await shell.type('delete', /\(gdb\)/);
      await shell.type('finish', /Run till exit[\s\S]*\n0x[0-9a-f]+ in \w+ \(\)/);
      await shell.type('detach', /detached/);
      expect(await guest.ended(SLOW)).toBe(0);
      expect(guest.stdout).toMatch(/GUEST-UP\r?\nit went on\r?\n/);
    },
    SLOW,
  );
});
