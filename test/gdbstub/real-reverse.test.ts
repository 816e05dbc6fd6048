/** Going back with stock gdb and LLDB. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { named, requireScript, requireTool } from '../tools.js';
import { Prompt, RunningGuest, runDebugger } from './running-guest.js';

const LONG = process.env.VMSCOPE_LONG_TESTS === '1';
const root = fileURLToPath(new URL('../..', import.meta.url));
const gdb = requireTool('gdb');
const lldb = requireTool('lldb');
const apt = requireTool('apt-get');
const kernel = LONG && apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const SLOW = 600_000;

let guest: RunningGuest | undefined;
let prompt: Prompt | undefined;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmscope-reverse-'));
});

afterEach(async () => {
  await prompt?.close();
  await guest?.stop();
  prompt = guest = undefined;
  rmSync(folder, { recursive: true });
});

async function attach(port: number): Promise<Prompt> {
  const plain = ['set pagination off', 'set confirm off', 'set print address on'].flatMap((line) => ['-ex', line]);
  prompt = new Prompt(spawn(gdb.path, ['-nx', '-q', ...plain], { stdio: 'pipe' }), SLOW);
  await prompt.type(`target remote 127.0.0.1:${port}`, /0x[0-9a-f]+ in .*\n/);
  return prompt;
}

/** All registers as gdb prints them, and a hash of so much memory. */
async function look(shell: Prompt, memory: string): Promise<{ registers: string; hash: string }> {
  const registers = await shell.type('info registers', /\(gdb\) .*k7|gs_base.*\n[\s\S]*\(gdb\)/);
  const file = join(folder, 'memory');
  await shell.type(`monitor pmemsave 0 ${memory} ${file}`, /\(gdb\) /);
  await shell.type('echo saved\\n', /saved/);
  return { registers, hash: createHash('sha256').update(readFileSync(file)).digest('hex') };
}

/** So many instructions back and forth; answers both rates, in steps a second. */
async function backAndForth(shell: Prompt, steps: number, memory: string): Promise<[back: number, forth: number]> {
  const before = await look(shell, memory);
  const time = async (command: string): Promise<number> => {
    const start = performance.now();
    await shell.type(`${command} ${steps}`, /(?:=> )?0x[0-9a-f]+ in .*\n/);
    return (steps / (performance.now() - start)) * 1000;
  };
  const back = await time('reverse-stepi');
  const there = await look(shell, memory);
  expect(there.registers).not.toBe(before.registers);
  const forth = await time('stepi');
  expect(await look(shell, memory)).toEqual(before);
  return [back, forth];
}

