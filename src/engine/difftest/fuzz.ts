// Cases through an oracle and the core, compared, sorted by what differs, shrunk.
import type { Mode } from './bed.js';
import { type Case, type CaseRunner, describeCase, GPR_NAMES, type Outcome } from './case.js';
import { compareOutcomes, type Difference, judge } from './compare.js';
import { type GeneratorOptions, randomCases, systematicCases } from './generate.js';
import type { Party } from './quirk.js';
import { shrink } from './shrink.js';
import type { Vector } from './vector.js';

export interface Oracle {
  party: Party;
  runner: CaseRunner;
  /** Cases that this oracle can judge; all when absent. */
  accepts?(c: Case): boolean;
  /** Modes that it has; all when absent. */
  modes?: readonly Mode[];
}

/** The host's CPU on a case that a KVM and the core see differently. */
export type Referee = (c: Case) => Outcome | undefined;

export interface FuzzOptions extends GeneratorOptions {
  seed: number;
  /** Stop after this many cases that were compared. */
  cases?: number;
  /** Stop after this time; needs `now`. */
  seconds?: number;
  /** Milliseconds from a clock of the host's. */
  now?: () => number;
  /** Systematic cases, this many per template, mode and ring (0: one of each form), instead of random ones. */
  systematic?: number;
  /** Keep one agreeing case per instruction and mode, to be recorded. */
  keep?: boolean;
  /** Asked where the oracle is an emulator that may be wrong itself. */
  referee?: Referee;
  /** Groups of failures that are shrunk and reported in full. */
  maxFailures?: number;
}

export interface Failure {
  /** Instruction and the fields that differ: the group's name. */
  signature: string;
  count: number;
  case: Case;
  expected: Outcome;
  actual: Outcome;
  differences: Difference[];
}

export interface FuzzReport {
  seed: number;
  oracle: Party;
  compared: number;
  /** Cases that the oracle could not run, by its reason. */
  unsupported: Record<string, number>;
  /** Differences put down to the oracle, by the row of the table of quirks. */
  excused: Record<string, number>;
  failing: number;
  failures: Failure[];
  /** With `keep`: cases on which both agree. */
  kept: Vector[];
}

/** Excuse of a difference in which the host's CPU, given the same case, does what the core does. */
export const OVERRULED = 'host-cpu-agrees-with-core';

/** As many as share a memory image: an oracle in a process of its own starts once for each batch. */
const BATCH = 4096;
const DEFAULT_CASES = 20_000;

/** Instruction and kind of difference; which register it was does not matter. */
export function signatureOf(c: Case, differences: readonly Difference[]): string {
  const names = differences.map((d) => {
    if (d.field === 'ending') return `${d.expected} -> ${d.actual}`;
    return GPR_NAMES.includes(d.field) ? 'register' : d.field;
  });
  // An instruction that should have faulted may then do anything.
  const kinds = names[0].includes('->') ? names.slice(0, 1) : [...new Set(names)];
  return `${c.name}: ${kinds.join(', ')}`;
}

