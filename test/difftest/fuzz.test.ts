import { describe, expect, it } from 'vitest';
import { RAM_BYTES } from '../../src/engine/difftest/bed.js';
import type { Case, CaseRunner, Outcome } from '../../src/engine/difftest/case.js';
import { judge } from '../../src/engine/difftest/compare.js';
import { systematicCoverage } from '../../src/engine/difftest/coverage.js';
import { describeReport, type Oracle, runFuzz } from '../../src/engine/difftest/fuzz.js';
import { randomCases, systematicCases } from '../../src/engine/difftest/generate.js';
import { QUIRKS } from '../../src/engine/difftest/quirks.js';
import { maskOf, UNDEFINED } from '../../src/engine/difftest/undefined.js';
import { createCore } from '../../src/engine/host/core-instance.js';
import { BlockRunner } from '../../src/engine/host/difftest/block-runner.js';
import { CoreCaseRunner, type CoreUnderTest } from '../../src/engine/host/difftest/core-runner.js';
import { fuzz, openCore } from '../../src/engine/host/difftest/oracles.js';
import { OPCODES } from '../../src/spec/opcodes/index.js';
import { buildFaultyCore } from '../kvm/faulty-core.js';
import { kvmSkipReason } from '../kvm/tools.js';
import { named, requireTool } from '../tools.js';

const gcc = requireTool('gcc');
const noKvm = kvmSkipReason();

function take(cases: Generator<Case>, count: number): Case[] {
  return Array.from({ length: count }, () => cases.next().value as Case);
}

/** The core with a bug of its own: ADC forgets the carry. */
function faulty(inner: CaseRunner): CaseRunner {
  return {
    name: 'faulty',
    run: (cases): Outcome[] => inner.run(cases.map((c) => (/^ADC/.test(c.name) ? { ...c, rflags: c.rflags & ~1 } : c))),
    close: () => {},
  };
}

describe('generators', () => {
  it('give the same cases for a seed and others for another', () => {
    const [a, b, c] = [1, 1, 2].map((seed) => take(randomCases(seed), 500));
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
  });

  it('meet every template in every mode, all four rings, and faults of each kind', () => {
    const cases = [...systematicCases(1, 2)];
    expect(new Set(cases.map((c) => c.name)).size).toBeGreaterThan(250);
    expect(new Set(cases.map((c) => `${c.mode} ${c.cpl}`)).size).toBe(21);
    const outcomes = openCore().run(cases);
    const vectors = new Set(outcomes.map((o) => o.vector));
    for (const vector of [0, 1, 3, 4, 5, 6, 11, 12, 13, 14]) expect(vectors).toContain(vector);
  });
});

describe('coverage of the systematic cases', () => {
  const { rows, excluded } = systematicCoverage(12);
  const byName = new Map(rows.map((row) => [row.name, row]));

  it('leaves out no row of the opcode table without a reason', () => {
    const named = new Set(Object.values(excluded).flat());
    const missing = OPCODES.map((row) => `${row.mnemonic}${row.operands === '' ? '' : ` ${row.operands}`}`).filter(
      (name) => !byName.has(name) && !named.has(name),
    );
    expect(missing).toEqual([]);
    expect(rows.length).toBeGreaterThan(380);
    expect(Object.keys(excluded).sort()).toEqual([
      'VMX and system management',
      'answers what two machines do not share: model, time, random numbers',
      'changes the system state that the test bed is made of',
      'ends in a handler that MSRs name',
      'its trap is the one by which cases end',
      'leaves the CPU for a device or halts',
      'x87, MMX, SSE and AVX: testers of their own',
    ]);
    for (const name of ['ADD Eb,Gb', 'CMPXCHG8B My', 'MULX Gy,By,Ey', 'IRET', 'CALL Ap'])
      expect(byName.has(name)).toBe(true);
  });

  it('meets every instruction in every mode, ring and operand size', () => {
    for (const row of rows) {
      const privileged = !row.rings.has(0);
      expect([row.name, row.modes.size]).toEqual([row.name, privileged ? 5 : 6]);
      expect([row.name, [...row.rings].sort()]).toEqual([row.name, privileged ? [1, 2, 3] : [0, 1, 2, 3]]);
      expect([row.name, [...row.operandBytes].sort()]).toEqual([row.name, [2, 4, 8]]);
    }
  });

  it('meets every addressing form and kind of place of an operand', () => {
    for (const row of rows.filter(({ name }) => /[ ,][EM][a-z]+/.test(name))) {
      const met = new Set([...row.addressing].filter((form) => form !== 'register').map((form) => form.slice(3)));
      expect([row.name, met.size]).toEqual([row.name, 24]);
      expect([row.name, [...row.targets].sort()]).toEqual([row.name, [0, 1, 2, 3, 4]]);
    }
  });

  it('walks all forms of an instruction when asked to', () => {
    const { rows } = systematicCoverage(0, { filter: 'ADC Ev,Gv' });
    const [adc] = rows;
    expect(adc.addressing.size).toBe(73);
    expect(adc.cases).toBe(21 * 122 + 4 * 61);
  });
});

