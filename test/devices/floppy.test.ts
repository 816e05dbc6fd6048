import { describe, expect, it } from 'vitest';
import type { Drive } from '../../src/engine/devices/block.js';
import { Bus } from '../../src/engine/devices/bus.js';
import { Dma8237 } from '../../src/engine/devices/dma-8237.js';
import { FloppyController } from '../../src/engine/devices/floppy/controller.js';
import { floppyFor } from '../../src/engine/devices/floppy/medium.js';
import { loadAll, saveAll } from '../../src/engine/state/saved.js';
import { random } from '../disk/images.js';
import { TestDisk } from './ide-rig.js';
import { TestLine } from './rig.js';

const SECTORS_144 = 2880;
const drive = (store: TestDisk, n = 0): Drive => ({
  ...{ name: `floppy${n}`, serial: '', bus: 'floppy', kind: 'floppy', store },
});

function floppyRig(...stores: TestDisk[]) {
  const memory = new Uint8Array(1 << 20);
  const irq = new TestLine();
  const outside = (gpa: number, length: number) => {
    if (gpa + length > memory.length) throw new RangeError('outside');
  };
  const dma = new Dma8237({
    bytes: memory.length,
    read: (gpa, length) => {
      outside(gpa, length);
      return memory.slice(gpa, gpa + length);
    },
    write: (gpa, bytes) => {
      outside(gpa, bytes.length);
      memory.set(bytes, gpa);
    },
  });
  const fdc = new FloppyController({ dma, irq, drives: stores.map(drive) });
  const bus = new Bus();
  bus.addPorts(dma);
  bus.addPorts(fdc);
  const out = (port: number, ...values: number[]) => {
    for (const value of values) bus.portWrite(port, 1, value);
  };
  const rig = {
    ...{ memory, irq, dma, fdc, out },
    in: (port: number) => bus.portRead(port, 1),
    command: (...values: number[]) => out(0x3f5, ...values),
    /** All result bytes. */
    results(): number[] {
      const values: number[] = [];
      while ((bus.portRead(0x3f4, 1) & 0xc0) === 0xc0) values.push(bus.portRead(0x3f5, 1));
      return values;
    },
    sense(): number[] {
      rig.command(8);
      return rig.results();
    },
    /** Channel 2: `mode` 46h to memory, 4Ah from memory, 42h verify. */
    channel(mode: number, gpa: number, bytes: number): void {
      out(0x0a, 6);
      out(0x0c, 0);
      out(0x0b, mode);
      out(0x04, gpa & 0xff, (gpa >> 8) & 0xff);
      out(0x81, gpa >> 16);
      out(0x05, (bytes - 1) & 0xff, (bytes - 1) >> 8);
      out(0x0a, 2);
    },
    /** As drivers begin: reset, sense, DMA mode, calibrated. */
    begin(nonDma = false): void {
      out(0x3f2, 0x08, 0x1c);
      for (let n = 0; n < 4; n++) rig.sense();
      rig.command(3, 0xdf, nonDma ? 3 : 2);
      rig.command(7, 0);
      rig.sense();
    },
  };
  return rig;
}

