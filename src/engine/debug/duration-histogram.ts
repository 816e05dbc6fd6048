/** Durations counted by their length, for percentiles and pictures without keeping each. */

/** Buckets of an octave: a duration is known to a 32nd of itself, and exactly below 64. */
const PARTS = 32;
const EXACT = 2 * PARTS;
const EXACT_OCTAVE = 6;
/** Octaves of the picture: durations of 2^47 and more (39 hours of ns) stand in its last one. */
const MOST_OCTAVES = 48;

const octaveOf = (value: number): number => {
  const octave = Math.floor(Math.log2(value));
  // the logarithm of a number just below a power of two may be rounded up to it
  return 2 ** octave > value ? octave - 1 : octave;
};

function bucketOf(value: number): number {
  if (value < EXACT) return value;
  const octave = octaveOf(value);
  return EXACT + (octave - EXACT_OCTAVE) * PARTS + Math.floor((value / 2 ** octave - 1) * PARTS);
}

/** The largest whole number that falls into a bucket. */
function topOf(bucket: number): number {
  if (bucket < EXACT) return bucket;
  const octave = EXACT_OCTAVE + Math.floor((bucket - EXACT) / PARTS);
  const part = (bucket - EXACT) % PARTS;
  return 2 ** octave * (1 + (part + 1) / PARTS) - 1;
}

export class DurationHistogram {
  readonly #counts = new Map<number, number>();
  readonly #octaves: number[] = [];
  count = 0;
  sum = 0;
  min = Number.POSITIVE_INFINITY;
  max = 0;

  /** @param value a whole number, 0 or more */
  add(value: number): void {
    const bucket = bucketOf(value);
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + 1);
    const octave = value < 1 ? 0 : Math.min(MOST_OCTAVES - 1, octaveOf(value));
    while (this.#octaves.length <= octave) this.#octaves.push(0);
    this.#octaves[octave]++;
    this.count++;
    this.sum += value;
    this.min = Math.min(this.min, value);
    this.max = Math.max(this.max, value);
  }

  /**
   * The smallest duration that a share of all do not exceed, to a 32nd of itself; 0 for none.
   * @param share 0 to 1
   */
  percentile(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.count));
    let seen = 0;
    for (const [bucket, count] of [...this.#counts].sort(([a], [b]) => a - b)) {
      seen += count;
      if (seen >= wanted) return Math.max(this.min, Math.min(this.max, topOf(bucket)));
    }
    return 0;
  }

  /** How many fall into [2^n, 2^(n+1)), by n; 0 counts among those of n = 0. */
  get octaves(): number[] {
    return [...this.#octaves];
  }
}
