import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SAMPLES, vmscope } from '../cli/vmscope.js';
import { wrongInProfile } from '../formats/reader-rules.js';
import { RunningGuest, runDebugger } from '../gdbstub/running-guest.js';
import { named, requireScript, requireTool } from '../tools.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const apt = requireTool('apt-get');
const linux = apt.available ? requireScript(`${root}samples/linux/fetch`) : apt;
const gdb = requireTool('gdb');
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
    const written = JSON.parse(readFileSync(file, 'utf8'));
    expect(wrongInProfile(written)).toEqual([]);
    const { shared, profiles } = written;
    const [{ type, samples, weights, startValue, endValue }] = profiles;
    expect([type, startValue]).toEqual(['sampled', 0]);
    expect(weights).toHaveLength(samples.length);
    expect(endValue).toBe(weights.reduce((sum: number, weight: number) => sum + weight, 0));
    for (const place of samples.flat()) expect(shared.frames[place].name).toBeTypeOf('string');
  }, 60_000);

  it('takes a sample at each exit, as many as --stats counts', async () => {
    const file = join(folder, 'exits.json');
    const stats = join(folder, 'stats.json');
    const zoo = ['profile', join(SAMPLES, 'exit-zoo'), '--serial', 'none', '--at-exits'];
    await vmscope([...zoo, 'any', '--json', '-o', file, '--stats', `json:${stats}`]);
    const { unit, every, samples, exits, functions } = JSON.parse(readFileSync(file, 'utf8'));
    const counts = JSON.parse(readFileSync(stats, 'utf8'));
    expect([unit, every, samples]).toEqual(['exit', 1, counts.exitsTotal]);
    expect(Object.fromEntries(exits.map((row: { name: string; samples: number }) => [row.name, row.samples]))).toEqual(
      counts.exits,
    );
    expect(functions.find(({ name }: { name: string }) => name === 'putc').self).toBeGreaterThan(1000);
    const stacks = await vmscope([...zoo, 'CPUID|INVALID_STATE', '--format', 'folded', '-o', '/dev/stdout']);
    expect(stacks.stdout).toMatch(/^\S+;do_cpuid;\[CPUID\] 1\n\S+;\[INVALID_STATE\] 1\n$/);
  }, 60_000);

  it('refuses what it cannot do', async () => {
    const image = join(SAMPLES, 'crc32');
    for (const [args, message] of [
      [[image, '--every', '5'], '--every 5: not a whole number from 1000 up'],
      [[image, '--engine', 'kvm'], 'KVM does not count instructions'],
      [[image, '--gdb', '0'], 'not for a debugger'],
      [[image, '--by', 'exit'], '--by exit: samples are of instructions; --at-exits any'],
      [[image, '--at-exits', 'NOWHERE'], '--at-exits NOWHERE: no exit reason "NOWHERE"'],
      [[image, '--at-exits', 'any', '--every', '0'], '--every 0: not a whole number from 1 up'],
      [[image, '-o', '/nonexistent/f'], '--output /nonexistent/f: no such folder'],
      [[], 'no image given'],
    ] as [string[], string][]) {
      const { stderr, status } = await vmscope(['profile', ...args]);
      expect(stderr).toContain(message);
      expect(stderr.trimEnd().split('\n')).toHaveLength(1);
      expect(status).toBe(2);
    }
  }, 60_000);
});

const EVERY = 2_000_000;
/** The kernel's own code runs from here on. */
const FIRST = 60;
/** gdb looks at each of so many samples, the last one at most. */
const [STEP, LAST] = process.env.VMSCOPE_LONG_TESTS ? [1, 450] : [3, 180];

/** Names as they are in the file of symbols: gdb else shows `f.cold` as `f[cold]`. */
const SCRIPT = `
import json
gdb.execute('set stack-cache off')
gdb.execute('set backtrace past-main on')
def ask(line): return gdb.execute(line, to_string=True).strip()
def ours(line): return ask('monitor ' + line)
def task():
  comm = int(ours('print /x &current->comm'), 16)
  return bytes(gdb.selected_inferior().read_memory(comm, 16)).split(b'\\0')[0].decode()
answers = {}
for n in range(${FIRST}, ${LAST} + 1, ${STEP}):
  ours('until icount %d' % (n * ${EVERY}))
  ask('maintenance flush register-cache')
  if int(gdb.parse_and_eval('$cs')) & 3 == 3:
    answers[n] = [task(), '[user]']
    continue
  names, frame = [], gdb.newest_frame()
  while frame is not None:
    names.append(frame.name())
    frame = frame.older()
  answers[n] = [task()] + names[::-1]
print('ANSWERS' + json.dumps(answers))
`;

describe.skipIf(!linux.available)(named("vmscope profile of Debian's kernel", linux), () => {
  const file = (name: string) => join(root, 'build/guests/linux', name);
  const [image, initrd, append, memory] = [file('vmlinuz'), file('initrd.gz'), 'console=ttyS0 quiet', '256'];
  let stacks: string[][];

  beforeAll(async () => {
    const output = join(folder, 'linux.json');
    const { status } = await vmscope(
      [
        ...['profile', '-kernel', image, '-initrd', initrd, '-append', append, '-m', memory],
        // nothing from outside: both guests do the same
        ...[
          '--serial',
          'none',
          '--every',
          String(EVERY),
          '--max-instructions',
          '900000000',
          '--format',
          'speedscope',
          '-o',
          output,
        ],
      ],
      { timeoutMs: 170_000 },
    );
    expect(status).toBe(124);
    const { shared, profiles } = JSON.parse(readFileSync(output, 'utf8'));
    stacks = profiles[0].samples.map((sample: number[]) => sample.map((frame) => shared.frames[frame].name));
  }, 180_000);

  it('names functions and tasks, from the first to the last caller', () => {
    expect(stacks.filter(([task]) => task === 'swapper/0').length).toBeGreaterThan(10);
    const threads = stacks.filter((stack) => stack.includes('ret_from_fork'));
    expect(threads.length).toBeGreaterThan(0);
    for (const stack of threads) expect(stack.indexOf('ret_from_fork')).toBe(1);
    const deep = stacks.filter((stack) => stack.length > 5);
    expect(deep.length).toBeGreaterThan(10);
  });

  it.skipIf(!gdb.available)(
    named('has the tasks and the stacks that gdb finds at the same instructions', gdb),
    async () => {
      const script = join(folder, 'stacks.py');
      writeFileSync(script, SCRIPT);
      const guest = await RunningGuest.start(
        image,
        ...['--initrd', initrd, '--append', append, '-m', memory, '--serial', 'none'],
      );
      try {
        const start = [
          'set pagination off',
          'set remotetimeout 100',
          'set demangle-style none',
          `target remote 127.0.0.1:${guest.port}`,
        ];
        const commands = start.flatMap((line) => ['-ex', line]);
        const out = await runDebugger(gdb.path, ['-nx', '-q', '-batch', ...commands, '-x', script], 250_000);
        const text = /^ANSWERS(.*)$/m.exec(out)?.[1];
        if (text === undefined) throw new Error(`gdb said ${out.slice(-2000)}`);
        const theirs = JSON.parse(text) as Record<string, string[]>;
        // the first sample is the one after so many instructions
        const ours = Object.fromEntries(Object.keys(theirs).map((n) => [n, stacks[Number(n) - 1]]));
        expect(Object.keys(theirs).length).toBeGreaterThan(40);
        expect(ours).toEqual(theirs);
      } finally {
        await guest.stop();
      }
    },
    300_000,
  );
});
