/** Files that commands write for people and other programs. */
import { constants } from 'node:fs';
import { writeFile } from 'node:fs/promises';

/** A FIFO that nobody reads is refused, not waited for. */
const WITHOUT_WAITING = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NONBLOCK;

/** @throws Error naming the file and the cause */
export async function writeTextFile(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: WITHOUT_WAITING }).catch((error: unknown) => {
    const unread = (error as NodeJS.ErrnoException).code === 'ENXIO';
    throw new Error(`${file}: ${unread ? 'nobody reads this FIFO' : causeOf(error)}`);
  });
}

/** Node puts a code before the cause and the call behind it. */
function causeOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^[A-Z0-9]+: (.*?), \w+(?: '.*')?$/, '$1');
}
