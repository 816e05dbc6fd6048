/** `run --ex`, `--exec` and `send`: the dashboard's commands without a screen. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import { connectGuest } from '../../src/cli/guest-socket.js';
import { PROGRAM, SAMPLES, vmscope } from './vmscope.js';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-script-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ZOO = ['run', join(SAMPLES, 'exit-zoo'), '--headless'];
const SLOW = 60_000;

describe('run', () => {
  it('carries out --ex and --exec in their order, and ends with 0', async () => {
    const file = join(folder, 'a.vms');
    writeFileSync(file, '# the first CPUID\nbreak vmexit CPUID\nrun\nassert reason == CPUID\n');
    const { status, stdout, stderr } = await vmscope([
      ...ZOO,
      '--ex',
      'print _start',
      '--exec',
      file,
      '--ex',
      'back-exit',
    ]);
    expect([status, stderr]).toEqual([0, '']);
    const [label, set, first, before] = stdout.trimEnd().split('\n');
    expect(label).toMatch(/^0x[0-9a-f]+ = \d+ _start$/);
    expect(set).toBe('breakpoint 1 on CPUID');
    expect(first).toMatch(/^STOPPED: CPUID \(breakpoint 1\) at 0x[0-9a-f]+ do_cpuid\+0x2, instruction \d+, exit 337$/);
    expect(before).toMatch(/^STOPPED: VMCALL at .*, exit 336$/);
  });

  it('ends with 1 and the line where an assertion fails, with 2 where a command does, with 124 at a limit', async () => {
    const file = join(folder, 'b.vms');
    writeFileSync(file, 'next-exit\n\nassert rip == 1\nprint 5\n');
    const failed = await vmscope([...ZOO, '--exec', file, '--json']);
    expect(failed.status).toBe(1);
    expect(failed.stderr).toMatch(
      /^vmscope: exit-zoo: \S+b\.vms:3: assert: rip == 1 does not hold: rip is 0x[0-9a-f]+, 1 is 0x1\n$/,
    );
    const lines = failed.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual([
      {
        command: 'next-exit',
        result: expect.objectContaining({ running: false, icount: expect.stringMatching(/^0x/) }),
      },
      { command: 'assert rip == 1', error: expect.stringContaining('does not hold') },
    ]);
    const wrong = await vmscope([...ZOO, '--ex', 'until icount 0']);
    expect([wrong.status, wrong.stdout]).toEqual([2, '']);
    expect(wrong.stderr).toContain('--ex "until icount 0": until: icount 0 is in the past');
    const limit = await vmscope([...ZOO, '--ex', 'run', '--ex', 'print 1', '--max-instructions', '5000']);
    expect([limit.status, limit.stdout]).toEqual([124, '']);
  });

  it('looks at a guest that has ended, and puts its counts into a file', async () => {
    const stats = join(folder, 'stats.json');
    const { status, stdout } = await vmscope([
      ...ZOO,
      '--ex',
      'run',
      '--ex',
      'assert icount > 70000',
      '--stats',
      `json:${stats}`,
    ]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ENDED: guest powered off at /);
    expect(JSON.parse(readFileSync(stats, 'utf8')).exits.CPUID).toBeGreaterThan(0);
    expect((await vmscope([...ZOO, '--exec', '/dev/zero'])).stderr).toMatch(
      /^vmscope: --exec \/dev\/zero: more than \d+ bytes are not a script\n$/,
    );
    expect((await vmscope([...ZOO, '--ex', ''])).stderr).toBe('vmscope: --ex: the command is empty\n');
    const bad = await vmscope([...ZOO, '--stats', 'yaml']);
    expect([bad.status, bad.stderr]).toEqual([2, 'vmscope: --stats yaml: use json, or json:FILE\n']);
  });
});

test('profile, trace and doctor speak JSON', async () => {
  const file = join(folder, 'zoo.trace');
  const profile = await vmscope([
    'profile',
    join(SAMPLES, 'exit-zoo'),
    '--every',
    '5000',
    '--json',
    '-o',
    '/dev/stdout',
    '--trace',
    file,
    '--serial',
    'none',
  ]);
  const { samples, functions } = JSON.parse(profile.stdout);
  expect(functions.reduce((sum: number, row: { self: number }) => sum + row.self, 0)).toBe(samples);
  const report = JSON.parse((await vmscope(['trace', file, '--json', '--rows', '1000'])).stdout);
  expect(report.rows.reduce((sum: number, row: { samples: number }) => sum + row.samples, 0)).toBe(report.samples);
  expect((await vmscope(['trace', file, '--json', '--format', 'csv'])).status).toBe(2);
  const findings = JSON.parse((await vmscope(['doctor', '--json'])).stdout);
  expect(findings).toContainEqual({ name: 'engine vtx', state: 'ok', text: expect.any(String) });
});

test(
  'send speaks to a running guest, and a group of its calls may be awaited',
  async () => {
    const name = `sent-${process.pid}`;
    const child = spawn(process.execPath, [PROGRAM, ...ZOO, '--wait', '--name', name], { stdio: 'ignore' });
    try {
      const deadline = Date.now() + SLOW;
      for (;;) {
        const there = await connectGuest(name).catch(() => undefined);
        there?.close();
        if (there || Date.now() > deadline) break;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const send = (...words: string[]) => vmscope(['send', name, ...words], { timeoutMs: SLOW });
      expect((await send('state')).stdout).toMatch(/^STOPPED: start at 0x[0-9a-f]+ _start, instruction 0\n$/);
      expect((await send('x', '/1i', '$rip')).stdout).toMatch(/^0x[0-9a-f]+:? /);
      const state = join(folder, 'sent.state');
      // a call of an optional group, which went through a promise
      expect(await send('--ex', 'next-exit', '--ex', `save ${state}`)).toMatchObject({ status: 0, stderr: '' });
      expect(existsSync(state)).toBe(true);
      expect(JSON.parse((await send('--json', 'info', 'exits')).stdout).result.value).toEqual({ TASK_SWITCH: 1 });
      expect((await send('travel', '-5')).stderr).toContain('travel: nothing is kept to go back to');
      expect((await send('help', 'next')).stdout).toMatch(/^next-exit .* run to the next VM exit\n/);
      expect((await send('assert', 'rip', '==', '0')).status).toBe(1);
      expect(await send('frobnicate')).toMatchObject({
        status: 2,
        stderr: `vmscope: ${name}: no command "frobnicate"; : lists them\n`,
      });
    } finally {
      child.kill('SIGKILL');
    }
    expect((await vmscope(['send', 'no-such-guest', 'state'])).stderr).toMatch(
      /^vmscope: no running guest "no-such-guest"; running: /,
    );
  },
  4 * SLOW,
);