/** Runs until `cases` or `seconds` are up, or the systematic cases are through. */
export function runFuzz(oracle: Oracle, subject: CaseRunner, options: FuzzOptions): FuzzReport {
  const report: FuzzReport = {
    seed: options.seed,
    oracle: oracle.party,
    compared: 0,
    unsupported: {},
    excused: {},
    failing: 0,
    failures: [],
    kept: [],
  };
  const keptNames = new Set<string>();
  const groups = new Map<string, Failure>();
  const { now } = options;
  const limit =
    options.cases ??
    (options.seconds === undefined && options.systematic === undefined ? DEFAULT_CASES : Number.POSITIVE_INFINITY);
  const end = now && options.seconds !== undefined ? now() + options.seconds * 1000 : Number.POSITIVE_INFINITY;
  const stream =
    options.systematic !== undefined
      ? systematicCases(options.seed, options.systematic, options)
      : randomCases(options.seed, options);

  let batch: Case[] = [];
  const flush = (): void => {
    const expected = oracle.runner.run(batch);
    const actual = subject.run(batch);
    batch.forEach((c, i) => {
      tally(c, expected[i], actual[i]);
    });
    batch = [];
  };
  /** A host event at the wrong moment can spoil a run on the oracle: what differs is run again there. */
  const steady = (c: Case, expected: Outcome): boolean =>
    [0, 1].every(() => compareOutcomes(c, expected, oracle.runner.run([c])[0]).length === 0);
  const overruled = (c: Case, actual: Outcome): boolean => {
    const native = options.referee?.(c);
    return native !== undefined && judge(c, 'native', native, actual).differences.length === 0;
  };
  const tally = (c: Case, expected: Outcome, actual: Outcome): void => {
    if (expected.ending === 'unsupported') {
      const why = expected.detail.replace(/ [0-9a-f]{8,}.*/, '');
      report.unsupported[why] = (report.unsupported[why] ?? 0) + 1;
      return;
    }
    report.compared++;
    const { differences, excused: row } = judge(c, oracle.party, expected, actual);
    const excused = row === '' && differences.length > 0 && overruled(c, actual) ? OVERRULED : row;
    if (excused !== '') report.excused[excused] = (report.excused[excused] ?? 0) + 1;
    const keptName = `${c.mode} ${c.name}`;
    if (options.keep && differences.length === 0 && expected.ending === 'exception' && !keptNames.has(keptName)) {
      keptNames.add(keptName);
      report.kept.push({ case: c, expected, recordedOn: oracle.party });
    }
    if (differences.length === 0 || excused !== '') return;
    if (!steady(c, expected)) {
      report.excused['oracle-unsteady'] = (report.excused['oracle-unsteady'] ?? 0) + 1;
      return;
    }
    report.failing++;
    const signature = signatureOf(c, differences);
    const group = groups.get(signature);
    if (group) group.count++;
    else groups.set(signature, { signature, count: 1, case: c, expected, actual, differences });
  };

  let taken = 0;
  for (const c of stream) {
    if (oracle.accepts && !oracle.accepts(c)) continue;
    batch.push(c);
    taken++;
    if (batch.length === BATCH) flush();
    if (taken >= limit || (batch.length === 0 && now && now() >= end)) break;
  }
  if (batch.length > 0) flush();
  report.failures = [...groups.values()].sort((a, b) => b.count - a.count);
  for (const failure of report.failures.slice(0, options.maxFailures ?? 20)) shrinkFailure(oracle, subject, failure);
  return report;
}

function shrinkFailure(oracle: Oracle, subject: CaseRunner, failure: Failure): void {
  const verdicts = (cases: readonly Case[]): { expected: Outcome; actual: Outcome; differences: Difference[] }[] => {
    const runnable = cases.filter((c) => !oracle.accepts || oracle.accepts(c));
    const expected = oracle.runner.run(runnable);
    const actual = subject.run(runnable);
    let next = 0;
    return cases.map((c) => {
      if (oracle.accepts && !oracle.accepts(c))
        return { expected: failure.expected, actual: failure.actual, differences: [] };
      const [e, a] = [expected[next], actual[next]];
      next++;
      if (e.ending === 'unsupported') return { expected: e, actual: a, differences: [] };
      const { differences, excused } = judge(c, oracle.party, e, a);
      return { expected: e, actual: a, differences: excused === '' ? differences : [] };
    });
  };
  const same = (differences: readonly Difference[]): boolean =>
    differences.length > 0 && differences[0].field === failure.differences[0].field;
  const small = shrink(failure.case, (cases) => verdicts(cases).map((v) => same(v.differences)));
  const [verdict] = verdicts([small]);
  if (!same(verdict.differences)) return;
  failure.case = small;
  failure.expected = verdict.expected;
  failure.actual = verdict.actual;
  failure.differences = verdict.differences;
}

/** The report as lines of text. */
export function describeReport(report: FuzzReport): string[] {
  const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((a, b) => a + b, 0);
  const lines = [
    `seed ${report.seed}, oracle ${report.oracle}: ${report.compared} compared, ${report.failing} differ, ` +
      `${sum(report.excused)} excused, ${sum(report.unsupported)} not run by the oracle`,
  ];
  for (const [id, count] of Object.entries(report.excused).sort((a, b) => b[1] - a[1]))
    lines.push(`  excused ${count} ${id}`);
  for (const [why, count] of Object.entries(report.unsupported).sort((a, b) => b[1] - a[1]))
    lines.push(`  not run ${count} ${why}`);
  for (const failure of report.failures) {
    lines.push(`${failure.count} x ${failure.signature}`, `    ${describeCase(failure.case)}`);
    for (const d of failure.differences) lines.push(`    ${d.field}: expected ${d.expected}, core ${d.actual}`);
  }
  return lines;
}
