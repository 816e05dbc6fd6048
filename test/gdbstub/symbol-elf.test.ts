import { describe, expect, test } from 'vitest';
import { elfSymbols } from '../../src/engine/boot/elf.js';
import { buildSymbolElf } from '../../src/gdbstub/symbol-elf.js';

const SYMBOLS = [
  { name: 'first', address: 0xc000_0010n, size: 16n, code: true },
  { name: 'value', address: 0xc000_0100n, size: 8n, code: false },
  { name: 'last', address: 0xffff_ff00n, size: 32n, code: true },
];

describe('a file of symbols', () => {
  test.each([32, 64] as const)('of %i bits says its class and machine, and holds them', (bits) => {
    const bytes = buildSymbolElf(SYMBOLS, undefined, undefined, bits);
    expect([...bytes.subarray(0, 7)]).toEqual([0x7f, 0x45, 0x4c, 0x46, bits / 32, 1, 1]);
    expect(new DataView(bytes.buffer, bytes.byteOffset).getUint16(18, true)).toBe(bits === 32 ? 3 : 62);
    const read = elfSymbols('symbols', bytes);
    expect(read.map(({ name, address, size, kind }) => [name, address, size, kind])).toEqual(
      SYMBOLS.map(({ name, address, size, code }) => [name, address, size, code ? 'function' : 'object']),
    );
  });

  test('without symbols it is a file all the same', () => {
    for (const bits of [32, 64] as const)
      expect(elfSymbols('symbols', buildSymbolElf([], undefined, undefined, bits))).toEqual([]);
  });
});
