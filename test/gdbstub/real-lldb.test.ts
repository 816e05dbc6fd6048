import { execFile, spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Stub, startStub } from '../../src/gdbstub/server.js';
import { named, requireTool } from '../tools.js';
import { FakeTarget } from './fake-target.js';

const lldb = requireTool('lldb');

let target: FakeTarget;
let stub: Stub;

beforeEach(async () => {
  target = new FakeTarget();
  stub = await startStub({ target, port: 0 });
});

afterEach(async () => {
  await stub.close();
  await target.pause();
});

function runLldb(...commands: string[]): Promise<string> {
  const all = [`gdb-remote 127.0.0.1:${stub.port}`, ...commands];
  const args = ['--no-lldbinit', '--batch', ...all.flatMap((command) => ['-o', command])];
  return new Promise((resolve) => {
    execFile(lldb.path, args, { timeout: 25_000 }, (_error, stdout, stderr) => resolve(stdout + stderr));
  });
}

describe.skipIf(!lldb.available)(named('lldb', lldb), () => {
  test('connects, shows registers, memory and code', async () => {
    const out = await runLldb(
      'register read rip rbx cr0 vmcs_exit_reason xmm1',
      'memory read --size 1 --format x --count 4 0x1000',
      'memory read --format s 0x3000',
      'disassemble --count 3 --start-address 0x1000',
      'memory region 0x1000',
      'memory region 0x10000000',
      'thread list',
    );
    expect(out).toMatch(/rip = 0x0000000000001000/);
    expect(out).toMatch(/rbx = 0x0000000000002000/);
    expect(out).toMatch(/cr0 = 0x0000000080000001/);
    expect(out).toMatch(/vmcs_exit_reason = 0x00000030/);
    expect(out).toContain('0x00001000: 0x90 0x48 0xff 0xc0');
    expect(out).toContain('"hello"');
    expect(out).toMatch(/incq? +%rax/);
    expect(out).toMatch(/\[0x0000000000000000-0x0000000000400000\) rwx/);
    expect(out).toMatch(/0x0000000000400000-0x[0-9a-f]+\) ---/);
    expect(out).toContain('toy CPU#0');
  });

  test('breakpoint, continue, step, watchpoint, write', async () => {
    const out = await runLldb(
      'breakpoint set --address 0x1007',
      'continue',
      'register read rax',
      'thread step-inst',
      'register read rip',
      'register write rax 41',
      'breakpoint delete --force',
      'watchpoint set expression -w write -s 8 -- 0x2000',
      'continue',
      'register read rax',
      'watchpoint delete --force',
      'memory write 0x3000 0x4a',
      'memory read --format s 0x3000',
    );
    expect(out).toMatch(/stop reason = breakpoint 1\.1/);
    expect(out).toContain('rax = 0x0000000000000001');
    expect(out).toContain('rip = 0x0000000000001008');
    expect(out).toMatch(/stop reason = watchpoint 1/);
    expect(out).toContain('rax = 0x000000000000002a');
    expect(out).toContain('"Jello"');
  });

  test('monitor commands, and leaving lets the guest go on without breakpoints', async () => {
    const out = await runLldb('process plugin packet monitor info status', 'breakpoint set --address 0x1300', 'detach');
    expect(out).toContain('VM status: paused');
    expect(target.running()).toBe(true);
    expect(target.breakpoints.size).toBe(0);
  });

  test('kill leaves the guest alive', async () => {
    await runLldb('process kill');
    expect(target.running()).toBe(true);
    expect(await runLldb('register read rip')).toMatch(/rip = 0x00000000000010/);
  });

  test('process interrupt stops a running guest', async () => {
    const child = spawn(lldb.path, ['--no-lldbinit'], { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    child.stdout.on('data', (data) => (out += data));
    child.stderr.on('data', (data) => (out += data));
    const until = async (what: string, condition: () => boolean): Promise<void> => {
      for (let turn = 0; turn < 1000 && !condition(); turn++) await new Promise((resolve) => setTimeout(resolve, 10));
      if (!condition()) throw new Error(`not within 10 s: ${what}\n${out}`);
    };
    try {
      child.stdin.write(`script None\nsettings set auto-confirm true\ngdb-remote 127.0.0.1:${stub.port}\n`);
      await until('it is connected', () => stub.client() !== undefined && /stop/.test(out));
      child.stdin.write('continue\n');
      await until('the guest is running', () => target.running());
      child.stdin.write('process interrupt\n');
      await until('the guest stands', () => !target.running());
      child.stdin.write('register read rip\n');
      await until('lldb shows the stop', () => /rip = 0x0000000000001/.test(out));
    } finally {
      child.stdin.end('quit\n');
      child.kill('SIGKILL');
    }
  });
});
