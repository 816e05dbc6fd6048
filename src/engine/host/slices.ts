/** Time at most between two turns of the event loop, in ms: stub and dashboard are answered in between. */
export const SLICE_MS = 6;

/**
 * Runs work that pauses after each piece, and lets the event loop turn in between.
 * @param progress told what the work yields, before each turn
 */
export async function inSlices<T>(work: Generator<number, T>, progress: (share: number) => void): Promise<T> {
  return (await inSlicesUnless(work, progress, () => false)) as T;
}

/** As `inSlices`, given up where `cancelled` says so after a turn. */
export async function inSlicesUnless<T>(
  work: Generator<number, T>,
  progress: (share: number) => void,
  cancelled: () => boolean,
): Promise<T | 'cancelled'> {
  for (;;) {
    const start = performance.now();
    let share = 0;
    do {
      const { done, value } = work.next();
      if (done) return value;
      share = value;
    } while (performance.now() - start < SLICE_MS);
    progress(share);
    await new Promise((resolve) => setImmediate(resolve));
    if (cancelled()) return 'cancelled';
  }
}
