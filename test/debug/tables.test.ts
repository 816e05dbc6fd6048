/** Descriptor tables and vector registers, decoded. */
import { describe, expect, it } from 'vitest';
import { gateRows, gdtRows, readTable, vectorRows } from '../../src/engine/debug/descriptor-tables.js';
import { describeFpu, lanesOf, x87Text } from '../../src/engine/debug/vector-registers.js';
import type { Debugger } from '../../src/engine/debugger.js';
import { Random } from '../core/exec/random-code.js';

const view = (...words: bigint[]): DataView => new DataView(BigUint64Array.from(words).buffer);

describe('GDT', () => {
  it('has segments, a TSS and an LDT of two entries in long mode, and gates', () => {
    const table = view(
      0n,
      0x00af9b000000ffffn,
      0x00cff3000000ffffn,
      0x80008b12345600abn,
      0xffffffffn,
      0x0000920000000000n,
      0n,
    );
    const rows = gdtRows(table, 0x1000n, true);
    expect(rows.map(({ name, text, target }) => [name, text, target])).toEqual([
      ['0000', 'null', undefined],
      ['0008', 'base 0 limit ffffffff  code execute/read, accessed, DPL 0, 64-bit', undefined],
      ['0010', 'base 0 limit ffffffff  data read/write, accessed, DPL 3, 32-bit', undefined],
      ['0018', 'base ffffffff80123456 limit ab  TSS, busy, DPL 0', 0xffffffff80123456n],
      ['0028', 'base 0 limit 0  data read/write, DPL 0, 16-bit', undefined],
    ]);
    expect(rows.map(({ at }) => at)).toEqual([0x1000n, 0x1008n, 0x1010n, 0x1018n, 0x1028n]);
    // outside long mode each has 8 bytes
    expect(gdtRows(table, 0n, false).map(({ name }) => name)).toEqual(['0000', '0008', '0010', '0018', '0020', '0028']);
    expect(gdtRows(view(0n, 0x0000ec0000081234n), 0n, false)[1]).toMatchObject({
      text: '0008:1234  call gate, DPL 3',
      target: 0x1234n,
      code: true,
    });
  });

  it('of any bytes and any length is decoded without an error', () => {
    const random = new Random(0x6d7);
    for (let round = 0; round < 200; round++) {
      const bytes = Uint8Array.from({ length: random.below(400) }, () => random.below(256));
      const memory = new DataView(bytes.buffer);
      for (const rows of [
        gdtRows(memory, 0n, true),
        gdtRows(memory, 0n, false),
        gateRows(memory, 0n, true),
        gateRows(memory, 0n, false),
        vectorRows(memory, 0n),
      ])
        for (const { text, name } of rows) expect(`${name} ${text}`).not.toMatch(/undefined|NaN/);
    }
  });
});

describe('IDT', () => {
  it('has gates of 16 bytes in long mode, of 8 before, far pointers in real mode', () => {
    const long = view(0n, 0n, 0x8234ef0300105678n, 0xffffffffn);
    expect(gateRows(long, 0n, true)).toMatchObject([
      {
        name: '01 #DB',
        text: '0010:ffffffff82345678  trap gate, DPL 3, IST 3',
        target: 0xffffffff82345678n,
        code: true,
        at: 16n,
      },
    ]);
    expect(gateRows(view(0x8234850000285678n), 0n, false)).toMatchObject([
      { name: '00 #DE', text: 'task gate to 0028, DPL 0' },
    ]);
    expect(gateRows(view(0x1234_0e00_0008_5678n), 0n, false)[0]).toMatchObject({
      text: '0008:12345678  interrupt gate, DPL 0, not present',
    });
    expect(gateRows(view(0x1234_0e00_0008_5678n), 0n, false)[0]!.target).toBeUndefined();
    expect(vectorRows(view(0xf000e2c3_f000ff53n), 0n)).toMatchObject([
      { name: '00 #DE', text: 'f000:ff53', target: 0xfff53n },
      { name: '01 #DB', text: 'f000:e2c3', target: 0xfe2c3n },
    ]);
  });
});

