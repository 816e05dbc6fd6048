import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseSymbolFile, relocated } from '../../src/engine/debug/symbol-file.js';

const MAP = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T _text
ffffffff81000000 T _stext
ffffffff81000040 t secondary
ffffffff82000000 D init_task
ffffffffc0300000 t dummy_xmit\t[dummy]
`;
const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('symbol files', () => {
  test('System.map: sizes reach to the next address', () => {
    expect(parseSymbolFile('System.map', bytes(MAP))).toEqual([
      { name: '_text', address: 0xffffffff81000000n, size: 0x40n, kind: 'function' },
      { name: '_stext', address: 0xffffffff81000000n, size: 0x40n, kind: 'function' },
      { name: 'secondary', address: 0xffffffff81000040n, size: 0xffffc0n, kind: 'function' },
      { name: 'init_task', address: 0xffffffff82000000n, size: 0x3e300000n, kind: 'object' },
      { name: 'dummy_xmit', address: 0xffffffffc0300000n, size: 0n, kind: 'function' },
    ]);
  });

  test('ELF', () => {
    const file = new URL('../../samples/crc32/crc32.elf', import.meta.url);
    const symbols = parseSymbolFile('crc32.elf', readFileSync(file));
    expect(symbols.find(({ name }) => name === 'main')?.address).toBe(0x100020n);
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
