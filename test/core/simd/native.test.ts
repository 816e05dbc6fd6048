import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { simd } from '../../../src/spec/opcodes/simd.js';
import { named, requireTool } from '../../tools.js';
import { approximate, codeOf, makeCase, Random, RECORD_BYTES } from './cases.js';
import { differences, runInCore, vectorMachine } from './core-runner.js';

const gcc = requireTool('gcc');
/** Cases of each row, and their seed; a longer run is asked for by the environment. */
const CASES = Number(process.env.VMSCOPE_SIMD_CASES ?? 24);
const SEED = Number(process.env.VMSCOPE_SIMD_SEED ?? 0x51d);
const ONLY = new RegExp(process.env.VMSCOPE_SIMD_ONLY ?? '');
const NEEDED = ['avx2', 'fma', 'f16c', 'aes', 'pclmulqdq', 'sse4_2'];
const SHOWN = 12;
/** CVTPI2PS from memory enters the MMX state on Intel's CPUs and not on AMD's. @sdm 2A "CVTPI2PS" */
const INTEL_ONLY = /^CVTPI2PS$/;

const features = new Set(
  readFileSync('/proc/cpuinfo', 'utf8')
    .match(/^flags\s*:(.*)$/m)?.[1]
    ?.trim()
    .split(/\s+/),
);
const able = gcc.available && process.arch === 'x64' && NEEDED.every((feature) => features.has(feature));

describe('vector instructions against the host CPU', () => {
  it.skipIf(!able)(
    named('random cases of every encoding give the same state', gcc),
    () => {
      const folder = mkdtempSync(join(tmpdir(), 'vmscope-simd-'));
      try {
        const program = join(folder, 'native');
        execFileSync(gcc.path, [
          '-O1',
          '-mavx',
          '-no-pie',
          '-o',
          program,
          fileURLToPath(new URL('native.c', import.meta.url)),
        ]);
        const machine = vectorMachine();
        const rows = simd.filter((row) => row.group !== undefined && !approximate(row) && ONLY.test(row.mnemonic));
        const random = new Random(SEED);
        const found: string[] = [];
        const byName = new Map<string, number>();
        let compared = 0;
        for (let from = 0; from < CASES; from += 24) {
          const cases = rows.flatMap((row) =>
            Array.from({ length: Math.min(24, CASES - from) }, () => makeCase(row, random)),
          );
          const native = spawnSync(program, {
            input: Buffer.concat(cases.map(({ record }) => record)),
            maxBuffer: 1 << 30,
          });
          expect(native.stdout.length).toBe(cases.length * RECORD_BYTES);
          cases.forEach(({ name, record }, n) => {
            const expected = native.stdout.subarray(n * RECORD_BYTES, (n + 1) * RECORD_BYTES);
            const lines = differences(expected, runInCore(machine, record), !INTEL_ONLY.test(name));
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
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
    600_000,
  );
});
