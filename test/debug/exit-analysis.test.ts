/** What is made of many exits: times by group, and hints at those that could be avoided. */
import { describe, expect, it } from 'vitest';
import { DurationHistogram } from '../../src/engine/debug/duration-histogram.js';
import { HINT_ROWS } from '../../src/engine/debug/exit-hint-rows.js';
import { ExitHints, hintsText } from '../../src/engine/debug/exit-hints.js';
import {
  bucketsOf,
  durationText,
  ExitReport,
  reportJson,
  reportText,
  withTimes,
} from '../../src/engine/debug/exit-report.js';
import type { ExitGroupKey, ExitRecord } from '../../src/engine/debugger.js';
import { Random } from '../core/exec/random-code.js';
import { EXIT } from './exit-record.js';

type Some = Partial<ExitRecord> & { ns?: number };

/** Exits in order, each of which takes `ns`, with an instruction between. */
function run(exits: readonly Some[]): ExitRecord[] {
  let [clock, icount] = [1000n, 10n];
  return exits.map(({ ns = 500, ...fields }, n) => {
    const record = { ...EXIT, ...fields, sequence: n + 1, clock, icount };
    clock += BigInt(ns) + 1n;
    icount += 1n;
    return record;
  });
}

const times = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n));
const io = (port: bigint, read: boolean, size = 1): Some => ({
  reason: 30,
  qualification: (port << 16n) | (read ? 8n : 0n) | BigInt(size - 1),
});

function report(exits: readonly Some[], by: ExitGroupKey, taskOf?: (cr3: bigint) => string | undefined) {
  const all = new ExitReport(by, taskOf);
  for (const exit of withTimes(run(exits))) all.add(exit);
  return reportJson(all.data, (address) => (address === 0x1000n ? 'idle+0x3' : undefined), 100);
}

describe('durations by their length', () => {
  it('have percentiles within a 32nd of what sorting them all gives', () => {
    const random = new Random(0x7133);
    for (let round = 0; round < 20; round++) {
      const all = times(500, () => random.below(2 ** (1 + random.below(30))));
      const histogram = new DurationHistogram();
      for (const value of all) histogram.add(value);
      all.sort((a, b) => a - b);
      for (const share of [0.01, 0.5, 0.9, 0.99, 1]) {
        const exact = all[Math.ceil(share * all.length) - 1];
        expect(histogram.percentile(share)).toBeGreaterThanOrEqual(exact);
        expect(histogram.percentile(share)).toBeLessThanOrEqual(exact * (1 + 1 / 32));
      }
      expect([histogram.min, histogram.max, histogram.count]).toEqual([all[0], all.at(-1), 500]);
      expect(histogram.sum).toBe(all.reduce((sum, value) => sum + value, 0));
      expect(histogram.octaves.reduce((sum, count) => sum + count, 0)).toBe(500);
    }
  });

  it('stand in their octave, at its edges too, and the longest in the last one', () => {
    const histogram = new DurationHistogram();
    for (const value of [0, 1, 2, 3, 4, 1023, 1024, 2 ** 40 - 1, 2 ** 40, 2 ** 53]) histogram.add(value);
    const { octaves } = histogram;
    expect([0, 1, 2, 9, 10, 39, 40, 47].map((n) => octaves[n])).toEqual([2, 2, 1, 1, 1, 1, 1, 1]);
    expect(octaves).toHaveLength(48);
    expect(histogram.percentile(1)).toBe(2 ** 53);
    expect(new DurationHistogram().percentile(0.99)).toBe(0);
  });

  it('are written with three places', () => {
    expect([0, 512, 1016, 16_384, 131_072, 2_100_000, 3e9].map(durationText)).toEqual([
      '0ns',
      '512ns',
      '1.02us',
      '16.4us',
      '131us',
      '2.10ms',
      '3.00s',
    ]);
    expect(bucketsOf([0, 0, 3, 0, 1])).toEqual([
      { fromNs: 4, count: 3 },
      { fromNs: 8, count: 0 },
      { fromNs: 16, count: 1 },
    ]);
  });
});

