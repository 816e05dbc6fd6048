/** FSQRT beside integers without limits: the root, its rounding, C1 and PE in every precision. */
import { expect, it } from 'vitest';
import type { CoreExports } from '../../../src/engine/core/core-exports.js';
import * as L from '../../../src/engine/core/layout.js';
import { randomOf } from '../../random.js';
import { Machine } from '../harness.js';

const TOP = 1n << 63n;
const ALL = (1n << 64n) - 1n;

/** Significands: random ones, with few bits, near squares, near both ends. */
function significands(): bigint[] {
  const next = randomOf(0x5175);
  const random = (): bigint => (BigInt(next() >>> 0) << 32n) | BigInt(next() >>> 0);
  const near = (n: number): bigint[] => {
    const root = (random() >> 32n) | (1n << 31n);
    const square = (root * root) << (n % 2 === 0 ? 0n : 1n);
    return [-1n, 0n, 1n].map((by) => ((square + by) & ALL) | TOP);
  };
  const made = Array.from({ length: 3000 }, (_, n) => [
    random() | TOP,
    TOP | (random() >> BigInt(n % 64)),
    ALL - (random() >> BigInt(n % 64)),
    ((random() >> BigInt(n % 60)) << BigInt(n % 60)) | TOP,
    ...near(n),
  ]);
  return [TOP, TOP + 1n, ALL, ALL - 1n, ...made.flat()].filter((one) => one >= TOP);
}

/** Greatest integer whose square is not above n. */
function floorRoot(n: bigint): bigint {
  let root = 1n << 64n;
  for (;;) {
    const better = (root + n / root) >> 1n;
    if (better >= root) return root;
    root = better;
  }
}

it('takes square roots of 128 bits', () => {
  const machine = new Machine();
  const core = machine.core as unknown as CoreExports;
  for (const m of significands()) {
    for (const [high, low] of [
      [m, 0n],
      [m >> 1n, (m << 63n) & ALL],
    ]) {
      const n = (high << 64n) | low;
      const root = BigInt.asUintN(64, core.squareRoot128(high, low));
      const expected = floorRoot(n);
      expect(root, m.toString(16)).toBe(expected);
      const rest = n - expected * expected;
      expect(machine.get(L.OP_VALUE), m.toString(16)).toBe(rest === 0n ? 0n : rest > expected ? TOP | 1n : 1n);
    }
  }
});
