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
