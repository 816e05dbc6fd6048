import { describe, expect, it } from 'vitest';
import { runInCore, vectorMachine } from './core-runner.js';
import { hashResults, readHashes, recordedCases } from './recorded.js';

describe('vector instructions against recorded results', () => {
  it('give what a host CPU gave', () => {
    const machine = vectorMachine();
    const expected = readHashes();
    const found: Record<string, string> = {};
    for (const [name, cases] of recordedCases()) {
      found[name] = hashResults(
        cases[0]?.name ?? '',
        cases.map(({ record }, n) => runInCore(machine, record, n % 2 === 0)),
      );
    }
    expect(found).toEqual(expected);
  });
});
