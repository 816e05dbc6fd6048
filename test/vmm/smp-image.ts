import { execFileSync } from 'node:child_process';
import { basename, join } from 'node:path';
import type { Tool } from '../tools.js';

const here = new URL('.', import.meta.url).pathname;
const lib = new URL('../../samples/lib/', import.meta.url).pathname;

/** Builds smp.S in a folder; answers the image. */
export const buildSmp = (folder: string, assembler: Tool, linker: Tool): string =>
  buildGuest(`${here}smp.S`, folder, assembler, linker);

/** Builds a guest on the samples' 64-bit library. */
export function buildGuest(source: string, folder: string, assembler: Tool, linker: Tool): string {
  const image = join(folder, `${basename(source, '.S')}.elf`);
  const objects = [source, ...['start64', 'serial64', 'idt64', 'pic64'].map((name) => `${lib}${name}.S`)];
  const built = objects.map((object, i) => {
    execFileSync(assembler.path, ['--64', '-I', lib, '-o', join(folder, `${i}.o`), object]);
    return join(folder, `${i}.o`);
  });
  const flags = ['--build-id=none', '--no-warn-rwx-segments', '-n', '-T', `${lib}sample.ld`];
  execFileSync(linker.path, [...flags, ...built, '-o', image]);
  return image;
}

/** What it prints on a machine of so many processors. */
export const smpOutput = (cpus: number): string =>
  [
    `started ${cpus - 1}`,
    `lock ${cpus * 2000}`,
    'time goes back 0',
    `physical ${cpus - 1}`,
    `all others ${cpus - 1}`,
    `logical ${Math.floor(Math.min(cpus, 8) / 2)}`,
    'lowest priority 1',
    `NMI ${cpus - 1}`,
    `shootdown ${cpus - 1}`,
    'again',
    '',
  ].join('\n');
