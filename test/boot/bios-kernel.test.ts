/** `--bios` beside `--kernel`, as QEMU has it: SeaBIOS starts the kernel from an option ROM of ours. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { ROM, ROM_CODE } from '../../src/engine/boot/kernel/code.js';
import { biosKernel } from '../../src/engine/boot/kernel/index.js';
import { linuxParts, needsRealMode } from '../../src/engine/boot/kernel/linux.js';
import { kernelRom, MAX_TRANSFERS } from '../../src/engine/boot/kernel/rom.js';
import { vmscope } from '../cli/vmscope.js';
import { scratchFolder } from '../disk/images.js';
import { speaksByCom1 } from '../guests/qemu-pc.js';
import { named, requireFile, requireTool } from '../tools.js';

const as = requireTool('as');
const qemu = requireTool('qemu-system-x86_64');
const seabios = requireFile('/usr/share/seabios/bios-256k.bin', 'seabios');
const folder = scratchFolder();
const SLOW = 240_000;
const MIB = 2 ** 20;
const guests = fileURLToPath(new URL('../guests', import.meta.url));

function assemble(source: string, name: string, ...symbols: string[]): string {
  const object = join(folder, `${name}.o`);
  const words = symbols.flatMap((symbol) => ['--defsym', symbol]);
  execFileSync(as.path, ['--32', ...words, '-o', object, source]);
  return object;
}

function flat(source: string, name: string, ...symbols: string[]): Buffer {
  const file = join(folder, `${name}.bin`);
  execFileSync('objcopy', ['-O', 'binary', '-j', '.text', assemble(source, name, ...symbols), file]);
  return readFileSync(file);
}

/** A header of Linux's boot protocol, with the real-mode part's second sector and `rest` behind it. */
function header(version: number, { high = true, entry = 0x100000, rest = 512 } = {}): Uint8Array {
  const bytes = new Uint8Array(1024 + rest);
  const view = new DataView(bytes.buffer);
  view.setUint8(0x1f1, 1);
  view.setUint16(0x1fe, 0xaa55, true);
  view.setUint32(0x202, 0x53726448, true);
  view.setUint16(0x206, version, true);
  view.setUint8(0x211, high ? 1 : 0);
  view.setUint32(0x214, entry, true);
  view.setUint32(0x22c, 0x7fffffff, true);
  view.setUint32(0x238, 255, true);
  return bytes;
}

describe.skipIf(!as.available)(named('the ROM', as), () => {
  it('is what its source assembles to', () => {
    const source = fileURLToPath(new URL('../../src/engine/boot/kernel/rom.S', import.meta.url));
    expect(Buffer.from(ROM_CODE).toString('hex')).toBe(flat(source, 'rom').toString('hex'));
  });
});

it.each([[0], [1], [MAX_TRANSFERS]])('sums to zero with %i transfers, whatever lies at its end', (count) => {
  const transfers = Array.from({ length: count }, (_, i) => ({ key: i, gpa: 0x8000 + i, bytes: 0xff }));
  const rom = kernelRom('k', transfers, { segment: 0x1000, stack: 0xfff0 });
  const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => total + byte, 0) & 0xff;
  expect([rom.length, sum(rom), sum(rom.subarray(ROM.plugAndPlay, ROM.plugAndPlay + ROM.plugAndPlayBytes))]).toEqual([
    rom[ROM.units] * 512,
    0,
    0,
  ]);
  // the last descriptor is whole: the checksum lies behind it
  if (count > 0) expect(rom[ROM_CODE.length + 16 * count - 16 + 7]).toBe(0xff);
  const one = { key: 0, gpa: 0, bytes: 0 };
  expect(() => kernelRom('k', Array(MAX_TRANSFERS + 1).fill(one), { segment: 0, stack: 0 })).toThrow(
    /^k: has .* pieces/,
  );
});

it.each([
  { what: 'a bzImage of today', bytes: header(0x20f), needs: false },
  { what: 'the oldest with all that its entry needs', bytes: header(0x206), needs: false },
  { what: 'an older one', bytes: header(0x205), needs: true },
  { what: 'a zImage', bytes: header(0x20f, { high: false }), needs: true },
  { what: 'one without an entry, as ipxe.lkrn', bytes: header(0x207, { entry: 0 }), needs: true },
  { what: 'no kernel', bytes: new Uint8Array(2048), needs: false },
])('$what needs its real-mode part: $needs', ({ bytes, needs }) => {
  expect(needsRealMode(bytes)).toBe(needs);
});

