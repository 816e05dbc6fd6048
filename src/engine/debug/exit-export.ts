/** VM exits for people and other programs, one at a time: text, CSV, JSON lines, Perfetto's JSON. */
import { exitReasonName } from '../../spec/vmx/exit-reasons.js';
import type { ExitRecord } from '../debugger.js';
import { EXIT_FIELDS } from './exit-condition.js';
import type { LabelOf } from './exit-groups.js';
import type { TimedExit } from './exit-report.js';
import { describeAction, exitSubject } from './explain-exit.js';

export const EXPORT_FORMATS = ['text', 'csv', 'json', 'perfetto'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** The text for a record, and what stands before the first and behind the last one. */
export interface ExitWriter {
  readonly head: string;
  record(exit: TimedExit): string;
  readonly tail: string;
}

const hex = (value: bigint | number) => value.toString(16);
/** Counts stand in decimal, everything else in hexadecimal. */
const DECIMAL = new Set<keyof ExitRecord>(['sequence', 'icount', 'clock', 'vcpu', 'reason', 'instructionLength']);

export function exitWriter(format: ExportFormat, label: LabelOf): ExitWriter {
  switch (format) {
    case 'text':
      return { head: '', record: ({ record }) => textLine(record, label), tail: '' };
    case 'csv':
      return { head: `${CSV_HEAD.join(',')}\n`, record: ({ record }) => csvLine(record, label), tail: '' };
    case 'json':
      return { head: '', record: ({ record, ns }) => `${JSON.stringify({ ...plain(record, label), ns })}\n`, tail: '' };
    case 'perfetto':
      return new PerfettoWriter(label);
  }
}

function textLine(record: ExitRecord, label: LabelOf): string {
  const at = record.csBase + record.rip;
  const cells = [
    `#${record.sequence}`.padStart(8),
    `icount ${record.icount}`.padEnd(20),
    `vcpu ${record.vcpu}`,
    exitReasonName(record.reason).padEnd(20),
    exitSubject(record).trim().padEnd(24),
    `${hex(at).padStart(16, '0')} ${label(at) ?? ''}`.padEnd(44),
    describeAction(record),
  ];
  return `${cells.join('  ').trimEnd()}\n`;
}

const CSV_HEAD = ['sequence', 'name', ...EXIT_FIELDS.slice(1), 'action', 'subject', 'symbol'];

/** A text that a spreadsheet must not take for a formula. */
function csvCell(text: string): string {
  const safe = /^[=+\-@\t]/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

/** Addresses in hexadecimal. */
function csvLine(record: ExitRecord, label: LabelOf): string {
  const fields = EXIT_FIELDS.slice(1).map((field) => {
    const cell = record[field];
    return typeof cell === 'bigint' && !DECIMAL.has(field) ? `0x${hex(cell)}` : String(cell);
  });
  const cells = [
    String(record.sequence),
    exitReasonName(record.reason),
    ...fields,
    record.action,
    exitSubject(record).trim(),
    label(record.csBase + record.rip) ?? '',
  ];
  return `${cells.map(csvCell).join(',')}\n`;
}

/** Numbers of 64 bits as hexadecimal texts, since JSON's readers lose bits of large numbers; counts as numbers. */
function plain(record: ExitRecord, label: LabelOf): Record<string, unknown> {
  const fields = EXIT_FIELDS.map((field) => {
    const value = record[field];
    if (typeof value !== 'bigint') return [field, value];
    return [field, DECIMAL.has(field) ? Number(value) : `0x${hex(value)}`];
  });
  const symbol = label(record.csBase + record.rip);
  return {
    name: exitReasonName(record.reason),
    ...Object.fromEntries(fields),
    ...(record.elements === undefined ? {} : { elements: record.elements }),
    action: record.action,
    subject: exitSubject(record).trim(),
    ...(symbol === undefined ? {} : { symbol }),
  };
}

/**
 * Trace events as ui.perfetto.dev and chrome://tracing read them: a slice an exit on its vCPU's track, as long as the
 * machine's clock stood at it. Times are virtual, in microseconds.
 */
class PerfettoWriter implements ExitWriter {
  readonly head = `{"displayTimeUnit":"ns","traceEvents":[\n${JSON.stringify(named('process_name', 0, 'guest'))}`;
  readonly tail = '\n]}\n';
  readonly #named = new Set<number>();

  constructor(private readonly label: LabelOf) {}

  record({ record, at, ns }: TimedExit): string {
    const { vcpu } = record;
    const slice = {
      ph: 'X',
      name: exitReasonName(record.reason),
      cat: 'vmexit',
      ...track(vcpu),
      ts: Number(at) / 1000,
      dur: (ns ?? 0) / 1000,
      args: plain(record, this.label),
    };
    const lines = this.#named.has(vcpu) ? [slice] : [named('thread_name', vcpu, `vcpu ${vcpu}`), slice];
    this.#named.add(vcpu);
    return lines.map((line) => `,\n${JSON.stringify(line)}`).join('');
  }
}

/** A vCPU's thread. Perfetto takes thread 0 for one that is not told, and gives it the process's number: no vCPU is thread 0. */
const track = (vcpu: number) => ({ pid: 1, tid: vcpu + 1 });

const named = (what: 'process_name' | 'thread_name', vcpu: number, name: string) => ({
  ...{ ph: 'M', name: what },
  ...track(vcpu),
  args: { name },
});
