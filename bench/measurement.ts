/** One figure of the benchmark. */
export interface Measurement {
  /** `group.what`, the key in baseline.json. */
  name: string;
  value: number;
  unit:
    | 'MIPS'
    | '%'
    | 'MiB'
    | 'ms'
    | 's'
    | 'ns'
    | 'exits/s'
    | 'interrupts/s'
    | 'ratio'
    | 'steps/s'
    | 'MB/s'
    | 'round trips/s'
    | 'frames/s'
    | 'bytes'
    | '% of a core'
    | 'ms CPU';
  /** How it compares, for the reader. */
  note?: string;
}

/** A promise about a figure: `atLeast` or `atMost` on a quiet machine. */
export interface Floor {
  atLeast?: number;
  atMost?: number;
}

/** Seconds that `work` takes. */
export async function seconds(work: () => void | Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** The promise that a figure breaks, in words; undefined when it holds or there is none. */
export function broken({ name, value, unit }: Measurement, floor: Floor | undefined): string | undefined {
  if (floor?.atLeast !== undefined && !(value >= floor.atLeast)) {
    return `${name} is ${format(value)} ${unit}, promised at least ${floor.atLeast}`;
  }
  if (floor?.atMost !== undefined && !(value <= floor.atMost)) {
    return `${name} is ${format(value)} ${unit}, promised at most ${floor.atMost}`;
  }
  return undefined;
}

export function format(value: number): string {
  if (value >= 10_000) return Math.round(value).toLocaleString('en-US').replaceAll(',', ' ');
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3);
}

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

export const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
