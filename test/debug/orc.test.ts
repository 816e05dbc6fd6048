import { expect, test } from 'vitest';
import { formOf, unwindRow, unwindRows } from '../../src/engine/debug/linux/orc.js';

const SP = 5;
const BP = 4;
const PREVIOUS_SP = 1;

/** Entries of [sp offset, bp offset, sp register, bp register, kind]. */
function table(entries: [number, number, number, number, number][]) {
  const bytes = new Uint8Array(entries.length * 6);
  const data = new DataView(bytes.buffer);
  entries.forEach(([spOffset, bpOffset, sp, bp, kind], row) => {
    data.setInt16(row * 6, spOffset, true);
    data.setInt16(row * 6 + 2, bpOffset, true);
    data.setUint16(row * 6 + 4, sp | (bp << 4) | (kind << 8), true);
  });
  return {
    form: formOf(bytes),
    addresses: BigUint64Array.from(entries, (_, row) => 0xffff_ffff_8100_0000n + BigInt(row * 16)),
    entries: bytes,
  };
}

test('ORC entries before 6.4: kinds count from a call, and a bit ends the stack', () => {
  const rows = [
    ...unwindRows(
      table([
        [8, 0, SP, 0, 0],
        [16, -16, SP, PREVIOUS_SP, 0],
        [0, 0, SP, 0, 1],
        [0, 0, SP, 0, 2],
        [16, -16, BP, PREVIOUS_SP, 0],
        [8, 0, 9, 0, 0],
        [-16, 0, 8, 0, 0],
        [8, 0, SP, 0, 4],
        [0, 0, 0, 0, 0],
      ]),
    ),
  ];
  expect(rows.map(({ frame, register, offset, load, rbp }) => [frame, register, offset, load, rbp])).toEqual([
    ['call', 7, 8, undefined, undefined],
    ['call', 7, 16, undefined, -16],
    ['registers', 7, 0, undefined, undefined],
    ['interrupt', 7, 0, undefined, undefined],
    ['call', 6, 16, undefined, -16],
    ['call', 7, 8, 'first', undefined],
    ['call', 6, -16, 'last', undefined],
    ['none', 7, 8, undefined, undefined],
    ['none', 0, 0, undefined, undefined],
  ]);
  expect(rows[1].address).toBe(0xffff_ffff_8100_0010n);
});

test('ORC entries since 6.4: kinds count from undefined', () => {
  const entries = table([
    [8, 0, SP, 0, 2],
    [16, 0, SP, 0, 2],
    [24, 0, SP, 0, 2],
    [0, 0, SP, 0, 3],
    [0, 0, SP, 0, 4],
    [0, 0, 0, 0, 1],
  ]);
  expect([...unwindRows(entries)].map(({ frame }) => frame)).toEqual([
    'call',
    'call',
    'call',
    'registers',
    'interrupt',
    'none',
  ]);
});

test('ORC entries since 7.0: registers have other numbers', () => {
  const rows = [
    ...unwindRows(
      table([
        [8, 0, 3, 0, 2],
        [24, -16, 3, 8, 2],
        [16, -16, 4, 8, 2],
        [8, 0, 9, 0, 2],
        [-8, 0, 10, 0, 2],
        // RBP is kept where RBP points to, as in code that realigns its stack
        [-40, 0, 10, 4, 2],
        // in a register that no unwinder takes it from
        [-8, 0, 10, 5, 2],
        [0, 0, 3, 0, 3],
        [0, 0, 0, 0, 1],
      ]),
    ),
  ];
  expect(rows.map(({ frame, register, offset, load, rbp }) => [frame, register, offset, load, rbp])).toEqual([
    ['call', 7, 8, undefined, undefined],
    ['call', 7, 24, undefined, -16],
    ['call', 6, 16, undefined, -16],
    ['call', 7, 8, 'first', undefined],
    ['call', 6, -8, 'last', undefined],
    ['call', 6, -40, 'last', 0],
    ['outside', 0, 0, undefined, undefined],
    ['registers', 7, 0, undefined, undefined],
    ['none', 0, 0, undefined, undefined],
  ]);
  expect(rows.map(({ rbpFrom }) => rbpFrom)).toEqual([
    ...new Array(5).fill(undefined),
    'rbp',
    ...new Array(3).fill(undefined),
  ]);
});

test('a row is found by any address of its code, and none outside the table', () => {
  const entries = table([
    [8, 0, SP, 0, 0],
    [16, 0, SP, 0, 0],
    [0, 0, 0, 0, 0],
  ]);
  const at = (offset: number) => unwindRow(entries, 0xffff_ffff_8100_0000n + BigInt(offset))?.offset;
  expect([-1, 0, 15, 16, 31, 32, 4096].map(at)).toEqual([undefined, 8, 8, 16, 16, undefined, undefined]);
});
