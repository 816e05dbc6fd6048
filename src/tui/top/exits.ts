/** The view of VM exits: what `perf kvm stat` tells, live, of each guest and reason, or each vCPU apart. */
import { counted } from '../../engine/counted.js';
import type { ExitKind, ExitTime, ExitTrace } from '../../engine/fleet.js';
import { grouped, rate, sparkline } from '../screen/text.js';
import { type Column, percent } from './columns.js';
import type { GuestRow } from './rows.js';

export interface ExitRow {
  guest: GuestRow;
  /** Absent: all. */
  vcpu?: number;
  reason: string;
  /** Since the watching began. */
  count: number;
  perSecond?: number;
  /** Percent of the guest's exits, and of the time that they took but for idle ones, in the interval. */
  share?: number;
  timeShare?: number;
  minNs?: number;
  meanNs?: number;
  maxNs?: number;
  /** Standard error of the mean, percent of it: as perf prints it. */
  errorPercent?: number;
  histogram: number[];
}

/** A halt's time is the guest's, not the exit's. */
export const isIdle = (reason: string): boolean => /^(hlt|halt|mwait)/i.test(reason);

/** Two looks at the trace. */
export interface ExitInterval {
  before?: ExitTrace;
  now: ExitTrace;
  seconds?: number;
}

/** Sums over vCPUs. */
function joined(times: readonly ExitTime[]): ExitTime[] {
  const sums = new Map<string, ExitTime>();
  for (const time of times) {
    const sum = sums.get(time.reason);
    if (!sum) {
      sums.set(time.reason, { ...time, histogram: [...time.histogram] });
      continue;
    }
    // Means and deviations are put together by their moments.
    const [a, b] = [sum, time].map(
      ({ timed, meanNs = 0, deviationNs = 0 }) => timed * (deviationNs ** 2 + meanNs ** 2),
    );
    sum.count += time.count;
    sum.timed += time.timed;
    sum.totalNs += time.totalNs;
    sum.histogram = sum.histogram.map((n, at) => n + (time.histogram[at] ?? 0));
    if (sum.timed === 0) continue;
    sum.minNs = Math.min(sum.minNs ?? Number.POSITIVE_INFINITY, time.minNs ?? Number.POSITIVE_INFINITY);
    sum.maxNs = Math.max(sum.maxNs ?? 0, time.maxNs ?? 0);
    sum.meanNs = sum.totalNs / sum.timed;
    sum.deviationNs = Math.sqrt(Math.max(0, (a! + b!) / sum.timed - sum.meanNs ** 2));
  }
  return [...sums.values()];
}

export function exitRows(
  interval: ExitInterval,
  guests: readonly GuestRow[],
  perVcpu: boolean,
  kind: ExitKind = 'vmexit',
): ExitRow[] {
  return guests.flatMap((guest) => {
    const of = (trace: ExitTrace | undefined): ExitTime[] => {
      const times = (trace?.guests.get(guest.sample.key) ?? []).filter((time) => time.kind === kind);
      return perVcpu ? times : joined(times);
    };
    const keyOf = ({ vcpu, reason }: ExitTime): string => (perVcpu ? `${vcpu} ${reason}` : reason);
    const olds = new Map(of(interval.before).map((time) => [keyOf(time), time]));
    const { seconds } = interval;
    const rows = of(interval.now).map((time) => {
      const old = olds.get(keyOf(time));
      return { time, count: time.count - (old?.count ?? 0), ns: time.totalNs - (old?.totalNs ?? 0) };
    });
    const exits = rows.reduce((sum, { count }) => sum + count, 0);
    const busyNs = rows.reduce((sum, { time, ns }) => sum + (isIdle(time.reason) ? 0 : ns), 0);
    return rows.map(({ time, count, ns }): ExitRow => {
      const { meanNs, deviationNs, timed } = time;
      return {
        guest,
        ...(perVcpu ? { vcpu: time.vcpu } : {}),
        ...{ reason: time.reason, count: time.count, minNs: time.minNs, meanNs, maxNs: time.maxNs },
        histogram: time.histogram,
        ...(seconds ? { perSecond: count / seconds, share: exits ? (100 * count) / exits : 0 } : {}),
        ...(timed && !isIdle(time.reason) ? { timeShare: busyNs ? (100 * ns) / busyNs : 0 } : {}),
        ...(meanNs && deviationNs !== undefined
          ? { errorPercent: (100 * deviationNs) / Math.sqrt(timed) / meanNs }
          : {}),
      };
    });
  });
}

