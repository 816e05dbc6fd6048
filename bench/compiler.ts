import { spawnSync } from 'node:child_process';
import { format, type Measurement, median } from './measurement.js';
import { LOOPS, ROOT } from './paths.js';

/** Loops with a short and a long count: what is measured is the difference, without start-up. */
const GUESTS: { name: string; short: number; long: number }[] = [
  { name: 'alu', short: 30, long: 600 },
  { name: 'crc32', short: 2, long: 32 },
  { name: 'copy', short: 100, long: 1600 },
  { name: 'fib', short: 24, long: 36 },
  { name: 'table', short: 8, long: 120 },
  { name: 'mandel', short: 2, long: 42 },
  { name: 'nbody', short: 2, long: 62 },
  { name: 'vector', short: 2, long: 62 },
  { name: 'sort', short: 2, long: 82 },
  { name: 'string', short: 20, long: 820 },
  { name: 'pointer', short: 1, long: 31 },
  { name: 'locked', short: 1, long: 21 },
];
const ROUNDS = 3;

const QEMU = '-machine pc -cpu max -display none -serial stdio -monitor none -no-reboot'.split(' ');

/** Who runs a guest. TCG comes first: the others are told as its multiples. */
const RUNNERS: { name: string; program: string; args: (loop: string) => string[] }[] = [
  {
    name: 'tcg',
    program: 'qemu-system-x86_64',
    args: (loop) => ['-accel', 'tcg', ...QEMU, '-kernel', LOOPS, '-append', loop],
  },
  {
    name: 'tcg -icount',
    program: 'qemu-system-x86_64',
    args: (loop) => ['-accel', 'tcg', '-icount', 'shift=0,sleep=off', ...QEMU, '-kernel', LOOPS, '-append', loop],
  },
  ...(['on', 'off'] as const).map((jit) => ({
    name: `jit ${jit}`,
    program: `${ROOT}bin/vmscope`,
    args: (loop: string) => ['run', LOOPS, '--append', loop, '--jit', jit, '--headless'],
  })),
];

/** Processor seconds of a run, children included, and what it printed; undefined: it did not run. */
function timed(program: string, args: readonly string[]): { seconds: number; output: string } | undefined {
  const script = 'TIMEFORMAT="%U %S"; exec 3>&1; time "$0" "$@" 2>/dev/null >&3';
  const run = spawnSync('bash', ['-c', script, program, ...args], { encoding: 'utf8', timeout: 300_000 });
  if (run.status !== 0) return undefined;
  const [user, system] = run.stderr.trim().split(/\s+/).slice(-2).map(Number);
  return { seconds: user + system, output: run.stdout.trim() };
}

/** Each runner's times as multiples of TCG's, guest by guest. */
const ratios = new Map<string, number[]>();

/** Processor time of the interpreter and of compiled code as multiples of QEMU TCG's, runs by turns, medians. */
const guests = GUESTS.map(({ name, short, long }) => (): Measurement[] => {
  const times = RUNNERS.map(() => [] as number[]);
  for (let round = 0; round < ROUNDS; round++) {
    const outputs = new Set<string>();
    for (const [n, { program, args }] of RUNNERS.entries()) {
      const [little, much] = [short, long].map((count) => timed(program, args(`${name} ${count}`)));
      if (!little || !much) continue;
      outputs.add(`${little.output} ${much.output}`);
      times[n].push(much.seconds - little.seconds);
    }
    if (outputs.size > 1) throw new Error(`${name}: results differ: ${[...outputs].join(' and ')}`);
  }
  const reference = times[0].length > 0 ? median(times[0]) : undefined;
  return RUNNERS.flatMap((runner, n) => {
    if (times[n].length === 0) return [];
    const seconds = median(times[n]);
    const note = reference === undefined ? '' : `${format(seconds / reference)} of TCG's processor time`;
    if (reference !== undefined) ratios.set(runner.name, [...(ratios.get(runner.name) ?? []), seconds / reference]);
    return [{ name: `compiler.${name}, ${runner.name}`, value: seconds, unit: 's' as const, note }];
  });
});

/** The geometric mean of the multiples. */
const mean = (): Measurement[] =>
  [...ratios].map(([name, all]) => ({
    name: `compiler.mean, ${name}`,
    value: Math.exp(all.reduce((sum, ratio) => sum + Math.log(ratio), 0) / all.length),
    unit: 'ratio',
    note: `of TCG's processor time, geometric mean of ${all.length} guests`,
  }));

export const compiler = [...guests, mean];
