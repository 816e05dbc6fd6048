/** The screen of QEMU's pc, beside which pictures are compared. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** One each two seconds. */
const MOST_PICTURES = 150;
const MACHINE = ['-M', 'pc', '-display', 'none', '-monitor', 'stdio', '-nic', 'none', '-snapshot'];

interface Options {
  /** Has COM1. A Linux that is told to speak there writes on its screen where there is none. */
  serial?: boolean;
}

/** Whether QEMU, started with these words, comes to show this picture (PPM); a cursor that blinks has two. */
export async function comesOnQemu(
  words: readonly string[],
  wanted: Buffer,
  folder: string,
  { serial = false }: Options = {},
): Promise<boolean> {
  const picture = join(folder, 'qemu.ppm');
  rmSync(picture, { force: true });
  const child = spawn('qemu-system-x86_64', [...MACHINE, '-serial', serial ? 'null' : 'none', ...words], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  try {
    for (let i = 0; i < MOST_PICTURES; i++) {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      if (existsSync(picture) && readFileSync(picture).equals(wanted)) return true;
      child.stdin.write(`screendump ${picture}\n`);
    }
    return false;
  } finally {
    child.kill('SIGKILL');
  }
}
