/** What VM exits cost, by reason or subject, as `perf kvm stat report` prints it. Times are the guest's virtual time. */
import { counted } from '../counted.js';
import type { DurationSummary, ExitGroupKey, ExitRecord, ExitReportData, ExitReportRow } from '../debugger.js';
import { DurationHistogram } from './duration-histogram.js';
import {
  EXIT_GROUPS,
  type ExitGroup,
  exitGroup,
  groupId,
  groupName,
  type LabelOf,
  type TaskOf,
} from './exit-groups.js';

export interface TimedExit {
  readonly record: ExitRecord;
  /** Virtual ns of the exit on one time line: the machine's clock begins again at a reset, this goes on. */
  readonly at: bigint;
  /** Virtual ns that the exit took: handling, or waiting where it halts. Undefined where the vCPU's next exit is not known. */
  readonly ns?: number;
}

/**
 * What the clock went on between two exits beyond what their instructions take belongs to the first. Only a vCPU's exits
 * that follow each other tell: another one's turn takes time too.
 * @param instructionNs virtual time that an instruction takes
 */
export function* withTimes(records: Iterable<ExitRecord>, instructionNs = 1): Generator<TimedExit> {
  let before: { record: ExitRecord; at: bigint } | undefined;
  let runBegan = 0n;
  for (const record of records) {
    // after a reset exits are counted from 1 again, and the clock begins anew, but for one that S3 led to
    if (before && record.sequence <= before.record.sequence && record.clock < before.record.clock) runBegan = before.at;
    if (before) yield { ...before, ns: durationOf(before.record, record, BigInt(instructionNs)) };
    before = { record, at: runBegan + record.clock };
  }
  if (before) yield before;
}

function durationOf(record: ExitRecord, next: ExitRecord, instructionNs: bigint): number | undefined {
  const ns = Number(next.clock - record.clock - (next.icount - record.icount) * instructionNs);
  return next.vcpu === record.vcpu && next.sequence === record.sequence + 1 && ns >= 0 ? ns : undefined;
}

/** Names that a guest chooses are not kept without bound. */
const MAX_ROWS = 100_000;
const OTHERS: ExitGroup = { text: '(others)' };

interface Row {
  readonly group: ExitGroup;
  samples: number;
  readonly times: DurationHistogram;
}

export function summaryOf(times: DurationHistogram): DurationSummary {
  const { count: timed, sum: ns, min: minNs, max: maxNs, octaves } = times;
  return { timed, ns, ...(timed === 0 ? {} : { minNs, maxNs, p99Ns: times.percentile(0.99) }), octaves };
}

export class ExitReport {
  readonly #rows = new Map<string, Row>();
  #samples = 0;
  #others = 0;
  #ns = 0;

  constructor(
    private readonly by: ExitGroupKey,
    private readonly taskOf?: TaskOf,
    private readonly maxRows = MAX_ROWS,
  ) {}

  add({ record, ns }: TimedExit): void {
    const group = exitGroup(record, this.by, this.taskOf);
    if (group === undefined) {
      this.#others++;
      return;
    }
    const row = this.#row(group);
    row.samples++;
    this.#samples++;
    if (ns === undefined) return;
    row.times.add(ns);
    this.#ns += ns;
  }

