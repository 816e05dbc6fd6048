import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadImage } from '../../src/engine/boot/detect.js';
import { parseElf } from '../../src/engine/boot/elf.js';
import { EXIT_REASONS } from '../../src/spec/vmx/exit-reasons.js';
import { named, requireTool } from '../tools.js';
import { BUILD_SCRIPT, run, SAMPLES, VMSCOPE } from './catalogue.js';

const MEMORY_BYTES = 128 << 20;
const qemu = requireTool('qemu-system-x86_64');
const assembler = requireTool('as');

describe('sample images', () => {
  it.each(SAMPLES)('$name loads, enters at _start, and brings its symbols', ({ image, flat, folder, name }) => {
    const loaded = loadImage(image, readFileSync(image), { memoryBytes: MEMORY_BYTES, vcpus: 1 });
    expect(loaded.kind).toBe(flat ? 'flat' : 'multiboot');
    const { symbols } = flat ? parseElf(name, readFileSync(`${folder}/${name}.sym`)) : loaded;
    const start = symbols.find((symbol) => symbol.name === '_start');
    expect(start?.address).toBe(loaded.initial.rip);
    expect(symbols.map((symbol) => symbol.name)).not.toContain('LSR_THRE');
  });

  it('crc32 expects what the algorithm gives', () => {
    let x = 1;
    let crc = 0xffffffff;
    for (let i = 0; i < 1 << 20; i++) {
      x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
      crc ^= x >>> 24;
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    const value = (~crc >>> 0).toString(16).padStart(8, '0');
    expect(SAMPLES.find(({ name }) => name === 'crc32')?.expected).toBe(`crc32 ${value}\n`);
  });

  it('exit-zoo has every exit reason that this CPU produces, and no other', () => {
    const zoo = SAMPLES.find(({ name }) => name === 'exit-zoo')!;
    const rows = EXIT_REASONS.filter(({ produced }) => produced);
    expect(zoo.exits).toEqual(rows.map(({ name }) => name));
    const lines = zoo.expected.split('\n').filter((line) => /^\d/.test(line));
    expect(lines.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(
      rows.map(({ number, name }) => `${String(number).padStart(2, '0')} ${name}`),
    );
  });

  const banner = assembler.available ? execFileSync(assembler.path, ['--version'], { encoding: 'utf8' }) : '';
  const version = / (\d+\.\d+)/.exec(banner)?.[1] ?? 'not installed';
  // Assemblers differ in padding and in the choice between equal encodings.
  it.skipIf(version !== '2.40')(
    version === '2.40'
      ? 'are what their sources build'
      : `are what their sources build [skipped: binutils is ${version}, the images are made by 2.40]`,
    async () => {
      const { stdout, stderr, status } = await run(BUILD_SCRIPT, ['--check'], '', 60_000);
      expect({ stdout, stderr, status }).toMatchObject({ stderr: '', status: 0 });
    },
  );
});

describe('samples on QEMU', () => {
  it.skipIf(!qemu.available).each(SAMPLES)(
    named('$name writes what is expected', qemu),
    async ({ image, flat, expectedQemu, input }) => {
      const machine = '-accel tcg -machine pc -cpu max -display none -serial stdio -monitor none -no-reboot'.split(' ');
      const boot = flat ? ['-drive', `format=raw,file=${image},snapshot=on`] : ['-kernel', image];
      const { stdout, status } = await run(qemu.path, [...machine, ...boot], input, 60_000);
      expect(stdout).toBe(expectedQemu);
      expect(status).toBe(0);
    },
    90_000,
  );
});

describe('samples on vmscope', () => {
  it.each(SAMPLES)(
    '$name writes what is expected, ends as expected, and causes its exits',
    async ({ folder, expected, status, exits, input }) => {
      const args = ['run', folder, '--headless', '--stats', 'json', ...(input === '' ? [] : ['--serial', 'stdio'])];
      const ended = await run(VMSCOPE, args, input, 30_000);
      expect(ended.stdout).toBe(expected);
      expect(ended.status).toBe(status);
      const stats = JSON.parse(ended.stderr.split('\n').findLast((line) => line.startsWith('{')) ?? '{}');
      expect(Object.keys(stats.exits ?? {})).toEqual(expect.arrayContaining(exits));
    },
    90_000,
  );
});
