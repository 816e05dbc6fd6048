/** Whether there is a terminal on which a dashboard can be drawn: one that can at least move its cursor. */
export function hasTerminal(): boolean {
  return process.stdout.isTTY === true && process.stdin.isTTY === true && process.env.TERM !== 'dumb';
}
