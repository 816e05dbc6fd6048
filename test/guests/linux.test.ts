/** Debian's stock cloud kernel with a busybox initramfs, as samples/linux/fetch makes them. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { vmscope } from '../cli/vmscope.js';
import { importTrace } from '../formats/perfetto-import.js';
import { named, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const apt = requireTool('apt-get');
const guest = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const gcc = requireTool('gcc');
const folder = `${root}build/guests/linux`;
const SLOW = 240_000;
/** The host's CPU is the reference for a program of level x86-64-v3. */
const hostHasV3 = /^flags.* avx2 .*/m.test(readFileSync('/proc/cpuinfo', 'utf8'));

/** Boots, runs shell commands and powers off. Stdout is COM1's output. */
async function boot(vcpus: number, commands: string, ...options: string[]) {
  return bootWith(`${folder}/initrd.gz`, vcpus, commands, ...options);
}

async function bootWith(initrd: string, vcpus: number, commands: string, ...options: string[]) {
  const files = ['--kernel', `${folder}/vmlinuz`, '--initrd', initrd, '-m', '256M'];
  const append = `console=ttyS0 RUN="${commands}"`;
  const machine = ['--vcpus', String(vcpus), '--append', append, '--headless', '--stats', 'json', ...options];
  const result = await vmscope(['run', ...files, ...machine], { timeoutMs: SLOW });
  const statistics = JSON.parse(result.stderr.slice(result.stderr.lastIndexOf('\n{') + 1)) as {
    icount: number;
    exits: Record<string, number>;
  };
  return { ...result, icount: statistics.icount, exits: statistics.exits };
}

/** What Perfetto shows of a trace of two vCPUs: a track each, on which exits lie beside each other, as many of each reason as were counted. */
async function expectTracks(trace: string, counts: Record<string, number>) {
  const json = `${trace}.json`;
  const { status, stderr } = await vmscope(['trace', trace, '--format', 'perfetto', '-o', json], { timeoutMs: SLOW });
  expect([status, stderr]).toEqual([0, '']);
  const { threads, errors } = importTrace(readFileSync(json, 'utf8'));
  expect(errors.slice(0, 5)).toEqual([]);
  const tracks = [...threads.values()];
  expect(tracks.map(({ name }) => name).sort()).toEqual(['vcpu 0', 'vcpu 1']);
  const found: Record<string, number> = {};
  for (const { slices } of tracks)
    for (const { name, depth } of slices) {
      found[name] = (found[name] ?? 0) + 1;
      if (depth > 0) throw new Error(`${name} lies in another exit`);
    }
  expect(found).toEqual(counts);
}

describe("Debian's Linux", () => {
  test.skipIf(!guest.available)(
    named('boots to its init, runs programs and powers off; again the same', guest),
    async () => {
      const first = await boot(1, 'uname -m; echo 1 2 | awk {print\\$1/3+\\$2/7}; echo vmscope | sha256sum');
      expect(first.stdout).toMatch(/\nGUEST-UP\r?\nx86_64\r?\n0\.619048\r?\n/);
      expect(first.stdout).toContain(createHash('sha256').update('vmscope\n').digest('hex'));
      expect(first.stdout).toMatch(/DMI: vmscope PC/);
      expect(first.stdout).toMatch(/reboot: Power down/);
      expect(first.status).toBe(0);
      const second = await boot(1, 'uname -m; echo 1 2 | awk {print\\$1/3+\\$2/7}; echo vmscope | sha256sum');
      expect([second.stdout, second.icount]).toEqual([first.stdout, first.icount]);
    },
    2 * SLOW,
  );

  test.skipIf(!guest.available).each([2, 4])(
    named('brings up %d vCPUs, and Perfetto reads the trace of it', guest),
    async (vcpus) => {
      const work = mkdtempSync(join(tmpdir(), 'vmscope-smp-'));
      try {
        const file = join(work, 'boot.trace');
        const { stdout, status, exits } = await boot(vcpus, 'grep -c ^processor /proc/cpuinfo', '--trace', file);
        expect(stdout).toMatch(new RegExp(`\\nGUEST-UP\\r?\\n${vcpus}\\r?\\n`));
        expect(stdout).not.toMatch(/WARNING:|BUG:|TSC.*unstable|: Vulnerable/);
        expect(status).toBe(0);
        if (vcpus === 2) await expectTracks(file, exits);
      } finally {
        rmSync(work, { recursive: true });
      }
    },
    SLOW,
  );

  test.skipIf(!guest.available || !gcc.available || !hostHasV3)(
    named(
      'computes what the host computes: sums, compression, awk, and a program of x87, SSE, AVX2 and FMA',
      guest,
      gcc,
    ),
    async () => {
      const work = mkdtempSync(join(tmpdir(), 'vmscope-same-'));
      try {
        const here = `${root}test/guests`;
        const flags = ['-static', '-O2', '-march=x86-64-v3', '-maes', '-mpclmul', '-mno-red-zone'];
        execFileSync(gcc.path, [...flags, '-o', `${work}/arithmetic`, `${here}/arithmetic.c`, '-lm']);
        copyFileSync(`${here}/same-work.sh`, `${work}/same-work.sh`);
        const native = execFileSync('sh', [`${work}/same-work.sh`, `${folder}/busybox`], { encoding: 'utf8' });
        // a second archive behind the sample's: Linux unpacks both
        const archive = `printf 'arithmetic\\nsame-work.sh\\n' | ${folder}/busybox cpio -o -H newc 2>/dev/null | gzip -1`;
        const added = execFileSync('sh', ['-c', archive], { cwd: work, maxBuffer: 8 << 20 });
        writeFileSync(`${work}/initrd.gz`, Buffer.concat([readFileSync(`${folder}/initrd.gz`), added]));
        const commands = 'echo BEGIN; sh /same-work.sh /bin/busybox; echo END';
        const { stdout, status } = await bootWith(`${work}/initrd.gz`, 2, commands);
        const told = /\nBEGIN\n([\s\S]*)END\n/.exec(stdout.replaceAll('\r', ''))?.[1];
        expect(told).toBe(native);
        expect(native).toMatch(/^x87 +\d{6} [0-9a-f]{16}$/m);
        expect(status).toBe(0);
      } finally {
        rmSync(work, { recursive: true });
      }
    },
    SLOW,
  );
});
