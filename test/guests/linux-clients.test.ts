/**
 * Each client's session on Debian's Linux that already runs, with 1 and with 4 vCPUs: attach, stop by name, next,
 * finish, call, watch, all stacks, scheduler locking, interrupt, detach, connect again at once. Every value is checked.
 * One guest of each size serves all clients. gdb's and LLDB's own sessions run by default, the others with
 * VMSCOPE_LONG_TESTS=1; those of GEF and pwndbg where VMSCOPE_GEF and VMSCOPE_PWNDBG name them.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DapClient } from '../gdbstub/dap-client.js';
import { GdbShell, gdbClients, newGdb, newGdbProgram } from '../gdbstub/gdb-shell.js';
import { Prompt, RunningGuest, runDebugger, until } from '../gdbstub/running-guest.js';
import { named, requireScript, requireTool, type Tool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const gdb = requireTool('gdb');
const lldb = requireTool('lldb');
const apt = requireTool('apt-get');
const kernel = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const folder = `${root}build/guests/linux`;
const long = process.env.VMSCOPE_LONG_TESTS === '1';
const SLOW = 300_000;
/** A command at a prompt may take so long. */
const PATIENCE = 90_000;

let linux: RunningGuest;
let client: { close(): Promise<void> } | undefined;

/** A client that knows no symbols and asks for none comes and goes: the guest runs. */
async function letGo(guest: RunningGuest): Promise<void> {
  const lines = ['set sysroot', 'set auto-solib-add off', `target remote 127.0.0.1:${guest.port}`, 'detach'];
  await runDebugger(gdb.path, ['-nx', '-q', '-batch', ...lines.flatMap((line) => ['-ex', line])], PATIENCE);
}

/** A Linux in user space that opens a file some 20 times a second and says so at each tenth of them. */
async function boot(vcpus: number): Promise<RunningGuest> {
  const work =
    'set -- /proc/[0-9]*; echo PROCESSES $#; cat /proc/version; n=0; while :; do cat /proc/stat >/dev/null; sleep 0.05; n=$((n+1)); [ $((n%10)) = 0 ] && echo AT $n; done';
  const size = ['--initrd', `${folder}/initrd.gz`, '-m', '256M', '--vcpus', `${vcpus}`];
  const started = await RunningGuest.start(`${folder}/vmlinuz`, ...size, '--append', `console=ttyS0 RUN="${work}"`);
  await letGo(started);
  await until('the guest works', () => started.stdout.includes('AT 10'), SLOW / 2);
  return started;
}

/** Waits until the guest's loop has gone on. */
async function goesOn(): Promise<void> {
  const from = linux.stdout.length;
  await until('the guest goes on', () => /AT \d+\r?\n/.test(linux.stdout.slice(from)), PATIENCE);
}

/** How many processes the guest counted, about: a few come and go. */
function expectProcesses(count: bigint): void {
  const counted = Number(/PROCESSES (\d+)/.exec(linux.stdout)?.[1]);
  expect(counted).toBeGreaterThan(20);
  expect(Math.abs(Number(count) - counted)).toBeLessThanOrEqual(8);
}

/** The guest's own word for what it is. */
const version = (): string =>
  /Linux version [^\r\n]{40}/.exec(linux.stdout.slice(linux.stdout.indexOf('PROCESSES')))?.[0] ?? 'none';

const JIFFIES = '*(unsigned long *)&jiffies';
/** Where it stands: a process's code has no names, and the kernel's entry is an interrupt's frame to gdb. */
const SOMEWHERE = /0x[0-9a-f]+ in (?:[\w.]+|\?\?) \(\)|<signal handler called>/;

