/** Clusters of an image that hold its tables: many from the start, single ones that come and go later. */

/** A table of the image and the clusters that it takes. */
export interface TableRun {
  what: string;
  first: number;
  count: number;
}

/** Tables of one cluster each; there may be millions. */
export interface SingleTables {
  what: string;
  clusters: readonly number[];
}

/** Two tables that claim one cluster: no image has that but a broken one. */
export interface Overlap {
  cluster: number;
  tables: string;
}

export class ClusterSet {
  /** Runs in order, without overlap: starts, and ends, which are excluded. */
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  /** In order. */
  readonly #singles: Float64Array;
  readonly #added = new Set<number>();
  readonly #removed = new Set<number>();
  /** The first that was found. */
  readonly overlap: Overlap | undefined;

  constructor(runs: readonly TableRun[] = [], singles: readonly SingleTables[] = []) {
    const sorted = runs.filter(({ count }) => count > 0).sort((a, b) => a.first - b.first);
    let last: TableRun | undefined;
    for (const run of sorted) {
      const end = run.first + run.count;
      const before = this.#ends[this.#ends.length - 1] ?? -1;
      if (last && run.first < before) this.overlap ??= { cluster: run.first, tables: both(last.what, run.what) };
      if (run.first <= before) this.#ends[this.#ends.length - 1] = Math.max(before, end);
      else {
        this.#starts.push(run.first);
        this.#ends.push(end);
      }
      if (end >= before) last = run;
    }
    this.#singles = Float64Array.from(singles.flatMap(({ clusters }) => clusters)).sort();
    this.overlap ??= this.#overlapOfSingles(sorted, singles);
  }

  has(cluster: number): boolean {
    if (this.#added.has(cluster)) return true;
    return this.#fromStart(cluster) && !this.#removed.has(cluster);
  }

  add(first: number, count: number): void {
    for (let cluster = first; cluster < first + count; cluster++) {
      if (!this.#removed.delete(cluster)) this.#added.add(cluster);
    }
  }

  delete(cluster: number): void {
    if (!this.#added.delete(cluster) && this.#fromStart(cluster)) this.#removed.add(cluster);
  }

  #overlapOfSingles(runs: readonly TableRun[], kinds: readonly SingleTables[]): Overlap | undefined {
    const singles = this.#singles;
    for (let i = 0; i < singles.length; i++) {
      const cluster = singles[i];
      const twice = i > 0 && singles[i - 1] === cluster;
      if (!twice && !this.#inRuns(cluster)) continue;
      const names = runs
        .filter(({ first, count }) => cluster >= first && cluster < first + count)
        .map(({ what }) => what);
      for (const { what, clusters } of kinds) names.push(...clusters.filter((c) => c === cluster).map(() => what));
      return { cluster, tables: both(names[0], names[1]) };
    }
    return undefined;
  }

  #fromStart(cluster: number): boolean {
    const after = upperBound(this.#singles, cluster);
    return (after > 0 && this.#singles[after - 1] === cluster) || this.#inRuns(cluster);
  }

  #inRuns(cluster: number): boolean {
    const after = upperBound(this.#starts, cluster);
    return after > 0 && cluster < this.#ends[after - 1];
  }
}

function both(one: string, other: string): string {
  return one === other ? `${one} and another` : `${one} and ${other}`;
}

/** Index of the first element that is larger. */
function upperBound(sorted: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
