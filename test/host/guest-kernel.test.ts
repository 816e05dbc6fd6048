import { expect, test } from 'vitest';
import { LinuxView } from '../../src/engine/debug/linux/view.js';
import type { DebuggerEvent } from '../../src/engine/debugger.js';
import { type ForeseenKernel, GuestKernel } from '../../src/engine/host/guest-kernel.js';
import { inSlices } from '../../src/engine/host/slices.js';
import { linuxImage, TEXT } from '../debug/linux-image.js';

/** A guest whose memory is empty until its kernel is unpacked. */
function guest(runAside?: () => Promise<ForeseenKernel | undefined>) {
  const image = linuxImage('before 6.5');
  const unpacked = image.bytes.slice();
  image.bytes.fill(0);
  let now = 0;
  const events: DebuggerEvent[] = [];
  const kernel = new GuestKernel(new LinuxView(image.memory, () => now), runAside, (event) => events.push(event));
  const unpack = (): void => {
    image.bytes.set(unpacked);
    now += 1_000_000_000;
  };
  const told = (type: string) => events.filter((event) => event.type === type);
  return { kernel, unpack, told };
}

const foreseen = (base: bigint): ForeseenKernel => ({
  info: { kind: 'linux', release: '6.1.0', banner: 'Linux version 6.1.0', base, slide: 0n, bits: 64, symbols: 1 },
  symbols: [{ name: 'start_kernel', address: base + 0x100n, size: 16n, kind: 'function' }],
});

test('long work lets the event loop turn, and tells how far it is', async () => {
  let turns = 0;
  let over = false;
  const count = (): void => {
    turns++;
    if (!over) setImmediate(count);
  };
  setImmediate(count);
  const shares: number[] = [];
  const work = function* (): Generator<number, string> {
    for (let piece = 0; piece < 30; piece++) {
      const end = performance.now() + 2;
      while (performance.now() < end);
      yield piece / 30;
    }
    return 'done';
  };
  expect(await inSlices(work(), (share) => shares.push(share))).toBe('done');
  over = true;
  expect(turns).toBeGreaterThan(4);
  expect(shares.length).toBeGreaterThan(4);
  expect(shares).toEqual([...shares].sort((a, b) => a - b));
});

test('a search is made once for all who wait for it', async () => {
  const { kernel, unpack, told } = guest();
  expect(await kernel.find()).toBe(false);
  unpack();
  const found = await Promise.all([kernel.find(), kernel.os.info(), kernel.os.modules()]);
  expect(found[0]).toBe(true);
  expect(found[1]?.base).toBe(TEXT);
  expect(found[2]).toMatchObject([{ name: 'dummy' }]);
  expect(told('progress').filter((event) => 'done' in event)).toHaveLength(2);
});

test('a kernel is foreseen once, and what is found in memory takes its place', async () => {
  let runs = 0;
  const { kernel, unpack, told } = guest(async () => {
    runs++;
    return foreseen(TEXT);
  });
  const both = await Promise.all([kernel.foresee(), kernel.foresee()]);
  expect(both.map((info) => info?.base)).toEqual([TEXT, TEXT]);
  expect(runs).toBe(1);
  expect(kernel.symbols.map(({ name }) => name)).toEqual(['start_kernel']);
  expect(told('symbols')).toHaveLength(1);
  expect(await kernel.os.info()).toBeUndefined();
  unpack();
  expect(await kernel.find()).toBe(true);
  expect(kernel.symbols.length).toBeGreaterThan(4000);
  expect(told('message')).toEqual([]);
});

test('a kernel that comes to lie elsewhere is told of', async () => {
  const { kernel, unpack, told } = guest(async () => foreseen(TEXT + 0x20_0000n));
  await kernel.foresee();
  unpack();
  await kernel.find();
  expect(told('message')).toMatchObject([{ text: expect.stringMatching(/lies at 0xffffffff8b000000, not at 0x/) }]);
});

test('a run aside that fails is told of; after a reset nothing is foreseen', async () => {
  const failing = guest(() => Promise.reject(new Error('no memory')));
  expect(await failing.kernel.foresee()).toBeUndefined();
  expect(failing.told('message')).toMatchObject([{ text: expect.stringContaining('no memory') }]);
  const { kernel } = guest(async () => foreseen(TEXT));
  await kernel.foresee();
  kernel.forget();
  expect(await kernel.foresee()).toBeUndefined();
  expect(kernel.symbols).toEqual([]);
});
