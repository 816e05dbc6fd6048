/** Which known avoidable patterns the exits at hand show. No hint where its numbers do not say so. */
import { counted } from '../counted.js';
import type { ExitHint, ExitRecord } from '../debugger.js';
import { HINT_ROWS, type HintRow } from './exit-hint-rows.js';
import { recordedRip } from './exit-place.js';
import { durationText, type TimedExit } from './exit-report.js';

/** So many exits of a pattern, and so large a share of all, are worth a word. */
const LEAST_EXITS = 100;
const LEAST_SHARE = 0.05;
const MAX_KEYS = 1000;
const MAX_VCPUS = 1024;

interface Pattern {
  readonly row: HintRow;
  exits: number;
  ns: number;
  /** Of all exits that have a key, whether they count or not. */
  keyed: number;
  readonly keys: Map<string, { exits: number; rip: bigint }>;
  /** By vCPU: the key of the exit before, and where it came from. */
  readonly before: Map<number, string>;
}

const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

export class ExitHints {
  readonly #patterns = HINT_ROWS.map(
    (row): Pattern => ({ row, exits: 0, ns: 0, keyed: 0, keys: new Map(), before: new Map() }),
  );
  #all = 0;
  /** Virtual ns of the runs before a reset, and where the one at hand began and is. */
  #elapsed = 0n;
  #first: bigint | undefined;
  #last = 0n;

  add({ record, ns }: TimedExit): void {
    this.#first ??= record.clock;
    // a reset begins the clock anew
    if (record.clock < this.#last) {
      this.#elapsed += this.#last - this.#first;
      this.#first = record.clock;
    }
    this.#last = record.clock;
    this.#all++;
    for (const pattern of this.#patterns) take(pattern, record, ns);
  }

  /** Those that took most time first. */
  get found(): ExitHint[] {
    return this.#patterns
      .filter((pattern) => this.#isOne(pattern))
      .map((pattern) => this.#hint(pattern))
      .sort((a, b) => b.ns - a.ns || b.exits - a.exits);
  }

  /** Virtual seconds from the first exit to the last. */
  get #seconds(): number {
    return Number(this.#elapsed + this.#last - (this.#first ?? 0n)) / 1e9;
  }

  #isOne({ row, exits, keyed }: Pattern): boolean {
    if (exits < LEAST_EXITS || exits < LEAST_SHARE * this.#all) return false;
    if (row.below !== undefined && exits * 2 < keyed) return false;
    return row.perSecond === undefined || exits >= row.perSecond * this.#seconds;
  }

  #hint({ row, exits, ns, keys }: Pattern): ExitHint {
    const [name, { exits: most, rip }] = [...keys].sort(([, a], [, b]) => b.exits - a.exits)[0]!;
    const share = ((100 * exits) / this.#all).toFixed(1);
    const seconds = this.#seconds;
    const rate = seconds > 0 ? `, ${grouped(Math.round(exits / seconds))} a second of virtual time` : '';
    const how = row.inARow ? ' in a row' : row.below === undefined ? '' : ` shorter than ${durationText(row.below)}`;
    const top = keys.size > 1 ? `, ${grouped(most)} of them ${name}` : ` of ${name}`;
    return {
      ...{ id: row.id, title: row.title, cause: row.cause, advice: row.advice, source: row.source, exits, ns },
      evidence: `${grouped(exits)} of ${counted(grouped(this.#all), 'exit')} (${share}%)${how}${top}${rate}; they took ${durationText(ns)}; last at ${rip.toString(16)}`,
    };
  }
}

function take(pattern: Pattern, record: ExitRecord, ns: number | undefined): void {
  const { row, keys, before } = pattern;
  const key = row.key(record);
  if (row.inARow) {
    const here = key === undefined ? '' : `${key} ${recordedRip(record)}`;
    const again = here !== '' && before.get(record.vcpu) === here;
    if (before.has(record.vcpu) || before.size < MAX_VCPUS) before.set(record.vcpu, here);
    if (!again) return;
  }
  if (key === undefined) return;
  pattern.keyed++;
  if (row.below !== undefined && !(ns !== undefined && ns < row.below)) return;
  pattern.exits++;
  pattern.ns += ns ?? 0;
  const name = keys.has(key) || keys.size < MAX_KEYS ? key : 'others';
  const found = keys.get(name);
  if (found) {
    found.exits++;
    found.rip = recordedRip(record);
  } else keys.set(name, { exits: 1, rip: recordedRip(record) });
}

/** As people read them; a line for none. */
export function hintsText(hints: readonly ExitHint[]): string {
  if (hints.length === 0) return 'no known avoidable pattern among the exits that the trace has';
  return hints
    .map(({ title, evidence, cause, advice, source }) =>
      [title, `  seen    ${evidence}`, `  cause   ${cause}`, `  avoid   ${advice}`, `  source  ${source}`].join('\n'),
    )
    .join('\n\n');
}
