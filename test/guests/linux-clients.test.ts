/**
 * Each stock client's session on Debian's Linux that already runs, with 1 and with 4 vCPUs: attach, stop by name, next,
 * finish, call, watch, all stacks, scheduler locking, interrupt, detach, connect again at once. Every value is checked.
 * gdb's own runs by default; VMSCOPE_LONG_TESTS=1 adds gdb-multiarch's.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { Prompt, RunningGuest, runDebugger, until } from '../gdbstub/running-guest.js';
import { named, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const gdb = requireTool('gdb');
const multiarch = requireTool('gdb-multiarch');
const apt = requireTool('apt-get');
const kernel = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const folder = `${root}build/guests/linux`;
const long = process.env.VMSCOPE_LONG_TESTS === '1';
const SLOW = 240_000;

let guest: RunningGuest | undefined;
let prompt: Prompt | undefined;

afterEach(async () => {
  await prompt?.close();
  prompt = undefined;
  await guest?.stop();
  guest = undefined;
});

function shell(program: string): Prompt {
  const plain = ['set pagination off', 'set confirm off'].flatMap((line) => ['-ex', line]);
  prompt = new Prompt(spawn(program, ['-nx', '-q', ...plain], { stdio: 'pipe' }), SLOW / 4);
  return prompt;
}

/** A Linux in user space that opens a file some 50 times a second and says so at each tenth of them. */
async function boot(vcpus: number): Promise<RunningGuest> {
  const work =
    'n=0; while :; do cat /proc/stat >/dev/null; sleep 0.02; n=$((n+1)); [ $((n%10)) = 0 ] && echo AT $n; done';
  const size = ['--initrd', `${folder}/initrd.gz`, '-m', '256M', '--vcpus', `${vcpus}`];
  const started = await RunningGuest.start(`${folder}/vmlinuz`, ...size, '--append', `console=ttyS0 RUN="${work}"`);
  guest = started;
  // it waits for a first client; this one knows no symbols and asks for none
  const first = ['set sysroot', 'set auto-solib-add off', `target remote 127.0.0.1:${started.port}`, 'detach'];
  const left = await runDebugger(
    gdb.path,
    ['-nx', '-q', '-batch', ...first.flatMap((line) => ['-ex', line])],
    SLOW / 4,
  );
  expect(left).toMatch(/detached/);
  await until('the guest works', () => started.stdout.includes('AT 10'), SLOW / 2);
  return started;
}

/** Waits until the guest's loop has gone on. */
async function goesOn(of: RunningGuest): Promise<void> {
  const from = of.stdout.length;
  await until('the guest goes on', () => /AT \d+\r?\n/.test(of.stdout.slice(from)), SLOW / 4);
}

/** The last `$N = VALUE` in what gdb printed. */
const printed = (text: string): bigint => BigInt(/\$\d+ = (0x[0-9a-f]+|\d+)/.exec(text)?.[1] ?? -1);

