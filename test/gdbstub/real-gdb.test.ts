import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Stub, startStub } from '../../src/gdbstub/server.js';
import { buildSymbolElf } from '../../src/gdbstub/symbol-elf.js';
import { named, requireTool } from '../tools.js';
import { CODE, COUNTER, CRASH, FakeTarget, HALT, MODE_SWITCH, READER } from './fake-target.js';

const gdb = requireTool('gdb');

let target: FakeTarget;
let stub: Stub;
let messages: string[];

beforeEach(async () => {
  target = new FakeTarget();
  messages = [];
  stub = await startStub({ target, port: 0, onMessage: (text) => messages.push(text) });
});

afterEach(async () => {
  await stub.close();
  await target.pause();
});

function gdbArguments(commands: string[]): string[] {
  return ['-nx', '-batch', '-ex', 'set pagination off', ...commands.flatMap((command) => ['-ex', command])];
}

/**
 * Runs gdb against the stub; resolves with what it printed, then its errors and the stub's messages.
 * At the end it disconnects, since quitting would detach and so resume the guest.
 */
function runGdb(...commands: string[]): Promise<string> {
  const args = gdbArguments([`target remote 127.0.0.1:${stub.port}`, ...commands, 'disconnect']);
  return new Promise((resolve) => {
    execFile(gdb.path, args, { timeout: 25_000 }, (_error, stdout, stderr) => resolve(stdout + stderr));
  });
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000; turn++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`not within 10 s: ${what}`);
}

