import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpcodeRow } from '../../../src/spec/opcodes/row.js';
import { named, requireTool } from '../../tools.js';
import {
  type Case,
  canVary,
  codeOf,
  cutTo32,
  inCompatibility,
  makeCase,
  Random,
  RECORD_BYTES,
  varyCase,
} from './cases.js';
import { differences, runInCore, vectorMachine } from './core-runner.js';
import { comparesX87, exactRows, hashResults, readHashes, recordedCases, writeHashes } from './recorded.js';

const gcc = requireTool('gcc');
/** Cases of each row, and their seed; a longer run, of each row or of all, is asked for by the environment. */
const TOTAL = Number(process.env.VMSCOPE_SIMD_TOTAL ?? 0);
const ONLY = new RegExp(process.env.VMSCOPE_SIMD_ONLY ?? '');
const rows = exactRows.filter((row) => ONLY.test(row.mnemonic));
const CASES = TOTAL > 0 ? Math.ceil(TOTAL / rows.length) : Number(process.env.VMSCOPE_SIMD_CASES ?? 24);
const SEED = Number(process.env.VMSCOPE_SIMD_SEED ?? 0x51d);
const NEEDED = ['avx2', 'fma', 'f16c', 'aes', 'pclmulqdq', 'sse4_2'];
const SHOWN = 12;

const features = new Set(
  readFileSync('/proc/cpuinfo', 'utf8')
    .match(/^flags\s*:(.*)$/m)?.[1]
    ?.trim()
    .split(/\s+/),
);
const able = gcc.available && process.arch === 'x64' && NEEDED.every((feature) => features.has(feature));

/** Cases of a row; a search has several on a state. */
function drawn(row: OpcodeRow, random: Random, count: number): Case[] {
  const cases: Case[] = [];
  for (let n = 0; n < count; n++) {
    const again = TOTAL > 0 && n % 6 !== 0 && canVary(row);
    cases.push(again ? varyCase(row, random, cases[n - 1] as Case) : makeCase(row, random));
  }
  return cases;
}

describe.skipIf(!able)(named('vector instructions against the host CPU', gcc), () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmscope-simd-'));
    const source = fileURLToPath(new URL('native.c', import.meta.url));
    execFileSync(gcc.path, ['-O1', '-mavx', '-no-pie', '-o', join(folder, 'native'), source]);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What the host CPU makes of the cases. */
  function native(cases: readonly Case[]): Buffer[] {
    const input = Buffer.concat(cases.map(({ record }) => record));
    const { stdout } = spawnSync(join(folder, 'native'), { input, maxBuffer: 1 << 30 });
    expect(stdout.length).toBe(input.length);
    return cases.map((_, n) => stdout.subarray(n * RECORD_BYTES, (n + 1) * RECORD_BYTES));
  }

  it(
    'random cases of every encoding give the same state',
    () => {
      const machine = vectorMachine();
      const random = new Random(SEED);
      const found: string[] = [];
      const byName = new Map<string, number>();
      let compared = 0;
      for (let from = 0; from < CASES; from += 24) {
        const cases = rows.flatMap((row) => drawn(row, random, Math.min(24, CASES - from)));
        const results = native(cases);
        cases.forEach(({ name, record }, n) => {
          const lines = differences(results[n] as Buffer, runInCore(machine, record, n % 2 === 0), comparesX87(name));
          compared++;
          if (lines.length === 0) return;
          const times = (byName.get(name) ?? 0) + 1;
          byName.set(name, times);
          if (times === 1 && found.length < SHOWN) {
            found.push(`${name} ${codeOf(record).toString('hex')} (host != core)\n  ${lines.join('\n  ')}`);
          }
        });
      }
      if (byName.size > 0) found.push([...byName].map(([name, times]) => `${name}: ${times}`).join(', '));
      expect(found).toEqual([]);
      expect(compared).toBe(rows.length * CASES);
      if (TOTAL > 0) console.log(`seed ${SEED}: ${compared} cases of ${rows.length} encodings, ${byName.size} differ`);
    },
    Math.max(600_000, CASES * 1000),
  );

  it(
    'random cases in 32-bit compatibility mode give the same state',
    ({ skip }) => {
      const { status } = spawnSync(join(folder, 'native'), ['compatibility']);
      skip(status !== 0, 'this kernel runs no 32-bit programs');
      const machine = vectorMachine('protected32');
      const random = new Random(SEED + 1);
      const found: string[] = [];
      let compared = 0;
      for (let from = 0; from < CASES; from += 24) {
        const cases = rows
          .flatMap((row) => Array.from({ length: Math.min(24, CASES - from) }, () => makeCase(row, random)))
          .flatMap((c) => inCompatibility(c) ?? []);
        const results = native(cases);
        cases.forEach(({ name, record }, n) => {
          const core = cutTo32(runInCore(machine, record, n % 2 === 0));
          const lines = differences(cutTo32(results[n] as Buffer), core, comparesX87(name));
          compared++;
          if (lines.length === 0 || found.length >= SHOWN) return;
          found.push(`${name} ${codeOf(record).toString('hex')} (host != core)\n  ${lines.join('\n  ')}`);
        });
      }
      expect(found).toEqual([]);
      expect(compared).toBeGreaterThan(CASES * exactRows.length * (ONLY.source === '(?:)' ? 0.4 : 0));
      if (TOTAL > 0)
        console.log(`seed ${SEED}: ${compared} cases in 32-bit compatibility mode, ${found.length} differ`);
    },
    Math.max(600_000, CASES * 1000),
  );

  it('the recorded results are those of this CPU', () => {
    const recorded = [...recordedCases()];
    const results = native(recorded.flatMap(([, cases]) => cases));
    const found = Object.fromEntries(
      recorded.map(([name, cases]) => [name, hashResults(cases[0]?.name ?? '', results.splice(0, cases.length))]),
    );
    if (process.env.VMSCOPE_SIMD_RECORD === '1') writeHashes(found);
    expect(found).toEqual(readHashes());
  }, 120_000);
});
