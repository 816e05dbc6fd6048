/** The 256 bits of IRR, ISR and TMR: one a vector. */

/** Highest set bit of 256, or -1. */
export function highest(bits: Uint32Array): number {
  for (let word = 7; word >= 0; word--) {
    if (bits[word] !== 0) return 32 * word + 31 - Math.clz32(bits[word]);
  }
  return -1;
}

export function setBit(bits: Uint32Array, bit: number): void {
  bits[bit >> 5] |= 1 << (bit & 31);
}

export function clearBit(bits: Uint32Array, bit: number): void {
  bits[bit >> 5] &= ~(1 << (bit & 31));
}

export function testBit(bits: Uint32Array, bit: number): boolean {
  return ((bits[bit >> 5] >>> (bit & 31)) & 1) !== 0;
}

/** Is this, the highest vector in the set, the only one? */
export function isLone(bits: Uint32Array, vector: number): boolean {
  const word = vector >> 5;
  if (bits[word] !== (1 << (vector & 31)) >>> 0) return false;
  for (let n = 0; n < word; n++) if (bits[n] !== 0) return false;
  return true;
}

/** The vectors in the set, the lowest first. */
export function vectorsOf(bits: Uint32Array): number[] {
  return Array.from({ length: 256 }, (_, vector) => vector).filter((vector) => testBit(bits, vector));
}