/** `850n`, `3.4u`, `21u`, `1.9m`, `3.0s`. */
export function duration(ns: number): string {
  for (const [unit, size] of [
    ['n', 1],
    ['u', 1e3],
    ['m', 1e6],
  ] as const)
    if (ns < size * 999.5)
      return `${ns < size * 9.95 && size > 1 ? (ns / size).toFixed(1) : Math.round(ns / size)}${unit}`;
  return `${(ns / 1e9).toFixed(1)}s`;
}

const or = <T>(value: T | undefined, text: (value: T) => string): string | undefined =>
  value === undefined ? undefined : text(value);
const time = (id: string, title: string, of: (row: ExitRow) => number | undefined): Column<ExitRow> => ({
  ...{ id, title, width: 7, dispensable: 1 },
  text: (row) => or(of(row), duration),
  key: (row) => of(row) ?? -1,
});
const shareOf = (id: string, title: string, of: (row: ExitRow) => number | undefined): Column<ExitRow> => ({
  ...{ id, title, width: 7, dispensable: 0 },
  text: (row) => or(of(row), percent),
  key: (row) => of(row) ?? -1,
});

export const EXIT_COLUMNS: readonly Column<ExitRow>[] = [
  {
    ...{ id: 'name', title: 'NAME', width: 18, dispensable: 0, left: true },
    text: (r) => r.guest.sample.name,
    key: (r) => r.guest.sample.name,
  },
  {
    ...{ id: 'vcpu', title: 'vCPU', width: 5, dispensable: 2 },
    text: (r) => (r.vcpu === undefined ? 'all' : String(r.vcpu)),
    key: (r) => -(r.vcpu ?? -1),
  },
  {
    ...{ id: 'reason', title: 'REASON', width: 22, dispensable: 0, left: true },
    text: (r) => `${r.reason}${isIdle(r.reason) ? ' (idle)' : ''}`,
    key: (r) => r.reason,
  },
  {
    ...{ id: 'exits', title: 'EXITS/s', width: 9, dispensable: 0 },
    text: (r) => or(r.perSecond, rate),
    key: (r) => r.perSecond ?? -1,
  },
  shareOf('share', '%EXITS', (r) => r.share),
  shareOf('timeshare', '%TIME', (r) => r.timeShare),
  time('min', 'MIN', (r) => r.minNs),
  time('mean', 'MEAN', (r) => r.meanNs),
  time('max', 'MAX', (r) => r.maxNs),
  {
    ...{ id: 'error', title: '+-%', width: 7, dispensable: 3 },
    text: (r) => or(r.errorPercent, (value) => value.toFixed(2)),
    key: (r) => r.errorPercent ?? -1,
  },
  {
    ...{ id: 'histogram', title: '<1us        <16ms', width: 18, dispensable: 2, left: true },
    text: (r) => (r.meanNs === undefined ? undefined : sparkline(r.histogram, r.histogram.length)),
    key: (r) => r.meanNs ?? -1,
  },
  {
    ...{ id: 'allexits', title: 'EXITS', width: 13, dispensable: 4 },
    text: (r) => grouped(r.count),
    key: (r) => r.count,
  },
];

/** What traces, what was lost, and what this host does not tell: one line. */
export function traceText({ by, lost, note }: ExitTrace): string {
  const parts = [by === undefined ? 'no KVM guest to trace' : `traced by ${by === 'perf' ? 'perf events' : 'tracefs'}`];
  if (lost > 0) parts.push(`${counted(grouped(lost), 'event')} lost`);
  if (note) parts.push(note);
  return parts.join('; ');
}