describe.skipIf(!gdb.available)(named('gdb', gdb), () => {
  test('so many steps back and forth lead to the same registers and memory', async () => {
    guest = await RunningGuest.start('interrupts/interrupts.elf');
    const steps = LONG ? 1000 : 60;
    const memory = (n: number): string[] => [`monitor pmemsave 0 0x400000 ${join(folder, `memory${n}`)}`];
    const shown = (n: number): string[] => ['echo <', 'info registers', `echo >`, ...memory(n)];
    const commands = [
      ...['set pagination off', 'set confirm off', `file ${root}samples/interrupts/interrupts.elf`],
      ...[`target remote 127.0.0.1:${guest.port}`, 'monitor goto 1', 'hbreak on_tick', 'continue', 'delete', 'stepi'],
      ...[...shown(1), `reverse-stepi ${steps}`, ...shown(2), `stepi ${steps}`, ...shown(3), 'monitor wrote $rsp'],
    ];
    const out = await runDebugger(
      gdb.path,
      ['-nx', '-q', '-batch', ...commands.flatMap((line) => ['-ex', line])],
      60_000,
    );
    expect(out).toContain('is not in the history');
    const registers = [...out.matchAll(/<((?:\w+ +0x[0-9a-f].*\n)+)>/g)].map(([, text]) => text);
    expect(registers, out).toHaveLength(3);
    const saved = [1, 2, 3].map((n) =>
      createHash('sha256')
        .update(readFileSync(join(folder, `memory${n}`)))
        .digest('hex'),
    );
    expect(registers[1]).not.toBe(registers[0]);
    expect([registers[2], saved[2]]).toEqual([registers[0], saved[0]]);
    expect(out).toMatch(/written by vCPU 0 at 0x[0-9a-f]+ <\w+/);
  }, 90_000);

  test('branches by monitor: made, compared, gone to, renamed and deleted', async () => {
    guest = await RunningGuest.start('interrupts/interrupts.elf');
    const commands = [
      ...['set pagination off', 'set confirm off', `file ${root}samples/interrupts/interrupts.elf`],
      // the trunk goes on to the second tick; the branch has no stack at the first one
      ...[`target remote 127.0.0.1:${guest.port}`, 'hbreak on_tick', 'continue', 'continue', 'reverse-continue'],
      ...['monitor branch mine', 'set $rsp = 0x8000000000000000', 'stepi'],
      ...['monitor branches', 'monitor compare', 'monitor compare mine nobody'],
      ...['monitor switch trunk', 'monitor where', 'monitor print $rsp', 'monitor switch mine', 'monitor print $rsp'],
      ...['monitor branch rename mine yours', 'monitor branch delete yours', 'monitor switch trunk'],
      ...['monitor branch delete yours', 'monitor branches', 'monitor branch delete yours'],
    ];
    const out = await runDebugger(
      gdb.path,
      ['-nx', '-q', '-batch', ...commands.flatMap((line) => ['-ex', line])],
      60_000,
    );
    expect(out).toMatch(/mine: leaves trunk at instruction [\d,]+, exit (\d+); up to instruction/);
    expect(out).toMatch(
      /^ {2}trunk: up to instruction .*\n\* mine: leaves trunk at .*, ended: triple fault on vCPU 0/m,
    );
    const [, fork = ''] = /mine: leaves trunk at instruction [\d,]+, exit (\d+)/.exec(out) ?? [];
    expect(out).toContain(`first difference at exit #${Number(fork) + 1}: TRIPLE_FAULT`);
    expect(out).toContain('compare: there is no branch nobody; there is trunk, mine');
    expect(out).toMatch(/at the live end\n.*\n0x10\w{4}\nENDED: triple fault .*\n0x8000000000000000\n/);
    expect(out).toMatch(/yours: leaves trunk at .*\nbranch: the guest is on yours: switch trunk leaves it\n/);
    expect(out).toMatch(/\* trunk: up to .*\nbranch: there is no branch yours; there is trunk\n/);
  }, 90_000);

  test.runIf(kernel.available && LONG)(
    named('and Linux on two vCPUs: back to the write of a variable, 1000 steps back and forth', kernel),
    async () => {
      const files = `${root}build/guests/linux`;
      const append = ['--append', 'console=ttyS0 RUN="echo it went on"'];
      const options = ['--initrd', `${files}/initrd.gz`, '-m', '256M', '--vcpus', '2', '--history', '512M', ...append];
      guest = await RunningGuest.start(`${files}/vmlinuz`, ...options);
      const shell = await attach(guest.port);
      await shell.type('hbreak run_init_process', /breakpoint 1/);
      await shell.type('continue', /hit Breakpoint 1, 0x[0-9a-f]+ in run_init_process \(\)/);
      await shell.type('delete', /\(gdb\)/);
      const value = async (): Promise<string> =>
        /= (\d+)\n/.exec(await shell.type('print *(unsigned long*)&jiffies_64', /\$\d+ = \d+\n/))![1];
      const now = await value();
      await shell.type('watch *(unsigned long*)&jiffies_64', /watchpoint 2/);
      const start = performance.now();
      const hit = await shell.type('reverse-continue', /Old value = (\d+)\s+New value = (\d+)\s/);
      const seconds = (performance.now() - start) / 1000;
      const [, old, before] = /Old value = (\d+)\s+New value = (\d+)\s/.exec(hit)!;
      expect([old, Number(before)]).toEqual([now, Number(now) - 1]);
      expect(await value()).toBe(before);
      await shell.type('delete', /\(gdb\)/);
      const where = await shell.type('monitor where', /history: .*\n/);
      const [back, forth] = await backAndForth(shell, 1000, '0x10000000');
      console.log(
        `${where.split('\n')[0]}: reverse-continue ${seconds.toFixed(1)} s, reverse-stepi ${back.toFixed(0)}/s, stepi ${forth.toFixed(0)}/s`,
      );
    },
    SLOW,
  );
});

describe.skipIf(!lldb.available)(named('lldb', lldb), () => {
  test('continue and steps go back by direction back; after goto and wrote a step shows where the guest stands', async () => {
    guest = await RunningGuest.start('long-mode/long-mode.elf');
    const monitor = (line: string): string => `process plugin packet monitor ${line}`;
    const commands = [
      `gdb-remote 127.0.0.1:${guest.port}`,
      'breakpoint set --address 0x10002f',
      ...['continue', 'thread step-inst', 'thread step-inst', 'register read rip'],
      ...[monitor('direction back'), 'thread step-inst', 'register read rip', 'continue', 'register read rip'],
      ...[monitor('direction forward'), 'thread step-inst', 'register read rip'],
      ...[monitor('goto 2'), 'thread step-inst', 'register read rip', monitor('where')],
      ...[monitor('goto end'), 'thread step-inst', monitor('wrote $rax'), 'thread step-inst', 'register read rip'],
    ];
    const out = await runDebugger(
      lldb.path,
      ['--no-lldbinit', '--batch', ...commands.flatMap((command) => ['-o', command])],
      60_000,
    );
    const seen = [...out.matchAll(/ rip = 0x0*([0-9a-f]+)/g)].map(([, rip]) => rip);
    expect(seen, out).toEqual(['100034', '100032', '10002f', '100032', '100028', '10002f']);
    expect(out).toContain('instruction 2, exit 0, in the past');
    expect(out).toMatch(/written by vCPU 0 at 0x10002f <\w+>/);
  }, 90_000);
});
