/** gdb on a guest of two vCPUs, which are its threads. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { kvmSkipReason } from '../kvm/tools.js';
import { named, requireTool } from '../tools.js';
import { DapClient } from './dap-client.js';
import { newGdb, newGdbProgram } from './gdb-shell.js';
import { Prompt, RunningGuest, runDebugger } from './running-guest.js';

const tools = ['gdb', 'as', 'ld'].map(requireTool);
const [gdb, as, ld] = tools;
const lldb = requireTool('lldb');

/** The first vCPU wakes the second, which counts in real mode at 70000h; then it counts itself. */
const SOURCE = `.globl _start, first_loop, counter
_start:
  mov $second, %rsi
  mov $0x70000, %edi
  mov $second_end - second, %ecx
  rep movsb
  mov $0xfee00000, %ebx
  movl $0x1ff, 0xf0(%rbx)
  movl $0x01000000, 0x310(%rbx)
  movl $0x00004500, 0x300(%rbx)
  movl $0x01000000, 0x310(%rbx)
  movl $0x00004670, 0x300(%rbx)
first_loop:
  incl counter(%rip)
  jmp first_loop
.code16
second:
  xor %ax, %ax
  mov %ax, %ds
1: incl 0x500
  jmp 1b
second_end:
.data
counter: .long 0
`;

let folder: string;
let guest: RunningGuest | undefined;

const absent = tools.some((tool) => !tool.available);
const noKvm = kvmSkipReason();

beforeAll(() => {
  if (absent) return;
  folder = mkdtempSync(join(tmpdir(), 'vmscope-smp-'));
  writeFileSync(join(folder, 'smp.S'), SOURCE);
  execFileSync(as.path, ['-o', 'smp.o', 'smp.S'], { cwd: folder });
  execFileSync(ld.path, ['-Ttext=0x200000', '-o', 'smp.elf', 'smp.o'], { cwd: folder });
});
afterEach(() => guest?.stop());
afterAll(() => {
  if (!absent) rmSync(folder, { recursive: true });
});

