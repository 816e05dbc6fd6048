/** What gdb has the stub do without stopping, or at the guest's system calls: dprintf, tracepoints, catch syscall. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { named, requireTool } from '../tools.js';
import { RunningGuest, runDebugger, sampleFile } from './running-guest.js';

const gdb = requireTool('gdb');
const nm = requireTool('nm');
const tools = [gdb, nm];

let guest: RunningGuest | undefined;
afterEach(() => guest?.stop());

/** `ring 3` calls its kernel by SYSCALL and INT 80h to print, and prints by `puts` and `putc`. */
const image = 'ring3/ring3.elf';
const symbols = new Map(
  nm.available
    ? execFileSync(nm.path, [sampleFile(image)], { encoding: 'utf8' })
        .split('\n')
        .map((line): [string, string] => [line.split(' ')[2], `0x${line.split(' ')[0]}`])
    : [],
);
const at = (name: string): string => `*${symbols.get(name)}`;

const folder = mkdtempSync(join(tmpdir(), 'vmscope-tracing-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** As a script, since lines behind `actions` are read from where that stands. */
async function runGdb(...commands: string[]): Promise<string> {
  guest = await RunningGuest.start(image);
  const connect = `target remote 127.0.0.1:${guest.port}`;
  // the mode changes on the way there would be stops of their own
  const before = ['set pagination off', 'set confirm off', connect, 'monitor arch x86-64'];
  const file = join(folder, 'commands');
  const lines = [...before, ...commands.map((line) => (line === 'connect' ? connect : line)), 'disconnect'];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return runDebugger(gdb.path, ['-nx', '-q', '-batch', '-x', file], 60_000);
}

describe.skipIf(tools.some(({ available }) => !available))(named('gdb', ...tools), () => {
  test('catches system calls by SYSCALL and INT 80h, each with its return, and by name', {
    timeout: 90_000,
  }, async () => {
    const out = await runGdb(
      ...['monitor linux-abi on', 'disconnect', 'connect'],
      ...[
        'catch syscall write',
        'c',
        'p/x $rip',
        'p $rax',
        'c',
        'p ($cs & 3)',
        'x/i $rip - 2',
        'c',
        'c',
        'x/i $rip - 2',
      ],
      ...['delete', 'catch syscall open', 'c'],
    );
    expect(out).toMatch(/Catchpoint 1 \(call to syscall write\), /);
    expect(out).toContain(`$1 = 0x${symbols.get('on_syscall')?.replace(/^0x0*/, '')}`);
    expect(out).toContain('$2 = 1\n');
    expect(out).toMatch(/Catchpoint 1 \(returned from syscall write\), .*\n\$3 = 3\n.*\tsyscall/);
    expect(out).toContain('vmscope: By int 80h: call 1 of the 32-bit table.\n');
    expect(out.match(/call to syscall write/g)).toHaveLength(2);
    expect(out.match(/returned from syscall write/g)).toHaveLength(2);
    expect(out).toMatch(/int {4}\$0x80/);
    expect(out).toMatch(/Catchpoint 2 \(call to syscall open\)/);
  });

  test('prints by dprintf in the stub, without a stop', { timeout: 90_000 }, async () => {
    const out = await runGdb(
      'set dprintf-style agent',
      `dprintf ${at('puts')},"<%s> %d %#06x %c%%\\n", (char *)$rsi, (int)$rcx & 0, 255, 65`,
      `tbreak ${at('on_int80')}`,
      'c',
      'info breakpoints',
    );
    expect(out).toMatch(/<ring 3 by SYSCALL\n> 0 0x00ff A%\n/);
    expect(out).toMatch(/Temporary breakpoint 2, /);
    expect(out).not.toContain('SIGTRAP');
  });

  test('collects registers, memory and variables at tracepoints, and shows the frames', {
    timeout: 90_000,
  }, async () => {
    const commands = [
      'tvariable $calls = 5',
      `trace ${at('putc')} if $rax != 105`,
      ...[
        'actions 1',
        'collect $regs',
        'collect *(unsigned char *)$rsi@4',
        'teval $calls = $calls + 1',
        'collect $calls',
        'end',
      ],
      `trace ${at('on_syscall')}`,
      ...['actions 2', 'collect $lstar', 'end'],
      'passcount 5 1',
      'tstart',
      `hbreak ${at('on_int80')}`,
      'c',
      'tstatus',
      'tfind 0',
      'p/x $rip',
      'p/x $lstar',
      'tfind',
      'p (char)$rax',
      'p *(unsigned char *)$rsi@4',
      'p $calls',
      'x/1xb 0x7000',
      'tfind pc 1',
      'tfind none',
      'p/x $rip',
    ];
    const out = await runGdb(...commands);
    // its fifth pass ends it; what the second one has collected before is there
    expect(out).toMatch(/Trace stopped by tracepoint 1\.\nCollected 6 trace frames/);
    expect(out).toMatch(/Found trace frame 0, tracepoint 2/);
    expect(out).toMatch(/Found trace frame 1, tracepoint 1/);
    expect(out).toMatch(/= 114 'r'/);
    expect(out).toMatch(/"ing "/);
    expect(out).toMatch(/= 6\n/);
    expect(out).toMatch(/0x7000:\s+<unavailable>/);
    expect(out).toMatch(/No longer looking at any trace frame/);
  });

  test('collects VM exits as frames: all, and of a reason by a condition on the exit', {
    timeout: 90_000,
  }, async () => {
    const out = await runGdb(
      ...['trace *0x800000000000ffff if $exit_reason != 30', 'actions', 'collect $regs', 'collect $_sdata', 'end'],
      ...['trace *0x800000000000001e if $rdx == 0x3fb', 'passcount 2 2', 'tstart', `tbreak ${at('on_int80')}`, 'c'],
      ...['tstatus', 'tfind start', 'printf "%#lx %d #%d\\n", $rip, $exit_reason, $exit_number', 'p $_sdata'],
      ...['monitor why', 'tfind', 'p/x $rcx', 'tfind tracepoint 2', 'p/x $exit_qualification', 'p/x $rdx'],
      ...['tfind none', 'info static-tracepoint-markers', 'monitor why 1', 'monitor why 999999'],
    );
    // the second pass of the other one ends it, and is kept
    expect(out).toMatch(/Trace stopped by tracepoint 2\.\nCollected \d+ trace frames/);
    expect(out).toMatch(/Found trace frame 0, tracepoint 1\n0x1003ae 31 #1\n/);
    expect(out).toMatch(/"#1 MSR_READ vcpu 0 icount \d+ qualification 0x0 gpa 0x0 gla 0x0"/);
    expect(out).toMatch(/VM exit #1, .*: 31 MSR_READ at rip 0x1003ae/);
    expect(out).toMatch(/Found trace frame 1, tracepoint 1\n\$\d+ = 0xc0000080\n/);
    expect(out).toMatch(/Found trace frame \d+, tracepoint 2\n\$\d+ = 0x3fb0000\n\$\d+ = 0x3fb\n/);
    expect(out).toMatch(/IO_INSTRUCTION@0x10042c +n +0x0*10042c/);
    expect(out).toContain('no VM exit #999999: it has not happened');
  });

  test('info registers is QEMU’s, other registers are variables, also in conditions; all of them where asked for', {
    timeout: 90_000,
  }, async () => {
    const out = await runGdb(
      'info registers',
      `hbreak ${at('on_syscall')} if $lstar == ${Number(symbols.get('on_syscall'))}`,
      'c',
      'info breakpoints',
      'printf "lstar %#lx gate %d\\n", $lstar, $vmcs_exit_reason >= 0',
      'info tvariables',
      'monitor registers all',
    );
    const shown = out.slice(0, out.indexOf('Hardware assisted')).match(/^[a-z_0-9]+(?= +0x)/gm) ?? [];
    expect(shown).toEqual([
      ...['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'],
      ...['rip', 'eflags', 'cs', 'ss', 'ds', 'es', 'fs', 'gs', 'fs_base', 'gs_base', 'k_gs_base'],
      ...['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'efer'],
    ]);
    expect(out).toContain(`stop only if $lstar == ${Number(symbols.get('on_syscall'))} (target evals)`);
    expect(out).toMatch(/^lstar 0x1001d4 gate 1$/m);
    expect(out).toMatch(/^\$gdtr_base +0 +[1-9]/m);
    expect(out).toContain('registers all, when you disconnect and connect again');
  });
});
