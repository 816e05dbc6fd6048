// A small seeded generator: the same seed gives the same cases on every machine.
import { sparseBits } from './patterns.js';

/** Operand values at which instructions change their behaviour. */
const EDGES: readonly bigint[] = [
  0n,
  1n,
  2n,
  0x7fn,
  0x80n,
  0xffn,
  0x100n,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x1_0000n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0xffff_ffff_ffff_ff80n,
  0xffff_ffff_ffff_8000n,
  0xffff_ffff_8000_0000n,
  0xffff_ffff_ffff_fffen,
  0xffff_ffff_ffff_ffffn,
  0x5555_5555_5555_5555n,
  0xaaaa_aaaa_aaaa_aaaan,
];

export class Rng {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** 32 random bits (mulberry32). */
  u32(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** 0 to n - 1. */
  below(n: number): number {
    return this.u32() % n;
  }

  /** True once in n. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** A 64-bit operand: an edge value, a value next to one, a sparse pattern in 8, 16, 32 or 64 bits, a small or a random one. */
  operand(): bigint {
    if (this.oneIn(3)) return sparseBits((n) => this.below(n), 8 << this.below(4));
    return this.edgeOrRandom();
  }

  /** As operand(), of edge, small and random values only: what memory images are made of, on which recorded cases stand. */
  edgeOrRandom(): bigint {
    switch (this.below(4)) {
      case 0:
        return EDGES[this.below(EDGES.length)];
      case 1:
        return BigInt.asUintN(64, EDGES[this.below(EDGES.length)] + BigInt(this.below(5) - 2));
      case 2:
        return BigInt(this.below(256));
      default:
        return this.u64();
    }
  }
}
