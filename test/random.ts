/** Numbers of 32 bits that each run draws alike: xorshift. @param seed not 0 */
export function randomOf(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}
