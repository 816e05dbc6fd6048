import { lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { UsageError } from './options.js';

/** Removes a socket at which nobody listens any more. @throws UsageError naming the option where something else is there */
export async function removeStale(option: string, path: string): Promise<void> {
  const present = lstatSync(path, { throwIfNoEntry: false });
  if (present === undefined) return;
  if (!present.isSocket()) throw new UsageError(`${option}: there is a file of that name, and no socket`);
  const answered = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
  if (answered) throw new UsageError(`${option}: somebody listens there already`);
  unlinkSync(path);
}
