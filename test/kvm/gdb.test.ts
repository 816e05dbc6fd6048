/** gdb as it is shipped on guests that run on the host's KVM. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { Prompt, RunningGuest, runDebugger, sampleFile, until } from '../gdbstub/running-guest.js';
import { named, requireTool } from '../tools.js';
import { kvmSkipReason } from './tools.js';

const gdb = requireTool('gdb');
const why = kvmSkipReason();
const PLAIN = ['-nx', '-q', '-ex', 'set pagination off', '-ex', 'set confirm off'];
const expected = (sample: string): string => readFileSync(sampleFile(`${sample}/expected.txt`), 'latin1');

let guest: RunningGuest;
const prompts: Prompt[] = [];

const start = async (sample: string, ...options: string[]): Promise<void> => {
  guest = await RunningGuest.start(`${sample}/${sample}.elf`, '--engine', 'kvm', ...options);
};
const attach = (): string => `target remote 127.0.0.1:${guest.port}`;

function runGdb(sample: string, ...commands: string[]): Promise<string> {
  const all = [`file ${sampleFile(`${sample}/${sample}.elf`)}`, attach(), ...commands, 'disconnect'];
  return runDebugger(gdb.path, [...PLAIN, '-batch', ...all.flatMap((command) => ['-ex', command])], 60_000);
}

function startGdb(sample: string): Prompt {
  const file = sampleFile(`${sample}/${sample}.elf`);
  const prompt = new Prompt(spawn(gdb.path, [...PLAIN, file], { stdio: 'pipe' }));
  prompts.push(prompt);
  return prompt;
}

afterEach(async () => {
  for (const prompt of prompts.splice(0)) await prompt.close();
  await guest?.stop();
});

describe.skipIf(!gdb.available || why !== '')(named(`gdb and engine kvm ${why}`, gdb), () => {
  test('break, hbreak, registers, memory, write and read back, detach to the right end', async () => {
    await start('long-mode');
    const out = await runGdb(
      'long-mode',
      'hbreak puts64',
      'continue',
      'p $pc',
      'info registers cr0 efer cs',
      'break puthex64',
      'set var *(unsigned long *)0x3000000 = 0x1122334455667788',
      'x/1xg 0x3000000',
      'set $rbx = 0x123456789',
      'p/x $rbx',
      'delete 1',
      'continue',
      'p $pc',
      'delete',
      'detach',
    );
    expect(out).toMatch(/Breakpoint 1, 0x\w+ in puts64 \(\)/);
    expect(out).toMatch(/^cr0 +0x\w+ +\[.*PG.*\]/m);
    expect(out).toMatch(/^efer +0x500 +\[ LME LMA \]/m);
    expect(out).toContain('0x1122334455667788');
    expect(out).toContain('0x123456789');
    expect(out).toMatch(/Breakpoint 2, 0x\w+ in puthex64 \(\)/);
    expect(await guest.ended()).toBe(0);
    expect(guest.stdout).toBe(expected('long-mode'));
  }, 60_000);

  test('stepi 1000, one by one, goes where the embedded engine goes', async () => {
    const steps = ['hbreak main', 'continue', 'delete', 'stepi 1000', 'p $pc', 'p/x $rax', 'p/x $rcx', 'p/x $rdi'];
    const where = async (): Promise<string[]> => (await runGdb('crc32', ...steps)).match(/^\$\d+ = .*$/gm) ?? [];
    await start('crc32');
    const onKvm = await where();
    await guest.stop();
    guest = await RunningGuest.start('crc32/crc32.elf');
    expect(onKvm).toHaveLength(4);
    expect(onKvm).toEqual(await where());
  }, 60_000);

  test('a watchpoint stops behind each write of a variable', async () => {
    await start('interrupts');
    const out = await runGdb('interrupts', 'hbreak on_tick', 'continue', 'delete', 'watch *(int *)&ticks', 'continue');
    expect(out).toMatch(/Hardware watchpoint 2: \*\(int \*\)&ticks\s+Old value = 0\s+New value = 1/);
    expect(out).toMatch(/in on_tick \(\)/);
  }, 60_000);

  test('a breakpoint behind STI, steps without and into a waiting interrupt', async () => {
    await start('interrupts');
    const find = [
      'python self_ipi = int(gdb.parse_and_eval("(long)&self_ipi"))',
      'python code = gdb.selected_inferior().read_memory(self_ipi, 200).tobytes()',
      'python gdb.execute(f"hbreak *{self_ipi + code.index(bytes([0xfb]))}")',
    ];
    const out = await runGdb(
      'interrupts',
      ...['hbreak self_ipi', 'continue', ...find, 'continue', 'delete'],
      ...['stepi', 'stepi', 'p $pc', 'p/x $eflags & 0x200', 'break on_ipi', 'continue', 'p *(int *)&ipis'],
      ...['delete', 'detach'],
    );
    expect(out).toMatch(/\$1 = .*<self_ipi\+\d+>/);
    expect(out).toContain('$2 = 0x200');
    expect(out).toMatch(/Breakpoint 3, 0x\w+ in on_ipi \(\)/);
    expect(out).toContain('$3 = 0');
    expect(await guest.ended()).toBe(0);
    expect(guest.stdout).toBe(expected('interrupts'));
  }, 60_000);

  test('ring 3: a breakpoint in the kernel’s fault handler, steps there and back', async () => {
    await start('ring3');
    const out = await runGdb(
      'ring3',
      ...['hbreak on_page_fault', 'continue', 'p/x $cs & 3', 'p/x *(long *)($rsp + 16) & 3', 'p/x $cr2'],
      ...['stepi', 'p $pc', 'hbreak done_page_fault', 'continue', 'delete', 'stepi 4', 'p/x $cs & 3'],
      ...['stepi', 'p $pc', 'delete', 'detach'],
    );
    expect(out).toMatch(/Breakpoint 1, 0x\w+ in on_page_fault \(\)/);
    expect(out).toContain('$1 = 0x0');
    expect(out).toContain('$2 = 0x3');
    expect(out).toContain('$3 = 0x1f3008');
    expect(out).toMatch(/\$4 = .*<on_page_fault\+1>/);
    expect(out).toContain('$5 = 0x3');
    expect(out).toMatch(/\$6 = .*<user_start\+\d+>/);
    expect(await guest.ended()).toBe(0);
    expect(guest.stdout).toBe(expected('ring3'));
  }, 60_000);

  test('ctrl-C stops a running guest; detach lets it go on, another gdb attaches and ends it', async () => {
    await start('keyboard');
    const prompt = startGdb('keyboard');
    await prompt.type(attach(), /in _start/);
    await prompt.type('continue', /Continuing/);
    await until('the guest is running', () => guest.stdout.includes('q ends'));
    prompt.signal('SIGINT');
    await prompt.expect(/SIGINT/);
    await prompt.type('p $pc', /wait_key|main/);
    await prompt.type('detach', /detached/);
    guest.type('7');
    await until('the guest goes on', () => guest.stdout.includes('serial 7'));
    const out = await runGdb('keyboard', 'p $pc', 'hbreak on_serial', 'info breakpoints', 'detach');
    expect(out).toMatch(/\$1 = .*<\w+\+\d+>/);
    expect(out).toContain('<on_serial>');
    guest.type('q');
    expect(await guest.ended()).toBe(0);
  }, 60_000);
});