describe('what a table is read from', () => {
  const machine = (registers: Record<string, bigint>, bytes: Uint8Array = new Uint8Array(256)) =>
    ({
      readRegisters: async () => registers,
      readMemory: async (_space: string, _at: bigint, length: number) => bytes.slice(0, length),
    }) as unknown as Debugger;

  it('is the TSS of TR in its format', async () => {
    const bytes = Uint8Array.from({ length: 0x68 }, (_, n) => n);
    const of = async (registers: Record<string, bigint>) =>
      (await readTable(machine(registers, bytes), 0, 'tss')).map(({ name, text }) => `${name}=${text}`);
    const tr = { tr_base: 0x5000n, tr_limit: 0x67n };
    expect(await of({ ...tr, tr_ar: 0x8bn, efer: 0x500n })).toEqual(
      expect.arrayContaining(['rsp0=0b0a090807060504', 'ist1=2b2a292827262524', 'I/O map base=6766']),
    );
    expect(await of({ ...tr, tr_ar: 0x8bn })).toEqual(
      expect.arrayContaining(['esp0=07060504', 'ss0=0908', 'eip=23222120', 'edi=47464544', 'ldt=6160']),
    );
    expect(await of({ ...tr, tr_limit: 0x2bn, tr_ar: 0x83n })).toEqual(
      expect.arrayContaining(['sp0=0302', 'ss0=0504', 'ip=0f0e', 'di=2120', 'ldt=2b2a']),
    );
    await expect(of({ tr_ar: 0x10000n })).rejects.toThrow('TR is unusable: there is no TSS');
  });

  it('is said where nothing is mapped', async () => {
    const none = machine({ gdtr_base: 0xffff0000n, gdtr_limit: 0x7fn, cr0: 1n }, new Uint8Array(0));
    await expect(readTable(none, 0, 'gdt')).rejects.toThrow('nothing is mapped at ffff0000, where the GDT should be');
  });
});

describe('vector registers', () => {
  it('are read as lanes, the highest first', () => {
    const floats = new Float32Array([1.5, -2, 0.1, Number.POSITIVE_INFINITY]);
    const [low, high] = new BigUint64Array(floats.buffer);
    const value = (high! << 64n) | low!;
    expect(lanesOf(value, 'f32')).toEqual(['Infinity', '0.100000001', '-2', '1.5']);
    const [one, other] = new BigUint64Array(new Float64Array([Math.PI, -0]).buffer);
    expect(lanesOf((other! << 64n) | one!, 'f64')).toEqual(['-0', '3.14159265']);
    expect(lanesOf(0x0102n, 'u8').slice(-2)).toEqual(['1', '2']);
    expect(lanesOf((1n << 128n) - 1n, 'i32')).toEqual(['-1', '-1', '-1', '-1']);
    expect(lanesOf(0x1234n << 64n, 'hex')).toEqual(['0000000000001234', '0000000000000000']);
  });

  it('of the x87 have 80 bits', () => {
    expect(x87Text(0x3fff_8000_0000_0000_0000n)).toBe('1');
    expect(x87Text(0xc000_c90f_daa2_2168_c235n)).toBe('-3.14159265');
    expect(x87Text(0x7fff_8000_0000_0000_0000n)).toBe('infinity');
    expect(x87Text(0xffff_c000_0000_0000_0000n)).toBe('NaN');
    expect(x87Text(0x8000_0000_0000_0000_0000n)).toBe('-0');
    expect(x87Text(0x7ffe_8000_0000_0000_0000n)).toBe('1.00000000 * 2^16383');
    expect(x87Text(0x3fff_0000_0000_0000_0001n)).toBe('unsupported');
    const fpu = { fctrl: 0x37fn, fstat: 0x3881n, ftag: 0xfffcn, mxcsr: 0x1f80n };
    expect(describeFpu('fctrl', fpu)).toBe('masked IE DE ZE OE UE PE, precision 64 bits, rounds nearest');
    expect(describeFpu('fstat', fpu)).toBe('top 7, IE ES');
    expect(describeFpu('ftag', fpu)).toContain('0 valid, 1 empty');
    expect(describeFpu('mxcsr', fpu)).toBe('masked IE DE ZE OE UE PE, rounds nearest');
  });
});
