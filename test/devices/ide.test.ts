import { describe, expect, it } from 'vitest';
import { disk, ideRig, TestDisk } from './ide-rig.js';

const BUSY = 0x80;
const READY = 0x50;
const DATA = 0x58;
const FAILED = 0x51;

describe('an ATA disk', () => {
  it('identifies itself after a busy time, with an interrupt that reading the status takes back', () => {
    const rig = ideRig(disk(new TestDisk(5000)));
    rig.command(0xec);
    expect(rig.in(0x3f6)).toBe(BUSY);
    expect(rig.irq.high).toBe(false);
    rig.clock.advance(100_000);
    expect(rig.irq.high).toBe(true);
    expect(rig.in(0x3f6)).toBe(DATA);
    expect(rig.irq.high).toBe(true);
    expect(rig.in(0x1f7)).toBe(DATA);
    expect(rig.irq.high).toBe(false);
    const words = new DataView(rig.data(512).buffer);
    const text = (first: number, count: number) =>
      Array.from({ length: count }, (_, i) =>
        String.fromCharCode(words.getUint8(2 * (first + i) + 1), words.getUint8(2 * (first + i))),
      ).join('');
    expect(text(10, 10).trim()).toBe('SERIAL0');
    expect(text(27, 20).trim()).toBe('QEMU HARDDISK');
    expect([words.getUint16(2, true), words.getUint16(6, true), words.getUint16(12, true)]).toEqual([4, 16, 63]);
    expect(words.getUint32(120, true)).toBe(5000);
    expect(words.getBigUint64(200, true)).toBe(5000n);
    // LBA and DMA; 48-bit addresses and FLUSH
    expect(words.getUint16(98, true) & 0x300).toBe(0x300);
    expect(words.getUint16(166, true) & 0x3400).toBe(0x3400);
    expect(rig.in(0x1f7)).toBe(READY);
  });

  it.each([2, 4, 1])('reads sectors through the data port by %i bytes, an interrupt each', (width) => {
    const store = new TestDisk(300);
    const rig = ideRig(disk(store));
    rig.command(0x20, 200, 3);
    for (let sector = 200; sector < 203; sector++) {
      expect(rig.wait()).toBe(DATA);
      expect(rig.data(512, 0x1f0, width)).toEqual(store.sector(sector));
    }
    expect(rig.irq.edges).toBe(3);
    expect(rig.in(0x1f7)).toBe(READY);
    expect([rig.in(0x1f3), rig.in(0x1f2)]).toEqual([202, 0]);
  });

  it('writes sectors: the first is asked for at once, each ends with an interrupt', () => {
    const store = new TestDisk(300);
    const rig = ideRig(disk(store));
    const bytes = Uint8Array.from({ length: 1024 }, (_, i) => i * 3);
    rig.command(0x30, 10, 2);
    expect(rig.in(0x1f7)).toBe(DATA);
    expect(rig.irq.edges).toBe(0);
    rig.feed(bytes.subarray(0, 512));
    expect(rig.in(0x3f6)).toBe(BUSY);
    expect(rig.wait()).toBe(DATA);
    rig.feed(bytes.subarray(512));
    expect(rig.wait()).toBe(READY);
    expect(rig.irq.edges).toBe(2);
    expect(store.sector(10, 2)).toEqual(bytes);
    rig.command(0xe7);
    expect(store.flushes).toBe(0);
    expect(rig.wait()).toBe(READY);
    expect(store.flushes).toBe(1);
  });

  it('moves blocks of several sectors by READ and WRITE MULTIPLE', () => {
    const store = new TestDisk(300);
    const rig = ideRig(disk(store));
    rig.command(0xc6, 0, 3);
    expect(rig.in(0x1f7)).toBe(FAILED);
    rig.command(0xc6, 0, 4);
    rig.command(0xc4, 20, 6);
    expect(rig.wait()).toBe(DATA);
    expect(rig.data(2048)).toEqual(store.sector(20, 4));
    expect(rig.wait()).toBe(DATA);
    expect(rig.data(1024)).toEqual(store.sector(24, 2));
    expect(rig.in(0x1f7)).toBe(READY);
    rig.command(0xc5, 30, 5);
    rig.feed(new Uint8Array(2048).fill(1));
    rig.wait();
    rig.feed(new Uint8Array(512).fill(2));
    expect(rig.wait()).toBe(READY);
    expect(store.bytes[30 * 512]).toBe(1);
    expect(store.bytes[34 * 512 + 511]).toBe(2);
    rig.command(0xc6, 0, 0);
    rig.command(0xc4, 20, 1);
    expect(rig.in(0x1f7)).toBe(FAILED);
  });

  it('takes a count of 0 for 256 sectors', () => {
    const store = new TestDisk(300);
    const rig = ideRig(disk(store));
    rig.command(0x20, 44, 0);
    for (let sector = 44; sector < 300; sector++) {
      rig.wait();
      expect(rig.data(512)[0]).toBe(store.bytes[sector * 512]);
    }
    expect(rig.in(0x1f7)).toBe(READY);
    rig.command(0x20, 45, 0);
    expect(rig.in(0x1f7)).toBe(FAILED);
  });

  it('reads by cylinder, head and sector, in the geometry that the host sets', () => {
    const store = new TestDisk(5000);
    const rig = ideRig(disk(store));
    const read = (cylinder: number, head: number, sector: number) => {
      rig.out(0x1f6, 0xa0 | head);
      rig.out(0x1f2, 1);
      rig.out(0x1f3, sector);
      rig.out(0x1f4, cylinder & 255);
      rig.out(0x1f5, cylinder >> 8);
      rig.out(0x1f7, 0x20);
      return rig.wait() === DATA ? rig.data(512) : undefined;
    };
    expect(read(1, 2, 3)).toEqual(store.sector((1 * 16 + 2) * 63 + 2));
    expect(read(0, 0, 0)).toBeUndefined();
    expect(rig.in(0x1f1)).toBe(0x10);
    rig.out(0x1f6, 0xa0 | 3);
    rig.out(0x1f2, 17);
    rig.out(0x1f7, 0x91);
    expect(read(5, 3, 17)).toEqual(store.sector((5 * 4 + 3) * 17 + 16));
    expect(read(5, 4, 1)).toBeUndefined();
  });

  it('reaches beyond 28 bits with the registers written twice', () => {
    const start = 2 ** 28 + 5;
    const reads: [number, number][] = [];
    const store = { sectors: 2 ** 31, readOnly: false, write: () => {}, writeZeroes: () => {}, flush: () => {} };
    const read = (sector: number, into: Uint8Array) => {
      reads.push([sector, into.length]);
      into.fill(0x3c);
    };
    const rig = ideRig(disk({ ...store, read }));
    rig.commandExt(0x24, start, 2);
    rig.wait();
    expect(rig.data(512)[9]).toBe(0x3c);
    rig.wait();
    rig.data(512);
    expect(reads).toEqual([
      [start, 512],
      [start + 1, 512],
    ]);
    rig.out(0x3f6, 0x80);
    expect(rig.in(0x1f3)).toBe(0x10);
    rig.out(0x3f6, 0);
    expect(rig.in(0x1f3)).toBe(6);
    rig.command(0x27);
    rig.out(0x3f6, 0x80);
    expect([rig.in(0x1f3), rig.in(0x1f4)]).toEqual([0x7f, 0]);
  });

  it('reports what it cannot do', () => {
    const store = new TestDisk(300);
    const rig = ideRig(disk(store), disk(new TestDisk(300, true), 1));
    rig.command(0x20, 299, 2);
    expect(rig.in(0x1f7)).toBe(FAILED);
    expect(rig.in(0x1f1)).toBe(0x10);
    rig.command(0x99);
    expect(rig.in(0x1f7)).toBe(FAILED);
    expect(rig.in(0x1f1)).toBe(0x04);
    rig.command(0x30, 0, 1, 0, true);
    expect(rig.in(0x1f7)).toBe(FAILED);
    store.broken = true;
    rig.command(0x20, 7, 1);
    expect(rig.wait()).toBe(FAILED);
    expect([rig.in(0x1f1), rig.in(0x1f3)]).toEqual([0x40, 7]);
    rig.command(0xe7);
    expect(rig.wait()).toBe(FAILED);
    store.broken = false;
    rig.command(0x40, 7, 100);
    expect(rig.wait()).toBe(READY);
  });

  it('keeps quiet with nIEN, and starts anew with SRST', () => {
    const rig = ideRig(disk(new TestDisk(300)));
    rig.out(0x3f6, 0x02);
    rig.command(0x20, 3, 1);
    rig.clock.advance(1_000_000);
    expect(rig.irq.high).toBe(false);
    rig.out(0x3f6, 0x00);
    expect(rig.irq.high).toBe(true);
    rig.out(0x3f6, 0x04);
    expect(rig.in(0x3f6)).toBe(BUSY);
    expect(rig.irq.high).toBe(false);
    rig.out(0x3f6, 0x00);
    expect([0x1f1, 0x1f2, 0x1f3, 0x1f4, 0x1f5, 0x1f6, 0x1f7].map((port) => rig.in(port))).toEqual([
      1,
      1,
      1,
      0,
      0,
      0,
      READY,
    ]);
    rig.clock.advance(1_000_000);
    expect(rig.in(0x1f7)).toBe(READY);
  });

  it('leaves the wires alone where no drive is', () => {
    const rig = ideRig(disk(new TestDisk(300)));
    rig.out(0x1f6, 0xf0);
    expect(rig.in(0x1f7)).toBe(0);
    rig.out(0x1f7, 0xec);
    rig.clock.advance(1_000_000);
    expect(rig.irq.edges).toBe(0);
    rig.out(0x1f6, 0xe0);
    expect(rig.in(0x1f7)).toBe(READY);
    expect(rig.in(0x177)).toBe(0);
  });

  it('goes on in the middle of a sector after a snapshot', () => {
    const store = new TestDisk(300);
    const rig = ideRig(disk(store));
    rig.command(0x20, 30, 2);
    rig.wait();
    const first = rig.data(100);
    const twin = ideRig(disk(store));
    twin.cables[0].load(structuredClone(rig.cables[0].save()));
    expect([...first, ...twin.data(412)]).toEqual([...store.sector(30)]);
    twin.wait();
    expect(twin.data(512)).toEqual(store.sector(31));
    expect(twin.in(0x1f7)).toBe(READY);
  });
});

