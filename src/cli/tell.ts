/** What the program tells its user on standard error. Names of files, guests and peers in it are other people's. */
import { printable } from '../engine/printable.js';

export { printable };

/** One line for the user. */
export function tell(line: string): void {
  process.stderr.write(`vmscope: ${printable(line)}\n`);
}

/** Lines that are lost on a full disk or a closed pipe are nobody's failure: the guest's own status stands. */
export function keepGoingWithoutReader(): void {
  process.stderr.on('error', () => {});
}
