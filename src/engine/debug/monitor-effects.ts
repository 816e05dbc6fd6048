/** What a monitor command does to the guest, for clients that may do less than all. */

/** `looks`: nothing; `runs`: it may stop or resume the guest; `changes`: it may change what the guest is or has. */
export type MonitorEffect = 'looks' | 'runs' | 'changes';

/** Registers of devices have side effects when they are read as the guest does, so `i` is not among these. */
const LOOKS: ReadonlySet<string> = new Set([
  ...['info', 'help', '?', 'x', 'xp', 'p', 'print', 'walk', 'why', 'doctor', 'cpu', 'list', 'gva2gpa', 'gpa2hva'],
  // these write files of the host, and never over one that is there
  ...['memsave', 'pmemsave'],
]);
const RUNS: ReadonlySet<string> = new Set(['stop', 'cont', 'c', 'run_to_kernel', 'dump-guest-memory']);

/** A command that is not known here counts as one that changes things. */
export function monitorEffect(line: string): MonitorEffect {
  const word = /^\s*(xp?(?=\/)|[^\s]*)/.exec(line)?.[1] ?? '';
  if (LOOKS.has(word)) return 'looks';
  return RUNS.has(word) ? 'runs' : 'changes';
}