async function gdbSession(shell: GdbShell, vcpus: number): Promise<void> {
  const at = `target remote 127.0.0.1:${linux.port}`;
  expect(await shell.ask(at)).toMatch(SOMEWHERE);
  const threads = await shell.ask('info threads');
  expect(threads.match(/Thread 1\.\d+ "CPU#\d+"/g)).toHaveLength(vcpus);
  expect(await shell.ask('x/s (char *)&linux_banner')).toContain(version());

  expect(await shell.ask('break vfs_open')).toMatch(/Breakpoint 1 at 0xffffffff[0-9a-f]+/);
  expect(await shell.ask('continue')).toMatch(/Breakpoint 1, 0x[0-9a-f]+ in vfs_open \(\)/);
  expect(await shell.ask('backtrace')).toMatch(
    /#0 .* vfs_open \(\)\s+#1 .* path_openat \(\)\s+#2 .* do_filp_open \(\)/,
  );
  expect(await shell.value('$pc == &vfs_open')).toBe(1n);
  expect(await shell.ask('stepi')).toMatch(/in vfs_open \(\)/);
  expect(await shell.ask('finish')).toMatch(/Run till exit[\s\S]*in path_openat \(\)/);
  // the file was there
  expect(await shell.value('(int)$eax')).toBe(0n);
  // without lines, next goes on to the function's end; pwndbg makes it a nexti
  const next = await shell.ask('next');
  expect(next).toMatch(
    /Single stepping until exit from function path_openat[\s\S]*in do_filp_open \(\)|0x[0-9a-f]+ in path_openat \(\)/,
  );
  if (!next.includes('Single stepping')) expect(await shell.ask('finish')).toMatch(/in do_filp_open \(\)/);
  await shell.ask('delete');

  // a call leaves the registers and the place as they were
  const before = await shell.value('(unsigned long)$rsp');
  const count = await shell.value('((int (*)(void))nr_processes)()');
  expectProcesses(count);
  expect(await shell.value('((int (*)(void))nr_processes)()')).toBe(count);
  expect(await shell.value('(unsigned long)$rsp')).toBe(before);
  expect(await shell.ask('frame')).toMatch(/#0 .* do_filp_open \(\)/);

  let last = await shell.value(JIFFIES);
  expect(await shell.ask(`watch ${JIFFIES}`)).toMatch(/Hardware watchpoint 2: /);
  const hit = /Old value = (\w+)\s+New value = (\w+)\s+0x[0-9a-f]+ in tick_do_update_jiffies64 \(\)/;
  for (let n = 0; n < 3; n++) {
    const out = await shell.ask('continue');
    expect(out).toMatch(hit);
    const [, was, is] = hit.exec(out) as RegExpExecArray;
    expect(BigInt(was)).toBe(last);
    expect(BigInt(is)).toBeGreaterThan(last);
    last = BigInt(is);
  }
  await shell.ask('delete');

  const stacks = await shell.ask('thread apply all backtrace');
  for (let n = 1; n <= vcpus; n++) expect(stacks).toMatch(new RegExp(`Thread ${n} \\(Thread 1\\.${n} "CPU#${n - 1}"`));
  expect(stacks.match(/\n#0 +(?:0x[0-9a-f]+ in (?:[\w.]+|\?\?) \(\)|<signal handler called>)/g)).toHaveLength(vcpus);
  expect(stacks).toMatch(/\n#0 .* tick_do_update_jiffies64 \(\)/);

  if (vcpus > 1) {
    // with locking only the chosen vCPU moves: the others stand where they stood
    await shell.ask('set scheduler-locking on');
    const places = async (): Promise<string[]> =>
      (await shell.ask('thread apply all -q printf "<@%lx>\\n", $pc')).match(/<@[0-9a-f]+>/g) ?? [];
    const then = await places();
    expect(then).toHaveLength(vcpus);
    for (let n = 0; n < 3; n++) expect(await shell.ask('stepi')).toMatch(SOMEWHERE);
    const now = await places();
    expect(now.filter((place, n) => place !== then[n])).toHaveLength(1);
    await shell.ask('set scheduler-locking off');
  }

  const running = shell.begin('continue');
  await goesOn();
  shell.interrupt();
  expect(await running()).toMatch(/received signal SIGINT, Interrupt\.\s+(?:0x[0-9a-f]+ in|<signal)/);
  const later = await shell.value(JIFFIES);
  expect(later).toBeGreaterThan(last);
  expect(await shell.ask('detach')).toMatch(/Inferior 1 \(process 1\) detached/);
  expect(await shell.ask(at)).toMatch(SOMEWHERE);
  expect(await shell.value(JIFFIES)).toBeGreaterThanOrEqual(later);
  expect(await shell.ask('detach')).toMatch(/Inferior 1 \(process 1\) detached/);
}

/** LLDB takes the kernel's symbols as a file, and moves them to where KASLR put the kernel by what the stub says. */
async function lldbSession(to: string, vcpus: number): Promise<void> {
  const file = join(to, 'vmlinux');
  const batch = (...lines: string[]): Promise<string> =>
    runDebugger(lldb.path, ['--no-lldbinit', '--batch', ...lines.flatMap((line) => ['-o', line])], SLOW);
  if (!existsSync(file)) {
    const get = `platform get-file /vmlinux ${file}`;
    expect(
      await batch('platform select remote-linux', `platform connect connect://127.0.0.1:${linux.port}`, get),
    ).toContain('successfully get-file');
  }
  const at = `gdb-remote 127.0.0.1:${linux.port}`;
  const session = [
    ...[at, 'thread list', 'p (char *)&linux_banner', 'breakpoint set --name vfs_open', 'continue', 'bt', 'finish'],
    ...['p (int)$eax', 'next', 'breakpoint delete --force', 'p/d *(unsigned long *)&jiffies'],
    ...[
      'watchpoint set expression -w write -s 8 -- &jiffies',
      'continue',
      'thread backtrace all',
      'watchpoint delete --force',
    ],
    ...['p/d *(unsigned long *)&jiffies', 'thread step-inst'],
    // calls of the kernel's functions, by code of LLDB's own in the guest
    ...[
      'process plugin packet monitor lldb-calls on',
      'process detach',
      at,
      'breakpoint set --name vfs_open',
      'continue',
    ],
    ...[
      'breakpoint delete --force',
      'expression (unsigned long)int_sqrt(1764) * 1000 + (unsigned int)jiffies_to_msecs(25)',
    ],
    ...['bt', 'process plugin packet monitor lldb-calls off', 'process detach'],
  ];
  const out = await batch(`target create ${file}`, ...session);
  expect(out.match(/tid = 0x000\d, 0x[0-9a-f]+/g)?.slice(0, vcpus)).toHaveLength(vcpus);
  expect(out).toContain(version());
  expect(out).toMatch(/where = vmlinux`vfs_open, address = 0xffffffff[0-9a-f]+/);
  expect(out).toMatch(/stop reason = breakpoint 1\.1\s+frame #0: 0x[0-9a-f]+ vmlinux`vfs_open\n/);
  expect(out).toMatch(/frame #0: .*`vfs_open\s+frame #1: .*`path_openat \+ \d+\s+frame #2: .*`do_filp_open \+ \d+/);
  expect(out).toMatch(/stop reason = step out\s+frame #0: 0x[0-9a-f]+ vmlinux`path_openat \+ \d+/);
  expect(out).toMatch(/\(int\) \$\d+ = 0\n/);
  const callsAt = out.indexOf('monitor lldb-calls on');
  const [, first, second] =
    /\(unsigned long\) \$\d+ = (\d+)\n[\s\S]*\(unsigned long\) \$\d+ = (\d+)\n/.exec(out.slice(0, callsAt)) ?? [];
  const [, was, is] = /old value: (\w+)\s+new value: (\w+)/.exec(out) ?? [];
  expect(BigInt(was)).toBe(BigInt(first));
  expect(BigInt(is)).toBe(BigInt(first) + 1n);
  expect(BigInt(second)).toBe(BigInt(is));
  expect(out).toMatch(/stop reason = watchpoint 1\s+\* frame #0: 0x[0-9a-f]+ vmlinux`tick_do_update_jiffies64 \+ \d+/);
  expect(out.slice(out.indexOf('thread backtrace all')).match(/frame #0: /g)?.length).toBeGreaterThanOrEqual(vcpus);
  expect(out).toMatch(/\(unsigned long\) \$\d+ = 42100\n/);
  expect(out.slice(callsAt)).toMatch(/frame #0: .*`vfs_open\s+frame #1: .*`path_openat/);
  expect(out).toMatch(/Process 1 detached/);
  // the next one at once, which runs and is interrupted
  const prompt = new Prompt(spawn(lldb.path, ['--no-lldbinit', '--no-use-colors', file], { stdio: 'pipe' }), PATIENCE);
  client = prompt;
  await prompt.type('settings set auto-confirm true', /\n/);
  await prompt.type(at, /Process 1 stopped/);
  await prompt.type('continue', /Process 1 resuming/);
  await goesOn();
  await prompt.type('process interrupt', /Process 1 stopped/);
  const value = await prompt.type('p/d *(unsigned long *)&jiffies', /\(unsigned long\) \$\d+ = \d+\n/);
  expect(BigInt(/= (\d+)\n/.exec(value)?.[1] ?? 0)).toBeGreaterThan(BigInt(second));
  await prompt.type('process detach', /Process 1 detached/);
}

async function dapSession(vcpus: number): Promise<void> {
  const dap = new DapClient(spawn(newGdbProgram, ['-nx', '-q', '-i', 'dap'], { stdio: 'pipe' }));
  client = dap;
  await dap.ask('initialize', { adapterID: 'gdb', linesStartAt1: true, columnsStartAt1: true });
  const attached = dap.ask('attach', { target: `127.0.0.1:${linux.port}` });
  await dap.event('initialized');
  await dap.ask('setFunctionBreakpoints', { breakpoints: [{ name: 'vfs_open' }] });
  await dap.ask('configurationDone', {});
  await attached;
  await dap.event('stopped');
  const { threads } = await dap.ask('threads', {});
  expect(threads).toHaveLength(vcpus);
  const names = async (threadId: number): Promise<string[]> =>
    (await dap.ask('stackTrace', { threadId })).stackFrames.map(({ name }: { name: string }) => name);
  const evaluate = async (expression: string, context = 'watch'): Promise<string> =>
    (await dap.ask('evaluate', { expression, context })).result;
  const stop = await dap.run('continue', { threadId: 1 });
  expect(stop.reason).toMatch(/breakpoint/);
  const { threadId } = stop;
  expect((await names(threadId)).slice(0, 3)).toEqual(['vfs_open', 'path_openat', 'do_filp_open']);
  await dap.ask('setFunctionBreakpoints', { breakpoints: [] });
  await dap.run('stepOut', { threadId, singleThread: true });
  expect((await names(threadId))[0]).toBe('path_openat');
  expect(await evaluate('(int)$eax')).toBe('0');
  await dap.run('next', { threadId });
  expect((await names(threadId))[0]).toBe('do_filp_open');
  expectProcesses(BigInt(await evaluate('((int (*)(void))nr_processes)()')));
  for (const { id } of threads) expect((await names(id)).length).toBeGreaterThan(0);
  const last = BigInt(await evaluate(JIFFIES));
  await dap.ask('continue', { threadId });
  await goesOn();
  await dap.run('pause', { threadId });
  expect(BigInt(await evaluate(JIFFIES))).toBeGreaterThan(last);
  await dap.ask('disconnect', { terminateDebuggee: false });
}

const runs = (always: boolean, tools: readonly Tool[]): boolean =>
  (always || long) && [gdb, kernel, ...tools].every(({ available }) => available);
const title = (name: string, always: boolean, tools: readonly Tool[]): string =>
  named(`${name}${always || long ? '' : ' [skipped: VMSCOPE_LONG_TESTS=1 runs it]'}`, gdb, kernel, ...tools);

for (const vcpus of [1, 4]) {
  describe.skipIf(!gdb.available || !kernel.available)(`a Linux that runs, ${vcpus} vCPUs`, () => {
    const to = mkdtempSync(join(tmpdir(), 'vmscope-linux-clients-'));
    beforeAll(async () => {
      linux = await boot(vcpus);
    }, SLOW);
    afterEach(async ({ task }) => {
      await client?.close();
      client = undefined;
      // one that has not come to its detach leaves the guest as it is
      if (task.result?.state === 'fail') await letGo(linux);
      await goesOn();
      expect(linux.stdout).not.toMatch(/Oops|BUG:|Call Trace/);
    }, SLOW);
    afterAll(async () => {
      await linux?.stop();
      rmSync(to, { recursive: true });
    });

    for (const row of gdbClients) {
      const always = row.name === 'gdb' || row.tools.some(({ path }) => /gef|pwndbg/.test(path));
      test.skipIf(!runs(always, row.tools))(
        title(`a whole session of ${row.name}`, always, row.tools),
        async () => {
          const shell = new GdbShell(row, [], PATIENCE);
          client = shell;
          await gdbSession(shell, vcpus);
        },
        SLOW,
      );
    }
    const lldbs = vcpus === 4;
    test.skipIf(!runs(lldbs, [lldb]))(
      title('a whole session of lldb', lldbs, [lldb]),
      () => lldbSession(to, vcpus),
      SLOW,
    );
    test.skipIf(!runs(false, [newGdb]))(
      title('a whole session of gdb -i dap', false, [newGdb]),
      () => dapSession(vcpus),
      SLOW,
    );
  });
}
