/** The small ROM guest of tests: built from tiny.S where it is not built yet. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the guest counts its port writes, and its rounds. */
export const COUNTER = 0x500n;
/** Functions of the loop as copied into RAM. */
export const LOOP = 0x9000n;

/** @returns path of a ROM of 64 KiB, and addresses of the loop's labels in RAM */
export function buildTiny(): { rom: string; symbols: Map<string, bigint> } {
  const folder = mkdtempSync(join(tmpdir(), 'vmscope-tiny-'));
  const source = fileURLToPath(new URL('tiny.S', import.meta.url));
  const [object, elf, rom] = ['o', 'elf', 'bin'].map((end) => join(folder, `tiny.${end}`)) as [string, string, string];
  execFileSync('as', ['--64', '-o', object, source]);
  execFileSync('ld', ['-m', 'elf_x86_64', '-Ttext', '0', '-e', '0', '-o', elf, object]);
  execFileSync('objcopy', ['-O', 'binary', '-j', '.text', elf, rom]);
  const names = execFileSync('nm', [elf], { encoding: 'utf8' });
  const at = new Map(
    [...names.matchAll(/^([0-9a-f]+) \w (\w+)$/gm)].map(([, hex, name]) => [name!, BigInt(`0x${hex}`)]),
  );
  const symbols = new Map(
    ['work', 'count', 'read_sector'].map((name) => [name, at.get(name)! - at.get('work')! + LOOP]),
  );
  return { rom, symbols };
}
