import { describe, expect, test } from 'vitest';
import { exitWriter } from '../../src/engine/debug/exit-export.js';
import { type TimedExit, withTimes } from '../../src/engine/debug/exit-report.js';
import { EXIT } from '../debug/exit-record.js';
import { importTrace } from './perfetto-import.js';
import { wrongInTrace } from './reader-rules.js';

function written(exits: Iterable<TimedExit>): string {
  const writer = exitWriter('perfetto', () => undefined);
  return writer.head + [...exits].map((exit) => writer.record(exit)).join('') + writer.tail;
}

/** Exits of a machine one by one, `[vcpu, clock]`; a clock that goes back is a reset. */
function exits(...places: [vcpu: number, clock: bigint][]): Iterable<TimedExit> {
  let sequence = 0;
  let last = 0n;
  return withTimes(
    places.map(([vcpu, clock]) => {
      sequence = clock < last ? 1 : sequence + 1;
      last = clock;
      return { ...EXIT, sequence, vcpu, clock };
    }),
  );
}

const slice = { ph: 'X', name: 'a', pid: 1, tid: 1, ts: 1, dur: 2 };
const errorsOf = (...events: object[]) => importTrace(JSON.stringify({ traceEvents: events })).errors;

describe("what Perfetto's trace processor has of a file of ours", () => {
  test('a thread of its own for each vCPU, with its name', () => {
    const text = written(exits([0, 1000n], [1, 2000n], [1, 2500n], [0, 3000n], [0, 3001n]));
    const { processes, threads, errors } = importTrace(text);
    expect([errors, wrongInTrace(JSON.parse(text))]).toEqual([[], []]);
    expect([...processes.values()]).toEqual([{ name: 'guest' }]);
    const tracks = [...threads.values()].map(({ name, slices }) => [name, slices.map(({ ts, dur }) => [ts, dur])]);
    expect(Object.fromEntries(tracks)).toEqual({
      'vcpu 0': [
        [1000, 0],
        [3000, 1],
        [3001, 0],
      ],
      'vcpu 1': [
        [2000, 500],
        [2500, 0],
      ],
    });
  });

  test('times go on over a reset, though the clock begins again', () => {
    const text = written(exits([0, 1000n], [0, 5000n], [0, 400n], [0, 4600n], [0, 100n]));
    expect(wrongInTrace(JSON.parse(text))).toEqual([]);
    const { threads, errors } = importTrace(text);
    expect(errors).toEqual([]);
    expect([...threads.values()].flatMap(({ slices }) => slices.map(({ ts, dur, depth }) => [ts, dur, depth]))).toEqual(
      [
        [1000, 4000, 0],
        [5000, 0, 0],
        [5400, 4200, 0],
        [9600, 0, 0],
        [9700, 0, 0],
      ],
    );
  });

  test('times go on as the clock does where S3 begins the count of exits anew', () => {
    const slept = [
      { ...EXIT, sequence: 7, clock: 5000n },
      { ...EXIT, sequence: 1, clock: 6000n },
    ];
    const { threads } = importTrace(written(withTimes(slept)));
    expect([...threads.values()][0]!.slices.map(({ ts }) => ts)).toEqual([5000, 6000]);
  });

  test('each ns of a clock of weeks', () => {
    const weeks = 4_000_000_000_000_001n;
    const { threads } = importTrace(written(exits([0, weeks], [0, weeks + 1n])));
    expect([...threads.values()][0]!.slices.map(({ ts, dur }) => [ts, dur])).toEqual([
      [Number(weeks), 1],
      [Number(weeks) + 1, 0],
    ]);
  });
});

describe('the rules of the import', () => {
  test.each<[string, object[], string[]]>([
    ['slices beside and in each other', [slice, { ...slice, ts: 1.5, dur: 1 }, { ...slice, ts: 3 }], []],
    ['a slice that ends in another', [slice, { ...slice, ts: 2 }], ['event 1: overlaps the one before']],
    ['no duration', [{ ...slice, dur: undefined }], ['event 0: dur']],
    ['no time', [{ ...slice, ts: undefined }], ['event 0: ts']],
    ['no phase', [{ ...slice, ph: '' }], ['event 0: ph']],
    ['a name that is none', [{ ph: 'M', name: 'thread_name', pid: 1, tid: 1, args: {} }], ['event 0: no name in args']],
    [
      'thread 0, which is the main thread too',
      [
        { ph: 'M', name: 'thread_name', pid: 1, tid: 0, args: { name: 'a' } },
        { ph: 'M', name: 'thread_name', pid: 1, tid: 1, args: { name: 'b' } },
      ],
      ['event 1: 1/1 named twice'],
    ],
  ])('%s', (_, events, errors) => {
    expect(errorsOf(...events)).toEqual(errors);
  });

  test('a file that is none', () => {
    expect(() => importTrace('"traceEvents"')).toThrow('not known as JSON');
    expect(() => importTrace('{"a": 1}')).toThrow('traceEvents is not an array');
  });
});
