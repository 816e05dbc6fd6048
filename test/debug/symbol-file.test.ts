import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SymbolTable } from '../../src/disasm/index.js';
import { parseElf } from '../../src/engine/boot/elf.js';
import { parseSymbolFile, relocated } from '../../src/engine/debug/symbol-file.js';

const MAP = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T _text
ffffffff81000000 T _stext
ffffffff81000040 t secondary
ffffffff82000000 D init_task
ffffffffc0300000 t dummy_xmit\t[dummy]
`;
const bytes = (text: string): Uint8Array => Buffer.from(text);

const BASE = 0xffffffff80000000n;

/** An ELF64 of one segment at the higher half, linked without load addresses, with a section of 64 bytes and symbols. */
function higherHalfElf(): Uint8Array {
  const names = ['', 'kmain', 'helper', '_end', 'ABSOLUTE'];
  const strings = Buffer.from(`${names.join('\0')}\0`);
  const nameAt = (name: string) => strings.indexOf(`${name}\0`);
  const elf = Buffer.alloc(0x400);
  elf.write('\x7fELF\x02\x01\x01', 'latin1');
  const u16 = (at: number, value: number) => elf.writeUInt16LE(value, at);
  const u32 = (at: number, value: number) => elf.writeUInt32LE(value, at);
  const u64 = (at: number, value: bigint) => elf.writeBigUInt64LE(value, at);
  u16(16, 2);
  u16(18, 62);
  u64(24, BASE);
  u64(32, 64n);
  u64(40, 0x200n);
  for (const [at, value] of [
    [54, 56],
    [56, 1],
    [58, 64],
    [60, 4],
  ])
    u16(at, value);
  // PT_LOAD with p_paddr = p_vaddr
  u32(64, 1);
  u64(64 + 16, BASE);
  u64(64 + 24, BASE);
  u64(64 + 32, 0x40n);
  u64(64 + 40, 0x40n);
  const section = (
    n: number,
    type: number,
    flags: number,
    address: bigint,
    offset: number,
    size: number,
    link: number,
  ) => {
    const at = 0x200 + n * 64;
    u32(at + 4, type);
    u64(at + 8, BigInt(flags));
    u64(at + 16, address);
    u64(at + 24, BigInt(offset));
    u64(at + 32, BigInt(size));
    u32(at + 40, link);
  };
  section(1, 1, 6, BASE, 0, 0x40, 0);
  section(2, 2, 0, 0n, 0x100, 5 * 24, 3);
  section(3, 3, 0, 0n, 0x1c0, strings.length, 0);
  elf.set(strings, 0x1c0);
  const symbols: [string, bigint, number, number][] = [
    ['kmain', BASE, 0, 1],
    ['helper', BASE + 0x10n, 0x20, 1],
    ['_end', BASE + 0x40n, 0, 1],
    ['ABSOLUTE', 0xffffffffa0000000n, 0, 0xfff1],
  ];
  symbols.forEach(([name, address, size, home], index) => {
    const at = 0x100 + (index + 1) * 24;
    u32(at, nameAt(name));
    u16(at + 6, home);
    u64(at + 8, address);
    u64(at + 16, BigInt(size));
  });
  return elf;
}

describe('symbol files', () => {
  test('System.map: sizes reach to the next address', () => {
    expect(parseSymbolFile('System.map', bytes(MAP))).toEqual([
      { name: '_text', address: 0xffffffff81000000n, size: 0x40n, kind: 'function' },
      { name: '_stext', address: 0xffffffff81000000n, size: 0x40n, kind: 'function' },
      { name: 'secondary', address: 0xffffffff81000040n, size: 0xffffc0n, kind: 'function' },
      // the module lies far away, not behind it
      { name: 'init_task', address: 0xffffffff82000000n, size: 0n, reach: 1n, kind: 'object' },
      { name: 'dummy_xmit', address: 0xffffffffc0300000n, size: 0n, kind: 'function' },
    ]);
  });

  test('ELF', () => {
    const file = new URL('../../samples/crc32/crc32.elf', import.meta.url);
    const symbols = parseSymbolFile('crc32.elf', readFileSync(file));
    expect(symbols.find(({ name }) => name === 'main')?.address).toBe(0x100020n);
  });

  test('a list that ends with the name of an end covers nothing behind it', () => {
    const list = (last: string) =>
      new SymbolTable(parseSymbolFile('map', bytes(`0000000000100000 T main\n0000000000100100 ${last}\n`)));
    for (const last of ['B _end', 'T _etext', 'D counter']) {
      expect(list(last).label(0x1000ffn)).toBe('main+0xff');
      expect(list(last).label(0x100100n)).toBe(last.slice(2));
      expect(list(last).label(0x102e22n)).toBeUndefined();
    }
    expect(list('T finish').label(0x102e22n)).toBe('finish+0x2d22');
  });

  test('an ELF file for a higher half whose physical addresses are its linear ones gives its symbols', () => {
    const symbols = parseSymbolFile('kernel', higherHalfElf());
    expect(symbols.map(({ name, address, reach }) => [name, address, reach])).toEqual([
      ['kmain', 0xffffffff80000000n, 0x40n],
      ['helper', 0xffffffff80000010n, undefined],
      ['_end', 0xffffffff80000040n, 1n],
      ['ABSOLUTE', 0xffffffffa0000000n, 1n],
    ]);
    const table = new SymbolTable(symbols);
    expect(table.label(0xffffffff80000008n)).toBe('kmain+0x8');
    expect(table.label(0xffffffff80002d62n)).toBeUndefined();
    expect(() => parseElf('kernel', higherHalfElf())).toThrow(/outside the physical address space/);
  });

  test('anything else is refused by name and line', () => {
    expect(() => parseSymbolFile('notes', bytes('hello\n'))).toThrow(/notes.*line 1/);
    expect(() => parseSymbolFile('bad', bytes(`${MAP}ffffffff8100zz00 T x\n`))).toThrow(/bad.*line 7/);
    expect(() => parseSymbolFile('empty', bytes(''))).toThrow(/empty.*no symbols/);
    expect(() => parseSymbolFile('cut', bytes('\x7fELF\x02'))).toThrow(/cut/);
  });

  test('follow the kernel to where KASLR puts it', () => {
    const symbols = parseSymbolFile('System.map', bytes(MAP));
    const moved = relocated(symbols, 0xffffffff98000000n);
    expect(moved.map(({ address }) => address)[2]).toBe(0xffffffff98000040n);
    expect(relocated(symbols, undefined)).toBe(symbols);
    expect(relocated(symbols, 0xffffffff81000000n)).toBe(symbols);
  });
});
