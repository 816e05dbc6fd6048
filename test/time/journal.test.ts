import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { type InputKeeper, InputLog } from '../../src/engine/time/input-keeper.js';
import { PHASE } from '../../src/engine/time/instant.js';
import { Journal } from '../../src/engine/time/journal.js';

function machine(keeper?: InputKeeper) {
  let now = 0;
  const journal = new Journal(
    () => ({ at: now, icount: BigInt(now), exits: 0, turn: 0, phase: PHASE.entered }),
    keeper,
  );
  const seen: [number, unknown][] = [];
  journal.take('key', (data) => seen.push([now, data]));
  const runTo = (end: number) => {
    for (let next = journal.next(); next !== undefined && next <= end; next = journal.next()) {
      now = Math.max(now, next);
      journal.runDue(now);
    }
    now = end;
  };
  return { journal, seen, runTo };
}

describe('journal', () => {
  it('repeats a run input for input at the same times', () => {
    const log = new InputLog();
    const live = machine(log);
    expect(live.journal.initial('wall-clock', 1234)).toBe(1234);
    live.runTo(10);
    live.journal.input('key', 'a');
    live.runTo(25);
    live.journal.input('key', 'b');
    live.journal.input('key', 'c');

    const again = machine(new InputLog(Number.POSITIVE_INFINITY, log.entries));
    expect(again.journal.initial('wall-clock', 9999)).toBe(1234);
    again.runTo(100);
    expect(again.seen).toEqual([
      [10, 'a'],
      [25, 'b'],
      [25, 'c'],
    ]);
    expect(again.seen).toEqual(live.seen);
  });

  it('goes back with a snapshot, and a new input there starts another future', () => {
    const log = new InputLog();
    const run = machine(log);
    run.runTo(10);
    run.journal.input('key', 'a');
    const snapshot = run.journal.position;
    run.runTo(20);
    run.journal.input('key', 'b');
    run.journal.seek(snapshot);
    expect(run.journal.next()).toBe(20);
    run.journal.input('key', 'x');
    expect(log.entries.map((entry) => entry.data)).toEqual(['a', 'x']);
    expect(run.journal.next()).toBeUndefined();
    expect(() => run.journal.seek(3)).toThrow(RangeError);
  });

  it('delivers and keeps nothing when nobody will go back', () => {
    const run = machine();
    expect(run.journal.initial('seed', 7)).toBe(7);
    for (let i = 0; i < 100; i++) run.journal.input('key', String(i));
    expect(run.seen).toHaveLength(100);
    expect(run.journal.position).toBe(101);
    expect(run.journal.next()).toBeUndefined();
    run.journal.seek(101);
    expect(() => run.journal.seek(100)).toThrow('no inputs are kept');
  });

  it('holds none of the 256 MB that a guest receives while nobody records', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const run = machine();
    collect();
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 4096; i++) run.journal.input('net0', new Uint8Array(65_536));
    collect();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('log of inputs', () => {
  const input = (at: number, data: string | Uint8Array) => ({
    ...{ at, icount: BigInt(at), exits: 0, turn: 0, phase: PHASE.entered },
    ...{ kind: 'key', data },
  });

  it('keeps its own copy of bytes', () => {
    const log = new InputLog();
    const run = machine(log);
    const bytes = Uint8Array.of(1, 2);
    run.journal.input('serial0', bytes);
    bytes[0] = 9;
    expect(log.entries[0].data).toEqual(Uint8Array.of(1, 2));
  });

  it('stays within its budget, and says how far back one can go', () => {
    const log = new InputLog(64 * 1024);
    const run = machine(log);
    let peak = 0;
    for (let i = 0; i < 10_000; i++) {
      run.runTo(i);
      run.journal.input('net0', new Uint8Array(1000));
      peak = Math.max(peak, log.bytes);
    }
    expect(peak).toBeLessThanOrEqual(64 * 1024);
    expect(log.end).toBe(10_000);
    expect(log.end - log.first).toBe(Math.floor((64 * 1024) / 1128));
    expect(log.at(log.first)?.at).toBe(log.first);
    expect(log.at(log.first - 1)).toBeUndefined();
    run.journal.seek(log.first);
    expect(run.journal.next()).toBe(log.first);
    expect(() => run.journal.seek(log.first - 1)).toThrow(/inputs \d+ to 9999 are kept/);
  });

  it('takes an input that is larger than the whole budget, and keeps nothing then', () => {
    const log = new InputLog(1000);
    log.keep(0, input(1, 'a'));
    log.keep(1, input(2, new Uint8Array(5000)));
    expect([log.first, log.end, log.bytes]).toEqual([2, 2, 0]);
    log.keep(2, input(3, 'c'));
    expect(log.entries.map(({ data }) => data)).toEqual(['c']);
  });

  it('forgets what lies before the oldest snapshot', () => {
    const log = new InputLog();
    for (let i = 0; i < 100; i++) log.keep(i, input(i, 'abcd'));
    const each = log.bytes / 100;
    log.forget(70);
    expect([log.first, log.end, log.bytes]).toEqual([70, 100, 30 * each]);
    log.keep(80, input(999, 'abcd'));
    expect(log.entries.map(({ at }) => at)).toEqual([70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 999]);
    log.forget(1000);
    expect([log.first, log.end, log.bytes]).toEqual([81, 81, 0]);
  });

  it('begins anew where the run went on without it', () => {
    const log = new InputLog();
    log.keep(0, input(0, 'a'));
    log.keep(5, input(5, 'f'));
    expect([log.first, log.end]).toEqual([5, 6]);
    expect(log.at(0)).toBeUndefined();
  });
});
