/** The inputs of a run as a recording's blocks hold them: rows of what differs from the input before. */
import {
  bytes,
  count,
  list,
  oneOf,
  optional,
  record,
  type Schema,
  StateError,
  type StateOf,
  text,
  time,
  tuple,
  u64,
} from '../../state/schema.js';
import { compareInstants, type Instant, PHASE } from '../../time/instant.js';
import type { HostInput } from '../../time/journal.js';
import { deflateJson, inflateJson } from './json.js';

const PHASES = oneOf(PHASE.exited, PHASE.handled, PHASE.entered, PHASE.halted);
export const INSTANT: Schema<Instant> = record({ icount: u64, exits: count, at: time, turn: count, phase: PHASES });

/** What each kind of input brings. */
const DATA: Record<string, Schema<HostInput['data']>> = {
  'wall-clock': time,
  seed: time,
  serial0: bytes(),
  console0: bytes(),
  net0: bytes(),
  balloon0: count,
  'balloon0-stats': count,
  key: text,
  'key-down': text,
  'key-up': text,
  mouse: bytes(),
  medium: text,
  control: text,
  debugger: text,
  flush: count,
  clock: time,
};

/** An input's kind; its instant, where that is another one than of the input before; its data. */
const ROW = tuple(text, optional(tuple(u64, count, time, count, PHASES)), { check: (value: unknown) => value });
/** With the position of the first one. */
const BLOCK = record({ first: count, rows: list(ROW, { atMost: 1 << 22 }) });

export function encodeInputs(first: number, inputs: readonly HostInput[]): Buffer {
  let before: Instant | undefined;
  const rows = inputs.map((input) => {
    const { kind, icount, exits, at, turn, phase, data } = input;
    const same = before !== undefined && compareInstants(before, input) === 0;
    before = input;
    return [kind, same ? undefined : [icount, exits, at, turn, phase], data] as const;
  });
  return deflateJson({ first, rows: rows.map(([kind, instant, data]) => [kind, instant ?? null, data]) });
}

/** @throws StateError where one is no input of a machine */
export function decodeInputs(body: Uint8Array): { first: number; inputs: HostInput[] } {
  const { first, rows } = BLOCK.check(withoutNull(inflateJson(body)), 'inputs');
  let before: Instant | undefined;
  const inputs = rows.map(([kind, stamp, data], i): HostInput => {
    if (stamp) {
      const [icount, exits, at, turn, phase] = stamp;
      before = { icount, exits, at, turn, phase };
    }
    if (before === undefined || !Object.hasOwn(DATA, kind)) throw new StateError(`input ${first + i} is none`);
    return { ...before, kind, data: DATA[kind].check(data, `input ${first + i}`) };
  });
  return { first, inputs };
}

/** JSON has null where a row has nothing. */
function withoutNull(value: unknown): unknown {
  const { rows, ...rest } = (value ?? {}) as StateOf<typeof BLOCK>;
  if (!Array.isArray(rows)) return value;
  return { ...rest, rows: rows.map((row) => (Array.isArray(row) ? row.map((item) => item ?? undefined) : row)) };
}
