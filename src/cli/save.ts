import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { SavedState } from '../engine/debugger.js';
import { connectGuest } from './guest-socket.js';
import { UsageError } from './options.js';

export function addSaveCommand(program: Command): void {
  program
    .command('save')
    .summary("write a running guest's state to a file")
    .description(
      "Write a running guest's state to a file, which `vmscope run ... --restore FILE` goes on from, with the options that the " +
        'guest was started with. The guest is paused meanwhile, then goes on. Disks are not in it: they must be as they were.',
    )
    .argument('<guest>', 'its name, as `vmscope top` shows it')
    .argument('<file>', 'where to')
    .action(async (name: string, file: string) => {
      process.stdout.write(`${savedText(await saveGuest(name, file))}\n`);
    });
}

/** @throws UsageError when there is no such guest, or the file cannot be written */
async function saveGuest(name: string, file: string): Promise<SavedState> {
  if (file === '') throw new UsageError('save: no file is named');
  const connection = await connectGuest(name).catch((error: Error) => {
    throw new UsageError(error.message);
  });
  try {
    const { snapshots } = connection.target;
    if (!snapshots) throw new Error(`${name}: ${(await connection.target.info()).unavailable.snapshots}`);
    return await snapshots.save(resolve(file));
  } catch (error) {
    throw new UsageError((error as Error).message);
  } finally {
    connection.close();
  }
}

/** One line on a state that was saved. */
export function savedText({ file, memoryBytes, icount }: SavedState): string {
  return `${memoryBytes / 2 ** 20} MiB at icount ${icount} saved in ${file}`;
}
