/** How exits spread over the time that a trace covers. */
import type { ExitCourse } from '../debugger.js';
import type { TimedExit } from './exit-report.js';

/** Exits over the time of all of them. @param columns pieces of that time */
export function courseOf(exits: readonly TimedExit[], columns: number): ExitCourse {
  const first = exits[0]?.record.clock ?? 0n;
  const last = exits.at(-1)?.record.clock ?? 0n;
  const step = Math.max(1, Number(last - first) / columns);
  const reasons = new Map<number, { counts: number[]; ns: number[] }>();
  for (const { record, ns = 0 } of exits) {
    const reason = record.reason & 0xffff;
    let row = reasons.get(reason);
    if (!row) {
      row = { counts: new Array<number>(columns).fill(0), ns: new Array<number>(columns).fill(0) };
      reasons.set(reason, row);
    }
    const at = Math.min(columns - 1, Math.floor(Number(record.clock - first) / step));
    row.counts[at]++;
    spend(row.ns, Number(record.clock - first), ns, step);
  }
  return { first, last, reasons: [...reasons].map(([reason, row]) => ({ reason, ...row })) };
}

/** A long one takes time of several columns. */
function spend(columns: number[], from: number, ns: number, step: number): void {
  const end = from + ns;
  for (let at = Math.floor(from / step); at < columns.length && from < end; at++) {
    const until = Math.min(end, (at + 1) * step);
    columns[at]! += until - from;
    from = until;
  }
}
