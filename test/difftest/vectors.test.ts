import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeCase } from '../../src/engine/difftest/case.js';
import { judge } from '../../src/engine/difftest/compare.js';
import type { Party } from '../../src/engine/difftest/quirk.js';
import { type Vector, vectorFromJson, vectorToJson } from '../../src/engine/difftest/vector.js';
import { openCore } from '../../src/engine/host/difftest/oracles.js';

type Json = Parameters<typeof vectorFromJson>[0];

function vectors(file: string): Vector[] {
  const text = readFileSync(new URL(`./vectors/${file}.json`, import.meta.url), 'utf8');
  return (JSON.parse(text) as Json[]).map(vectorFromJson);
}

describe('recorded outcomes of single instructions', () => {
  it.each([
    ['host-cpu', 1000],
    ['kvm', 2000],
    ['regressions', 5],
  ])('%s: the core does what was recorded', (file, atLeast) => {
    const recorded = vectors(file);
    expect(recorded.length).toBeGreaterThanOrEqual(atLeast);
    const outcomes = openCore().run(recorded.map((v) => v.case));
    const wrong = recorded.flatMap((v, i) => {
      const { differences, excused } = judge(v.case, v.recordedOn as Party, v.expected, outcomes[i]);
      if (differences.length === 0 || excused !== '') return [];
      return [
        `${describeCase(v.case)}: ${differences.map((d) => `${d.field} ${d.expected} not ${d.actual}`).join(', ')}`,
      ];
    });
    expect(wrong).toEqual([]);
  });

  it('come back from JSON as they went in', () => {
    const [first] = vectors('host-cpu');
    expect(vectorFromJson(JSON.parse(JSON.stringify(vectorToJson(first))) as Json)).toEqual(first);
  });
});
