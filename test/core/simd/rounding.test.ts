import { describe, expect, it } from 'vitest';
import * as L from '../../../src/engine/core/layout.js';
import { vectorMachine } from './core-runner.js';

/** Factors whose product has above its lowest 2^63 nothing but the bit that decides the rounding. */
const CASES = [
  { a: 0x180000001n, b: 0xc0000801n, result: 0x43f20000c0240001n },
  { a: 0x180000001n, b: 0xc0000801n << 3n, result: 0x44220000c0240001n },
];
const asDouble = (value: bigint): bigint => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, Number(value));
  return view.getBigUint64(0);
};
const PE = 0x20;

describe('a product whose cut-off part is one bit, the highest', () => {
  it.each([
    ['MULSD', 'f20f59c1'],
    ['MULPD', '660f59c1'],
    ['VMULSD', 'c5fb59c1'],
    ['VMULPD', 'c5f959c1'],
    ['DPPD', '660f3a41c131'],
    ['VDPPD', 'c4e37941c131'],
  ])('is rounded by it, and is inexact: %s', (_, code) => {
    for (const { a, b, result } of CASES) {
      const m = vectorMachine();
      // PE is not set yet, so that the arithmetic by integers answers
      m.set32(L.MXCSR, 0x1f80);
      for (const [register, value] of [a, b].entries()) {
        m.set(L.YMM + register * 32, asDouble(value));
        m.set(L.YMM + register * 32 + 8, 0);
      }
      m.exec(`${code}${'90'.repeat(8)}ebfe`, 1);
      expect(m.get(L.YMM).toString(16)).toBe(result.toString(16));
      expect(m.get32(L.MXCSR) & PE).toBe(PE);
    }
  });

  it('tells that it was inexact where truncation shows no difference', () => {
    const m = vectorMachine();
    m.set32(L.MXCSR, 0x7f80);
    m.set(L.YMM, asDouble(0x180000001n));
    m.set(L.YMM + 32, asDouble(0xc0000801n));
    m.exec(`f20f59c1${'90'.repeat(8)}ebfe`, 1);
    expect([m.get(L.YMM), m.get32(L.MXCSR)]).toEqual([0x43f20000c0240000n, 0x7fa0]);
  });
});