describe('exits put together', () => {
  const mixed: Some[] = [
    { ...io(0x3f8n, false), ns: 1000 },
    { ...io(0x3fdn, true), ns: 1000 },
    { ...io(0x3f8n, false), ns: 3000 },
    { reason: 31, rcx: 0x1bn, ns: 500 },
    { reason: 32, rcx: 0xffff_0000_0000_001bn, ns: 700 },
    { reason: 10, rax: 1n, rcx: 77n },
    { reason: 10, rax: 7n, rcx: 1n },
    { reason: 48, gpa: 0xfee0_00b0n, qualification: 2n },
    { reason: 48, gpa: 0xfee0_0080n, qualification: 1n, rip: 0x2000n },
    { reason: 12, cr3: 0x9005n, ns: 100_000 },
    { reason: 12, cr3: 0x9005n },
  ];
  const names = (by: ExitGroupKey) => report(mixed, by).rows.map(({ name, samples }) => `${name} ${samples}`);

  it('by what each was about, those that have no such thing aside', () => {
    expect(names('port')).toEqual([
      'port 3f8 out (serial port COM1 (16550): RBR/THR: data, or divisor) 2',
      'port 3fd in (serial port COM1 (16550): LSR: line status) 1',
    ]);
    expect(report(mixed, 'port').others).toBe(8);
    expect(names('msr')).toEqual(['IA32_APIC_BASE written 1', 'IA32_APIC_BASE read 1']);
    expect(names('leaf').sort()).toEqual(['leaf 1 1', 'leaf 7.1 1']);
    expect(names('gpa')).toEqual(['EPT_VIOLATION page fee00000 2']);
    expect(names('rip')).toEqual(['1000 idle+0x3 10', '2000 1']);
    expect(names('cr3')).toEqual(['cr3 9000 2', 'cr3 5000 9']);
    expect(names('vcpu')).toEqual(['vcpu 0 11']);
    expect(names('reason')[0]).toBe('HLT 2');
    expect(names('subject')).toContain('MSR_READ IA32_APIC_BASE 1');
  });

  it('by the instruction at its linear address, and by the vCPU', () => {
    const two: Some[] = [
      { reason: 12, bits: 16, csBase: 0xf_0000n, rip: 0xfff0n },
      { reason: 12, bits: 32, csBase: 0xffff_f000n, rip: 0x1010n, vcpu: 1 },
      { reason: 12, bits: 64, csBase: 0x5000n, rip: 0x2000n, vcpu: 1 },
    ];
    const of = (by: ExitGroupKey) =>
      report(two, by)
        .rows.map(({ name, samples }) => `${name} ${samples}`)
        .sort();
    expect(of('rip')).toEqual(['10 1', '2000 1', 'ffff0 1']);
    expect(of('vcpu')).toEqual(['vcpu 0 1', 'vcpu 1 2']);
  });

  it('by the task whose page table was loaded, where the system names it', () => {
    const rows = report(mixed, 'task', (cr3) => (cr3 === 0x9005n ? 'sh (7)' : undefined)).rows;
    expect(rows.map(({ name }) => name)).toEqual(['sh (7)', 'cr3 5000']);
  });

  it('with the times of those whose next exit is known', () => {
    const [row] = report(mixed, 'port').rows;
    expect(row).toMatchObject({ timed: 2, ns: 4000, minNs: 1000, meanNs: 2000, p99Ns: 3000, maxNs: 3000 });
    expect(row.histogram).toEqual([
      { fromNs: 512, count: 1 },
      { fromNs: 1024, count: 0 },
      { fromNs: 2048, count: 1 },
    ]);
    const all = new ExitReport('port');
    for (const exit of withTimes(run(mixed))) all.add(exit);
    const text = reportText(all.data, () => undefined, 1, true);
    expect(text).toMatch(/port 3f8 .* 2 +66\.67% +80\.00% +1\.00us +3\.00us +2\.00us +3\.00us\n1 more row\n/);
    expect(text).toContain('\n    2.05us to 4.10us   |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@| 1\n');
    expect(text).toContain('8 other exits have no I/O port.');
  });

  it('without bound on what a guest can make up', () => {
    const all = new ExitReport('rip', undefined, 100);
    for (const exit of withTimes(run(times(110, (n) => ({ rip: BigInt(n) }))))) all.add(exit);
    expect(all.data.rows).toHaveLength(101);
    expect(all.data.samples).toBe(110);
    expect(reportJson(all.data, () => undefined, 200_000).rows.find(({ name }) => name === '(others)')?.samples).toBe(
      10,
    );
  });
});

function hints(exits: readonly Some[]) {
  const all = new ExitHints();
  for (const exit of withTimes(run(exits))) all.add(exit);
  return all.found;
}
const ids = (exits: readonly Some[]) => hints(exits).map(({ id }) => id);

