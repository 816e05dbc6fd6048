import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SAMPLES, vmscope } from '../cli/vmscope.js';
import { named, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const apt = requireTool('apt-get');
const linux = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmscope-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('vmscope profile', () => {
  it('gives the same samples in each run, one every so many instructions', async () => {
    const crc32 = join(SAMPLES, 'crc32');
    const [first, second] = [join(folder, 'a'), join(folder, 'b')];
    const options = ['--every', '1000000', '--format', 'folded', '--stats', 'json'];
    const run = await vmscope(['profile', crc32, ...options, '-o', first]);
    expect(run.stdout).toBe(readFileSync(join(crc32, 'expected.txt'), 'latin1'));
    const { icount } = JSON.parse(run.stderr.trimEnd());
    const whole = await vmscope(['run', crc32, '--headless', '--stats', 'json']);
    expect(icount).toBe(JSON.parse(whole.stderr.trimEnd()).icount);
    await vmscope(['profile', crc32, ...options, '-o', second]);
    const folded = readFileSync(first, 'latin1');
    expect(readFileSync(second, 'latin1')).toBe(folded);
    const lines = folded.trimEnd().split('\n');
    const total = lines.reduce((sum, line) => sum + Number(/^\S+ (\d+)$/.exec(line)![1]), 0);
    expect(total).toBe(Math.floor(icount / 1_000_000));
    expect(lines.find((line) => line.includes('crc_bit'))).toBeDefined();
  }, 60_000);

  it("gives speedscope's file", async () => {
    const file = join(folder, 'speedscope.json');
    await vmscope(['profile', join(SAMPLES, 'crc32'), '--every', '2000000', '--format', 'speedscope', '-o', file]);
    const { $schema, shared, profiles } = JSON.parse(readFileSync(file, 'utf8'));
    expect($schema).toBe('https://www.speedscope.app/file-format-schema.json');
    const [{ type, samples, weights, startValue, endValue }] = profiles;
    expect([type, startValue]).toEqual(['sampled', 0]);
    expect(weights).toHaveLength(samples.length);
    expect(endValue).toBe(weights.reduce((sum: number, weight: number) => sum + weight, 0));
    for (const place of samples.flat()) expect(shared.frames[place].name).toBeTypeOf('string');
  }, 60_000);

  it('refuses what it cannot do', async () => {
    const image = join(SAMPLES, 'crc32');
    for (const [args, message] of [
      [[image, '--every', '5'], '--every 5: not a whole number from 1000 up'],
      [[image, '--engine', 'kvm'], 'KVM does not count instructions'],
      [[image, '--gdb', '0'], 'not for a debugger'],
      [[image, '-o', '/nonexistent/f'], '--output /nonexistent/f: no such folder'],
      [[], 'no image given'],
    ] as [string[], string][]) {
      const { stderr, status } = await vmscope(['profile', ...args]);
      expect(stderr).toContain(message);
      expect(stderr.trimEnd().split('\n')).toHaveLength(1);
      expect(status).toBe(2);
    }
  }, 60_000);

  it.skipIf(!linux.available)(
    named("names a stock kernel's functions and tasks, from the first to the last caller", linux),
    async () => {
      const file = join(folder, 'linux.folded');
      const guest = (name: string) => join(root, 'build/guests/linux', name);
      const { status } = await vmscope(
        [
          ...['profile', '-kernel', guest('vmlinuz'), '-initrd', guest('initrd.gz'), '-append', 'console=ttyS0 quiet'],
          ...['-m', '256', '--every', '2000000', '--max-instructions', '900000000', '--format', 'folded', '-o', file],
        ],
        { timeoutMs: 170_000 },
      );
      expect(status).toBe(124);
      const lines = readFileSync(file, 'latin1').trimEnd().split('\n');
      const stacks = lines.map((line) => line.replace(/ \d+$/, '').split(';'));
      expect(stacks.filter(([task]) => task === 'swapper/0').length).toBeGreaterThan(10);
      const threads = stacks.filter((stack) => stack.includes('ret_from_fork'));
      expect(threads.length).toBeGreaterThan(0);
      for (const stack of threads) expect(stack.indexOf('ret_from_fork')).toBe(1);
      const deep = stacks.filter((stack) => stack.length > 5);
      expect(deep.length).toBeGreaterThan(10);
    },
    180_000,
  );
});
