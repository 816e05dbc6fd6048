import { expect, it } from 'vitest';
import { Disassembler, formatBytes, formatInstruction, SymbolTable } from '../../src/disasm/index.js';

const table = new SymbolTable([
  { name: 'data', address: 0x3000n, size: 0n },
  { name: 'main', address: 0x1000n, size: 0x20n },
  { name: 'alias', address: 0x1000n, size: 0n },
  { name: 'print', address: 0x1100n, size: 0x10n },
]);

it('finds the nearest symbol below that covers an address', () => {
  expect(table.label(0x1000n)).toBe('main');
  expect(table.label(0x101fn)).toBe('main+0x1f');
  expect(table.label(0x1020n)).toBeUndefined();
  expect(table.label(0xfffn)).toBeUndefined();
  expect(table.label(0x12fffn)).toBe('data+0xffff');
  expect(table.label(0x13000n)).toBeUndefined();
  expect(table.byName('print')?.address).toBe(0x1100n);
  expect(table.byName('nothing')).toBeUndefined();
  expect(table.find('a').map((s) => s.name)).toEqual(['alias', 'main', 'data']);
  expect(new SymbolTable().lookup(0n)).toBeUndefined();
});

it('names places in modules as Linux does, and finds their symbols by the bare name', () => {
  const kernel = new SymbolTable([
    { name: 'init_vq [virtio_blk]', address: 0x5000n, size: 0x100n },
    { name: 'probe [virtio_blk]', address: 0x5100n, size: 0x100n },
    { name: 'probe', address: 0x1000n, size: 0x10n },
  ]);
  expect(kernel.label(0x5000n)).toBe('init_vq [virtio_blk]');
  expect(kernel.label(0x501cn)).toBe('init_vq+0x1c [virtio_blk]');
  expect(kernel.byName('init_vq')?.address).toBe(0x5000n);
  expect(kernel.byName('probe')?.address).toBe(0x1000n);
  expect(kernel.byName('probe [virtio_blk]')?.address).toBe(0x5100n);
});

it('names targets and rip-relative operands', async () => {
  const d = await Disassembler.load();
  const call = d.disassemble(Uint8Array.of(0xe8, 0xfb, 0, 0, 0), 0x1000n, { bits: 64 })[0]!;
  expect(formatInstruction(call, table)).toBe('call   print');
  const lea = d.disassemble(Uint8Array.of(0x48, 0x8d, 0x05, 0x05, 0x20, 0, 0), 0x1000n, { bits: 64 })[0]!;
  expect(formatInstruction(lea, table)).toBe('lea    rax, [rip + 0x2005]  # data+0xc');
  expect(formatBytes(Uint8Array.of(1, 2, 0xff), 2)).toBe('0102+');
});

it('names what has several names as gdb does: by those with a size, the last of them', () => {
  // As gdb 13 prints an ELF file with these symbols.
  const alias = (name: string, address: bigint, size: bigint) => ({ name, address, size });
  const aliases = new SymbolTable([
    alias('zalias', 0x1000n, 3n),
    alias('mark_glob', 0x1000n, 0n),
    alias('_start', 0x1000n, 3n),
    alias('weakone2', 0x1003n, 1n),
    alias('weakone', 0x1003n, 1n),
    alias('ccc', 0x1004n, 0n),
    alias('bbb', 0x1004n, 0n),
    alias('aaa', 0x1005n, 2n),
    alias('zmark', 0x1005n, 0n),
  ]);
  expect(aliases.label(0x1001n)).toBe('zalias+0x1');
  expect(aliases.label(0x1003n)).toBe('weakone2');
  expect(aliases.label(0x1004n)).toBe('ccc');
  expect(aliases.label(0x1005n)).toBe('aaa');
  const kernel = new SymbolTable([
    alias('default_idle', 0x5000n, 0x20n),
    alias('__cpuidle_text_start', 0x5000n, 0x20n),
  ]);
  expect(kernel.label(0x5000n)).toBe('default_idle');
  // One that ends before the address does not hide one that covers it.
  const nested = new SymbolTable([alias('outer', 0x6000n, 0x20n), alias('start', 0x6000n, 4n)]);
  expect(nested.label(0x6010n)).toBe('outer+0x10');
});
