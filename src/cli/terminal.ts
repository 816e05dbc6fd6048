import { readFileSync } from 'node:fs';

/** Whether there is a terminal on which a dashboard can be drawn: one that can at least move its cursor. */
export function hasTerminal(): boolean {
  return process.stdout.isTTY === true && process.stdin.isTTY === true && process.env.TERM !== 'dumb';
}

/**
 * Whether the terminal is another job's: the shell's, when this one was sent to the background, or nobody's, as under
 * `timeout`, which runs its command in a process group of its own. Reading and settings fail there.
 */
export function isInBackground(): boolean {
  try {
    // behind the command's name, which may hold anything: state, parent, process group, session, terminal, its group
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(foreground) > 0 && foreground !== group;
  } catch {
    return false;
  }
}

export const BACKGROUND =
  'the terminal belongs to another job: timeout needs --foreground, a background job fg; --headless needs no terminal';
