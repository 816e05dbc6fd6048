/** What VM exits cost, by reason or subject, as `perf kvm stat report` prints it. Times are the guest's virtual time. */
import { exitReasonName } from '../../spec/vmx/exit-reasons.js';
import type { ExitRecord } from '../debugger.js';
import { exitSubject } from './explain-exit.js';

export interface TimedExit {
  readonly record: ExitRecord;
  /** Virtual ns that the exit took: handling, or waiting where it halts. Undefined where the vCPU's next exit is not known. */
  readonly ns?: number;
}

/**
 * An instruction takes 1 ns of virtual time, so what the clock went on between two exits beyond their instructions
 * belongs to the first. Only a vCPU's exits that follow each other tell: another one's turn takes time too.
 */
export function* withTimes(records: Iterable<ExitRecord>): Generator<TimedExit> {
  let before: ExitRecord | undefined;
  for (const record of records) {
    if (before) yield timed(before, record);
    before = record;
  }
  if (before) yield { record: before };
}

function timed(record: ExitRecord, next: ExitRecord): TimedExit {
  const ns = Number(next.clock - record.clock - (next.icount - record.icount));
  const follows = next.vcpu === record.vcpu && next.sequence === record.sequence + 1 && ns >= 0;
  return follows ? { record, ns } : { record };
}

export const REPORT_KEYS = ['reason', 'subject', 'rip', 'vcpu', 'cr3', 'gpa'] as const;
export type ReportKey = (typeof REPORT_KEYS)[number];

export interface ReportRow {
  readonly name: string;
  samples: number;
  /** How many of them have a time. */
  timed: number;
  ns: number;
  minNs: number;
  maxNs: number;
}

const PAGE = 0xfffn;
/** Names that a guest chooses are not kept without bound. */
const MAX_ROWS = 100_000;
const OTHERS = '(others)';

/** Rows by how much time they took, then by count. */
export class ExitReport {
  readonly #rows = new Map<string, ReportRow>();
  samples = 0;
  ns = 0;

  constructor(
    private readonly by: ReportKey,
    private readonly label: (address: bigint) => string | undefined,
  ) {}

  add({ record, ns }: TimedExit): void {
    const row = this.#row(this.#nameOf(record));
    row.samples++;
    this.samples++;
    if (ns === undefined) return;
    row.timed++;
    row.ns += ns;
    row.minNs = Math.min(row.minNs, ns);
    row.maxNs = Math.max(row.maxNs, ns);
    this.ns += ns;
  }

  get rows(): readonly ReportRow[] {
    return [...this.#rows.values()].sort((a, b) => b.ns - a.ns || b.samples - a.samples || (a.name < b.name ? -1 : 1));
  }

  #row(name: string): ReportRow {
    if (!this.#rows.has(name) && this.#rows.size >= MAX_ROWS) name = OTHERS;
    let row = this.#rows.get(name);
    if (!row) {
      row = { name, samples: 0, timed: 0, ns: 0, minNs: Number.POSITIVE_INFINITY, maxNs: 0 };
      this.#rows.set(name, row);
    }
    return row;
  }

  #nameOf(record: ExitRecord): string {
    const reason = exitReasonName(record.reason);
    switch (this.by) {
      case 'reason':
        return reason;
      case 'subject':
        return `${reason} ${exitSubject(record).trim()}`.trimEnd();
      case 'rip': {
        const at = record.csBase + record.rip;
        return this.label(at) ?? at.toString(16);
      }
      case 'vcpu':
        return `vcpu ${record.vcpu}`;
      case 'cr3':
        return `cr3 ${record.cr3.toString(16)}`;
      case 'gpa':
        return record.gpa === 0n ? reason : `${reason} page ${(record.gpa & ~PAGE).toString(16)}`;
    }
  }
}

const us = (ns: number) => `${(ns / 1000).toFixed(2)}us`;
const share = (part: number, whole: number) => `${(whole === 0 ? 0 : (100 * part) / whole).toFixed(2)}%`;
const HEAD = ['VM-EXIT', 'Samples', 'Samples%', 'Time%', 'Min Time', 'Max Time', 'Avg time'];

/** The same for programs: times in ns, absent for rows of which none is known. */
export function reportData(report: ExitReport, maxRows: number) {
  const { rows, samples, ns } = report;
  return {
    samples,
    ns,
    rows: rows.slice(0, maxRows).map(({ name, samples, timed, ns, minNs, maxNs }) => ({
      ...{ name, samples },
      ...(timed === 0 ? {} : { timed, ns, minNs, maxNs }),
    })),
  };
}

/** The table, at most `maxRows` rows of it. */
export function reportText(report: ExitReport, maxRows: number): string {
  const { rows, samples, ns } = report;
  const cells = rows
    .slice(0, maxRows)
    .map((row) => [
      row.name,
      String(row.samples),
      share(row.samples, samples),
      share(row.ns, ns),
      ...(row.timed === 0 ? ['-', '-', '-'] : [us(row.minNs), us(row.maxNs), us(row.ns / row.timed)]),
    ]);
  const widths = HEAD.map((head, column) => Math.max(head.length, ...cells.map((row) => row[column].length)));
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padStart(widths[column])).join('  ');
  const left = rows.length > maxRows ? [`${rows.length - maxRows} more rows`] : [];
  return `${[line(HEAD), ...cells.map(line), ...left, '', `Total Samples:${samples}, Total events handled time:${us(ns)}.`].join('\n')}\n`;
}
