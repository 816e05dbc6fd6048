import { spawnSync } from 'node:child_process';

/** QEMU without icount, as `compiler` and the tables beside it run it. */
export const QEMU = '-accel tcg -machine pc -cpu max -display none -monitor none -no-reboot'.split(' ');

/** Processor seconds of a run, children included, and what it printed; undefined: it did not run, or ended otherwise than it should. */
export function timed(
  program: string,
  args: readonly string[],
  statuses: readonly (number | null)[] = [0],
): { seconds: number; output: string } | undefined {
  const script = 'TIMEFORMAT="%U %S"; exec 3>&1; time "$0" "$@" 2>/dev/null >&3 </dev/null';
  const run = spawnSync('bash', ['-c', script, program, ...args], { encoding: 'utf8', timeout: 600_000 });
  if (!statuses.includes(run.status)) return undefined;
  const [user, system] = run.stderr.trim().split(/\s+/).slice(-2).map(Number);
  return { seconds: user + system, output: run.stdout.trim() };
}
