/** Debuggers as they are shipped and the mode that a guest runs in: 32-bit kernels, real mode, changes between them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { named, requireTool } from '../tools.js';
import { buildKernel32 } from './kernel32/build.js';
import { RunningGuest, runDebugger, sampleFile } from './running-guest.js';

const gdb = requireTool('gdb');
const lldb = requireTool('lldb');
const gcc = requireTool('gcc');

let folder: string;
let kernel: string;
let guest: RunningGuest;

beforeAll(() => {
  if (!gcc.available) return;
  folder = mkdtempSync(join(tmpdir(), 'vmscope-modes-'));
  kernel = join(folder, 'kernel.elf');
  buildKernel32(gcc.path, kernel);
});
afterEach(() => guest?.stop());
afterAll(() => {
  if (gcc.available) rmSync(folder, { recursive: true });
});

function runGdb(program: string[], ...commands: string[]): Promise<string> {
  const all = ['set pagination off', `target remote 127.0.0.1:${guest.port}`, ...commands, 'disconnect'];
  return runDebugger(gdb.path, ['-nx', '-q', '-batch', ...program, ...all.flatMap((command) => ['-ex', command])]);
}

function runLldb(program: string[], ...commands: string[]): Promise<string> {
  const all = [`gdb-remote 127.0.0.1:${guest.port}`, ...commands];
  return runDebugger(lldb.path, ['--no-lldbinit', '--batch', ...program, ...all.flatMap((line) => ['-o', line])]);
}

describe.skipIf(!gdb.available)(named('gdb and the mode of a guest', gdb), () => {
  test.skipIf(!gcc.available)(
    named('a gdb given an ELF32 kernel connects and debugs it by its source', gcc),
    async () => {
      guest = await RunningGuest.start(kernel);
      const steps = [
        'x/2i $pc',
        'break add',
        'continue',
        'backtrace',
        'finish',
        'next',
        'next',
        'p spot',
        'p $eip > 0',
      ];
      const out = await runGdb([kernel], ...steps, 'watch spot.x', 'delete 1', 'continue', 'p $esp == &spot');
      expect(out).toMatch(/=> 0x10000c <_start>:\s+mov +\$0x\w+,%esp/);
      expect(out).toMatch(/Breakpoint 1, add \(a=1, b=1\)/);
      expect(out).toMatch(/#1 .*twice \(a=1\)[\s\S]*#2 .*kmain \(\)[\s\S]*#3 .*_start \(\)/);
      expect(out).toContain('Value returned is $1 = 2');
      expect(out).toContain('$2 = {x = 2, y = 4}');
      expect(out).toMatch(/Old value = 2\s+New value = 6/);
      expect(out).not.toMatch(/not compatible|badly formatted|too long|rejected/);
    },
  );

  test('real mode is shown as such from the connection on, and the user is told', async () => {
    guest = await RunningGuest.start('real-mode');
    const out = await runGdb([], 'x/2i $pc', 'stepi', 'x/2i $pc');
    expect(out).toMatch(/=> 0x7c00:\s+ljmp +\$0x0,\$0x7c05/);
    expect(out).toMatch(/go with the guest's mode; monitor arch x86-64 keeps one/);
    expect(out).not.toMatch(/OS ABI/);
  });

  test('a 64-bit program keeps its view, and a gdb without one goes with the mode', async () => {
    const file = sampleFile('long-mode/long-mode.elf');
    const commands = ['hbreak *0x100021', 'continue', 'show architecture', 'hbreak *0x100113', 'continue', 'p $pc'];
    guest = await RunningGuest.start(file);
    const kept = await runGdb([file], 'p *(long *)&real == *(long *)0x10005b', ...commands);
    expect(kept).toContain('currently "i386:x86-64"');
    expect(kept).toMatch(/\$2 = .*0x100113 <long>/);
    expect(kept).toMatch(/shown in 64-bit registers, as its image is; monitor arch auto/);
    expect(kept).not.toMatch(/Invalid cast|new program/);
    await guest.stop();
    guest = await RunningGuest.start(file);
    const bare = await runGdb([], ...commands);
    expect(bare).toContain('currently "i386")');
    expect(bare).toMatch(/Breakpoint 2, 0x0000000000100113/);
  });

  test('a step over a breakpoint into another mode stands behind it', async () => {
    guest = await RunningGuest.start('long-mode/long-mode.elf');
    const steps = ['stepi', 'hbreak *0x10002f', 'hbreak *0x100028', 'continue', 'stepi', 'p/x $pc', 'stepi', 'p/x $pc'];
    const out = await runGdb([], ...steps, 'x/i $pc');
    expect(out).toContain('Program stopped.');
    expect(out).toContain('$1 = 0x10002f');
    expect(out).toContain('$2 = 0x100032');
    expect(out).toMatch(/=> 0x100032:\s+mov +%ax,%ds/);
  });
});

describe.skipIf(!lldb.available)(named('lldb and the mode of a guest', lldb), () => {
  test.skipIf(!gcc.available)(named('an lldb given an ELF32 kernel debugs it by its source', gcc), async () => {
    guest = await RunningGuest.start(kernel);
    const out = await runLldb([kernel], 'breakpoint set --name add', 'continue', 'bt', 'finish');
    expect(out).toMatch(/add\(a=1, b=1\)/);
    expect(out).toMatch(/frame #1:.*twice\(a=1\)[\s\S]*frame #2:.*kmain/);
    expect(out).toMatch(/Return value: \(int\) \$0 = 2/);
  });

  test('16-bit code is disassembled as such', async () => {
    guest = await RunningGuest.start('real-mode');
    await runGdb([], 'monitor arch i8086');
    const out = await runLldb([], 'disassemble --start-address 0x7c00 --count 3', 'target list');
    expect(out).toMatch(/arch=i386-unknown-unknown-code16/);
    expect(out).toMatch(/ljmpw +\$0x0, \$0x7c05/);
  });
});
