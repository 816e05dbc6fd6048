/** How often the guest exits: one sample a second of the counts by reason, for the last minute. */
import { exitsByReason, totalExits } from '../engine/exit-counts.js';

export interface RateSample {
  total: number;
  counts: Record<string, number>;
  ms: number;
}

const SAMPLES = 60;
const SAMPLE_MS = 1000;

export class ExitRates {
  readonly samples: RateSample[] = [];

  constructor(private readonly now: () => number) {}

  /** Whether the newest sample is a second old. */
  get due(): boolean {
    const last = this.samples.at(-1);
    return !last || this.now() - last.ms >= SAMPLE_MS;
  }

  add(counts: Record<string, number>): void {
    const ms = this.now();
    const last = this.samples.at(-1);
    if (last && ms - last.ms < SAMPLE_MS) return;
    this.samples.push({ ms, counts, total: totalExits(counts) });
    if (this.samples.length > SAMPLES + 1) this.samples.shift();
  }

  reset(): void {
    this.samples.length = 0;
  }

  /** Exits a second over the last sample. */
  get perSecond(): number | undefined {
    const [before, last] = this.samples.slice(-2);
    return before && last ? ((last.total - before.total) * 1000) / (last.ms - before.ms) : undefined;
  }

  /** The same by reason, the most frequent first. */
  byReason(): { name: string; perSecond: number }[] {
    const [before, last] = this.samples.slice(-2);
    if (!before || !last) return [];
    return exitsByReason(last.counts)
      .map(([name, count]) => ({
        name,
        perSecond: ((count - (before.counts[name] ?? 0)) * 1000) / (last.ms - before.ms),
      }))
      .filter(({ perSecond }) => perSecond > 0)
      .sort((a, b) => b.perSecond - a.perSecond);
  }
}
