/** Rows of the exits view: a reason, or a group by what exits were about, and their columns. */
import { bucketsOf, durationText, rowName } from '../../engine/debug/exit-report.js';
import type { ExitGroupKey, ExitReportData, ExitReportRow } from '../../engine/debugger.js';
import { grouped, rate, sparkline } from '../screen/text.js';

export interface ExitRow {
  name: string;
  count: number;
  /** Exits a second: over the last second, and the mean and largest of the last minute; 0 where that is not counted. */
  rate: number;
  average: number;
  peak: number;
  history: readonly number[];
  /** Of those in the trace. */
  times?: ExitReportRow;
}

export const SORTS = ['rate', 'count', 'time', 'mean', 'p99', 'max', 'average', 'peak', 'name'] as const;
export type Sort = (typeof SORTS)[number];

/** Those of counts over time, which groups do not have. */
export const RATES: ReadonlySet<Sort> = new Set(['rate', 'average', 'peak']);

const meanOf = ({ times }: ExitRow): number => (times?.timed ? times.ns / times.timed : 0);
const byNumber = (of: (row: ExitRow) => number) => (a: ExitRow, b: ExitRow) => of(b) - of(a);

/** The largest first. */
export const ORDERS: Readonly<Record<Sort, (a: ExitRow, b: ExitRow) => number>> = {
  count: byNumber(({ count }) => count),
  rate: (a, b) => b.rate - a.rate || b.count - a.count,
  time: byNumber(({ times }) => times?.ns ?? 0),
  mean: byNumber(meanOf),
  p99: byNumber(({ times }) => times?.p99Ns ?? 0),
  max: byNumber(({ times }) => times?.maxNs ?? 0),
  average: byNumber(({ average }) => average),
  peak: byNumber(({ peak }) => peak),
  name: (a, b) => (a.name < b.name ? -1 : 1),
};

export interface Column {
  readonly head: string;
  readonly width: number;
  readonly text: (row: ExitRow) => string;
}

const percent = (part: number, whole: number): string => `${((100 * part) / (whole || 1)).toFixed(1)}%`;
const perSecond = (value: number): string => (value ? rate(value) : '-');
const time = (ns: number | undefined): string => (ns === undefined ? '-' : durationText(ns));

/** Of the times of those that the trace has. @param ns that all rows took @param coming they are not known yet */
export const timeColumns = (ns: number, coming = false): Column[] => [
  { head: 'TIME%', width: 7, text: ({ times }) => (coming ? '…' : times?.timed ? percent(times.ns, ns) : '-') },
  { head: 'MIN', width: 8, text: ({ times }) => time(times?.minNs) },
  { head: 'MEAN', width: 8, text: (row) => (row.times?.timed ? durationText(meanOf(row)) : '-') },
  { head: 'P99', width: 8, text: ({ times }) => time(times?.p99Ns) },
  { head: 'MAX', width: 8, text: ({ times }) => time(times?.maxNs) },
];

export const COUNT: Column = { head: 'COUNT', width: 11, text: ({ count }) => grouped(count) };
export const shareColumn = (share: (row: ExitRow) => number | undefined): Column => ({
  head: 'SHARE',
  width: 7,
  text: (row) => {
    const part = share(row);
    return part === undefined ? '-' : percent(part, 1);
  },
});
export const RATE: Column = { head: 'RATE/s', width: 8, text: (row) => perSecond(row.rate) };
export const OVER_TIME: readonly Column[] = [
  { head: 'AVG/s', width: 8, text: (row) => perSecond(row.average) },
  { head: 'PEAK/s', width: 8, text: (row) => perSecond(row.peak) },
];

/** The times as a bar an octave, from which length on. */
export function octavesText({ times }: ExitRow, width: number): string {
  if (!times?.timed) return ''.padEnd(width);
  const buckets = bucketsOf(times.octaves);
  return `${durationText(buckets[0]!.fromNs).padStart(6)} ${sparkline(
    buckets.map(({ count }) => count),
    buckets.length,
  )}`
    .slice(0, width)
    .padEnd(width);
}

/** Groups of a report as rows. */
export function groupRows(report: ExitReportData, label: (address: bigint) => string | undefined): ExitRow[] {
  return report.rows.map((times) => ({
    ...{ name: rowName(report.by, times, label), count: times.samples, times },
    ...{ rate: 0, average: 0, peak: 0, history: [] },
  }));
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** What holds for the exits of a group alone, as breakpoints take it; undefined where it cannot be said. */
export function groupCondition(by: ExitGroupKey, { value, reason, text }: ExitReportRow): string | undefined {
  if (value === undefined) return undefined;
  switch (by) {
    case 'port':
      return `IO_INSTRUCTION if port == ${hex(value)} and (qualification & 8) ${text === 'in' ? '!=' : '=='} 0`;
    case 'msr':
      return `${text === 'read' ? 'MSR_READ' : 'MSR_WRITE'} if msr == ${hex(value)}`;
    case 'leaf':
      return `CPUID if leaf == ${hex(value)}${text ? ` and subleaf == 0x${text.slice(1)}` : ''}`;
    case 'gpa':
      return `${reason} if gpa >= ${hex(value)} and gpa < ${hex(value + 0x1000n)}`;
    case 'rip':
      return `any if rip == ${hex(value)}`;
    case 'vcpu':
      return `any if vcpu == ${value}`;
    case 'cr3':
    case 'task':
      return `any if (cr3 & 0xffffffffff000) == ${hex(value)}`;
    default:
      return undefined;
  }
}

/** A filter of the trace's rows that only exits of a group pass; undefined where their text does not tell. */
export function groupFilter(by: ExitGroupKey, { value, text }: ExitReportRow, name: string): string | undefined {
  const digits = value?.toString(16) ?? '';
  switch (by) {
    case 'port':
      return `\\b${text} port 0*${digits}\\b`;
    case 'msr':
      return `MSR_${text === 'read' ? 'READ' : 'WRITE'} .*\\b${name.split(' ')[0]}\\b`;
    case 'leaf':
      return `\\bleaf ${digits}${text ? `\\${text}\\b` : '\\.'}`;
    case 'gpa':
      return `\\b0*${(value! >> 12n).toString(16)}[0-9a-f]{3}\\b`;
    case 'rip':
      return `\\b${digits}\\b`;
    case 'subject':
      return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/ +/g, ' +');
    default:
      return undefined;
  }
}