  get data(): ExitReportData {
    const rows = [...this.#rows.values()]
      .map(({ group, samples, times }): ExitReportRow => ({ ...group, samples, ...summaryOf(times) }))
      .sort((a, b) => b.ns - a.ns || b.samples - a.samples || (groupId(a) < groupId(b) ? -1 : 1));
    return { by: this.by, samples: this.#samples, others: this.#others, ns: this.#ns, rows };
  }

  #row(group: ExitGroup): Row {
    const name = groupId(group);
    const found = this.#rows.get(name);
    if (found) return found;
    if (this.#rows.size >= this.maxRows && group !== OTHERS) return this.#row(OTHERS);
    const row = { group, samples: 0, times: new DurationHistogram() };
    this.#rows.set(name, row);
    return row;
  }
}

/** A row's name; the one for rows beyond the bound has its own. */
export const rowName = (by: ExitGroupKey, row: ExitReportRow, label: LabelOf): string =>
  row.text === OTHERS.text ? OTHERS.text! : groupName(by, row, label);

const us = (ns: number) => `${(ns / 1000).toFixed(2)}us`;
const share = (part: number, whole: number) => `${(whole === 0 ? 0 : (100 * part) / whole).toFixed(2)}%`;
const HEAD = ['VM-EXIT', 'Samples', 'Samples%', 'Time%', 'Min Time', 'Max Time', 'Avg time', 'P99 time'];

/** The same for programs: times in ns, absent for rows of which none is known. */
export function reportJson({ by, samples, others, ns, rows }: ExitReportData, label: LabelOf, maxRows: number) {
  return {
    ...{ by, samples, others, ns },
    rows: rows.slice(0, maxRows).map((row) => ({
      name: rowName(by, row, label),
      samples: row.samples,
      ...(row.timed === 0
        ? {}
        : {
            ...{ timed: row.timed, ns: row.ns, minNs: row.minNs, meanNs: row.ns / row.timed },
            ...{ p99Ns: row.p99Ns, maxNs: row.maxNs, histogram: bucketsOf(row.octaves) },
          }),
    })),
  };
}

/** Octaves that hold something, and those between: from how many ns on, and how many. */
export function bucketsOf(octaves: readonly number[]): { fromNs: number; count: number }[] {
  const first = octaves.findIndex((count) => count > 0);
  return octaves
    .slice(Math.max(0, first))
    .map((count, n) => ({ fromNs: first + n === 0 ? 0 : 2 ** (first + n), count }));
}

/** The table, at most `maxRows` rows of it. @param histogram each row's times by their length, behind it */
export function reportText(data: ExitReportData, label: LabelOf, maxRows: number, histogram = false): string {
  const { by, rows, samples, others, ns } = data;
  const shown = rows.slice(0, maxRows);
  const cells = shown.map((row) => [
    rowName(by, row, label),
    String(row.samples),
    share(row.samples, samples),
    share(row.ns, ns),
    ...(row.timed === 0 ? ['-', '-', '-', '-'] : [row.minNs!, row.maxNs!, row.ns / row.timed, row.p99Ns!].map(us)),
  ]);
  const widths = HEAD.map((head, column) => Math.max(head.length, ...cells.map((row) => row[column].length)));
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padStart(widths[column])).join('  ');
  const left = rows.length > maxRows ? [counted(rows.length - maxRows, 'more row')] : [];
  const none = others > 0 ? [`${counted(others, 'other exit has', 'other exits have')} no ${EXIT_GROUPS[by]}.`] : [];
  const pictures = histogram
    ? shown
        .filter(({ timed }) => timed > 0)
        .flatMap((row) => ['', `${rowName(by, row, label)}:`, ...histogramLines(row.octaves)])
    : [];
  return `${[
    ...[line(HEAD), ...cells.map(line), ...left, ...pictures, ''],
    `Total Samples:${samples}, Total events handled time:${us(ns)}.`,
    ...none,
  ].join('\n')}\n`;
}

const BAR = 40;

/** A bar an octave. */
export function histogramLines(octaves: readonly number[]): string[] {
  const buckets = bucketsOf(octaves);
  const most = Math.max(1, ...buckets.map(({ count }) => count));
  return buckets.map(({ fromNs, count }) => {
    const to = durationText(fromNs === 0 ? 2 : fromNs * 2);
    const bar = '@'.repeat(Math.ceil((count / most) * BAR)).padEnd(BAR);
    return `  ${durationText(fromNs).padStart(8)} to ${to.padEnd(8)} |${bar}| ${count}`;
  });
}

const UNITS: readonly (readonly [ns: number, unit: string])[] = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'us'],
];

/** `512ns`, `1.02us`, `16.4us`, `131us`, `2.10ms`. */
export function durationText(ns: number): string {
  const [unit, name] = UNITS.find(([least]) => ns >= least) ?? [1, 'ns'];
  const value = ns / unit;
  return `${unit === 1 ? Math.round(value) : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)}${name}`;
}