it.each([
  ['', 0xffff],
  ['a vga=0x344 b', 0x344],
  ['vga=791', 791],
  ['vga=01504', 0x344],
  ['vga=ask vga=normal', 0xffff],
  ['vga=ext', 0xfffe],
  ['vga=ask', 0xfffd],
  ['xvga=0x344', 0xffff],
])('"%s" on a command line is video mode %i, which the BIOS sets', (append, mode) => {
  const { setup } = linuxParts('k', header(0x20f), { memoryBytes: 64 * MIB, vcpus: 1, append });
  expect(new DataView(setup.bytes.buffer).getUint16(0x1fa, true)).toBe(mode);
  expect(needsRealMode(header(0x20f), append)).toBe(mode !== 0xffff);
  expect(needsRealMode(new Uint8Array(2048), append)).toBe(false);
});

it.each(['', 'x', '0x', '089', '65536', '-1', '1.5', '1e3', '0x344,'])('"vga=%s" names none', (word) => {
  const append = `vga=${word}`;
  expect(needsRealMode(header(0x20f), append)).toBe(true);
  expect(() => linuxParts('k', header(0x20f), { memoryBytes: 64 * MIB, vcpus: 1, append })).toThrow(
    `k: vga=${word} is not a video mode: a number up to 0xffff as 0x344, or normal, ext, ask, current`,
  );
});

describe('the parts of a kernel', () => {
  const options = { memoryBytes: 64 * MIB, vcpus: 1 };

  it.each([
    ['recent', 0x207, true, [0x10000, 0x100000, 0x20000]],
    ['high, but before command lines anywhere', 0x201, true, [0x90000, 0x100000, 0x99ff0]],
    ['low', 0x207, false, [0x90000, 0x10000, 0x99ff0]],
  ])('of one that is %s are where boot loaders put them', (_what, version, high, places) => {
    const parts = linuxParts('k', header(version, { high }), { ...options, append: 'a=1' });
    expect([parts.setup.gpa, parts.kernel.gpa, parts.commandLine.gpa]).toEqual(places);
    expect(parts.stack).toBe(parts.commandLine.gpa - parts.setup.gpa - 16);
  });

  it('keep an initrd below what the kernel says, and below what the BIOS has at the end of memory', () => {
    const initrd = { name: 'i', bytes: new Uint8Array(5000) };
    const place = (memoryBytes: number): number | undefined =>
      linuxParts('k', header(0x207), { ...options, memoryBytes, initrd }).initrd?.gpa;
    expect(place(64 * MIB)).toBe(64 * MIB - 0x40000 - 0x2000);
    expect(place(3072 * MIB)).toBe(0x80000000 - 0x2000);
    expect(() => place(1.25 * MIB)).toThrow(/^i: initrd of 5000 bytes does not fit/);
  });

  it('that do not fit are told', () => {
    const load = (bytes: Uint8Array, more = {}) => linuxParts('k', bytes, { ...options, ...more });
    expect(() => load(header(0x207, { high: false, rest: 0x90000 }))).toThrow(/^k: kernel of .* is to be loaded low/);
    expect(() => load(header(0x207, { rest: 2 * MIB }), { memoryBytes: 2 * MIB })).toThrow(/^k: kernel needs memory/);
    expect(() => load(header(0x207), { append: 'x'.repeat(300) })).toThrow(/^k: .* at most 255 bytes, not 300/);
    expect(() => load(header(0x207).subarray(0, 1024))).toThrow(/^k: truncated/);
    const module = { name: 'm', bytes: new Uint8Array(1) };
    expect(() => load(header(0x207), { initrd: module, modules: [module] })).toThrow(/^m: a Linux kernel takes one/);
  });

  it('stay off what the BIOS keeps', () => {
    const low = (load: number): Uint8Array => {
      const bytes = new Uint8Array(4096);
      const flags = 0x10000;
      const words = [0x1badb002, flags, -(0x1badb002 + flags), load, load, 0, 0, load + 32];
      for (const [i, word] of words.entries()) new DataView(bytes.buffer).setUint32(4 * i, word, true);
      return bytes;
    };
    expect(() => biosKernel('k', low(0x7c00), options)).toThrow(/^k: .*overlaps/);
    expect(() => biosKernel('k', low(0x9f000), options)).toThrow(/^k: .*overlaps/);
    expect(biosKernel('k', low(0x8000), options).path).toBe('/rom@genroms/kernel.bin');
  });
});