describe.skipIf(!gdb.available)(named('gdb', gdb), () => {
  test('reads modules as libraries at their places', async () => {
    const place = 0x300000n;
    const elf = buildSymbolElf([{ name: 'module_function', address: 0x40n, size: 16n, code: true }], undefined, 0n);
    const path = '/lib/modules/6.1/toy.ko';
    Object.assign(target, {
      libraries: {
        list: async () => [{ path, address: place }],
        symbols: async (name: string) => (name === path ? elf : undefined),
      },
    });
    const out = await runGdb('sharedlibrary', 'info sharedlibrary', 'info address module_function');
    expect(out).toMatch(/0x0*300000 +0x0*30004f +Yes.*toy\.ko/);
    expect(out).toMatch(/"module_function" is at 0x300040 /);
  });

  test('looks on where it may not write', async () => {
    const before = [...(await target.readMemory('virtual', COUNTER, 1))];
    const off = ['write-registers', 'write-memory', 'insert-breakpoints'].map((what) => `set may-${what} off`);
    const commands = [
      ...off,
      `target remote 127.0.0.1:${stub.port}`,
      `maint packet M${COUNTER.toString(16)},1:aa`,
      'maint packet P0=0100000000000000',
      'maint packet Z1,1004,1',
      'disconnect',
    ];
    const out = await new Promise<string>((resolve) => {
      execFile(gdb.path, gdbArguments(commands), { timeout: 25_000 }, (_error, stdout, stderr) =>
        resolve(stdout + stderr),
      );
    });
    // newer ones are told why in words
    expect(out.match(/received: "E(?:0d|\.this connection only looks on: .*)"/g)).toHaveLength(3);
    expect([...(await target.readMemory('virtual', COUNTER, 1))]).toEqual(before);
  });

  test('shows registers of every feature, decoded', async () => {
    stub.settings.registers = 'all';
    const out = await runGdb(
      'info registers',
      'p $vmcs_exit_reason',
      'p $cr0',
      'p/x $xmm1.uint128',
      'p $st0',
      'p/x $ymm2.v2_int128',
      'p/x $fs_base',
      'maint print reggroups',
      'info registers rip',
    );
    expect(out).toMatch(/^rip +0x1000 +0x1000/m);
    expect(out).toMatch(/^rbx +0x2000/m);
    expect(out).toMatch(/^eflags +0x202 +\[ IF IOPL=0 \]/m);
    expect(out).toMatch(/^cr0 +0x80000001 +\[ PE PG \]/m);
    expect(out).toContain('= EPT_VIOLATION');
    expect(out).toContain('= 0x1010101010101010101010101010101');
    expect(out).toContain('{0x2020202020202020202020202020202, 0x2}');
    expect(out).not.toMatch(/Truncated|too long|unavailable/);
  });

  test('writes registers and memory, and says when a register refuses', async () => {
    stub.settings.registers = 'all';
    const out = await runGdb(
      'set $rax = 0x1122334455667788',
      'set $eflags = 0x246',
      'set $vmcs_exit_reason = 1',
      'set {int}0x2010 = 0x1234',
      'x/1xw 0x2010',
      'p/x $rax',
    );
    expect(out).toContain('0x1122334455667788');
    expect(out).toMatch(/0x2010:\s+0x00001234/);
    expect(out).toMatch(/Could not write register/);
    expect(target.cpus[0].values.rflags).toBe(0x246n);
    expect(target.cpus[0].values.rax).toBe(0x1122334455667788n);
  });

  test('disassembles and reads memory', async () => {
    const out = await runGdb('x/5i $pc', 'x/s 0x3000', 'x/4xb 0x10000000', 'dump binary memory /dev/null 0 0x200000');
    expect(out).toContain('inc    %rax');
    expect(out).toContain('mov    %rax,(%rbx)');
    expect(out).toContain('jmp    0x1001');
    expect(out).toContain('"hello"');
    expect(out).toContain('Cannot access memory at address 0x10000000');
  });

  test('break and hbreak stop at the address, are counted, and leave nothing behind', async () => {
    const out = await runGdb(
      'break *0x1007',
      'hbreak *0x1008',
      'continue',
      'p $rax',
      'continue',
      'continue',
      'p $rax',
      'delete',
      'info registers rip',
      'x/1xb 0x1007',
      'detach',
    );
    expect(out).toContain('Breakpoint 1, 0x0000000000001007');
    expect(out).toContain('Breakpoint 2, 0x0000000000001008');
    expect(out).toContain('$1 = 1');
    expect(out).toContain('$2 = 2');
    expect(out).toMatch(/0x1007:\s+0x90/);
    expect(target.breakpoints.size).toBe(0);
    expect(target.running()).toBe(true);
  });

  test('a condition is evaluated in the stub', async () => {
    const out = await runGdb('hbreak *0x1007 if $rax == 500', 'continue', 'p $rax', 'info breakpoints');
    expect(out).toContain('$1 = 500');
    expect(out).toContain('breakpoint already hit 1 time');
  });

  test('stepi 1000 times ends where 1000 instructions lead', async () => {
    const out = await runGdb('stepi 1000', 'p/x $pc', 'p $rax');
    // 1 nop, then 249 rounds of 4 and 3 instructions more.
    expect(out).toContain('$1 = 0x1008');
    expect(out).toContain('$2 = 250');
    expect(target.executed).toBe(1000);
  });

  test('watch, rwatch and awatch report the access', async () => {
    const out = await runGdb('watch *(long *)0x2000', 'continue', 'continue');
    expect(out).toMatch(/Hardware watchpoint 1: \*\(long \*\)0x2000\s+Old value = 0\s+New value = 1/);
    expect(out).toMatch(/Old value = 1\s+New value = 2/);
    target.cpus[0].values.rip = READER;
    const reads = await runGdb(`rwatch *(long *)${COUNTER}`, 'continue', 'p/x $pc');
    expect(reads).toMatch(/Hardware read watchpoint 1: \*\(long \*\)8192\s+Value = 2/);
    expect(reads).toContain('$1 = 0x1504');
    target.cpus[0].values.rip = READER;
    const either = await runGdb(`awatch *(long *)${COUNTER}`, 'continue');
    expect(either).toContain('Hardware access (read/write) watchpoint 1');
  });

  test('ctrl-C stops a running guest', async () => {
    const args = ['-nx', '-q', '-ex', `target remote 127.0.0.1:${stub.port}`, '-ex', 'continue'];
    const child = spawn(gdb.path, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    child.stdout.on('data', (data) => (out += data));
    await until('the guest is running', () => target.running());
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill('SIGINT');
    await until('gdb shows the stop', () => out.includes('SIGINT'));
    expect(target.running()).toBe(false);
    child.stdin.write('p $rax > 0\nkill\n');
    child.stdin.end('quit\n');
    await new Promise((resolve) => child.on('exit', resolve));
    expect(out).toContain('= 1');
  });

  test('a guest that powers off or fails is reported', async () => {
    target.cpus[0].values.rip = HALT;
    expect(await runGdb('continue')).toMatch(/exited with code 03[\s\S]*vmscope: powered off/);
    await target.reset();
    target.cpus[0].values.rip = CRASH;
    const out = await runGdb('continue', 'p/x $pc', 'continue');
    expect(out).toMatch(/SIGSEGV[\s\S]*exited with code 01[\s\S]*vmscope: triple fault: #UD/);
    expect(out).toContain('$1 = 0x1201');
  });

  test('info threads, info os and monitor', async () => {
    await stub.close();
    target = new FakeTarget(2);
    stub = await startStub({ target, port: 0 });
    const out = await runGdb(
      'info threads',
      'thread 2',
      'p/x $pc',
      'info os',
      'info os exits',
      'monitor info status',
      'monitor help',
      'monitor nonsense',
    );
    expect(out).toMatch(/\* 1 +Thread 1\.1 .*CPU#0/);
    expect(out).toMatch(/2 +Thread 1\.2 .*CPU#1/);
    expect(out).toContain('$1 = 0x1300');
    expect(out).toMatch(/exits +Listing of recorded VM exits/);
    expect(out).toMatch(/EPT_VIOLATION +<2&>/);
    expect(out).toContain('VM status: paused');
    expect(out).toContain('linear-pc');
    expect(out).toContain("unknown command: 'nonsense'");
  });

  test('follows the mode of the guest by exec events with arch auto', async () => {
    target.cpus[0].values.rip = MODE_SWITCH;
    target.cpus[0].values.rax = 2n;
    const out = await runGdb(
      'monitor arch auto',
      'hbreak *0x1405',
      'continue',
      'show architecture',
      'x/i $pc',
      'p $eax',
      'continue',
      'show architecture',
      'continue',
      'show architecture',
      'p $rax',
      'continue',
      'show architecture',
    );
    expect(out).toMatch(/currently "i8086"[\s\S]*currently "i386"[\s\S]*currently "i386:x86-64"[\s\S]*"i8086"/);
    expect(out).toContain('$1 = 3');
    expect(out).toContain('$2 = 5');
  });

  test('shows the linear address in real mode and keeps the layout on monitor arch', async () => {
    target.cpus[0].mode = 'i8086';
    target.cpus[0].csBase = 0x1000n;
    target.cpus[0].values.rip = 0n;
    stub.settings.architecture = 'i8086';
    const out = await runGdb(
      'x/i $pc',
      'stepi',
      'p/x $pc',
      'set $pc = 0x1008',
      'monitor linear-pc off',
      'stepi',
      'p/x $pc',
    );
    expect(out).toContain('0x1000:\tnop');
    expect(out).toContain('$1 = 0x1001');
    expect(out).toContain('$2 = 0x1');
    expect(target.cpus[0].values.rip).toBe(1n);
  });

  test('find and compare use the stub', async () => {
    const out = await runGdb('find 0x2800, 0x3800, "hello"', 'find 0x2800, 0x2900, "hello"');
    expect(out).toContain('0x3000');
    expect(out).toContain('Pattern not found');
  });

  test('two clients in turn; the second while the first is there is told why not', async () => {
    const first = connect(stub.port, '127.0.0.1');
    first.write('$?#3f');
    await until('the first client is there', () => stub.client() !== undefined);
    expect(await runGdb('p $pc')).toMatch(/another debugger \(127\.0\.0\.1:\d+\) is connected to toy/);
    first.destroy();
    await until('it has left', () => stub.client() === undefined);
    expect(await runGdb('p/x $pc')).toContain('$1 = 0x1000');
    expect(await runGdb('stepi', 'p/x $pc')).toContain('$1 = 0x1001');
    expect(messages.filter((text) => text.endsWith('connected')).length).toBeGreaterThanOrEqual(3);
  });

  test('a killed gdb leaves the guest as it was, without its breakpoints', async () => {
    const spawnGdb = (...commands: string[]): ChildProcess => {
      const args = ['-nx', '-q', '-ex', `target remote 127.0.0.1:${stub.port}`];
      return spawn(gdb.path, [...args, ...commands.flatMap((command) => ['-ex', command])], { stdio: 'pipe' });
    };
    const runs = spawnGdb('hbreak *0x1300', 'continue');
    await until('the guest is running', () => target.running());
    expect(target.breakpoints.size).toBe(1);
    runs.kill('SIGKILL');
    await until('the breakpoint is out', () => target.breakpoints.size === 0);
    expect(target.running()).toBe(true);

    const stopped = spawnGdb('watch *(long *)0x2000', 'continue');
    // gdb inserts the watchpoint while the guest still stands where gdb caught it
    await until('the guest stops at the watchpoint', () => target.lastStop()?.cause.kind === 'watchpoint');
    expect(target.breakpoints.size).toBe(1);
    stopped.kill('SIGKILL');
    await until('the watchpoint is out', () => target.breakpoints.size === 0 && stub.client() === undefined);
    expect(target.running()).toBe(false);
    expect(await runGdb('p/x $pc')).toContain('$1 = 0x1007');
  });

  test('a stop by another observer reaches gdb, as does a stop at another observer’s breakpoint', async () => {
    const pending = runGdb('continue', 'p $rax > 0', 'continue', 'p/x $pc');
    await until('the guest is running', () => target.running());
    await target.pause();
    target.foreign.add(0x1004n);
    const out = await pending;
    expect(out).toContain('SIGINT');
    expect(out).toContain('$1 = 1');
    expect(out).toContain('SIGTRAP');
    expect(out).toContain('$2 = 0x1004');
  });

  test('takes the symbols of the guest’s kernel from the target', async () => {
    const symbols = [
      { name: '_text', address: 0x1000n, size: 4n, code: true },
      { name: 'loop_head', address: 0x1004n, size: 0x10n, code: true },
      { name: 'counter', address: COUNTER, size: 8n, code: false },
      { name: 'late_code', address: 0x3000n, size: 0n, code: true },
    ];
    Object.assign(target, {
      kernel: {
        name: async () => 'linux-6.1',
        symbols: async () => buildSymbolElf(symbols),
        place: async () => undefined,
      },
    });
    const out = await runGdb('break loop_head', 'continue', 'x/i $pc', 'info symbol 0x2003', 'p/x *(long *)&counter');
    expect(out).toMatch(/Breakpoint 1, 0x0*1004 in loop_head \(\)/);
    expect(out).toContain('=> 0x1004 <loop_head>:');
    expect(out).toContain('counter + 3 in section .data');
    expect(out).toContain('$1 = 0x0');
    expect(out).not.toMatch(/No executable has been specified/);
  });

  test('physical memory mode', async () => {
    const out = await runGdb('maint packet Qqemu.PhyMemMode:1', 'x/s 0x103000', 'maint packet qqemu.PhyMemMode');
    expect(out).toContain('"hello"');
    expect(out).toContain('received: "1"');
  });
});

test('refuses to listen on a taken port', async () => {
  await expect(startStub({ target, port: stub.port })).rejects.toThrow(/EADDRINUSE/);
});

test('listens on loopback unless told otherwise', () => {
  expect(stub.host).toBe('127.0.0.1');
  expect(CODE).toBe(0x1000n);
});
