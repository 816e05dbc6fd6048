/**
 * Guests that try to break what runs them: random ones whose tables and stacks lie anywhere, and random hypercalls. Each
 * must end by itself or go on in slices that come back; none may end as an engine's error. A few here; with
 * VMSCOPE_LONG_TESTS=1 20,000 guests and 5,000 sequences of hypercalls, which take an hour of a processor.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { vmscope } from '../cli/vmscope.js';
import { type FlatGuest, flatGuest } from '../engine/flat-guest.js';
import { hostileGuest, LOAD_AT } from './guest.js';
import { hypercallGuest } from './hypercalls.js';

const long = process.env.VMSCOPE_LONG_TESTS === '1';
const GUESTS = long ? 20_000 : 80;
const SEQUENCES = long ? 5_000 : 40;
const PROGRAMS = long ? 200 : 2;
const SLICE = 1000;
const SLICES = 30;
const WARPS = 10;
/** A slice of so few instructions that takes so much of the processor is one in which nobody is heard. */
const HEARD_US = 2_000_000;

const folder = mkdtempSync(join(tmpdir(), 'vmscope-hostile-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** How the guest ended, or that it goes on. @throws whatever the engine throws */
function outcome({ vm, machine }: FlatGuest): string {
  const [vcpu] = vm.vcpus;
  let warps = 0;
  for (let slice = 0; slice < SLICES; slice++) {
    const before = process.cpuUsage();
    const end = vm.runSlice(vcpu, SLICE);
    const { user, system } = process.cpuUsage(before);
    if (user + system > HEARD_US) return 'a slice that takes too long';
    if (vm.end) return vm.end.kind === 'error' && vm.end.status === 3 ? vm.end.message : vm.end.kind;
    if (end.kind === 'entry-failed') {
      const stop = machine.view.entryFailures?.(0);
      return stop?.kind === 'entry-failed' ? stop.message : 'entry failed';
    }
    if (end.kind !== 'idle') continue;
    if (end.deadline === undefined || ++warps > WARPS) return 'halted';
    vm.warpTo(end.deadline);
  }
  return 'goes on';
}

const GOOD = new Set(['triple-fault', 'debug-exit', 'error', 'reset', 'shutdown', 'halted', 'goes on', 'suspended']);

/** The seeds whose guest did not end well, with how. */
function failures(count: number, make: (seed: number) => FlatGuest): string[] {
  const failed: string[] = [];
  for (let seed = 0; seed < count; seed++) {
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

it(`${GUESTS} guests with hostile tables end well or go on`, { timeout: 7_200_000 }, () => {
  expect(failures(GUESTS, (seed) => flatGuest(image(seed), { at: LOAD_AT }))).toEqual([]);
});

it(`${SEQUENCES} sequences of hypercalls end well or go on`, { timeout: 3_600_000 }, () => {
  expect(failures(SEQUENCES, hypercallGuest)).toEqual([]);
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
