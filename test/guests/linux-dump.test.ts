/** Linux that panics, dumped as it does: by drgn, readelf and the program's own views. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { vmscope } from '../cli/vmscope.js';
import { named, requireFile, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const apt = requireTool('apt-get');
const readelf = requireTool('readelf');
const drgn = requireFile('/usr/lib/python3/dist-packages/drgn/__init__.py', 'python3-drgn');
const amd64 = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const i386 = apt.available ? requireScript(`${root}samples/linux/fetch-i386`) : apt;
const SLOW = 400_000;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmscope-panic-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a kernel without a root file system until it panics and restarts. */
async function panic(kernel: string, core: string) {
  const append = 'console=ttyS0 panic=-1';
  const args = ['run', kernel, '-m', '128M', '--headless', '--no-reboot', '--append', append, '--dump-on-crash', core];
  return vmscope(args, { timeoutMs: SLOW });
}

/** The banner, by drgn, through the kernel's own page tables: where the note says that its version stands. */
const READ_VERSION = `
import sys, drgn
program = drgn.Program()
program.set_core_dump(sys.argv[1])
print(program.platform.arch.name, 'LINUX' if program.flags & drgn.ProgramFlags.IS_LINUX_KERNEL else '')
print(program.read(int(sys.argv[2], 16), 6 * 65).replace(b'\\0', b' ').decode())
`;

describe('a kernel that panics', () => {
  test.skipIf(!amd64.available || !drgn.available || !readelf.available)(
    named('of 64 bits is dumped, says its last words, and opens in drgn', amd64, drgn, readelf),
    async () => {
      const core = join(folder, 'amd64.core');
      const { stdout, stderr, status } = await panic(`${root}build/guests/linux/vmlinuz`, core);
      expect(stderr).toMatch(
        /^vmscope: kernel panic: 128 MiB and 1 vCPU written to .*amd64\.core, with VMCOREINFO of 6\./,
      );
      expect(stdout).toMatch(/Kernel panic - not syncing: VFS: Unable to mount root fs/);
      expect(status).toBe(0);
      const notes = execFileSync(readelf.path, ['-n', core], { encoding: 'utf8' });
      expect(notes).toMatch(/CORE +0x00000150\s+NT_PRSTATUS[\s\S]*QEMU +0x000001b8[\s\S]*VMCOREINFO/);
      const symbol = /SYMBOL\(init_uts_ns\)=([0-9a-f]+)/.exec(readFileSync(core, 'latin1').slice(0, 16384))?.[1] ?? '';
      const read = spawnSync('/usr/bin/python3', ['-c', READ_VERSION, core, symbol], { encoding: 'utf8' });
      expect(read.stderr).toBe('');
      expect(read.stdout).toMatch(/^X86_64 LINUX\n\s*Linux +\(none\) +6\.\d+\.\d+-\d+-cloud-amd64 +#1 SMP/);
    },
    SLOW,
  );

  test.skipIf(!i386.available || !readelf.available)(
    named('of 32 bits, whose symbols are functions only, is dumped as an ELF32 core', i386, readelf),
    async () => {
      const core = join(folder, 'i386.core');
      const { stdout, stderr } = await panic(`${root}build/guests/linux-i386/vmlinuz`, core);
      expect(stderr).toMatch(/^vmscope: kernel panic: .*i386\.core, with VMCOREINFO of 6\.\d+\.\d+-\d+-686$/m);
      expect(stdout).toContain('Kernel panic');
      const elf = execFileSync(readelf.path, ['-hln', core], { encoding: 'utf8' });
      expect(elf).toMatch(/Class: +ELF32[\s\S]*Machine: +Intel 80386[\s\S]*LOAD +0x\w+ 0xc00c0000 0x000c0000/);
      expect(elf).toMatch(/CORE +0x00000090\s+NT_PRSTATUS/);
    },
    SLOW,
  );
});
