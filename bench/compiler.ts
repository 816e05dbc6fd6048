import { existsSync } from 'node:fs';
import { format, geometricMean, type Measurement, median } from './measurement.js';
import { LOOPS, ROOT } from './paths.js';
import { timed } from './processor-time.js';

interface Guest {
  name: string;
  /** Counts of a short and a long run: what is measured is the difference, without start-up. */
  short: number;
  long: number;
  /** The same for who is slow, and by how much less that difference is than the other's. */
  slow: { long: number; less: number };
}

/** A guest whose time grows with its count; where it is slow it runs that part of it. */
const linear = (name: string, short: number, long: number, fraction = 1 / 8): Guest => {
  const part = short + Math.max(1, Math.round((long - short) * fraction));
  return { name, short, long, slow: { long: part, less: (long - short) / (part - short) } };
};

const fibonacci = (n: number): number => Math.round(1.618033988749895 ** n / 2.23606797749979);

/** Loops of the processor, then of what surrounds it. */
const GUESTS: Guest[] = [
  linear('alu', 30, 600),
  linear('crc32', 2, 32),
  linear('copy', 100, 1600),
  {
    ...{ name: 'fib', short: 24, long: 36 },
    slow: { long: 32, less: (fibonacci(36) - fibonacci(24)) / (fibonacci(32) - fibonacci(24)) },
  },
  linear('table', 8, 120),
  linear('mandel', 2, 242),
  linear('nbody', 2, 62),
  linear('vector', 2, 1202),
  linear('sort', 2, 1202),
  // nobody is slow at repeated moves
  linear('string', 20, 1620, 1),
  linear('pointer', 1, 61),
  linear('locked', 1, 401),
  linear('program', 100, 12_100),
];
const ROUNDS = 3;

const QEMU = '-machine pc -cpu max -display none -serial stdio -monitor none -no-reboot'.split(' ');
const LINUX = `${ROOT}build/guests/linux/`;

interface Runner {
  name: string;
  program: string;
  before: string[];
  image: (file: string) => string[];
  after: string[];
  /** It takes so long that it runs once, and less. */
  slow?: true;
}

const qemu = (name: string, ...accel: string[]): Runner => ({
  name,
  program: 'qemu-system-x86_64',
  before: ['-accel', 'tcg', ...accel, ...QEMU],
  image: (file) => ['-kernel', file],
  after: [],
});

const vmscope = (jit: 'on' | 'off'): Runner => ({
  name: `jit ${jit}`,
  program: `${ROOT}bin/vmscope`,
  before: ['run'],
  image: (file) => (file === LOOPS ? [file] : ['--kernel', file]),
  after: ['--jit', jit, '--headless'],
  ...(jit === 'off' ? { slow: true } : {}),
});

/** Who runs a guest. TCG comes first: the others are told as its multiples. */
const RUNNERS: Runner[] = [
  qemu('tcg'),
  qemu('tcg -icount', '-icount', 'shift=0,sleep=off'),
  vmscope('on'),
  vmscope('off'),
];

/** Each runner's times as multiples of TCG's, guest by guest. */
const ratios = new Map<string, number[]>();

/** What the runners took, as medians, beside TCG's. */
function told(what: string, times: readonly (readonly number[])[]): Measurement[] {
  const reference = times[0].length > 0 ? median(times[0]) : undefined;
  return RUNNERS.flatMap((runner, n) => {
    if (times[n].length === 0) return [];
    const seconds = median(times[n]);
    const note = reference === undefined ? '' : `${format(seconds / reference)} of TCG's processor time`;
    return [{ name: `compiler.${what}, ${runner.name}`, value: seconds, unit: 's' as const, note }];
  });
}

/** Processor time of the interpreter and of compiled code as multiples of QEMU TCG's, runs by turns, medians. */
const guests = GUESTS.map((guest) => (): Measurement[] => {
  const { name, short, long } = guest;
  const times = RUNNERS.map(() => [] as number[]);
  for (let round = 0; round < ROUNDS; round++) {
    const outputs = new Set<string>();
    for (const [n, { program, before, image, after, slow }] of RUNNERS.entries()) {
      if (slow && round > 0) continue;
      const counts = [short, slow ? guest.slow.long : long];
      const [little, much] = counts.map((count) =>
        timed(program, [...before, ...image(LOOPS), '--append', `${name} ${count}`, ...after].map(ownOption(program))),
      );
      if (!little || !much) continue;
      outputs.add(slow ? `${little.output}` : `${little.output} ${much.output}`);
      times[n].push((much.seconds - little.seconds) * (slow ? guest.slow.less : 1));
    }
    const [results] = [...outputs].filter((output) => output.includes(' '));
    if ([...outputs].some((output) => output !== results && output !== results?.split(' ')[0])) {
      throw new Error(`${name}: results differ: ${[...outputs].join(' and ')}`);
    }
  }
  const reference = times[0].length > 0 ? median(times[0]) : undefined;
  if (reference !== undefined) {
    RUNNERS.forEach(({ name: runner }, n) => {
      if (times[n].length === 0) return;
      const ratio = median(times[n]) / reference;
      if (ratio > 0) ratios.set(runner, [...(ratios.get(runner) ?? []), ratio]);
      else throw new Error(`${name}, ${runner}: the longer run took no longer than the shorter one`);
    });
  }
  return told(name, times);
});

/** QEMU writes long options with one dash. */
function ownOption(program: string): (word: string) => string {
  return program.startsWith('qemu') ? (word) => word.replace(/^--/, '-') : (word) => word;
}

/** The geometric mean of the multiples. */
const mean = (): Measurement[] =>
  [...ratios].map(([name, all]) => ({
    name: `compiler.mean, ${name}`,
    value: geometricMean(all),
    unit: 'ratio',
    note: `of TCG's processor time, geometric mean of ${all.length} guests`,
  }));

/** Debian's kernel from its start to its power off, where samples/linux/fetch has brought it. */
const linux = (): Measurement[] => {
  if (!existsSync(`${LINUX}vmlinuz`)) return [];
  const times = RUNNERS.map(() => [] as number[]);
  const append = 'console=ttyS0 RUN="true"';
  for (let round = 0; round < ROUNDS; round++) {
    for (const [n, { program, before, image, after, slow }] of RUNNERS.entries()) {
      if (slow && round > 0) continue;
      const args = [...before, ...image(`${LINUX}vmlinuz`), '--initrd', `${LINUX}initrd.gz`, '-m', '256M'];
      const run = timed(program, [...args, '--append', append, ...after].map(ownOption(program)));
      if (!run) continue;
      if (!run.output.includes('GUEST-UP')) throw new Error(`Linux did not come up: ${run.output.slice(-200)}`);
      times[n].push(run.seconds);
    }
  }
  return told('Linux', times);
};

export const compiler = [...guests, mean, linux];
