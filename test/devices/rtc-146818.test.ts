import { beforeEach, describe, expect, it } from 'vitest';
import { fromUnixSeconds, toUnixSeconds } from '../../src/engine/devices/calendar.js';
import { Rtc146818 } from '../../src/engine/devices/rtc-146818.js';
import { TestClock, TestLine } from './rig.js';

const SECOND = 1_000_000_000;
let clock: TestClock;
let irq: TestLine;
let rtc: Rtc146818;
const read = (index: number) => {
  rtc.portWrite(0x70, 1, index);
  return rtc.portRead(0x71);
};
const write = (index: number, value: number) => {
  rtc.portWrite(0x70, 1, index);
  rtc.portWrite(0x71, 1, value);
};

beforeEach(() => {
  clock = new TestClock();
  irq = new TestLine();
  // 2024-02-29 12:34:56, a Thursday.
  rtc = new Rtc146818({ clock, irq, memoryBytes: 128 << 20, vcpus: 2, startSeconds: 1_709_210_096 });
});

describe('calendar', () => {
  it('agrees with the host over four centuries', () => {
    for (let day = -100_000; day < 100_000; day += 37) {
      const seconds = day * 86_400 + 45_296;
      const host = new Date(seconds * 1000);
      const time = fromUnixSeconds(seconds);
      expect(time).toEqual({
        year: host.getUTCFullYear(),
        month: host.getUTCMonth() + 1,
        day: host.getUTCDate(),
        weekday: host.getUTCDay() + 1,
        ...{ hour: 12, minute: 34, second: 56 },
      });
      expect(toUnixSeconds(time)).toBe(seconds);
    }
  });
});

describe('MC146818', () => {
  it("tells a BIOS the boot order as QEMU's pc does: of three letters, disk, floppy, CD where none is given", () => {
    const order = (bootOrder?: string): number[] => {
      rtc = new Rtc146818({ clock, irq, memoryBytes: 128 << 20, vcpus: 2, startSeconds: 0, bootOrder });
      return [0x3d, 0x38].map(read);
    };
    expect(order()).toEqual([0x12, 0x30]);
    expect(order('d')).toEqual([0x03, 0x00]);
    expect(order('ndca')).toEqual([0x34, 0x20]);
  });

  it('gives the journal time in BCD and runs on over midnight of a leap day', () => {
    const shown = [0, 2, 4, 6, 7, 8, 9, 0x32].map(read);
    expect(shown).toEqual([0x56, 0x34, 0x12, 0x05, 0x29, 0x02, 0x24, 0x20]);
    clock.advance(12 * 3600 * SECOND);
    expect([4, 7, 8].map(read)).toEqual([0x00, 0x01, 0x03]);
  });

  it('shows an update shortly before the second changes', () => {
    expect(read(10) & 0x80).toBe(0);
    clock.advance(SECOND - 200_000);
    expect(read(10) & 0x80).toBe(0x80);
    expect(read(0)).toBe(0x56);
    clock.advance(200_000);
    expect(read(10) & 0x80).toBe(0);
    expect(read(0)).toBe(0x57);
    expect(read(13)).toBe(0x80);
  });

  it('is set as hwclock does: SET, fields, clear SET', () => {
    write(11, read(11) | 0x80);
    write(0, 0x59);
    write(2, 0x59);
    write(4, 0x23);
    write(7, 0x31);
    write(8, 0x12);
    write(9, 0x99);
    write(0x32, 0x19);
    clock.advance(10 * SECOND);
    expect(read(0)).toBe(0x59);
    write(11, read(11) & ~0x80);
    clock.advance(SECOND);
    expect([0x32, 9, 8, 7, 4, 2, 0].map(read)).toEqual([0x20, 0x00, 0x01, 0x01, 0x00, 0x00, 0x00]);
  });

  it('counts in binary and with 12 hours', () => {
    write(11, 0x04);
    expect(read(0)).toBe(56);
    expect(read(4)).toBe(0x80 | 12);
    clock.advance(12 * 3600 * SECOND);
    expect(read(4)).toBe(12);
    clock.advance(3600 * SECOND);
    expect(read(4)).toBe(1);
  });

  it('interrupts periodically at 1024 Hz, once for each read of C', () => {
    write(11, 0x42);
    read(12);
    clock.advance(SECOND / 4);
    expect(irq.edges).toBe(1);
    let count = 0;
    for (let step = 0; step < 1024; step++) {
      clock.advance(SECOND / 1024);
      if (read(12) === 0xc0) count++;
    }
    expect(count).toBeGreaterThanOrEqual(1023);
    expect(irq.high).toBe(false);
  });

  it('interrupts at the end of updates', () => {
    write(11, 0x12);
    clock.advance(SECOND);
    expect(irq.high).toBe(true);
    expect(read(12) & 0x90).toBe(0x90);
    expect(irq.high).toBe(false);
    expect(read(12)).toBe(0);
  });

  it('sounds the alarm at its time only, and every minute with wildcards', () => {
    write(1, 0x10);
    write(3, 0x35);
    write(5, 0x12);
    write(11, 0x22);
    clock.advance(13 * SECOND);
    expect(irq.edges).toBe(0);
    clock.advance(SECOND);
    expect(irq.edges).toBe(1);
    expect(read(12) & 0xa0).toBe(0xa0);
    clock.advance(3600 * SECOND);
    expect(irq.edges).toBe(1);
    write(3, 0xff);
    write(5, 0xff);
    read(12);
    for (let minute = 0; minute < 3; minute++) {
      clock.advance(60 * SECOND);
      expect(read(12) & 0x20).toBe(0x20);
    }
  });

  it('has the memory sizes where firmware looks, keeps CMOS bytes over a reset and masks NMI', () => {
    expect(read(0x15) | (read(0x16) << 8)).toBe(640);
    expect(read(0x30) | (read(0x31) << 8)).toBe(0xffff);
    expect((read(0x34) | (read(0x35) << 8)) * 0x10000 + 0x1000000).toBe(128 << 20);
    expect(read(0x5f)).toBe(1);
    write(0x0f, 0x0a);
    rtc.portWrite(0x70, 1, 0x8f);
    expect(rtc.nmiMasked).toBe(true);
    rtc.reset();
    expect(rtc.nmiMasked).toBe(false);
    expect(read(0x0f)).toBe(0x0a);
  });

  it('goes on from a saved state', () => {
    write(11, 0x12);
    clock.advance(SECOND / 2);
    const later = new TestClock();
    later.advance(SECOND / 2);
    const line = new TestLine();
    const copy = new Rtc146818({ clock: later, irq: line, memoryBytes: 1 << 20, vcpus: 1, startSeconds: 0 });
    copy.load(structuredClone(rtc.save()));
    later.advance(SECOND / 2);
    expect(line.high).toBe(true);
    copy.portWrite(0x70, 1, 0);
    expect(copy.portRead(0x71)).toBe(0x57);
  });
});
