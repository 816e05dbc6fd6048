/** `catch syscall` of a 32-bit program that calls its kernel by SYSENTER. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { named, requireTool } from '../../tools.js';
import { RunningGuest, runDebugger } from '../running-guest.js';

const gdb = requireTool('gdb');
const gcc = requireTool('gcc');
const tools = [gdb, gcc];
const FLAGS =
  '-m32 -g -nostdlib -static -no-pie -Wl,-Ttext=0x100000 -Wl,--build-id=none -Wl,-N -Wl,--no-warn-rwx-segments';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-sysenter-'));
let guest: RunningGuest | undefined;
afterEach(async () => {
  await guest?.stop();
  guest = undefined;
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(tools.some(({ available }) => !available))(named('gdb', ...tools), () => {
  test('catches calls by SYSENTER and their returns, where the program goes on', { timeout: 120_000 }, async () => {
    const file = join(folder, 'kernel.elf');
    const source = fileURLToPath(new URL('kernel.S', import.meta.url));
    execFileSync(gcc.path, [...FLAGS.split(' '), '-o', file, source], { stdio: 'pipe' });
    guest = await RunningGuest.start(file);
    const connect = `target remote 127.0.0.1:${guest.port}`;
    const look = 'printf "<%d %d %d %d>\\n", $pc == (long)&entry, $pc == (long)&first, $eax, $cs & 3';
    const commands = ['set pagination off', connect, 'monitor linux-abi on', 'disconnect', connect, 'catch syscall'];
    for (let stop = 0; stop < 3; stop++) commands.push('continue', look);
    commands.push('delete', 'catch syscall getpid', 'continue', 'continue', 'p $pc == (long)&second', 'p $eax', 'kill');
    const out = await runDebugger(
      gdb.path,
      ['-nx', '-q', '-batch', file, ...commands.flatMap((line) => ['-ex', line])],
      100_000,
    );
    expect(out).toMatch(/\(call to syscall write\), entry \(\).*[\s\S]*?<1 0 4 0>/);
    expect(out).toMatch(/\(returned from syscall write\), (?:0x\w+ in )?first \(\)[\s\S]*?<0 1 1004 3>/);
    expect(out).toMatch(/\(call to syscall getpid\), entry \(\)[\s\S]*?<1 0 20 0>/);
    expect(out).toContain('vmscope: By sysenter: call 20 of the 32-bit table.');
    // a catchpoint that is new begins with a call: the next one of the program's loop
    expect(out).toMatch(/Catchpoint 2 \(returned from syscall getpid\), (?:0x\w+ in )?second \(\)/);
    expect(out).toMatch(/\$1 = 1\n\$2 = 1020\n/);
  });
});
