/**
 * Each stock client's session on a 32-bit kernel with its ELF given at the start: attach, stop by name, next, finish,
 * call, watch, all stacks, interrupt, detach, connect again at once. Every value is checked.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { named, requireTool } from '../tools.js';
import { DapClient } from './dap-client.js';
import { GdbShell, gdbClients, newGdb, newGdbProgram } from './gdb-shell.js';
import { buildKernel32 } from './kernel32/build.js';
import { Prompt, RunningGuest, runDebugger, until } from './running-guest.js';

const gdb = requireTool('gdb');
const lldb = requireTool('lldb');
const gcc = requireTool('gcc');
const SLOW = 300_000;

let folder: string;
let kernel: string;
let guest: RunningGuest | undefined;
let prompt: Prompt | GdbShell | undefined;

beforeAll(() => {
  if (!gcc.available) return;
  folder = mkdtempSync(join(tmpdir(), 'vmscope-clients-'));
  kernel = join(folder, 'kernel.elf');
  buildKernel32(gcc.path, kernel);
});
afterEach(async () => {
  await prompt?.close();
  prompt = undefined;
  await guest?.stop();
  guest = undefined;
});
afterAll(() => {
  if (gcc.available) rmSync(folder, { recursive: true });
});

for (const client of gdbClients) {
  const tools = [...client.tools, gcc];
  describe.skipIf(tools.some(({ available }) => !available))(
    named(`${client.name} on a 32-bit kernel`, ...tools),
    () => {
      test(
        'a whole session',
        async () => {
          guest = await RunningGuest.start(kernel);
          const at = `target remote 127.0.0.1:${guest.port}`;
          const shell = new GdbShell(client, [kernel], SLOW / 4);
          prompt = shell;
          expect(await shell.ask(at)).toMatch(/_start \(\) at .*boot\.S:\d+/);
          expect(await shell.ask('break add')).toMatch(/Breakpoint 1 at 0x[0-9a-f]+: file .*main\.c/);
          expect(await shell.ask('continue')).toMatch(/Breakpoint 1, add \(a=(0x)?1, b=(0x)?1\)/);
          expect(await shell.ask('finish')).toMatch(/Value returned is \$1 = (0x)?2/);
          expect(await shell.ask('next')).toMatch(/spot\.x = total/);
          await shell.ask('delete');
          expect(await shell.ask('next')).toMatch(/for \(int i = 1/);
          expect(await shell.ask('print/d spot')).toMatch(/\{\s*x = 2,\s*y = 4\s*\}/);
          expect(await shell.value('twice(20)')).toBe(40n);
          expect(await shell.value('counter')).toBe(42n);
          expect(await shell.ask('watch spot.x')).toMatch(/Hardware watchpoint 2/);
          expect(await shell.ask('continue')).toMatch(/Old value = (0x)?2\s+New value = (0x)?6/);
          expect(await shell.ask('thread apply all bt')).toMatch(
            /Thread 1 .*\n#0 +(?:0x[0-9a-f]+ in )?kmain \(\)[\s\S]*_start \(\)/,
          );
          await shell.ask('delete');
          // what a lock holds is told by who moves: there is one vCPU, which goes on
          await shell.ask('set scheduler-locking on');
          const before = await shell.value('$pc');
          await shell.ask('stepi');
          expect(await shell.value('$pc')).not.toBe(before);
          await shell.ask('set scheduler-locking off');
          const from = guest.stdout.length;
          const running = shell.begin('continue');
          await until('the kernel is done', () => guest?.stdout.slice(from).includes('done') === true, SLOW / 4);
          shell.interrupt();
          expect(await running()).toMatch(/received signal SIGINT[\s\S]*kmain \(\)/);
          expect(await shell.value('spot.x')).toBe(12n);
          expect(await shell.ask('detach')).toMatch(/detached/);
          expect(await shell.ask(at)).toMatch(/kmain \(\)/);
          expect(await shell.ask('print/d spot')).toMatch(/\{\s*x = 12,\s*y = 4\s*\}/);
          expect(await shell.ask('disconnect')).toMatch(/Ending remote debugging/);
        },
        SLOW,
      );
    },
  );
}

describe.skipIf(!lldb.available || !gcc.available)(named('lldb on a 32-bit kernel', lldb, gcc), () => {
  test('a whole session, and the next at once', { timeout: SLOW }, async () => {
    guest = await RunningGuest.start(kernel);
    const run = (...commands: string[]): Promise<string> =>
      runDebugger(lldb.path, ['--no-lldbinit', '--batch', kernel, ...commands.flatMap((line) => ['-o', line])], 60_000);
    const at = `gdb-remote 127.0.0.1:${guest.port}`;
    const steps = ['breakpoint set --name add', 'continue', 'bt', 'finish', 'breakpoint delete --force', 'next'];
    const out = await run(at, ...steps, 'p spot.y', 'p counter', 'thread list', 'register read eip', 'process detach');
    expect(out).toMatch(/add\(a=1, b=1\)/);
    expect(out).toMatch(/frame #1:.*twice\(a=1\)[\s\S]*frame #2:.*kmain/);
    expect(out).toMatch(/Return value: \(int\) \$0 = 2/);
    expect(out).toMatch(/\(volatile int\) .*= 4|\(int\) .*= 4/);
    expect(out).toMatch(/unsigned int\) .*= 2/);
    const again = await run(at, 'p spot.x', 'bt');
    expect(again).toMatch(/int\) .*= 12/);
    expect(again).toMatch(/kmain/);
  });
});

describe.skipIf(!gdb.available || !gcc.available)(
  named('gdb’s machine interface, as VS Code’s cpptools speaks it', gdb, gcc),
  () => {
    test('breakpoints, a stop, the stack, variables, registers, an interrupt', { timeout: SLOW }, async () => {
      guest = await RunningGuest.start(kernel);
      const mi = new Prompt(spawn(gdb.path, ['-nx', '-q', '--interpreter=mi'], { stdio: 'pipe' }), SLOW / 4);
      prompt = mi;
      let token = 1000;
      const ask = (line: string, answer = 'done'): Promise<string> => {
        token++;
        return mi.type(`${token}${line}`, new RegExp(`${token}\\^${answer}.*\n`));
      };
      await ask('-gdb-set target-async on');
      await ask('-enable-pretty-printing');
      await ask('-gdb-set stop-on-solib-events 1');
      await ask(`-file-exec-and-symbols ${kernel}`);
      await ask('-interpreter-exec console "show endian"');
      await ask('-environment-cd /tmp');
      await ask(`-target-select remote 127.0.0.1:${guest.port}`, 'connected');
      expect(await ask('-thread-info')).toMatch(/id="1",target-id="Thread 1\.1".*name="CPU#0".*func="_start"/);
      expect(await ask('-break-insert -f add')).toMatch(/bkpt=\{number="1".*func="add"/);
      const from = mi.out.length;
      await ask('-exec-continue', 'running');
      await mi.expect(/\*stopped,reason="breakpoint-hit".*bkptno="1".*func="add"/, from);
      expect(await ask('-stack-info-depth')).toContain('depth="4"');
      expect(await ask('-stack-list-frames 0 3')).toMatch(/func="add".*func="twice".*func="kmain".*func="_start"/);
      expect(await ask('-stack-list-arguments 2 0 0')).toMatch(/name="a",.*value="1"/);
      expect(await ask('-var-create - * counter')).toMatch(/value="0"/);
      expect(await ask('-data-evaluate-expression spot.x+1')).toContain('value="4"');
      expect(await ask('-data-list-register-names')).toContain('"eip"');
      expect(await ask('-data-list-register-values x 8')).toMatch(/value="0x10001b"/);
      expect(await ask('-data-read-memory-bytes &spot 8')).toContain('contents="0300000004000000"');
      expect(await ask('-data-disassemble -s $pc -e "$pc+8" -- 2')).toContain('func-name="add"');
      const end = mi.out.length;
      await ask('-exec-finish', 'running');
      await mi.expect(/\*stopped,reason="function-finished".*return-value="2"/, end);
      await ask('-break-delete 1');
      const last = mi.out.length;
      await ask('-exec-continue', 'running');
      await new Promise((resolve) => setTimeout(resolve, 300));
      await ask('-exec-interrupt');
      await mi.expect(/\*stopped,reason="signal-received".*signal-name="SIG(?:INT|TRAP)"|signal-name="0"/, last);
      await ask('-target-detach');
    });
  },
);

describe.skipIf(!newGdb.available || !gcc.available)(named('gdb -i dap', newGdb, gcc), () => {
  test('attach, break by name, stack, variables, registers, step out, evaluate, pause', { timeout: SLOW }, async () => {
    guest = await RunningGuest.start(kernel);
    const client = new DapClient(spawn(newGdbProgram, ['-nx', '-q', '-i', 'dap'], { stdio: 'pipe' }));
    try {
      await client.ask('initialize', { adapterID: 'gdb', linesStartAt1: true, columnsStartAt1: true });
      const attached = client.ask('attach', { program: kernel, target: `127.0.0.1:${guest.port}` });
      await client.event('initialized');
      await client.ask('setFunctionBreakpoints', { breakpoints: [{ name: 'add' }] });
      await client.ask('configurationDone', {});
      await attached;
      await client.event('stopped');
      expect((await client.run('continue', { threadId: 1 })).reason).toMatch(/breakpoint/);
      const { stackFrames } = await client.ask('stackTrace', { threadId: 1 });
      expect(stackFrames.map(({ name }: { name: string }) => name)).toEqual(['add', 'twice', 'kmain', '_start']);
      const { scopes } = await client.ask('scopes', { frameId: stackFrames[0].id });
      const valuesOf = async (scope: string): Promise<Map<string, string>> => {
        const { variablesReference } = scopes.find(({ name }: { name: string }) => name === scope);
        const { variables } = await client.ask('variables', { variablesReference });
        return new Map(variables.map(({ name, value }: { name: string; value: string }) => [name, value]));
      };
      expect((await valuesOf('Arguments')).get('a')).toBe('1');
      const registers = await valuesOf('Registers');
      expect(registers.get('eip')).toMatch(/0x10001b/);
      await client.run('stepOut', { threadId: 1 });
      const { result } = await client.ask('evaluate', { expression: 'counter' });
      expect(result).toBe('2');
      await client.ask('setFunctionBreakpoints', { breakpoints: [] });
      await client.ask('continue', { threadId: 1 });
      await until('the kernel is done', () => guest?.stdout.includes('done') === true, SLOW / 4);
      await client.run('pause', { threadId: 1 });
      expect((await client.ask('evaluate', { expression: 'spot.x' })).result).toBe('12');
    } finally {
      await client.close();
    }
  });
});
