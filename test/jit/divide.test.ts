import { describe, expect, it } from 'vitest';
import * as L from '../../src/engine/core/layout.js';
import { Pair } from './pair.js';

const EDGES = [
  0n,
  1n,
  2n,
  3n,
  10n,
  0x7fffffffn,
  0x80000000n,
  0xfffffffen,
  0xffffffffn,
  0x7fffffffffffffffn,
  0x8000000000000000n,
];
const TABLE = 0x40000;
const ENTRIES = 128;

interface Operands {
  readonly low: bigint;
  readonly high: bigint;
  readonly divisor: bigint;
}

/** Operands whose quotient fits: edges with each other, and with their neighbours. */
function operands(bits: 32 | 64, signed: boolean): Operands[] {
  const cut = (value: bigint): bigint => BigInt.asUintN(bits, value);
  const read = (value: bigint): bigint => (signed ? BigInt.asIntN(bits, value) : cut(value));
  const found: Operands[] = [];
  for (let n = 0; found.length < ENTRIES; n++) {
    const edge = (k: number): bigint => EDGES[k % EDGES.length] - BigInt(n % 5);
    const divisor = read(edge(n));
    const quotient = read(edge(n * 7 + 3));
    if (divisor === 0n || divisor === -1n) continue;
    // with the greatest rest: the upper half is next to the divisor where the quotient is large
    const dividend =
      quotient * divisor + (divisor < 0n ? -1n - divisor : divisor - 1n) * (quotient < 0n !== divisor < 0n ? -1n : 1n);
    const upper = dividend >> BigInt(bits);
    // of 64 bits only these are in compiled code
    if (bits === 64 && upper !== 0n && !(signed && upper === -1n)) continue;
    found.push({ low: cut(dividend), high: cut(upper), divisor: cut(divisor) });
  }
  return found;
}

function pairOf(instruction: string, entries: readonly Operands[]): Pair {
  return new Pair('long', (m) => {
    entries.forEach(({ low, high, divisor }, n) => {
      [low, high, divisor].forEach((value, k) => m.set(L.RAM_BASE + TABLE + n * 32 + k * 8, value));
    });
    m.setReg('rsi', BigInt(TABLE));
    m.setReg('rsp', 0x98000n);
    // L: mov rax,[rsi]; mov rdx,[rsi+8]; ...; add r8,rax; xor r9,rdx; add esi,32; and esi,40fe0h; jmp L
    const body = `488b06 488b5608 ${instruction} 4901c0 4931d1 83c620 81e6e00f0400`;
    const bytes = body.replaceAll(' ', '').length / 2 + 2;
    m.load(0x1000, `${body} eb${(256 - bytes).toString(16)}`);
    m.set(L.RIP, 0x1000n);
  });
}

const FORMS = [
  { name: 'DIV 32', instruction: 'f77610', bits: 32, signed: false },
  { name: 'IDIV 32', instruction: 'f77e10', bits: 32, signed: true },
  { name: 'DIV 64', instruction: '48f77610', bits: 64, signed: false },
  { name: 'IDIV 64', instruction: '48f77e10', bits: 64, signed: true },
] as const;

describe.each(FORMS)('$name in compiled code', ({ instruction, bits, signed }) => {
  it('answers what its handler does', () => {
    const pair = pairOf(instruction, operands(bits, signed));
    for (let n = 0; n < 8; n++) pair.run(ENTRIES * 2 + 37, true);
    expect(pair.inRegions).toBeGreaterThan(1000);
  });

  it('faults where the quotient does not fit, or the divisor is 0', () => {
    for (const last of [
      { low: 5n, high: 7n, divisor: 7n },
      { low: 5n, high: 0n, divisor: 0n },
      { low: 1n << BigInt(bits - 1), high: (1n << BigInt(bits)) - 1n, divisor: (1n << BigInt(bits)) - 1n },
    ]) {
      const entries = operands(bits, signed);
      const pair = pairOf(instruction, entries);
      pair.run(ENTRIES * 4);
      for (const m of [pair.plain, pair.compiled]) {
        [last.low, last.high, last.divisor].forEach((value, k) => m.set(L.RAM_BASE + TABLE + 40 * 32 + k * 8, value));
      }
      const run = (): number => pair.run(ENTRIES * 20);
      if (signed || last.high < last.divisor) run();
      else expect(run()).not.toBe(0);
    }
  });
});