describe('floppy controller', () => {
  it('tells of a reset for each drive, once', () => {
    const rig = floppyRig(new TestDisk(SECTORS_144));
    rig.out(0x3f2, 0x08);
    expect(rig.in(0x3f4)).toBe(0);
    rig.out(0x3f2, 0x0c);
    expect(rig.irq.high).toBe(true);
    expect([0, 1, 2, 3].map(() => rig.sense()[0])).toEqual([0xc0, 0xc1, 0xc2, 0xc3]);
    expect(rig.irq.high).toBe(false);
    expect(rig.sense()).toEqual([0x80]);
    // a driver that senses one of the four and goes on is told of its seek, not of the rest
    rig.out(0x3f2, 0x08, 0x0c);
    rig.sense();
    rig.command(7, 0);
    expect(rig.sense()).toEqual([0x20, 0]);
    expect(rig.sense()).toEqual([0x80]);
  });

  it('reads sectors of both heads to memory, up to the count', () => {
    const disk = new TestDisk(SECTORS_144);
    const rig = floppyRig(disk);
    rig.begin();
    rig.command(0x0f, 0, 5);
    expect(rig.irq.high).toBe(true);
    expect(rig.sense()).toEqual([0x20, 5]);
    rig.channel(0x46, 0x21000, 3 * 512);
    rig.command(0xe6, 0, 5, 0, 17, 2, 18, 0x1b, 0xff);
    expect(rig.irq.high).toBe(true);
    // sectors 17 and 18 of head 0, then 1 of head 1; what comes next is 2
    expect(rig.results()).toEqual([4, 0, 0, 5, 1, 2, 2]);
    expect(rig.irq.high).toBe(false);
    const first = (5 * 2 + 0) * 18 + 16;
    expect(rig.memory.slice(0x21000, 0x21000 + 3 * 512)).toEqual(disk.sector(first, 3).slice());
    expect(rig.in(0x08) & 0x0f).toBe(4);
  });

  it('ends with the track where the count does not', () => {
    const rig = floppyRig(new TestDisk(SECTORS_144));
    rig.begin();
    rig.channel(0x46, 0, 8 * 512);
    rig.command(0x46, 0, 0, 0, 17, 2, 18, 0x1b, 0xff);
    expect(rig.results().slice(0, 3)).toEqual([0x40, 0x80, 0]);
  });

  it('writes, verifies and formats', () => {
    const disk = new TestDisk(SECTORS_144);
    const rig = floppyRig(disk);
    rig.begin();
    rig.memory.fill(0xa5, 0x5000, 0x5000 + 1024);
    rig.channel(0x4a, 0x5000, 1024);
    rig.command(0x45, 4, 0, 1, 3, 2, 18, 0x1b, 0xff);
    expect(rig.results().slice(0, 3)).toEqual([4, 0, 0]);
    expect(disk.sector(18 + 2, 2).every((byte) => byte === 0xa5)).toBe(true);
    const sectors = Array.from({ length: 18 }, (_, n) => [0, 0, n + 1, 2]).flat();
    rig.memory.set(sectors, 0x6000);
    rig.channel(0x4a, 0x6000, sectors.length);
    rig.command(0x4d, 0, 2, 18, 0x54, 0xf6);
    expect(rig.results().slice(0, 3)).toEqual([0, 0, 0]);
    expect(disk.sector(0, 18).every((byte) => byte === 0xf6)).toBe(true);
    rig.command(0x56, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect(rig.results().slice(0, 3)).toEqual([0, 0, 0]);
  });

  it('moves byte by byte where DMA is off', () => {
    const disk = new TestDisk(SECTORS_144);
    const rig = floppyRig(disk);
    rig.begin(true);
    rig.command(0x46, 0, 0, 0, 17, 2, 18, 0x1b, 0xff);
    const bytes: number[] = [];
    while ((rig.in(0x3f4) & 0x20) !== 0) {
      if (bytes.length % 512 === 0) expect(rig.irq.high).toBe(true);
      bytes.push(rig.in(0x3f5));
    }
    expect(Uint8Array.from(bytes)).toEqual(disk.sector(16, 2).slice());
    expect(rig.results().slice(0, 3)).toEqual([0x40, 0x80, 0]);
  });

  it('waits for its channel, also over a save and load', () => {
    const disk = new TestDisk(SECTORS_144);
    const rig = floppyRig(disk);
    rig.begin();
    rig.channel(0x46, 0x3000, 512);
    rig.out(0x0a, 6);
    rig.command(0x46, 0, 0, 0, 4, 2, 18, 0x1b, 0xff);
    expect(rig.in(0x3f4)).toBe(0x10);
    const states = saveAll([rig.dma, rig.fdc]);
    rig.out(0x3f2, 0);
    loadAll([rig.dma, rig.fdc], states);
    rig.out(0x0a, 2);
    expect(rig.results().slice(0, 3)).toEqual([0, 0, 0]);
    expect(rig.memory.slice(0x3000, 0x3200)).toEqual(disk.sector(3).slice());
  });

  it('says what is wrong: no such sector, wrong cylinder, protected, broken, no disk', () => {
    const guarded = new TestDisk(SECTORS_144, true);
    const rig = floppyRig(guarded);
    rig.begin();
    const read = (...where: number[]) => {
      rig.channel(0x46, 0, 512);
      rig.command(0x46, ...where, 2, 18, 0x1b, 0xff);
      return rig.results().slice(0, 3);
    };
    expect(read(0, 0, 0, 19)).toEqual([0x40, 4, 0]);
    expect(read(0, 1, 0, 1)).toEqual([0x40, 4, 0x10]);
    expect(read(1, 0, 0, 1)).toEqual([0x41, 1, 0]);
    rig.channel(0x4a, 0, 512);
    rig.command(0x45, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect(rig.results().slice(0, 3)).toEqual([0x40, 2, 0]);
    rig.command(4, 0);
    expect(rig.results()).toEqual([0x78]);
    guarded.broken = true;
    expect(read(0, 0, 0, 1)).toEqual([0x40, 0x20, 0]);
    rig.command(0x1f);
    expect(rig.results()).toEqual([0x80]);
    rig.command(0x10);
    expect(rig.results()).toEqual([0x90]);
  });

  it('has the changed line until a seek', () => {
    const rig = floppyRig(new TestDisk(SECTORS_144));
    expect(rig.in(0x3f7)).toBe(0x80);
    rig.begin();
    expect(rig.in(0x3f7)).toBe(0);
  });

  it('knows the sizes of disks', () => {
    const kib = (size: number) => floppyFor(size * 2);
    const rows: [number, number, number, number, number][] = [
      [160, 40, 1, 8, 1],
      [360, 40, 2, 9, 1],
      [720, 80, 2, 9, 4],
      [1200, 80, 2, 15, 2],
      [1440, 80, 2, 18, 4],
      [2880, 80, 2, 36, 5],
      [5, 80, 2, 18, 4],
      [1500, 80, 2, 36, 5],
    ];
    for (const [size, cylinders, heads, sectors, type] of rows)
      expect([size, kib(size)]).toEqual([size, { cylinders, heads, sectors, drive: type }]);
    expect(kib(2881)).toBe(undefined);
  });

  it.each(Array.from({ length: 40 }, (_, i) => i + 1))('any order of accesses is harmless, seed %i', (seed) => {
    const next = random(seed * 7919);
    const rig = floppyRig(new TestDisk(SECTORS_144), new TestDisk(700, true));
    const commands = [0x46, 0x45, 0x4d, 0xe6, 0xc5, 7, 8, 0x0f, 0x4a, 0x56, 0x51, 0x59, 0x42, 3, 0x13, 4];
    for (let step = 0; step < 2000; step++) {
      switch (next(8)) {
        case 0:
          rig.out(0x3f2, next(4) === 0 ? next(256) : 0x1c | next(2));
          break;
        case 1:
          rig.command(next(3) === 0 ? next(256) : commands[next(commands.length)]);
          for (let n = next(10); n > 0; n--) rig.command(next(4) === 0 ? next(256) : next(20));
          break;
        case 2:
          rig.channel(next(256), next(1 << 20), 1 + next(1 << 16));
          break;
        case 3:
          rig.out(next(16), next(256));
          break;
        case 4:
          rig.results();
          break;
        case 5:
          rig.out(0x3f0 + next(6), next(256));
          break;
        case 6: {
          const parts = [rig.dma, rig.fdc];
          loadAll(parts, saveAll(parts));
          break;
        }
        default:
          rig.in(next(2) ? 0x3f0 + next(8) : next(16));
      }
    }
    rig.out(0x0d, 0);
    rig.begin();
    rig.channel(0x46, 0, 512);
    rig.command(0x46, 0, 0, 0, 1, 2, 18, 0x1b, 0xff);
    expect(rig.results().slice(0, 3)).toEqual([0, 0, 0]);
  });
});
