/** The rows of the view of exits: rates and shares of an interval, halts apart, vCPUs put together by their moments. */
import { describe, expect, it } from 'vitest';
import type { ExitTime, ExitTrace } from '../../src/engine/fleet.js';
import { ExitTimes } from '../../src/targets/kvm-host/exit-times.js';
import { duration, exitRows, traceText } from '../../src/tui/top/exits.js';
import type { GuestRow } from '../../src/tui/top/rows.js';

const guest = { sample: { key: 'k', name: 'web' } } as GuestRow;
const TIMES = [1000, 3000, 8000, 20, 500_000];

/** The same times on one vCPU, or dealt to two. */
function trace(vcpus: number, rounds = 1): ExitTrace {
  const all = Array.from({ length: vcpus }, () => new ExitTimes());
  let ns = 0n;
  for (let round = 0; round < rounds; round++)
    TIMES.forEach((time, n) => {
      const times = all[n % vcpus]!;
      times.exit('IO', ns);
      times.entry((ns += BigInt(time)));
      times.exit('HLT', ns);
      times.entry((ns += 9_000_000n));
    });
  const rows: ExitTime[] = all.flatMap((times, vcpu) => times.rows(vcpu));
  return { guests: new Map([['k', rows]]), lost: 0, by: 'perf' };
}

describe('exits of a guest', () => {
  it('are the same figures whether one vCPU had them or two', () => {
    const [one, two] = [1, 2].map((vcpus) => exitRows({ now: trace(vcpus) }, [guest], false));
    const io = two!.find(({ reason }) => reason === 'IO')!;
    const same = one!.find(({ reason }) => reason === 'IO')!;
    expect(io).toMatchObject({ count: 5, minNs: 20, maxNs: 500_000, histogram: same.histogram });
    expect(io.meanNs).toBeCloseTo(same.meanNs!, 6);
    expect(io.errorPercent).toBeCloseTo(same.errorPercent!, 6);
    // perf's formula: standard deviation over the root of the number, part of the mean.
    const mean = TIMES.reduce((sum, time) => sum + time, 0) / 5;
    const deviation = Math.sqrt(TIMES.reduce((sum, time) => sum + (time - mean) ** 2, 0) / 5);
    expect(same.errorPercent).toBeCloseTo((100 * deviation) / Math.sqrt(5) / mean, 6);
    expect(exitRows({ now: trace(2) }, [guest], true).map(({ vcpu, count }) => [vcpu, count])).toEqual([
      [0, 3],
      [0, 3],
      [1, 2],
      [1, 2],
    ]);
  });

  it('have rates and shares of the interval, in which time at halt is no time of exits', () => {
    const rows = exitRows({ before: trace(1, 1), now: trace(1, 3), seconds: 2 }, [guest], false);
    const of = (name: string) => rows.find(({ reason }) => reason === name)!;
    expect(of('IO')).toMatchObject({ perSecond: 5, share: 50, timeShare: 100 });
    expect(of('HLT')).toMatchObject({ perSecond: 5, share: 50 });
    expect(of('HLT').timeShare).toBeUndefined();
  });

  it('are told with what traces and what was lost', () => {
    expect(traceText({ guests: new Map(), lost: 1234, by: 'tracefs', note: 'x' })).toBe(
      'traced by tracefs; 1,234 events lost; x',
    );
    expect(traceText({ guests: new Map(), lost: 0 })).toBe('no KVM guest to trace');
    expect([20, 999, 1000, 9_940, 9_960, 340_000, 9_000_000, 1.2e9].map(duration)).toEqual([
      ...['20n', '999n', '1.0u', '9.9u', '10u', '340u', '9.0m', '1.2s'],
    ]);
  });
});