describe('jobs', () => {
  it('share the cases and bring one report', async () => {
    const [one, two] = [0, 1].map((index) => take(randomCases(5, { part: { index, of: 2 } }), 50));
    expect(one).not.toEqual(two);
    const shared = [0, 1].flatMap((index) => [...systematicCases(5, 1, { part: { index, of: 2 } })]);
    const whole = [...systematicCases(5, 1)];
    const key = (c: Case): string => `${c.mode} ${c.cpl} ${c.name}`;
    expect(shared.map(key).sort()).toEqual(whole.map(key).sort());
  });
});

describe('what is not compared', () => {
  it('has a source in every row', () => {
    for (const row of UNDEFINED) expect(row.sdm).toMatch(/^@sdm 2 "/);
    for (const quirk of QUIRKS) expect(quirk.evidence.length).toBeGreaterThan(20);
    expect(new Set(QUIRKS.map((q) => q.id)).size).toBe(QUIRKS.length);
  });

  it('follows the operands of shifts', () => {
    const [base] = take(randomCases(1), 1);
    const shl = (count: number) => maskOf({ ...base, mode: 'long', code: Uint8Array.of(0xc1, 0xe0, count) });
    expect([shl(0).flags, shl(1).flags, shl(2).flags, shl(32).flags]).toEqual([0, 0x10, 0x810, 0]);
    const shl16 = maskOf({ ...base, mode: 'long', code: Uint8Array.of(0x66, 0xc1, 0xe0, 20) });
    expect(shl16.flags).toBe(0x811);
  });
});

describe('a wrong instruction', () => {
  it('is found, and shrinks to what matters', () => {
    const report = runFuzz({ party: 'recorded', runner: openCore() }, faulty(openCore()), {
      seed: 3,
      cases: 4000,
      filter: 'AD',
    });
    expect(report.failing).toBeGreaterThan(20);
    expect(report.failures.every((f) => f.case.name.startsWith('ADC'))).toBe(true);
    const [worst] = report.failures;
    expect(worst.case.rflags & ~0x102).toBe(1);
    expect(worst.case.pokes.length).toBeLessThanOrEqual(1);
    expect(describeReport(report).join('\n')).toContain(`expected`);
  });

  it('is not found where there is none', () => {
    const cases = take(randomCases(9), 2000);
    const [a, b] = [openCore(), openCore()].map((runner) => runner.run(cases));
    cases.forEach((c, i) => expect(judge(c, 'recorded', a[i], b[i]).differences).toEqual([]));
  });
});

describe('the dispatcher against the handlers', () => {
  it('is the same machine bit for bit, undefined flags too', () => {
    const report = fuzz('handlers', { seed: 1, systematic: 2 });
    expect(report.failures.map((f) => `${f.signature} ${Buffer.from(f.case.code).toString('hex')}`)).toEqual([]);
    expect(report.compared).toBeGreaterThan(19_000);
  }, 60_000);

  it('shows a fault of one of the two', () => {
    const module = buildFaultyCore('generated/rows.ts', (source) =>
      source.replace(/(\/\/ ADC RR 16\n.*?)<u16>\(<u16>\(a \+ b\) \+ c\)/s, '$1<u16>(a + b)'),
    );
    const handlers: Oracle = { party: 'handlers', runner: new BlockRunner('handlers', openCore(true)) };
    const faulty = createCore(RAM_BYTES, 0, module);
    const core = new CoreCaseRunner(faulty.core as unknown as CoreUnderTest, faulty.host.memory.buffer);
    const options = { seed: 1, systematic: 6, filter: 'AD', maxFailures: 0 };
    const report = runFuzz(handlers, new BlockRunner('dispatcher', core), options);
    expect(report.failing).toBeGreaterThan(5);
    expect(report.failures.every((f) => /^ADC (Ev,Gv|Gv,Ev)$/.test(f.case.name))).toBe(true);
  }, 60_000);
});

describe('the core against this host', () => {
  it.skipIf(!gcc.available || process.arch !== 'x64').each([1, 2, 3])(
    named('seed %i: the CPU, ring 3', gcc),
    (seed) => {
      const report = fuzz('native', { seed, cases: 8000 });
      expect(report.failures.map((f) => `${f.signature} ${Buffer.from(f.case.code).toString('hex')}`)).toEqual([]);
      expect(report.compared).toBeGreaterThan(7900);
    },
    60_000,
  );

  it.skipIf(noKvm !== '').each([1, 2, 3])(
    `seed %i: /dev/kvm, every mode${noKvm === '' ? '' : ` [skipped: ${noKvm}]`}`,
    (seed) => {
      const report = fuzz('kvm', { seed, cases: 8000 });
      expect(report.failures.map((f) => `${f.signature} ${Buffer.from(f.case.code).toString('hex')}`)).toEqual([]);
      expect(report.compared).toBeGreaterThan(6000);
    },
    60_000,
  );
});
