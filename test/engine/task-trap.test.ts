import { beforeAll, describe, expect, it } from 'vitest';
import { flatGuest, runToEnd } from './flat-guest.js';

/*
 * lgdt; lidt; flat segments; esp = 20000h; ltr 18h; mov eax, 401h; mov dr7, eax; ljmp 20h:0
 * 40h, handler of #DB: DR6, EIP of the frame and DR7 to 4000h; iret
 * 70h, task of TSS 20h (32 bits, T set): mov [400ch], eax; ljmp 28h:0
 * 80h, task of TSS 28h (16 bits): its eight registers to 5000h; mov al, 1; out 0f4h, al
 * then GDT and IDT
 */
const CODE = `
  0f0115f00010000f011d06011000ea150010000800b8100000008ed88ec08ed0bc00000200b8180000000f00d8b8010400000f23f8ea0000
  00002000000000000f21f1890d004000008b0c24890d044000000f21f9890d08400000cf0000000000000000000000000000000000000000
  a30c400000ea00000000280000000000a300500000890d04500000891508500000891d0c500000892510500000892d145000008935185000
  00893d1c500000b001e6f48d742600900000000000000000ffff0000009bcf00ffff00000093cf0067000002108900006700800210890000
  2b00000310810000ffff0000109bcf003700b8001000000000000000000040000800008e10000f00f60010000`;
const TSS32 = 0x280;
const TSS16 = 0x300;

function words(bytes: 2 | 4, values: readonly number[]): string {
  const buffer = Buffer.alloc(values.length * bytes);
  for (const [n, value] of values.entries()) buffer.writeUIntLE(value, n * bytes, bytes);
  return buffer.toString('hex');
}

/** Link, stacks and CR3; EIP, EFLAGS, registers; segments, LDT; T and the I/O map's base. */
const tss32 = (trap: number): string =>
  words(4, [
    ...Array(8).fill(0),
    0x100070,
    2,
    0x12345678,
    ...Array(7).fill(0x20000),
    0x10,
    8,
    0x10,
    0x10,
    0x10,
    0x10,
    0,
  ]) + words(2, [trap, 0x68]);
const tss16 = words(2, [...Array(7).fill(0), 0x80, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0x10, 0x30, 0x10, 0x10, 0]);

function run(trap: number): { debug: number[]; registers: number[] } {
  const code = CODE.replace(/\s+/g, '').padEnd(TSS32 * 2, '0') + tss32(trap).padEnd((TSS16 - TSS32) * 2, '0') + tss16;
  const guest = flatGuest(code, { at: 0x100000 });
  expect(runToEnd(guest, 5000)).toMatchObject({ kind: 'debug-exit', status: 3 });
  const read = (at: number, count: number): number[] => {
    const bytes = Buffer.from(guest.vm.memory.read(at, count * 4));
    return Array.from({ length: count }, (_, n) => bytes.readUInt32LE(n * 4));
  };
  return { debug: read(0x4000, 4), registers: read(0x5000, 8) };
}

describe('a task switch', () => {
  let trapped: ReturnType<typeof run>;
  beforeAll(() => {
    trapped = run(1);
  });

  it('traps before the first instruction of a task whose TSS has T set, with DR6.BT', () => {
    const [dr6 = 0, eip, dr7, eax] = trapped.debug;
    expect([dr6 & 0xe00f, eip, eax]).toEqual([0x8000, 0x100070, 0x12345678]);
    // the local breakpoints belong to the task before
    expect(dr7).toBe(0x400);
    expect(run(0).debug.slice(0, 3)).toEqual([0, 0, 0]);
  });

  it('loads ones above the registers of a 16-bit TSS', () => {
    const upper = 0xffff0000;
    expect(trapped.registers).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((value) => (upper | value) >>> 0));
  });
});
