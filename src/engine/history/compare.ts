/** Where the VM exits of two lines of the run begin to differ. */

import { TRACE_RECORDS, TRACE_SEQUENCE } from '../core/layout.js';
import { readRecordOf } from '../debug/trace-reader.js';
import type { ExitDifference, ExitRecord } from '../debugger.js';
import type { Instant } from '../time/instant.js';
import type { Vm } from '../vmm/vm.js';
import type { History } from './history.js';
import type { Line } from './lines.js';
import { travel } from './travel.js';

/** Exits that are read of one line before the other is looked at: few at first, since most lines part soon. */
const FIRST_EXITS = 64;
const MOST_EXITS = 65536;
/** So many run between two looks at the ring of exits, which holds more. */
const RING_EXITS = TRACE_RECORDS / 2;

/** Registers that an exit is about, by its reason: what another exit's hold is another value of a register. */
const OPERANDS: Readonly<Record<number, readonly ('rax' | 'rcx')[]>> = {
  10: ['rax', 'rcx'],
  18: ['rax', 'rcx'],
  31: ['rcx'],
  32: ['rcx', 'rax'],
  55: ['rcx', 'rax'],
};
const IO = 30;
const IO_IN = 1n << 3n;

const FIELDS = [
  ...([
    'reason',
    'vcpu',
    'rip',
    'csBase',
    'qualification',
    'gla',
    'gpa',
    'instructionLength',
    'instructionInfo',
  ] as const),
  ...(['interruptionInfo', 'interruptionError', 'vectoringInfo', 'vectoringError'] as const),
];

/** What of two exits is not the same: why and where, what it was about; not when, nor what came of it. */
export function differingFields(a: ExitRecord, b: ExitRecord): ExitDifference['fields'] {
  const fields: ExitDifference['fields'] = FIELDS.filter((name) => a[name] !== b[name]);
  if (a.reason !== b.reason) return fields;
  for (const name of OPERANDS[a.reason & 0xffff] ?? []) if (a[name] !== b[name]) fields.push(name);
  if (a.reason === IO && a.qualification === b.qualification && !(a.qualification & IO_IN)) {
    const bits = 8 * (Number(a.qualification & 7n) + 1);
    if (BigInt.asUintN(bits, a.rax) !== BigInt.asUintN(bits, b.rax)) fields.push('rax');
  }
  return fields;
}

export interface Parted {
  /** Exits in which both are the same, counted from power-on. */
  same: number;
  /** Among them such whose records are gone: a reset of the guest begins the trace anew. */
  unseen: number;
  difference?: ExitDifference;
}

/**
 * Compares two lines from where they part up to the end of the shorter one. Leaves the machine somewhere.
 * @param parting where that is
 */
export function* compareLines(history: History, vm: Vm, a: Line, b: Line, parting: Instant): Generator<number, Parted> {
  const ends = [a, b].map((line) => history.tip(line).instant.exits);
  const last = Math.min(...ends);
  let same = parting.exits;
  let unseen = 0;
  for (let most = FIRST_EXITS; same < last; most = Math.min(MOST_EXITS, most * 4)) {
    const until = Math.min(last, same + most);
    const done = (share: number): number => (same - parting.exits + share * (until - same)) / (last - parting.exits);
    const first = yield* exitsOf(history, vm, a, parting, same, until, (share) => done(share / 2));
    const second = yield* exitsOf(history, vm, b, parting, same, until, (share) => done(0.5 + share / 2));
    const count = Math.min(first.length, second.length);
    for (let n = 0; n < count; n++) {
      const [one, other] = [first[n], second[n]];
      if (one === undefined || other === undefined) {
        unseen++;
        continue;
      }
      const fields = differingFields(one, other);
      if (fields.length > 0)
        return { same: same + n, unseen, difference: { exit: same + n + 1, a: one, b: other, fields } };
    }
    if (count < until - same) return { same: same + count, unseen };
    same = until;
  }
  return { same, unseen };
}

/** The exits of a line with numbers above `after` and up to `until`. */
function* exitsOf(
  history: History,
  vm: Vm,
  line: Line,
  parting: Instant,
  after: number,
  until: number,
  share: (part: number) => number,
): Generator<number, (ExitRecord | undefined)[]> {
  history.enter(line);
  yield* travel(
    history,
    after === parting.exits ? { kind: 'instant', instant: parting } : { kind: 'exit', exits: after },
  );
  const records: (ExitRecord | undefined)[] = [];
  for (let at = after; at < until; ) {
    const to = Math.min(until, at + RING_EXITS);
    const before = vm.host.getNumber(TRACE_SEQUENCE);
    for (;;) {
      const { kind } = history.repeat({ kind: 'exit', exits: to });
      if (kind === 'reached' || kind === 'end') break;
      yield share((history.now().exits - after) / (until - after));
    }
    const { exits } = history.now();
    const newest = vm.host.getNumber(TRACE_SEQUENCE);
    for (let exit = at + 1; exit <= Math.min(exits, to); exit++) {
      // a reset of the guest begins its trace anew, and leaves the old records where nothing has come over them
      const sequence = newest - (exits - exit);
      records.push(readRecordOf(vm.host, sequence > 0 ? sequence : before + (exit - at)));
    }
    if (exits < to) break;
    at = to;
  }
  return records;
}
