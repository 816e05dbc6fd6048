import { spawnSync } from 'node:child_process';
import { fastest } from './engine.js';
import { format, type Measurement } from './measurement.js';
import { LOOPS } from './paths.js';

/** Loops, short and long count, and what the short one prints: worked out by QEMU's TCG, an independent processor. */
const LOOPS_RUN: { name: string; short: number; long: number; result: string }[] = [
  { name: 'alu', short: 10, long: 300, result: '23f87746b23fb9a6' },
  { name: 'crc32', short: 2, long: 16, result: '000000006ce8df3b' },
  { name: 'copy', short: 50, long: 800, result: '0123456789abcdef' },
  { name: 'fib', short: 28, long: 34, result: '000000000004d973' },
  { name: 'table', short: 8, long: 60, result: '0000000002256d20' },
];

const QEMU =
  'qemu-system-x86_64 -accel tcg -machine pc -cpu max -display none -serial stdio -monitor none -no-reboot'.split(' ');

/** Millions of guest instructions a second, loop by loop, and TCG's beside them where QEMU is installed. */
export const interpreter = LOOPS_RUN.map(({ name, short, long, result }) => (): Measurement[] => {
  const run = fastest(`${name} ${short}`);
  if (run.output !== result) throw new Error(`${name} computed ${run.output}, not ${result}`);
  const mips = run.instructions / run.seconds / 1e6;
  const note = tcgNote(name, short, long, run.instructions, mips);
  return [{ name: `interpreter.${name}`, value: mips, unit: 'MIPS', ...(note ? { note } : {}) }];
});

/** TCG's speed from the difference of two counts, which takes its start-up out. */
function tcgNote(name: string, short: number, long: number, instructions: number, mips: number): string | undefined {
  const times = [short, long].map((count) => tcgSeconds(`${name} ${count}`));
  if (times.some((time) => time === undefined)) return undefined;
  const growth = name === 'fib' ? fibonacci(long) / fibonacci(short) : long / short;
  const tcgMips = (instructions * (growth - 1)) / ((times[1] as number) - (times[0] as number)) / 1e6;
  return `QEMU TCG ${format(tcgMips)} MIPS, ${(mips / tcgMips).toFixed(2)} of it`;
}

function fibonacci(n: number): number {
  return n < 2 ? n : Math.round(1.618033988749895 ** n / 2.23606797749979);
}

function tcgSeconds(command: string): number | undefined {
  const start = performance.now();
  const [program, ...args] = QEMU;
  const { status } = spawnSync(program, [...args, '-kernel', LOOPS, '-append', command], { timeout: 60_000 });
  return status === 0 ? (performance.now() - start) / 1000 : undefined;
}
