/** Stock gdb on Debian's cloud kernel, from the reset on: it knows the kernel's symbols before there is a kernel. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { Prompt, RunningGuest, runDebugger } from '../gdbstub/running-guest.js';
import { named, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const gdb = requireTool('gdb');
const gcc = requireTool('gcc');
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

  /** A file with vmlinux's segments before Linux 6.15: code, data, per-CPU data from 0, initialisation. */
  function buildVmlinux(to: string): void {
    const source = `int x; __attribute__((section(".data..percpu"))) int one = 7;
int start_kernel(void) { return x; }
__attribute__((section(".init.text"))) int init(void) { return one; }
`;
    const script = `PHDRS { text PT_LOAD FLAGS(5); data PT_LOAD FLAGS(6); percpu PT_LOAD FLAGS(6); init PT_LOAD FLAGS(7); }
SECTIONS {
  . = 0xffffffff81000000; .text : AT(0x1000000) { *(.text) } :text
  . = ALIGN(0x200000); .data : AT(0x1200000) { *(.data) *(.bss) *(.note.gnu.build-id) } :data
  .data..percpu 0 : AT(0x1400000) { *(.data..percpu) } :percpu
  . = 0xffffffff81600000; .init.text : AT(0x1600000) { *(.init.text) } :init
  /DISCARD/ : { *(.eh_frame) }
}
`;
    writeFileSync(join(to, 'vmlinux.c'), source);
    writeFileSync(join(to, 'vmlinux.ld'), script);
    const flags = '-g -fno-pic -mcmodel=kernel -ffreestanding -fno-stack-protector -nostdlib -no-pie -static';
    const link = ['-Wl,--build-id', '-Wl,-T,vmlinux.ld', '-Wl,--no-warn-rwx-segments', '-o', 'vmlinux', 'vmlinux.c'];
    execFileSync(gcc.path, [...flags.split(' '), ...link], { cwd: to, stdio: 'pipe' });
  }

  test.skipIf(!gcc.available)(
    named('moves the symbols of a vmlinux of one’s own to where KASLR puts the kernel', gcc),
    async () => {
      const work = mkdtempSync(join(tmpdir(), 'vmscope-vmlinux-'));
      try {
        buildVmlinux(work);
        guest = await boot('--append', 'console=ttyS0');
        const ask = (...lines: string[]): Promise<string> =>
          runDebugger(gdb.path, ['-nx', '-q', '-batch', ...lines.flatMap((line) => ['-ex', line])], SLOW / 2);
        const attached = `target remote 127.0.0.1:${guest.port}`;
        const own = await ask(attached, 'p/x (unsigned long)&_text', 'disconnect');
        const text = BigInt(/\$1 = (0x[0-9a-f]+)/.exec(own)?.[1] ?? 0);
        expect(text).toBeGreaterThan(0xffffffff81000000n);
        const moved = await ask(
          `file ${work}/vmlinux`,
          attached,
          'p &start_kernel',
          'p &x',
          'p &init',
          'stepi',
          'disconnect',
        );
        expect(moved).not.toMatch(/Reading .* from remote target.*\n.*Reading symbols/);
        expect(moved).toContain(`0x${text.toString(16)} <start_kernel>`);
        expect(moved).toContain(`0x${(text + 0x200000n).toString(16)} <x>`);
        expect(moved).toContain(`0x${(text + 0x600000n).toString(16)} <init>`);
        const by = (text - 0xffffffff81000000n).toString(16);
        expect(moved).toContain(
          `Per-CPU symbols are offsets from 0 in this kernel, and moved too: theirs are 0x${by} less`,
        );
      } finally {
        rmSync(work, { recursive: true });
      }
    },
    SLOW,
  );
});
