/** QEMU's pc, beside which guests are run: without a window, and with nothing that the command line does not name. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const MACHINE = ['-M', 'pc', '-display', 'none'];

/** Words for a pc that reads and prints by COM1 alone; without a network card where `nic` names none. */
export const speaksByCom1 = (nic = 'none'): string[] => [
  ...MACHINE,
  ...['-serial', 'stdio', '-monitor', 'none', '-nic', nic],
];

/**
 * Words that take away what QEMU's pc has and this machine has only by name: the empty floppy drive, and the option ROM (of
 * its local APIC), which SeaBIOS counts as a hard disk. What remains is the empty CD drive.
 */
export const SAME_DRIVES = ['-nodefaults', '-vga', 'std', '-device', 'ide-cd', '-global', 'apic.vapic=off'];

/** One each two seconds: a busy host's QEMU boots Linux in minutes. */
const MOST_PICTURES = 600;

interface Options {
  /** Has COM1. A Linux that is told to speak there writes on its screen where there is none. */
  serial?: boolean;
  /** Whether a picture (PPM, not whole perhaps) is the wanted one; by default each of its bytes is to be equal. */
  areEqual?: (picture: Buffer, wanted: Buffer) => boolean;
}

/** Whether QEMU, started with these words, comes to show this picture (PPM); a cursor that blinks has two. */
export async function comesOnQemu(
  words: readonly string[],
  wanted: Buffer,
  folder: string,
  { serial = false, areEqual = (picture) => picture.equals(wanted) }: Options = {},
): Promise<boolean> {
  const picture = join(folder, 'qemu.ppm');
  rmSync(picture, { force: true });
  const ports = ['-monitor', 'stdio', '-nic', 'none', '-snapshot', '-serial', serial ? 'null' : 'none'];
  const child = spawn('qemu-system-x86_64', [...MACHINE, ...ports, ...words], { stdio: ['pipe', 'ignore', 'ignore'] });
  // told by its exit status
  child.stdin.on('error', () => {});
  try {
    for (let i = 0; i < MOST_PICTURES; i++) {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      if (existsSync(picture) && areEqual(readFileSync(picture), wanted)) return true;
      if (child.exitCode !== null) throw new Error(`QEMU ended with status ${child.exitCode}: ${words.join(' ')}`);
      child.stdin.write(`screendump ${picture}\n`);
    }
    return false;
  } finally {
    child.kill('SIGKILL');
  }
}
