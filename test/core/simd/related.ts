// Numbers that meet each other in an operation: two, and what arithmetic makes of them, exactly or one place beside it.
import { type Below, DOUBLE, leanFloat, SINGLE, sparseFloat } from '../../../src/engine/difftest/patterns.js';

const cell = new DataView(new ArrayBuffer(8));

function toNumber(bits: bigint, double: boolean): number {
  if (double) cell.setBigUint64(0, bits);
  else cell.setUint32(0, Number(bits));
  return double ? cell.getFloat64(0) : cell.getFloat32(0);
}

function toBits(value: number, double: boolean): bigint {
  // the bits of JavaScript's NaN are the engine's affair
  if (Number.isNaN(value)) return double ? 0x7ff8000000000000n : 0x7fc00000n;
  if (double) cell.setFloat64(0, value);
  else cell.setFloat32(0, value);
  return double ? cell.getBigUint64(0) : BigInt(cell.getUint32(0));
}

/** Sums of them cancel, quotients and roots come out even, and products lie where an addend turns the rounding. */
export function relatedNumbers(below: Below, values: 'single' | 'double'): bigint[] {
  const double = values === 'double';
  const width = double ? 64 : 32;
  const [x, y] = [0, 1].map(() => sparseFloat(below, double ? DOUBLE : SINGLE)) as [bigint, bigint];
  const [a, b] = [toNumber(x, double), toNumber(y, double)];
  // a unit in the last place of a product, and what is far below it
  const tiny = [2 ** -52, 2 ** -53, 2 ** -54, 2 ** -105, 2 ** -106, 2 ** -23, 2 ** -24, 2 ** -25, 2 ** -47, 2 ** -48];
  const product = a * b;
  const made = [
    product,
    product * (tiny[below(tiny.length)] as number),
    a * a,
    b * b,
    a + b,
    a - b,
    a / b,
    b / a,
    product / 2,
  ];
  const exact = made.map((value) => toBits(value, double));
  const beside = exact.map((bits) => BigInt.asUintN(width, bits + BigInt(below(5) - 2)));
  const negative = [x, y, ...exact].map((bits) => bits ^ (1n << BigInt(width - 1)));
  return [x, y, x, y, x, y, ...exact, ...beside, ...negative];
}

/** Numbers of few bits: a product of two has one bit or two below those that are kept, at any place. */
export function leanNumbers(below: Below, values: 'single' | 'double'): bigint[] {
  return Array.from({ length: 24 }, () => leanFloat(below, values === 'double' ? DOUBLE : SINGLE));
}
