import { describe, expect, it } from 'vitest';
import { ticksOf, timeOfTick, VirtualClock } from '../../src/engine/time/clock.js';
import { END_OF_TIME } from '../../src/engine/time/deadlines.js';

describe('deadlines', () => {
  it('fire by time, then by the order in which the timers were made', () => {
    let now = 0;
    const clock = new VirtualClock(() => now);
    const fired: string[] = [];
    const a = clock.timer('a', () => fired.push('a'));
    const b = clock.timer('b', () => fired.push('b'));
    const c = clock.timer('c', () => fired.push('c'));
    c.arm(5);
    b.arm(10);
    a.arm(10);
    expect(clock.deadlines.next()).toBe(5);
    now = 10;
    expect(clock.deadlines.runDue(now)).toBe(3);
    expect(fired).toEqual(['c', 'a', 'b']);
    expect(clock.deadlines.next()).toBeUndefined();
  });

  it('re-arm moves a timer, cancel removes it, and a timer may arm another for the same time', () => {
    const clock = new VirtualClock(() => 0);
    const fired: string[] = [];
    const late = clock.timer('late', () => fired.push('late'));
    const first = clock.timer('first', () => {
      fired.push('first');
      late.arm(7);
    });
    const dropped = clock.timer('dropped', () => fired.push('dropped'));
    first.arm(100);
    first.arm(7);
    dropped.arm(6);
    dropped.cancel();
    expect(clock.deadlines.list()).toEqual([{ name: 'first', at: 7 }]);
    clock.deadlines.runDue(7);
    expect(fired).toEqual(['first', 'late']);
  });

  it('ends the call where a timer never lets time pass, and goes on in the next', () => {
    const clock = new VirtualClock(() => 0);
    let fired = 0;
    const stuck = clock.timer('stuck', () => {
      fired++;
      stuck.arm(0);
    });
    stuck.arm(0);
    expect(clock.deadlines.runDue(0)).toBe(fired);
    expect(clock.deadlines.next()).toBe(0);
    clock.deadlines.runDue(0);
    expect(fired).toBe(20_000);
    expect(() => stuck.arm(Number.NaN)).toThrow(RangeError);
  });

  it('a timer for after the end of virtual time never fires', () => {
    const clock = new VirtualClock(() => 0);
    const timer = clock.timer('late', () => {});
    timer.arm(END_OF_TIME);
    expect(clock.deadlines.next()).toBe(END_OF_TIME);
    for (const at of [END_OF_TIME + 1, 2 ** 64, Number.POSITIVE_INFINITY]) {
      timer.arm(at);
      expect([timer.deadline, clock.deadlines.next()]).toEqual([undefined, undefined]);
    }
  });
});

describe('oscillator ticks', () => {
  it('are exact over a day and invert', () => {
    const day = 86_400_000_000_000;
    expect(ticksOf(day, 3_579_545)).toBe(3_579_545 * 86_400);
    for (const hz of [1_193_182, 3_579_545, 32_768]) {
      for (const tick of [1, 2, 1000, hz - 1, hz, hz + 1, 123_456_789]) {
        const at = timeOfTick(tick, hz);
        expect(ticksOf(at, hz)).toBe(tick);
        expect(ticksOf(at - 1, hz)).toBe(tick - 1);
      }
    }
  });
});
