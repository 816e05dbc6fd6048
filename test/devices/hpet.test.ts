import { beforeEach, describe, expect, it } from 'vitest';
import { type PcRig, pcRig } from './rig.js';

const BASE = 0xfed00000;
let rig: PcRig;
const read = (offset: number) => rig.pc.bus.mmioRead(BASE + offset, 8);
const write = (offset: number, value: bigint | number, bytes = 8) =>
  rig.pc.bus.mmioWrite(BASE + offset, bytes, BigInt(value));
const take = () => {
  if (!rig.pc.interruptPending(0)) return undefined;
  const vector = rig.pc.acknowledgeInterrupt(0);
  rig.apicWrite(0xb0, 0);
  return vector;
};

beforeEach(() => {
  rig = pcRig();
  rig.apicWrite(0xf0, 0x1ff);
  rig.ioapicWrite(0x10 + 2 * 2, 0x30);
  rig.ioapicWrite(0x10 + 2 * 20, 0x8000 | 0x40);
  rig.ioapicWrite(0x10 + 2 * 21, 0x41);
});

describe('HPET', () => {
  it('counts at 100 MHz while it is enabled', () => {
    expect(read(0)).toBe((10_000_000n << 32n) | 0x8086a201n);
    rig.clock.advance(1000);
    expect(read(0xf0)).toBe(0n);
    write(0x10, 1);
    rig.clock.advance(1000);
    expect(read(0xf0)).toBe(100n);
    write(0x10, 0);
    rig.clock.advance(1000);
    expect(read(0xf0)).toBe(100n);
    write(0xf0, 0xffffffffn);
    write(0x10, 1);
    rig.clock.advance(10);
    expect(read(0xf0)).toBe(0x1_0000_0000n);
    expect(rig.pc.bus.mmioRead(BASE + 0xf4, 4)).toBe(1n);
  });

  it('interrupts once by edge, and by level until it is acknowledged', () => {
    write(0x10, 1);
    write(0x100, (21n << 9n) | 4n);
    write(0x108, 50);
    rig.clock.advance(499);
    expect(take()).toBeUndefined();
    rig.clock.advance(1);
    expect(take()).toBe(0x41);
    rig.clock.advance(100_000);
    expect(take()).toBeUndefined();
    expect(read(0x20)).toBe(0n);
    write(0x120, (20n << 9n) | 4n | 2n);
    write(0x128, read(0xf0) + 10n);
    rig.clock.advance(100);
    expect(read(0x20)).toBe(2n);
    expect(take()).toBe(0x40);
    expect(take()).toBe(0x40);
    write(0x20, 2);
    expect(take()).toBe(0x40);
    expect(take()).toBeUndefined();
  });

  it('runs periodically from a first match, as Linux sets it up', () => {
    write(0x10, 1);
    rig.clock.advance(10_000);
    write(0x100, (21n << 9n) | 0x4cn | 0x100n, 4);
    write(0x108, 1100, 4);
    write(0x108, 200, 4);
    const times: number[] = [];
    for (let ns = 0; ns < 8000; ns += 100) {
      rig.clock.advance(100);
      if (take() === 0x41) times.push(ns + 100);
    }
    expect(times).toEqual([1000, 3000, 5000, 7000]);
  });

  it('matches again after a turn of 32 bits', () => {
    write(0xf0, 0xffffff00n);
    write(0x100, (21n << 9n) | 0x104n);
    write(0x108, 0x10);
    write(0x10, 1);
    rig.clock.advance(0x110 * 10 - 1);
    expect(take()).toBeUndefined();
    rig.clock.advance(1);
    expect(take()).toBe(0x41);
  });

  it('goes on where the counter of 64 bits wraps', () => {
    write(0xf0, 0xffff_ffff_ffff_fff0n);
    write(0x108, 50);
    write(0x100, (21n << 9n) | 4n);
    write(0x10, 1);
    rig.clock.advance(500);
    expect(read(0xf0)).toBe(34n);
    write(0x108, 50);
    rig.clock.advance(150);
    expect(take()).toBeUndefined();
    rig.clock.advance(10);
    expect(take()).toBe(0x41);
  });

  it('takes the place of the 8254', () => {
    rig.clock.advance(60_000_000);
    expect(take()).toBe(0x30);
    write(0x10, 3);
    rig.clock.advance(200_000_000);
    expect(take()).toBeUndefined();
    write(0x100, 4);
    write(0x108, read(0xf0) + 5n);
    rig.clock.advance(50);
    expect(take()).toBe(0x30);
    write(0x10, 1);
    rig.clock.advance(60_000_000);
    expect(take()).toBe(0x30);
  });

  it('comes back from a snapshot with its alarm', () => {
    write(0x10, 1);
    write(0x100, (21n << 9n) | 4n);
    write(0x108, 50);
    rig.clock.advance(300);
    const saved = structuredClone(rig.pc.save());
    const before = rig;
    rig = pcRig();
    rig.clock.advance(300);
    rig.pc.load(saved);
    rig.clock.advance(200);
    expect(take()).toBe(0x41);
    expect(read(0xf0)).toBe(50n);
    before.clock.advance(0);
  });

  it.each([
    ['64 bits', 0n, 1000n, 700n, [40_000_000]],
    ['32 bits', 1n << 8n, 0xffff_ff00n, 0x8000_0000n, [40_000_000_000]],
    ['a period of a tick', 0n, 5n, 1n, []],
  ])(
    'wakes nobody for a periodic timer without an interrupt, whose comparator goes on: %s',
    (_, mode, first, period, longer) => {
      const heard = 1;
      const unheard = 0;
      for (const n of [heard, unheard]) {
        write(0x100 + 0x20 * n, mode | (1n << 3n) | (1n << 6n) | (n === heard ? 4n : 0n));
        write(0x108 + 0x20 * n, first);
        write(0x108 + 0x20 * n, period);
      }
      write(0x10, 1);
      const names = () => rig.clock.deadlines.list().map(({ name }) => name);
      expect(names()).toContain('hpet 1');
      expect(names()).not.toContain('hpet 0');
      for (const ns of [10, 9990, 10, 123_450, ...longer, 70_000]) {
        rig.clock.advance(ns);
        expect(read(0x108)).toBe(read(0x128));
        if (ns === 123_450) write(0x20, 0);
      }
      write(0x100, mode | (1n << 3n) | 4n);
      expect(names()).toContain('hpet 0');
      rig.clock.advance(12_340);
      expect(read(0x108)).toBe(read(0x128));
    },
  );
});