describe.skipIf(absent).each([
  { engine: 'vtx', why: '' },
  { engine: 'kvm', why: noKvm },
])(named('gdb and two vCPUs on $engine $why', ...tools), ({ engine, why }) => {
  const it = test.skipIf(why !== '');

  async function runGdb(...commands: string[]): Promise<string> {
    guest = await RunningGuest.start(join(folder, 'smp.elf'), '--vcpus', '2', '--engine', engine);
    const all = ['set pagination off', `file ${folder}/smp.elf`, `target remote 127.0.0.1:${guest.port}`, ...commands];
    return runDebugger(gdb.path, ['-nx', '-q', '-batch', ...[...all, 'kill'].flatMap((command) => ['-ex', command])]);
  }

  it('a breakpoint on the second one’s first instruction, its registers, and who stands where', async () => {
    const out = await runGdb(
      'info threads',
      'hbreak *0x70000',
      'continue',
      'info threads',
      'p/x $cs',
      'thread 1',
      'p $pc >= &_start && $pc < &counter',
    );
    expect(out).toMatch(/\* 1 +Thread 1\.1 "CPU#0".*_start \(\)[\s\S]*2 +Thread 1\.2 "CPU#1"/);
    expect(out).toMatch(/Thread 2 "CPU#1" hit Breakpoint 1, 0x0*70000 in/);
    expect(out).toMatch(/\* 2 +Thread 1\.2/);
    expect(out).toContain('$1 = 0x7000');
    expect(out).toContain('$2 = 1');
  });

  it('a watchpoint says which of them wrote; a step moves one of them', async () => {
    const out = await runGdb(
      'watch *(int *)0x500',
      'continue',
      'p *(int *)0x500',
      'delete',
      'watch *(int *)&counter',
      'continue',
      'delete',
      'set scheduler-locking on',
      'thread 2',
      'set $before = *(int *)&counter',
      'set $mine = *(int *)0x500',
      'stepi 20',
      'p *(int *)&counter - $before',
      'p *(int *)0x500 - $mine',
    );
    expect(out).toMatch(/Thread 2 "CPU#1" hit Hardware watchpoint 1[\s\S]*Old value = 0\s+New value = 1/);
    expect(out).toMatch(/Thread 1 "CPU#0" hit Hardware watchpoint 2/);
    expect(out).toContain('$2 = 0');
    expect(out).toContain('$3 = 10');
  });

  it('ctrl-C stops both of them, in the middle of their loops', async () => {
    guest = await RunningGuest.start(join(folder, 'smp.elf'), '--vcpus', '2', '--engine', engine);
    const prompt = new Prompt(spawn(gdb.path, ['-nx', '-q', `${folder}/smp.elf`]));
    try {
      await prompt.type('set pagination off', /\(gdb\)/);
      await prompt.type(`target remote 127.0.0.1:${guest.port}`, /_start[\s\S]*\(gdb\)/);
      await prompt.type('hbreak *0x70000', /\(gdb\)/);
      await prompt.type('continue', /Thread 2 "CPU#1" hit Breakpoint 1[\s\S]*\(gdb\)/);
      await prompt.type('delete', /\(gdb\)/);
      const from = prompt.out.length;
      await prompt.type('continue', /Continuing/);
      await new Promise((resolve) => setTimeout(resolve, 200));
      prompt.signal('SIGINT');
      await prompt.expect(/received signal SIGINT[\s\S]*\(gdb\)/, from);
      const both = 'printf "%d %d\\n", *(int *)0x500 > 10, *(int *)&counter > 10';
      expect(await prompt.type(both, /\n?[01] [01]/)).toContain('1 1');
      // neither goes on while gdb is at its prompt
      await prompt.type('set $a = *(int *)0x500 + *(int *)&counter', /\(gdb\)/);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await prompt.type('maintenance flush dcache', /\(gdb\)/);
      expect(await prompt.type('printf "%d\\n", *(int *)0x500 + *(int *)&counter - $a', /\d+\n/)).toMatch(/^0$/m);
    } finally {
      await prompt.close();
    }
  });

  it('conditions on code of each of them let both on; the monitor answers for the thread that is looked at', async () => {
    const out = await runGdb(
      'hbreak *0x70000',
      'continue',
      'delete',
      // `1: incl 0x500; jmp 1b` of the second one, met by a condition that is false many times
      'hbreak *0x70004 if (*(int *)0x500 & 255) == 200',
      'continue',
      'p *(int *)0x500 & 255',
      'delete',
      'hbreak first_loop if (*(int *)&counter & 255) == 100',
      'continue',
      'p *(int *)&counter & 255',
      'thread 2',
      'monitor info cpus',
      'monitor cpu 0',
      'monitor info cpus',
    );
    expect(out).toContain('$1 = 200');
    expect(out).toContain('$2 = 100');
    expect(out).toMatch(/ {2}CPU #0: thread_id=1\n\* CPU #1: thread_id=2/);
    expect(out).toMatch(/\* CPU #0: thread_id=1\n {2}CPU #1: thread_id=2/);
  });

  test.skipIf(engine !== 'vtx')(
    'non-stop: one stands at a breakpoint and is stepped while the other runs',
    async () => {
      guest = await RunningGuest.start(join(folder, 'smp.elf'), '--vcpus', '2');
      const prompt = new Prompt(spawn(gdb.path, ['-nx', '-q', `${folder}/smp.elf`]), 60_000);
      try {
        await prompt.type('set pagination off', /\(gdb\)/);
        await prompt.type('set non-stop on', /\(gdb\)/);
        const connected = prompt.type(`target remote 127.0.0.1:${guest.port}`, /Thread 1 "CPU#0" stopped[\s\S]*_start/);
        await connected;
        await prompt.expect(/Thread 2 "CPU#1" stopped/);
        await prompt.type('hbreak *0x70000', /breakpoint 1/);
        await prompt.type('continue -a &', /Thread 2 "CPU#1" hit Breakpoint 1/);
        await prompt.type('delete', /\(gdb\)/);
        await prompt.type('info threads', /1 .*\(running\)[\s\S]*2 .*0x0*70000/);
        await prompt.type('thread 2', /Switching to thread 2/);
        await prompt.type('stepi', /0x0*70002/);
        await prompt.type('interrupt -a', /Thread 1 "CPU#0" stopped/);
        await prompt.type('thread 1', /Switching to thread 1/);
        const first = /= (\d+)/.exec(await prompt.type('p *(int *)&counter', /= \d+\n/))?.[1];
        await prompt.type('continue &', /Continuing/);
        await prompt.type('interrupt', /Thread 1 "CPU#0" stopped/);
        const second = /= (\d+)/.exec(await prompt.type('p *(int *)&counter', /= \d+\n/))?.[1];
        expect(Number(second)).toBeGreaterThan(Number(first));
        await prompt.type('p/x $pc', /= 0x/);
        await prompt.type('thread 2', /0x0*70002/);
        await prompt.type('detach', /detached/);
      } finally {
        await prompt.close();
      }
    },
    120_000,
  );
});

/** The two counters as LLDB's `memory read` prints them, in the order of the reads: the second vCPU's, the first one's. */
const COUNTERS = ['memory read -s 4 -f d -c 1 0x500', 'memory read -s 4 -f d -c 1 `(long)&counter`'];

describe.skipIf(absent || !lldb.available)(named('lldb and two vCPUs', ...tools, lldb), () => {
  test('runs and steps one of them while the other stands, and both again', { timeout: 120_000 }, async () => {
    guest = await RunningGuest.start(join(folder, 'smp.elf'), '--vcpus', '2');
    const lines = [`gdb-remote 127.0.0.1:${guest.port}`, 'breakpoint set --hardware --address 0x70004', 'continue'];
    lines.push('breakpoint delete --force', ...COUNTERS);
    // the second one alone, to its sixth pass of the jump; then its step over the jump
    lines.push('breakpoint set --hardware --address 0x70009 --ignore-count 5', 'thread continue 2', ...COUNTERS);
    lines.push(
      'breakpoint delete --force',
      'thread step-inst --run-mode this-thread',
      'register read rip',
      ...COUNTERS,
    );
    // the first one alone, which the other's breakpoint does not concern
    lines.push('thread select 1', 'breakpoint set --hardware --name first_loop --ignore-count 20');
    lines.push('breakpoint set --hardware --address 0x70004', 'thread continue 1', 'thread list', ...COUNTERS);
    lines.push('breakpoint delete --force', 'watchpoint set expression -w write -s 4 -- 0x500', 'thread continue 1 2');
    lines.push('thread list', ...COUNTERS);
    const out = await runDebugger(
      lldb.path,
      ['--no-lldbinit', '--batch', join(folder, 'smp.elf'), ...lines.flatMap((line) => ['-o', line])],
      110_000,
    );
    const values = [...out.matchAll(/^0x00[0-9a-f]+: (\d+)$/gm)].map(([, value]) => Number(value));
    expect(values).toHaveLength(10);
    const [, first] = values;
    expect(values.slice(0, 6)).toEqual([0, first, 6, first, 6, first]);
    expect(out).toContain('rip = 0x0000000000070004');
    expect(values[6]).toBe(6);
    expect(values[7] - first).toBeGreaterThanOrEqual(20);
    expect(out).toMatch(/\* thread #1: .*stop reason = breakpoint 3\.1\s+thread #2: .*0x0*70004/);
    expect(out).toMatch(/\* thread #2: .*stop reason = watchpoint 1/);
    expect(values[8]).toBe(7);
    expect(values[9]).toBeGreaterThan(values[7]);
  });
});

describe.skipIf(absent || !newGdb.available)(named('gdb -i dap and two vCPUs', ...tools, newGdb), () => {
  test('steps and runs a single thread, and stops at a watch that was typed', { timeout: 180_000 }, async () => {
    const program = join(folder, 'smp.elf');
    guest = await RunningGuest.start(program, '--vcpus', '2');
    const client = new DapClient(spawn(newGdbProgram, ['-nx', '-q', '-i', 'dap'], { stdio: 'pipe' }));
    const value = async (expression: string): Promise<number> =>
      Number((await client.ask('evaluate', { expression })).result);
    const counters = async (): Promise<number[]> => [await value('*(int *)0x500'), await value('*(int *)&counter')];
    const breakAt = (...places: string[]): Promise<unknown> =>
      client.ask('setInstructionBreakpoints', {
        breakpoints: places.map((instructionReference) => ({ instructionReference })),
      });
    try {
      await client.ask('initialize', { adapterID: 'gdb', linesStartAt1: true, columnsStartAt1: true });
      const attached = client.ask('attach', { program, target: `127.0.0.1:${guest.port}` });
      await client.event('initialized');
      await breakAt('0x70004');
      await client.ask('configurationDone', {});
      await attached;
      await client.event('stopped');
      expect(await client.run('continue', { threadId: 1 })).toMatchObject({ threadId: 2 });
      await breakAt();
      const [none, first] = await counters();
      expect(none).toBe(0);
      for (let step = 0; step < 6; step++)
        await client.run('next', { threadId: 2, singleThread: true, granularity: 'instruction' });
      expect(await counters()).toEqual([3, first]);
      await breakAt(`0x${(await value('(long)&first_loop')).toString(16)}`);
      for (let pass = 0; pass < 5; pass++) await client.run('continue', { threadId: 1, singleThread: true });
      const [held, moved] = await counters();
      expect(held).toBe(3);
      expect(moved - first).toBeGreaterThanOrEqual(4);
      expect(moved - first).toBeLessThanOrEqual(5);
      await breakAt();
      // gdb's adapter has no request for data breakpoints: they are typed
      await client.ask('evaluate', { expression: 'watch *(int *)0x500', context: 'repl' });
      expect(await client.run('continue', { threadId: 1 })).toMatchObject({ threadId: 2 });
      expect((await counters())[0]).toBe(4);
    } finally {
      await client.close();
    }
  });
});
