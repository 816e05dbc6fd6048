import { beforeEach, describe, expect, it } from 'vitest';
import { PIT_HZ, Pit8254 } from '../../src/engine/devices/pit-8254.js';
import { timeOfTick } from '../../src/engine/time/clock.js';
import { type PcRig, pcRig, TestClock, TestLine } from './rig.js';

let clock: TestClock;
let irq: TestLine;
let pit: Pit8254;
const out = (port: number, ...values: number[]) => {
  for (const value of values) pit.portWrite(port, 1, value);
};
const ticks = (count: number) => timeOfTick(count, PIT_HZ);

beforeEach(() => {
  clock = new TestClock();
  irq = new TestLine();
  pit = new Pit8254(clock, irq);
});

describe('8254', () => {
  it('interrupts at 100 Hz in mode 2 as Linux programs it', () => {
    const latch = Math.round(PIT_HZ / 100);
    out(0x43, 0x34);
    out(0x40, latch & 0xff, latch >> 8);
    irq.edges = 0;
    // The divisor 11932 is a little too large: the hundredth tick comes 15 us after the second.
    clock.advance(1_000_000_000);
    expect(irq.edges).toBe(99);
    clock.advance(16_000);
    expect(irq.edges).toBe(100);
  });

  it('counts down in mode 2 and latches both bytes', () => {
    out(0x43, 0x34);
    out(0x40, 0xe8, 0x03);
    clock.advance(ticks(250));
    out(0x43, 0x00);
    clock.advance(ticks(100));
    expect(pit.portRead(0x40) | (pit.portRead(0x40) << 8)).toBe(750);
    expect(pit.portRead(0x40) | (pit.portRead(0x40) << 8)).toBe(650);
  });

  it('fires once in mode 0 and again only after a new count', () => {
    out(0x43, 0x30);
    out(0x40, 0x64, 0x00);
    expect(irq.high).toBe(false);
    clock.advance(ticks(99));
    expect(irq.high).toBe(false);
    clock.advance(ticks(2));
    expect(irq.high).toBe(true);
    clock.advance(ticks(200_000));
    expect(irq.edges).toBe(1);
    out(0x40, 0x64, 0x00);
    expect(irq.high).toBe(false);
    clock.advance(ticks(101));
    expect(irq.edges).toBe(2);
  });

  it('strobes once in mode 4', () => {
    out(0x43, 0x38);
    out(0x40, 10, 0);
    irq.edges = 0;
    clock.advance(ticks(1000));
    expect(irq.edges).toBe(1);
  });

  it('makes a square wave in mode 3 and reads it back', () => {
    out(0x43, 0xb6);
    out(0x42, 100, 0);
    pit.setGate(2, true);
    expect(pit.output(2)).toBe(true);
    clock.advance(ticks(49));
    expect(pit.output(2)).toBe(true);
    clock.advance(ticks(50) - ticks(49));
    expect(pit.output(2)).toBe(false);
    // Read-back of status and count of counter 2: status first.
    out(0x43, 0xc8);
    expect(pit.portRead(0x42)).toBe(0x36);
    expect(pit.portRead(0x42) | (pit.portRead(0x42) << 8)).toBe(100);
  });

  it('takes a new count of a periodic mode at the end of the period', () => {
    out(0x43, 0x34);
    out(0x40, 100, 0);
    irq.edges = 0;
    clock.advance(ticks(30));
    out(0x40, 0xe8, 0x03);
    clock.advance(ticks(100) - ticks(30));
    expect(irq.edges).toBe(1);
    clock.advance(ticks(1099) - ticks(100));
    expect(irq.edges).toBe(1);
    clock.advance(ticks(1100) - ticks(1099));
    expect(irq.edges).toBe(2);
  });

  it('counts in BCD and treats 0 as the largest count', () => {
    out(0x43, 0x31);
    out(0x40, 0x00, 0x00);
    clock.advance(ticks(1));
    out(0x43, 0x00);
    expect(pit.portRead(0x40) | (pit.portRead(0x40) << 8)).toBe(0x9999);
    out(0x43, 0x30);
    out(0x40, 0, 0);
    clock.advance(ticks(1));
    out(0x43, 0x00);
    expect(pit.portRead(0x40) | (pit.portRead(0x40) << 8)).toBe(0xffff);
  });

  it('stops counter 2 in mode 0 while its gate is low', () => {
    out(0x43, 0xb0);
    pit.setGate(2, true);
    out(0x42, 0xe8, 0x03);
    clock.advance(ticks(400));
    pit.setGate(2, false);
    clock.advance(ticks(5000));
    expect(pit.output(2)).toBe(false);
    pit.setGate(2, true);
    clock.advance(ticks(599));
    expect(pit.output(2)).toBe(false);
    clock.advance(ticks(3));
    expect(pit.output(2)).toBe(true);
  });

  it('goes on from a saved state', () => {
    out(0x43, 0x34);
    out(0x40, 0x00, 0x10);
    clock.advance(ticks(1000));
    const laterClock = new TestClock();
    laterClock.advance(ticks(1000));
    const laterIrq = new TestLine();
    const copy = new Pit8254(laterClock, laterIrq);
    copy.load(structuredClone(pit.save()));
    irq.edges = 0;
    clock.advance(ticks(20_000));
    laterClock.advance(ticks(20_000));
    expect(laterIrq.edges).toBe(irq.edges);
    expect(laterIrq.edges).toBe(5);
    expect(copy.portRead(0x40)).toBe(pit.portRead(0x40));
  });
});

describe('port 61h', () => {
  let rig: PcRig;
  beforeEach(() => {
    rig = pcRig();
  });

  it('lets a guest measure 50 ms with counter 2, as TSC calibration does', () => {
    const latch = Math.round(PIT_HZ / 20);
    rig.out(0x61, (rig.in(0x61) & ~0x02) | 0x01);
    rig.out(0x43, 0xb0);
    rig.out(0x42, latch & 0xff);
    rig.out(0x42, latch >> 8);
    expect(rig.in(0x61) & 0x20).toBe(0);
    let waited = 0;
    while ((rig.in(0x61) & 0x20) === 0) {
      rig.clock.advance(1000);
      waited += 1000;
    }
    expect(Math.abs(waited - 50_000_000)).toBeLessThan(2000);
  });

  it('toggles the refresh bit every 15 us', () => {
    let changes = 0;
    let last = rig.in(0x61) & 0x10;
    for (let us = 0; us < 1500; us++) {
      rig.clock.advance(1000);
      const bit = rig.in(0x61) & 0x10;
      if (bit !== last) changes++;
      last = bit;
    }
    expect(changes).toBeGreaterThanOrEqual(98);
    expect(changes).toBeLessThanOrEqual(101);
  });

  it('speaker and gate read back', () => {
    rig.out(0x61, 0x03);
    expect(rig.in(0x61) & 0x03).toBe(0x03);
    rig.out(0x61, 0x00);
    expect(rig.in(0x61) & 0x03).toBe(0x00);
  });
});
