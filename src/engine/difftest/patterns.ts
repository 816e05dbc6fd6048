// Bit patterns that uniformly random bits meet with 2^-40 and less, and on which arithmetic turns: few bits set or
// clear, runs of ones, powers of two and what is next to them, values with a tie or almost one in their lower bits.
// Every generator of operands draws some of its values here.

/** 0 to n - 1, from the generator that asks. */
export type Below = (n: number) => number;

const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

function randomBits(below: Below, bits: number): bigint {
  let value = 0n;
  for (let n = 0; n < bits; n += 16) value = (value << 16n) | BigInt(below(0x10000));
  return value & ones(bits);
}

/** One to three bits. */
function fewBits(below: Below, width: number): bigint {
  let value = 0n;
  for (let n = 1 + below(3); n > 0; n--) value |= 1n << BigInt(below(width));
  return value;
}

/** Ones side by side, anywhere. */
function run(below: Below, width: number): bigint {
  const length = 1 + below(width);
  return ones(length) << BigInt(below(width - length + 1));
}

/** Some upper bits, then 1000, 0111 or 1001 to the end: a tie, and the two sides of one. */
function nearTie(below: Below, width: number): bigint {
  const lower = BigInt(1 + below(width));
  const upper = ((below(2) === 0 ? randomBits(below, width) : fewBits(below, width)) >> lower) << lower;
  return upper + (1n << (lower - 1n)) + BigInt(below(3) - 1);
}

/** A value of `width` bits. */
export function sparseBits(below: Below, width: number): bigint {
  const value = (): bigint => {
    switch (below(8)) {
      case 0:
        return fewBits(below, width);
      case 1:
        return ~fewBits(below, width);
      case 2:
        return run(below, width);
      case 3:
        return run(below, width) ^ fewBits(below, width);
      case 4:
        return (1n << BigInt(below(width + 1))) + BigInt(below(5) - 2);
      case 5:
        return nearTie(below, width);
      case 6:
        // significant bits at the top only: how many decides whether a product or a quotient is exact
        return randomBits(below, width) & ~ones(below(width + 1));
      default:
        return randomBits(below, width) & ones(below(width + 1));
    }
  };
  return BigInt.asUintN(width, value());
}

/** A binary format of IEEE 754. */
export interface FloatFormat {
  fraction: number;
  exponent: number;
}
export const SINGLE: FloatFormat = { fraction: 23, exponent: 8 };
export const DOUBLE: FloatFormat = { fraction: 52, exponent: 11 };
export const HALF: FloatFormat = { fraction: 10, exponent: 5 };
export const EXTENDED: FloatFormat = { fraction: 63, exponent: 15 };

/** An exponent, biased: at the ends, at the places where conversions change, near one, or any. */
export function sparseExponent(below: Below, { exponent, fraction }: FloatFormat): number {
  const top = 2 ** exponent - 1;
  const bias = top >> 1;
  switch (below(8)) {
    case 0:
      return below(4);
    case 1:
      return top - below(4);
    case 2: {
      // where products, quotients and roots leave the format, and where what is added no longer reaches
      const place = [bias >> 1, bias + (bias >> 1), bias - fraction, bias + fraction][below(4)];
      return Math.min(top, Math.max(0, place + below(5) - 2));
    }
    case 3: {
      // the sizes of integers and the limits of the narrower formats
      const power = [15, 16, 31, 32, 63, 64, -14, -24, -126, -149, 127, -1022, -1074, 1023][below(14)];
      return Math.min(top, Math.max(0, bias + power + below(3) - 1));
    }
    case 4:
      return below(top + 1);
    default:
      return Math.min(top, Math.max(0, bias + below(17) - 8));
  }
}

/** A number as the format's bits: sign, exponent, fraction. */
export function sparseFloat(below: Below, format: FloatFormat): bigint {
  const sign = BigInt(below(2)) << BigInt(format.exponent + format.fraction);
  const exponent = BigInt(sparseExponent(below, format)) << BigInt(format.fraction);
  return sign | exponent | sparseBits(below, format.fraction);
}

/**
 * Some upper bits and one or two anywhere: what a product of two such numbers has below the bits that are kept is one
 * bit, or few. Whether the product carries into the next power of two depends on the upper ones.
 */
export function leanFraction(below: Below, width: number): bigint {
  const upper = BigInt(below(8)) << BigInt(width - 3);
  const first = 1n << BigInt(below(width));
  return upper | first | (below(2) === 0 ? 0n : 1n << BigInt(below(width)));
}

/** A number near one with a lean fraction. */
export function leanFloat(below: Below, { exponent, fraction }: FloatFormat): bigint {
  const sign = BigInt(below(2)) << BigInt(exponent + fraction);
  const bias = (1 << (exponent - 1)) - 1;
  return sign | (BigInt(bias + below(9) - 4) << BigInt(fraction)) | leanFraction(below, fraction);
}