async function wholeSession(program: string, vcpus: number): Promise<void> {
  const linux = await boot(vcpus);
  const at = `target remote 127.0.0.1:${linux.port}`;
  const client = shell(program);
  await client.type(at, /0x[0-9a-f]+ in \w+ \(\)\s+\(gdb\)/);
  const threads = await client.type('info threads', new RegExp(`Thread 1\\.${vcpus} "CPU#${vcpus - 1}"[^\\n]*\\n`));
  expect(threads.match(/Thread 1\.\d+ "CPU#\d+"/g)).toHaveLength(vcpus);

  await client.type('break vfs_open', /Breakpoint 1 at 0xffffffff[0-9a-f]+/);
  await client.type(
    'continue',
    /hit Breakpoint 1, 0x[0-9a-f]+ in vfs_open \(\)|Breakpoint 1, 0x[0-9a-f]+ in vfs_open \(\)/,
  );
  await client.type(
    'backtrace',
    /#0 .* vfs_open \(\)\s+#1 .* path_openat \(\)\s+#2 .* do_filp_open \(\)[\s\S]*\(gdb\)/,
  );
  await client.type('print $pc == &vfs_open', /\$\d+ = 1\n/);
  await client.type('stepi', /in vfs_open \(\)/);
  await client.type('finish', /Run till exit[\s\S]*in path_openat \(\)/);
  // without lines, next goes on to the function's end
  await client.type('next', /Single stepping until exit from function path_openat[\s\S]*in do_filp_open \(\)/);
  await client.type('delete', /\(gdb\)/);

  // a call leaves the registers and the place as they were
  const before = printed(await client.type('print/x $rsp', /\$\d+ = 0x[0-9a-f]+\n/));
  const processes = printed(await client.type('print ((int (*)(void))nr_processes)()', /\$\d+ = \d+\n/));
  expect(processes).toBeGreaterThan(20n);
  expect(processes).toBeLessThan(500n);
  expect(printed(await client.type('print ((int (*)(void))nr_processes)()', /\$\d+ = \d+\n/))).toBe(processes);
  expect(printed(await client.type('print/x $rsp', /\$\d+ = 0x[0-9a-f]+\n/))).toBe(before);
  await client.type('frame', /#0 .* do_filp_open \(\)/);

  const old = printed(await client.type('print *(unsigned long *)&jiffies', /\$\d+ = \d+\n/));
  await client.type('watch *(unsigned long *)&jiffies', /Hardware watchpoint 2: /);
  const hit = /Old value = (\d+)\s+New value = (\d+)\s+0x[0-9a-f]+ in tick_do_update_jiffies64 \(\)/;
  let last = old;
  for (let n = 0; n < 3; n++) {
    const [, was, is] = hit.exec(await client.type('continue', hit)) ?? [];
    expect(BigInt(was)).toBe(last);
    expect(BigInt(is)).toBeGreaterThan(last);
    last = BigInt(is);
  }
  await client.type('delete', /\(gdb\)/);

  const stacks = await client.type('thread apply all backtrace', /Thread 1 \([\s\S]*\n#0 [\s\S]*\n\(gdb\)/);
  for (let n = 1; n <= vcpus; n++) expect(stacks).toMatch(new RegExp(`Thread ${n} \\(Thread 1\\.${n} "CPU#${n - 1}"`));
  expect(stacks.match(/\n#0 +0x[0-9a-f]+ in \w+ \(\)/g)).toHaveLength(vcpus);
  expect(stacks).toMatch(/\n#0 .* tick_do_update_jiffies64 \(\)/);

  if (vcpus > 1) {
    // with locking only the chosen vCPU moves: the others stand where they stood
    await client.type('set scheduler-locking on', /\(gdb\)/);
    const places = async (): Promise<string[]> =>
      (
        await client.type('thread apply all -q printf "<%lx>\\n", $pc', new RegExp(`(<[0-9a-f]+>\\s+){${vcpus}}`))
      ).match(/<[0-9a-f]+>/g) ?? [];
    const then = await places();
    for (let n = 0; n < 3; n++) await client.type('stepi', /0x[0-9a-f]+ in \w+ \(\)/);
    const now = await places();
    expect(now.filter((place, n) => place !== then[n])).toHaveLength(1);
    await client.type('set scheduler-locking off', /\(gdb\)/);
  }

  const running = client.out.length;
  await client.type('continue', /Continuing/);
  await goesOn(linux);
  client.signal('SIGINT');
  await client.expect(/received signal SIGINT, Interrupt\.\s+0x[0-9a-f]+ in/, running);
  const later = printed(await client.type('print *(unsigned long *)&jiffies', /\$\d+ = \d+\n/));
  expect(later).toBeGreaterThan(last);
  await client.type('detach', /Inferior 1 \(process 1\) detached/);
  await client.type(at, /Remote debugging using[\s\S]*0x[0-9a-f]+ in \w+ \(\)\s+\(gdb\)/);
  expect(printed(await client.type('print *(unsigned long *)&jiffies', /\$\d+ = \d+\n/))).toBeGreaterThanOrEqual(later);
  await client.type('detach', /Inferior 1 \(process 1\) detached/);
  await goesOn(linux);
  expect(linux.stdout).not.toMatch(/Oops|BUG:|Call Trace/);
}

for (const { tool, name, always } of [
  { tool: gdb, name: 'gdb', always: true },
  { tool: multiarch, name: 'gdb-multiarch', always: false },
]) {
  const runs = always || long;
  describe.skipIf(!runs || !tool.available || !gdb.available || !kernel.available)(
    named(`${name} on a Linux that runs${runs ? '' : ' [skipped: VMSCOPE_LONG_TESTS=1 runs it]'}`, tool, gdb, kernel),
    () => {
      test.each([1, 4])('a whole session, %i vCPUs', (vcpus) => wholeSession(tool.path, vcpus), SLOW);
    },
  );
}
