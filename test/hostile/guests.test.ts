/**
 * Guests that try to break what runs them: random ones whose tables and stacks lie anywhere, and random hypercalls. Each
 * must end by itself or go on in slices that come back; none may end as an engine's error. A few here; with
 * VMSCOPE_LONG_TESTS=1 20,000 guests and 5,000 sequences of hypercalls, which take an hour of a processor: a test for
 * each thousand seeds, so that `-t 'guests 3000 to'` runs those again and a stop loses one thousand.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { vmscope } from '../cli/vmscope.js';
import { type FlatGuest, flatGuest } from '../engine/flat-guest.js';
import { hostileGuest, LOAD_AT } from './guest.js';
import { hypercallGuest } from './hypercalls.js';
import { outcome } from './outcome.js';

const long = process.env.VMSCOPE_LONG_TESTS === '1';
const GUESTS = long ? 20_000 : 80;
const SEQUENCES = long ? 5_000 : 40;
const PROGRAMS = long ? 200 : 2;
const folder = mkdtempSync(join(tmpdir(), 'vmscope-hostile-'));
afterAll(() => rmSync(folder, { recursive: true }));

const GOOD = new Set(['triple-fault', 'debug-exit', 'error', 'reset', 'shutdown', 'halted', 'goes on', 'suspended']);

interface Seeds {
  first: number;
  last: number;
}

/** The seeds below `count`, a thousand at a time. */
const thousands = (count: number): Seeds[] =>
  Array.from({ length: Math.ceil(count / 1000) }, (_, n) => ({
    first: n * 1000,
    last: Math.min(count, (n + 1) * 1000) - 1,
  }));

/** The seeds whose guest did not end well, with how. */
function failures({ first, last }: Seeds, make: (seed: number) => FlatGuest): string[] {
  const failed: string[] = [];
  for (let seed = first; seed <= last; seed++) {
    let result: string;
    try {
      result = outcome(make(seed));
    } catch (error) {
      result = (error as Error).message;
    }
    if (!GOOD.has(result)) failed.push(`seed ${seed}: ${result}`);
  }
  return failed;
}

const image = (seed: number): string => Buffer.from(hostileGuest(seed)).toString('hex');

for (const seeds of thousands(GUESTS))
  it(`guests ${seeds.first} to ${seeds.last} with hostile tables end well or go on`, { timeout: 3_600_000 }, () => {
    expect(failures(seeds, (seed) => flatGuest(image(seed), { at: LOAD_AT }))).toEqual([]);
  });

for (const seeds of thousands(SEQUENCES))
  it(`hypercall sequences ${seeds.first} to ${seeds.last} end well or go on`, { timeout: 3_600_000 }, () => {
    expect(failures(seeds, hypercallGuest)).toEqual([]);
  });

it(`${PROGRAMS} of the guests under the program: a status of its own, within its time`, {
  timeout: 3_600_000,
}, async () => {
  for (let seed = 0; seed < PROGRAMS; seed++) {
    const path = join(folder, 'guest.bin');
    writeFileSync(path, hostileGuest(seed));
    const { status, signal, stderr } = await vmscope(
      [
        'run',
        path,
        '--at',
        `0x${LOAD_AT.toString(16)}`,
        '-m',
        '4M',
        '--headless',
        '--serial',
        'none',
        '--timeout',
        '1',
      ],
      { timeoutMs: 60_000 },
    );
    expect(signal, `seed ${seed}`).toBeNull();
    expect([0, 1, 124], `seed ${seed}: ${stderr}`).toContain(status);
    expect(readdirSync(folder)).toEqual(['guest.bin']);
  }
});
