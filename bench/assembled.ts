// Guests that benchmarks assemble for themselves, on the library of the samples and the command line of bench/loops.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './paths.js';

const LIBRARY = `${ROOT}samples/lib/`;

/** A routine that the command line of the guest can name: R12D is the count, RAX the result. */
export interface Routine {
  readonly name: string;
  readonly code: string;
}

/** A folder that goes with the process. */
export function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Assembles and links files, the library's by their stems, in 64-bit mode. Answers the ELF's path. */
export function linked(folder: string, stem: string, files: readonly string[], library: readonly string[]): string {
  const sources = [...files, ...library.map((one) => `${LIBRARY}${one}.S`)];
  const objects = sources.map((file, n) => {
    const object = join(folder, `${stem}${n}.o`);
    execFileSync('as', ['--64', '-I', LIBRARY, '-o', object, file]);
    return object;
  });
  const elf = join(folder, `${stem}.elf`);
  const flags = ['--build-id=none', '--no-warn-rwx-segments', '-n', '-T', `${LIBRARY}sample.ld`];
  execFileSync('ld', [...flags, ...objects, '-o', elf]);
  return elf;
}

/** A guest that runs `NAME COUNT` of its command line as bench/loops does; `more` is what its routines share. */
export function guestOf(
  folder: string,
  stem: string,
  routines: readonly Routine[],
  more = '',
  library: readonly string[] = [],
): string {
  const [parser, rest] = readFileSync(`${ROOT}bench/loops/loops.S`, 'utf8').split('# Each loop:');
  const [, table] = rest.split('.section .rodata');
  const macro = table.slice(0, table.indexOf('names:'));
  const code = routines.map((routine, n) => `func routine${n}\n${routine.code}\nendfunc routine${n}\n`).join('\n');
  const names = routines.map(({ name }, n) => `entry ${name}, routine${n}`).join('\n');
  const source = join(folder, `${stem}.S`);
  writeFileSync(source, `${parser}\n${code}\n${more}\n.section .rodata${macro}names:\n${names}\n.byte 0\n`);
  return linked(folder, stem, [source], ['start64', 'serial64', ...library]);
}
