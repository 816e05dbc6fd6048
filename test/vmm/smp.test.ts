import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run, VMSCOPE } from '../samples/catalogue.js';
import { named, requireTool } from '../tools.js';

const assembler = requireTool('as');
const linker = requireTool('ld');
const qemu = requireTool('qemu-system-x86_64');
const here = new URL('.', import.meta.url).pathname;
const lib = new URL('../../samples/lib/', import.meta.url).pathname;

const expected = (cpus: number) =>
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

let folder: string;
let image: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'smp-'));
  image = join(folder, 'smp.elf');
  if (!assembler.available || !linker.available) return;
  const objects = [`${here}smp.S`, ...['start64', 'serial64', 'idt64', 'pic64'].map((name) => `${lib}${name}.S`)];
  const built = objects.map((source, i) => {
    execFileSync(assembler.path, ['--64', '-I', lib, '-o', join(folder, `${i}.o`), source]);
    return join(folder, `${i}.o`);
  });
  const flags = ['--build-id=none', '--no-warn-rwx-segments', '-n', '-T', `${lib}sample.ld`];
  execFileSync(linker.path, [...flags, ...built, '-o', image]);
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('several processors', () => {
  it.skipIf(!assembler.available || !linker.available).each([1, 2, 4, 16])(
    named('%d of them do on vmscope what the manual says, twice alike', assembler, linker),
    async (cpus) => {
      const args = `run ${image} --headless --vcpus ${cpus} --append cpus=${cpus} --stats json`.split(' ');
      const first = await run(VMSCOPE, args, '', 30_000);
      expect(first.stdout).toBe(expected(cpus));
      expect(first.status).toBe(0);
      const counts = (stderr: string) => {
        const { icount, clockNs, exits } = JSON.parse(stderr.split('\n').findLast((line) => line.startsWith('{'))!);
        return { icount, clockNs, exits };
      };
      const second = await run(VMSCOPE, args, '', 30_000);
      expect(counts(second.stderr)).toEqual(counts(first.stderr));
    },
    90_000,
  );

  it.skipIf(!assembler.available || !qemu.available)(
    named('4 of them do the same on QEMU', assembler, qemu),
    async () => {
      const machine = '-accel tcg -machine pc -cpu max -display none -serial stdio -monitor none -no-reboot'.split(' ');
      const args = [...machine, '-smp', '4', '-kernel', image, '-append', 'cpus=4'];
      const { stdout } = await run(qemu.path, args, '', 60_000);
      // Without icount, QEMU's processors have time stamps of their host's threads.
      expect(stdout.replace(/back \d+/, 'back 0')).toBe(expected(4));
    },
    90_000,
  );
});