/** Of each pattern an exit, as an avoidable run of it has them. */
const PATTERNS: Record<string, Some> = {
  'port-polled': io(0x1f7n, true),
  'register-polled': { reason: 48, gpa: 0xfebf_0000n, qualification: 1n },
  'bytes-to-port': io(0x3f8n, false),
  'cr3-exits': { reason: 28, qualification: 3n },
  'invlpg-exits': { reason: 14 },
  'page-faults': { reason: 0, interruptionInfo: 0x8000_0b0e | 0 },
  'cr-bits': { reason: 28, qualification: 0x20n },
  'cr8-exits': { reason: 28, qualification: 8n },
  'eoi-exits': { reason: 32, rcx: 0x80bn },
  xapic: { reason: 48, gpa: 0xfee0_0300n, qualification: 2n },
  'pause-loop': { reason: 40 },
  'cpuid-loop': { reason: 10, rax: 0n },
  'short-halts': { reason: 12, ns: 20_000 },
  'timer-programming': { reason: 32, rcx: 0x6e0n },
  'own-msrs': { reason: 32, rcx: 0xc000_0102n },
  'rdtsc-exits': { reason: 16 },
  'interrupt-windows': { reason: 7 },
};

describe('hints', () => {
  it('has a case here for each pattern', () => {
    expect(Object.keys(PATTERNS).sort()).toEqual(HINT_ROWS.map(({ id }) => id).sort());
  });

  it.each(Object.entries(PATTERNS))('%s: where it is seen often enough, and not below that', (id, exit) => {
    const often = hints(times(200, () => exit));
    expect(often.map((hint) => hint.id)).toEqual([id]);
    const [hint] = often;
    expect(hint.exits).toBeGreaterThanOrEqual(199);
    expect(hint.evidence).toMatch(/^(199|200) of 200 exits \((99\.5|100\.0)%\)/);
    expect(hint.source).toMatch(/^SDM 3[ABC] [\d.]+ ".+"$/);
    expect(ids(times(80, () => exit))).toEqual([]);
    // a share of all exits that saves nothing
    expect(ids([...times(120, () => exit), ...times(4000, (n): Some => ({ reason: 54, rip: BigInt(n) }))])).toEqual([]);
  });

  it('of a poll only what one instruction reads again and again', () => {
    const read = io(0x1f7n, true);
    expect(ids(times(400, (n) => ({ ...read, rip: BigInt(n) })))).toEqual([]);
    expect(ids(times(400, (n) => io(BigInt(0x1f0 + (n % 8)), true)))).toEqual([]);
    // two vCPUs, each at its own loop, by turns
    expect(ids(times(400, (n) => ({ ...read, vcpu: n % 2, rip: BigInt(0x100 * (n % 2)) })))).toEqual(['port-polled']);
  });

  it('of halts only those that end at once, and where most do', () => {
    const halt = (ns: number): Some => ({ reason: 12, ns });
    expect(ids(times(400, () => halt(4_000_000)))).toEqual([]);
    expect(ids(times(900, (n) => halt(n % 3 === 0 ? 10_000 : 100_000)))).toEqual([]);
    // seldom in time: each second has some short ones only
    expect(ids(times(400, (n) => halt(n % 2 === 0 ? 10_000 : 60_000_000)))).toEqual([]);
  });

  it('of the timer only where it is set more than a thousand times a second', () => {
    const set = { reason: 32, rcx: 0x6e0n };
    expect(ids(times(400, () => ({ ...set, ns: 4_000_000 })))).toEqual([]);
    expect(ids(times(400, () => ({ ...set, ns: 400_000 })))).toEqual(['timer-programming']);
  });

  it('of what has to be: none, and that is said', () => {
    const calm: Some[] = times(2000, (n) => [{ reason: 18 }, { reason: 1 }, io(0x70n, false), { reason: 55 }][n % 4]);
    expect(ids(calm)).toEqual([]);
    expect(hintsText(hints(calm))).toBe('no known avoidable pattern among the exits that the trace has');
    expect(hints([])).toEqual([]);
  });

  it('stands across a reset, whose clock begins anew', () => {
    const records = [
      ...run(times(150, () => PATTERNS['timer-programming'])),
      ...run(times(150, () => PATTERNS['timer-programming'])),
    ];
    const all = new ExitHints();
    for (const exit of withTimes(records)) all.add(exit);
    expect(all.found.map(({ id, exits }) => [id, exits])).toEqual([['timer-programming', 300]]);
  });
});
