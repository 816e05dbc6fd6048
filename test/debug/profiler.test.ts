/** Samples of a guest whose kernel is there from some instant on: none of its names, callers and tasks are lost. */
import { expect, it } from 'vitest';
import { Profiler } from '../../src/engine/debug/profiler.js';
import type { Debugger, RegisterFile, RunState } from '../../src/engine/debugger.js';

const EVERY = 1000;
const KERNEL = 0xffff_ffff_8100_0000n;
/** CS.L and code of ring 0. */
const LONG = { cr0: 0x8000_0011n, efer: 0x500n, cs_ar: 0xa09bn, cs_base: 0n, ss_ar: 0xc093n, rsp: 0n };

/**
 * A loader, then a kernel, whose symbols are told once it has been found.
 * @param from the sample at which the guest stands in the kernel first
 * @param findable the sample from which on a search finds it
 */
function guest(from: number, findable = from) {
  let sample = 0;
  let found = false;
  const searches: number[] = [];
  const listeners = new Set<(event: { type: string }) => void>();
  const state = (): RunState =>
    ({ running: false, vcpu: 0, icount: BigInt(sample * EVERY), stop: { kind: 'until' } }) as RunState;
  const target = {
    onEvent: (listener: (event: { type: string }) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    state: async () => state(),
    runUntil: async ({ icount }: { icount: bigint }) => {
      sample = Number(icount) / EVERY;
      return state();
    },
    readRegisters: async (): Promise<RegisterFile> => ({ ...LONG, rip: sample < from ? 0x10_0000n : KERNEL + 0x10n }),
    readMemory: async () => new Uint8Array(),
    symbols: async () => (found ? [{ name: 'start_kernel', address: KERNEL, size: 0x100n, kind: 'function' }] : []),
    os: {
      info: async () => {
        searches.push(sample);
        found ||= sample >= findable;
        return found ? { kind: 'linux' } : undefined;
      },
      frameRow: async () => undefined,
      current: async () => (found ? { name: 'swapper/0' } : undefined),
    },
  };
  return { debug: target as unknown as Debugger, searches };
}

async function samplesOf({ debug }: ReturnType<typeof guest>, count: number) {
  const profiler = await Profiler.create(debug, { every: EVERY });
  await profiler.run(count);
  profiler.close();
  return profiler.profile.samples;
}

it.each([2, 9, 17, 33, 60])('a kernel that runs from sample %s on is found at that one', async (from) => {
  const kernel = guest(from);
  const samples = await samplesOf(kernel, 64);
  expect(samples.slice(0, from - 1)).toEqual(Array(from - 1).fill({ stack: ['[0x100000]'] }));
  expect(samples.slice(from - 1)).toEqual(Array(65 - from).fill({ task: 'swapper/0', stack: ['start_kernel'] }));
  expect(kernel.searches).toEqual([from]);
});

it('one that cannot be found at first costs few searches, and names what was seen of it before', async () => {
  const kernel = guest(10, 500);
  const samples = await samplesOf(kernel, 1000);
  expect(samples.slice(9).map(({ stack }) => stack)).toEqual(Array(991).fill(['start_kernel']));
  const task = samples.findIndex((sample) => sample.task !== undefined) + 1;
  expect(task).toBeGreaterThanOrEqual(500);
  expect(task).toBeLessThanOrEqual(500 * 1.125 + 1);
  expect(kernel.searches.length).toBeLessThan(50);
});

it('one that is found by nobody before the end is found there', async () => {
  const samples = await samplesOf(guest(5, 20), 20);
  expect(samples.slice(4).map(({ stack }) => stack)).toEqual(Array(16).fill(['start_kernel']));
});
