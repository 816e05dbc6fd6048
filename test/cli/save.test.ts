/** A guest's state from one process to another. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { PROGRAM, vmscope } from './vmscope.js';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-save-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Prints 0 to 9 over and over: mov dx, 3f8h; mov al, '0'; out; inc; a delay; cmp al, ':'; jne out; jmp mov al. */
const image = join(folder, 'digits.bin');
writeFileSync(image, Buffer.from('baf803 b030 ee fec0 b90010 e2fe 3c3a 75f4 ebf0'.replaceAll(' ', ''), 'hex'));
const RUN = ['run', image, '--at', '0x7c00', '--headless'];
const SLOW = 60_000;

test(
  'a guest is saved while it runs, and goes on in another process where it was',
  async () => {
    const state = join(folder, 'digits.state');
    const name = `digits-${process.pid}`;
    const child = spawn(process.execPath, [PROGRAM, ...RUN, '--name', name, '--timeout', '50'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      await once(child.stdout!, 'data');
      child.stdout!.resume();
      const saved = await vmscope(['save', name, state], { timeoutMs: SLOW });
      expect([saved.status, saved.stderr]).toEqual([0, '']);
      const icount = Number(/at icount (\d+) saved in /.exec(saved.stdout)?.[1]);
      expect(icount).toBeGreaterThan(0);
      const before = await vmscope([...RUN, '--max-instructions', String(icount)], { timeoutMs: SLOW });
      const limit = String(icount + 3_000_000);
      const after = await vmscope([...RUN, '--restore', state, '--max-instructions', limit], { timeoutMs: SLOW });
      expect(after.stdout.length).toBeGreaterThan(500);
      const whole = before.stdout + after.stdout;
      expect(whole).toBe('0123456789'.repeat(Math.ceil(whole.length / 10)).slice(0, whole.length));
    } finally {
      child.kill('SIGKILL');
    }
  },
  4 * SLOW,
);

test('what cannot be restored is told in one line, with status 2', async () => {
  const broken = join(folder, 'broken.state');
  writeFileSync(broken, readFileSync(image));
  for (const [args, message] of [
    [['--restore', broken], `vmscope: ${broken}: is not a saved state of vmscope\n`],
    [['--restore', join(folder, 'none')], `vmscope: ${join(folder, 'none')}: no such file\n`],
    [['--restore', folder], `vmscope: ${folder}: is not an ordinary file\n`],
    [['--restore', ''], 'vmscope: --restore: no file is named\n'],
  ] as const) {
    const { status, stderr } = await vmscope([...RUN, ...args]);
    expect([status, stderr]).toEqual([2, message]);
  }
  const { status, stderr } = await vmscope(['save', 'no-such-guest', broken]);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^vmscope: .*no-such-guest.*\n$/);
});
