import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run, VMSCOPE } from '../samples/catalogue.js';
import { named, requireTool } from '../tools.js';
import { buildSmp, smpOutput } from './smp-image.js';

const assembler = requireTool('as');
const linker = requireTool('ld');
const qemu = requireTool('qemu-system-x86_64');
let folder: string;
let image: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'smp-'));
  if (assembler.available && linker.available) image = buildSmp(folder, assembler, linker);
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('several processors', () => {
  it.skipIf(!assembler.available || !linker.available).each([1, 2, 4, 16])(
    named('%d of them do on vmscope what the manual says, twice alike', assembler, linker),
    async (cpus) => {
      const args = `run ${image} --headless --vcpus ${cpus} --append cpus=${cpus} --stats json`.split(' ');
      const first = await run(VMSCOPE, args, '', 30_000);
      expect(first.stdout).toBe(smpOutput(cpus));
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
      expect(stdout.replace(/back \d+/, 'back 0')).toBe(smpOutput(4));
    },
    90_000,
  );
});
