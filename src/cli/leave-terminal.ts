/** A guest's process that goes on without its terminal: the shell has it back, and may close it. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

/** The shell has noticed by then that its job stands. */
const STAND_SECONDS = '0.3';

/** What a terminal, or the shell that leaves it, sends to all of its jobs. */
const OF_TERMINALS = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'] as const;

/**
 * Lets go of the terminal. A process cannot leave the foreground by itself: its job stands for a moment, as after ctrl-z,
 * so that the shell takes the terminal, and is continued in the background by a helper. Where no shell waits (the
 * terminal was opened for this program alone) it just goes on.
 */
export function leaveTerminal(): void {
  for (const signal of OF_TERMINALS) process.on(signal, () => {});
  process.stdin.destroy();
  // what is written from here on goes nowhere, and the end of the process restores no modes of the shell's terminal
  for (const fd of [0, 1, 2]) {
    closeSync(fd);
    openSync('/dev/null', 'r+');
  }
  const group = jobGroup();
  if (group === undefined) return;
  spawn('/bin/sh', ['-c', `sleep ${STAND_SECONDS}; kill -CONT -${group}`], { detached: true, stdio: 'ignore' }).unref();
  process.kill(-group, 'SIGSTOP');
}

/** The process group, where a shell with job control started it; undefined where it is the session's own. @see proc(5) */
function jobGroup(): number | undefined {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const [, , group, session] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return group === session ? undefined : group;
}