describe.skipIf(!as.available || !seabios.available)(named('a kernel under SeaBIOS', as, seabios), () => {
  const MODULES = ['--initrd', 'a x=1 y,b,sub/a  z  '];
  const LIST = [
    'modules.elf one two',
    'a x=1 y|00000006 first',
    'b|0000000E second module',
    'sub/a  z  |00000006 first',
  ];
  const common = ['--headless', '-m', '64', '--isa-debug-exit', '--append', 'one two'];
  const run = (...words: string[]) => vmscope(['run', ...words, ...common], { timeoutMs: SLOW, cwd: folder });
  const onQemu = (kernel: string, ...words: string[]): string => {
    const exit = ['-device', 'isa-debug-exit,iobase=0xf4', '-append', 'one two'];
    const all = [...speaksByCom1(), '-m', '64', ...exit, '-kernel', kernel, ...words];
    return spawnSync(qemu.path, all, { cwd: folder, encoding: 'utf8', timeout: SLOW }).stdout;
  };
  /** Ranges of the first 4 GiB below the BIOS's own tables, whose size is each machine's. */
  const below = (text: string): string[] => text.split('\n').filter((line) => /^0{8} 0{3}[0-9A-F]{5} 0{3}/.test(line));

  beforeAll(() => {
    for (const [name, text] of Object.entries({ a: 'first', b: 'second module', 'sub/a': 'first' })) {
      mkdirSync(join(folder, 'sub'), { recursive: true });
      writeFileSync(join(folder, name), `${text}\0`);
    }
    const link = ['-m', 'elf_i386', '--build-id=none', '--no-warn-rwx-segments', '-Ttext-segment=0x100000'];
    for (const [name, ...symbols] of [['modules'], ['pvh', 'PVH=1']]) {
      const object = assemble(join(guests, 'modules.S'), name, ...symbols);
      execFileSync('ld', [...link, '-o', join(folder, `${name}.elf`), object]);
    }
  });

  it('of multiboot with three modules finds the list that QEMU gives, with a BIOS and without', {
    timeout: SLOW,
  }, async () => {
    const loaded = await run('modules.elf', ...MODULES);
    expect(loaded.stdout.split('\n').slice(1, 5), loaded.stderr).toEqual(LIST);
    const booted = await run('--bios', 'bios-256k.bin', '--kernel', 'modules.elf', ...MODULES);
    expect(booted.stdout.split('\n').slice(0, 5), booted.stderr).toEqual(['2BADB002 ', ...LIST]);
    // the BIOS's map: its own 64 KiB, and the end of memory for its tables
    expect(booted.stdout).toContain('00000000 000F0000 00010000 00000002');
    expect(booted.stdout).toContain('00000000 FFFC0000 00040000 00000002');
    if (!qemu.available) return;
    const there = onQemu('modules.elf', '-initrd', MODULES[1]);
    expect(there.split('\n').slice(0, 5)).toEqual(booted.stdout.split('\n').slice(0, 5));
    expect(below(there)).toEqual(below(booted.stdout));
  });

  it("by the PVH entry finds the BIOS's memory map", { timeout: SLOW }, async () => {
    const booted = await run('--bios', seabios.path, 'pvh.elf');
    expect(booted.stdout.split('\n').slice(0, 2), booted.stderr).toEqual(['336EC578 ', 'one two']);
    if (qemu.available) expect(below(onQemu('pvh.elf'))).toEqual(below(booted.stdout));
  });

  it.each([
    ['0x207', 1, 'real mode 1000 FFF0 0081 '],
    ['0x200', 0, 'real mode 9000 9FE0 0000 '],
  ])(
    'that is its real-mode part alone runs without --bios, protocol %s, high %i',
    async (version, high, first) => {
      const name = `real-${version}`;
      flat(join(guests, 'real-kernel.S'), name, `PROTOCOL=${version}`, `HIGH=${high}`);
      const kernel = `${name}.bin`;
      const booted = await run(kernel, '--initrd', 'b');
      const expected = [first, 'one two', 'the rest of the kernel', 'second module', '000E ', ''].join('\n');
      expect(booted.stdout, booted.stderr).toBe(expected);
      if (qemu.available) expect(onQemu(kernel, '-initrd', 'b')).toBe(expected);
    },
    SLOW,
  );

  it('that a BIOS cannot start is refused, and so is what does not go with one', async () => {
    const refused = async (...words: string[]) => {
      const { status, stderr } = await vmscope(['run', '--headless', '--bios', 'bios.bin', ...words], { cwd: folder });
      return [status, stderr];
    };
    expect(await refused('modules.elf', '--at', '0x1000')).toEqual([
      2,
      'vmscope: --at 0x1000: a BIOS starts kernels, which name their own addresses\n',
    ]);
    writeFileSync(join(folder, 'text'), 'no kernel');
    expect(await refused('--kernel', 'text')).toEqual([2, expect.stringContaining('text: is not an ELF, multiboot')]);
  });
});