describe('the bus master', () => {
  it('moves sectors to memory in pieces, and back', () => {
    const store = new TestDisk(300);
    const rig = ideRig(disk(store));
    rig.prds([0x2000, 700], [0x8000, 324]);
    rig.command(0xc8, 50, 2);
    expect(rig.in(0x3f6)).toBe(DATA);
    rig.bm.write(0, 0x09);
    expect(rig.bm.read(2)).toBe(0x01);
    expect(rig.wait()).toBe(READY);
    expect(rig.bm.read(2)).toBe(0x04);
    const sectors = store.sector(50, 2);
    expect(rig.memory.slice(0x2000, 0x2000 + 700)).toEqual(sectors.slice(0, 700));
    expect(rig.memory.slice(0x8000, 0x8000 + 324)).toEqual(sectors.slice(700));
    expect(rig.irq.edges).toBe(1);
    rig.bm.write(0, 0);
    rig.bm.write(2, 0x04);
    expect(rig.bm.read(2)).toBe(0);

    rig.commandExt(0x35, 100, 2);
    rig.bm.write(0, 0x01);
    expect(rig.wait()).toBe(READY);
    expect(store.sector(100, 2)).toEqual(sectors);
  });

  it('may be started before the command', () => {
    const store = new TestDisk(300);
    const rig = ideRig(disk(store));
    rig.prds([0x2000, 512]);
    rig.bm.write(0, 0x09);
    rig.command(0xc8, 9, 1);
    expect(rig.wait()).toBe(READY);
    expect(rig.memory.slice(0x2000, 0x2200)).toEqual(store.sector(9).slice());
  });

  it('fails the command when descriptors or memory end too early, or go the other way', () => {
    const rig = ideRig(disk(new TestDisk(300)));
    rig.prds([0x2000, 256]);
    rig.command(0xc8, 9, 1);
    rig.bm.write(0, 0x09);
    expect(rig.wait()).toBe(FAILED);
    rig.bm.write(0, 0);
    rig.prds([0xfff00, 512]);
    rig.command(0xc8, 9, 1);
    rig.bm.write(0, 0x09);
    expect(rig.wait()).toBe(FAILED);
    expect(rig.bm.read(2) & 2).toBe(2);
    rig.bm.write(0, 0);
    rig.prds([0x2000, 512]);
    rig.command(0xc8, 9, 1);
    rig.bm.write(0, 0x01);
    expect(rig.wait()).toBe(FAILED);
  });
});
