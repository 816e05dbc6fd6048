/** Instructions of a run as columns. */

export class Axis {
  /** @param to behind `from` */
  constructor(
    readonly from: bigint,
    readonly to: bigint,
    readonly columns: number,
  ) {}

  private get span(): bigint {
    return this.to - this.from;
  }

  private get last(): bigint {
    return BigInt(Math.max(1, this.columns - 1));
  }

  /** Of an instruction; undefined where it is not shown. */
  column(icount: bigint): number | undefined {
    if (icount < this.from || icount > this.to) return undefined;
    return Number(((icount - this.from) * this.last + this.span / 2n) / this.span);
  }

  /** First instruction count that a column stands for. */
  icount(column: number): bigint {
    const at = BigInt(Math.max(0, Math.min(this.columns - 1, column)));
    return this.from + (at * this.span + this.last / 2n) / this.last;
  }

  /** An instruction that lies so many columns off, at least one instruction for each. */
  moved(icount: bigint, columns: number): bigint {
    const step = this.span / this.last;
    return icount + BigInt(columns) * (step > 0n ? step : 1n);
  }

  /** First and last column of a range; the last before the first where nothing of it is shown. */
  range(from: bigint, to: bigint): [number, number] {
    if (to < this.from || from > this.to) return [0, -1];
    const start = from < this.from ? 0 : this.column(from)!;
    return [start, to > this.to ? this.columns - 1 : this.column(to)!];
  }

  /** What grows between known points, spread over the columns. @param points in order */
  densities(points: readonly { icount: bigint; exit: number }[]): number[] {
    const sums = new Array<number>(this.columns).fill(0);
    for (let n = 1; n < points.length; n++) {
      const [a, b] = [points[n - 1]!, points[n]!];
      const [start, end] = this.range(a.icount, b.icount);
      const length = Number(b.icount - a.icount);
      if (b.exit <= a.exit || end < start || length === 0) continue;
      // each column has its share of what this stretch had in all
      const share = ((b.exit - a.exit) * Number(this.span)) / (length * this.columns);
      for (let column = start; column <= end; column++) sums[column] = Math.max(sums[column]!, share);
    }
    return sums;
  }
}
