/** Debian's stock cloud kernel with a busybox initramfs, as samples/linux/fetch makes them. */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { vmscope } from '../cli/vmscope.js';
import { named, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const apt = requireTool('apt-get');
const guest = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const folder = `${root}build/guests/linux`;
const SLOW = 240_000;

/** Boots, runs shell commands and powers off. Stdout is COM1's output. */
async function boot(vcpus: number, commands: string, ...options: string[]) {
  const files = ['--kernel', `${folder}/vmlinuz`, '--initrd', `${folder}/initrd.gz`, '-m', '256M'];
  const append = `console=ttyS0 RUN="${commands}"`;
  const machine = ['--vcpus', String(vcpus), '--append', append, '--headless', '--stats', 'json', ...options];
  const result = await vmscope(['run', ...files, ...machine], { timeoutMs: SLOW });
  const statistics = JSON.parse(result.stderr.slice(result.stderr.lastIndexOf('\n{') + 1)) as { icount: number };
  return { ...result, icount: statistics.icount };
}

describe("Debian's Linux", () => {
  test.skipIf(!guest.available)(
    named('boots to its init, runs programs and powers off; again the same', guest),
    async () => {
      const first = await boot(1, 'uname -m; echo 1 2 | awk {print\\$1/3+\\$2/7}; echo vmscope | sha256sum');
      expect(first.stdout).toMatch(/\nGUEST-UP\r?\nx86_64\r?\n0\.619048\r?\n/);
      expect(first.stdout).toContain(createHash('sha256').update('vmscope\n').digest('hex'));
      expect(first.stdout).toMatch(/reboot: Power down/);
      expect(first.status).toBe(0);
      const second = await boot(1, 'uname -m; echo 1 2 | awk {print\\$1/3+\\$2/7}; echo vmscope | sha256sum');
      expect([second.stdout, second.icount]).toEqual([first.stdout, first.icount]);
    },
    2 * SLOW,
  );

  test.skipIf(!guest.available).each([2, 4])(
    named('brings up %d vCPUs', guest),
    async (vcpus) => {
      const { stdout, status } = await boot(vcpus, 'grep -c ^processor /proc/cpuinfo');
      expect(stdout).toMatch(new RegExp(`\\nGUEST-UP\\r?\\n${vcpus}\\r?\\n`));
      expect(stdout).not.toMatch(/WARNING:|BUG:|TSC.*unstable/);
      expect(status).toBe(0);
    },
    SLOW,
  );
});
