/** The AHCI controller as drivers use it; its registers and what lands in memory beside QEMU's. */
import { describe, expect, it, test } from 'vitest';
import { AhciController } from '../../src/engine/devices/ahci/controller.js';
import type { Drive } from '../../src/engine/devices/block.js';
import { named, requireTool } from '../tools.js';
import { cd, disk, TestDisk } from './ide-rig.js';
import { CardRig, random } from './pci/card-rig.js';
import { type Access, onQemu } from './pci/qemu-card.js';

const BAR = { bar: 5 };
const [GHC, IS] = [4, 8];
const PORT = (n: number, register: number) => 0x100 + 0x80 * n + register;
const [CLB, FB, PIS, PIE, CMD, TFD, SIG, SSTS, SCTL, SERR, SACT, CI] = [
  ...[0, 8, 0x10, 0x14, 0x18, 0x20, 0x24, 0x28, 0x2c, 0x30, 0x34, 0x38],
];
const [LIST, RECEIVED, TABLES, BUFFERS] = [0x10000, 0x11000, 0x12000, 0x100000];
const TABLE_BYTES = 0x1000;

class Ahci {
  readonly rig: CardRig;

  constructor(...drives: Drive[]) {
    this.rig = new CardRig((slot) => new AhciController(slot, drives));
    this.write(GHC, 0x80000002);
  }

  read(offset: number): number {
    return this.rig.read(offset, BAR);
  }

  write(offset: number, value: number): void {
    this.rig.write(offset, value, BAR);
  }

  /** As drivers bring a port up. */
  start(port = 0): void {
    this.write(PORT(port, CLB), LIST);
    this.write(PORT(port, FB), RECEIVED);
    this.write(PORT(port, CMD), 0x16);
    this.write(PORT(port, SERR), 0xffffffff);
    this.write(PORT(port, PIS), 0xffffffff);
    this.write(PORT(port, PIE), 0xffffffff);
    this.write(PORT(port, CMD), 0x17);
    this.write(IS, 0xffffffff);
  }

  /** A command into a slot: its FIS, and regions of memory. */
  prepare(slot: number, fis: readonly number[], regions: readonly [gpa: number, bytes: number][] = []): void {
    const table = TABLES + TABLE_BYTES * slot;
    const { rig } = this;
    rig.ram.fill(0, table, table + 0x80);
    rig.ram.set(fis, table);
    rig.view.setUint32(LIST + 32 * slot, 5 | (regions.length << 16), true);
    rig.view.setUint32(LIST + 32 * slot + 4, 0, true);
    rig.u64(LIST + 32 * slot + 8, table);
    for (const [i, [gpa, bytes]] of regions.entries()) {
      rig.u64(table + 0x80 + 16 * i, gpa);
      rig.u64(table + 0x88 + 16 * i, (bytes - 1) * 2 ** 32);
    }
  }

  issue(slots: number, port = 0): void {
    this.write(PORT(port, CI), slots);
    this.rig.pc.clock.advance(20_000_000);
  }

  bytesMoved(slot: number): number {
    return this.rig.view.getUint32(LIST + 32 * slot + 4, true);
  }
}

/** A FIS from the host: command, LBA and count, each whole. */
function fis(command: number, lba = 0, count = 0, features = 0): number[] {
  const byte = (value: number, n: number) => Math.floor(value / 2 ** (8 * n)) & 0xff;
  return [
    ...[0x27, 0x80, command, features & 0xff, byte(lba, 0), byte(lba, 1), byte(lba, 2), 0x40],
    ...[byte(lba, 3), byte(lba, 4), byte(lba, 5), features >> 8, count & 0xff, count >> 8, 0, 0],
  ];
}

const [READ_DMA_EXT, WRITE_DMA_EXT, READ_SECTORS, IDENTIFY, PACKET] = [0x25, 0x35, 0x20, 0xec, 0xa0];
const [READ_FPDMA, WRITE_FPDMA] = [0x60, 0x61];

describe('AHCI', () => {
  it('shows six ports, a disk and an empty place by link and signature', () => {
    const ahci = new Ahci(disk(new TestDisk(64)), cd(new TestDisk(64)));
    expect([ahci.rig.config(0), ahci.rig.config(8) >>> 8]).toEqual([0x29228086, 0x010601]);
    ahci.start(0);
    ahci.start(1);
    expect([0, 1, 2].map((n) => ahci.read(PORT(n, SSTS)))).toEqual([0x113, 0x113, 0]);
    expect([0, 1, 2].map((n) => ahci.read(PORT(n, SIG)))).toEqual([0x101, 0xeb140101, 0xffffffff]);
    expect(ahci.read(PORT(0, TFD)) & 0x89).toBe(0);
    expect(ahci.rig.ram[RECEIVED + 0x40]).toBe(0x34);
  });

  it('reads and writes by regions of any size, and interrupts until both causes are cleared', () => {
    const store = new TestDisk(256);
    const ahci = new Ahci(disk(store));
    ahci.start();
    ahci.prepare(3, fis(READ_DMA_EXT, 5, 4), [
      [BUFFERS + 2, 1000],
      [BUFFERS + 0x2000, 48],
      [BUFFERS + 0x3000, 4096],
    ]);
    ahci.issue(1 << 3);
    expect([ahci.read(PORT(0, CI)), ahci.bytesMoved(3)]).toEqual([0, 2048]);
    const { ram } = ahci.rig;
    const parts = [ram.subarray(BUFFERS + 2, BUFFERS + 1002), ram.subarray(BUFFERS + 0x2000, BUFFERS + 0x2030)];
    expect(Buffer.concat([...parts, ram.subarray(BUFFERS + 0x3000, BUFFERS + 0x3000 + 1000)])).toEqual(
      Buffer.from(store.sector(5, 4)),
    );
    expect([ahci.rig.interrupt, ahci.read(IS), ahci.read(PORT(0, PIS)) & 1]).toEqual([true, 1, 1]);
    ahci.write(PORT(0, PIS), 0xffffffff);
    expect(ahci.rig.interrupt).toBe(true);
    ahci.write(IS, 1);
    expect(ahci.rig.interrupt).toBe(false);
    ram.fill(0xa5, BUFFERS, BUFFERS + 1024);
    ahci.prepare(0, fis(WRITE_DMA_EXT, 100, 2), [[BUFFERS, 1024]]);
    ahci.issue(1);
    expect(store.sector(100, 2).every((byte) => byte === 0xa5)).toBe(true);
  });

  it('moves sectors of the data port, IDENTIFY and packets', () => {
    const store = new TestDisk(256);
    const disc = new TestDisk(64);
    const ahci = new Ahci(disk(store), cd(disc));
    ahci.start(0);
    ahci.prepare(0, fis(IDENTIFY), [[BUFFERS, 512]]);
    ahci.prepare(1, fis(READ_SECTORS, 7, 3), [[BUFFERS + 512, 1536]]);
    ahci.issue(3);
    const { ram, view } = ahci.rig;
    expect(view.getUint16(BUFFERS + 2 * 76, true) & 0x100).toBe(0x100);
    expect(view.getUint32(BUFFERS + 2 * 60, true)).toBe(256);
    expect(ram.slice(BUFFERS + 512, BUFFERS + 2048)).toEqual(store.sector(7, 3).slice());
    expect(ahci.read(PORT(0, PIS)) & 2).toBe(2);
    ahci.start(1);
    for (const dma of [0, 1]) {
      ahci.prepare(
        0,
        [...fis(PACKET, 0, 0, dma)].map((byte, at) => (at === 5 ? 0 : at === 6 ? 8 : byte)),
        [[BUFFERS, 4096]],
      );
      ram.fill(0, BUFFERS, BUFFERS + 4096);
      // READ (10) of block 3, two blocks
      ram.set([0x28, 0, 0, 0, 0, 3, 0, 0, 2], TABLES + 0x40);
      ahci.issue(1, 1);
      expect(ahci.read(PORT(1, CI))).toBe(0);
      expect(ram.slice(BUFFERS, BUFFERS + 4096)).toEqual(disc.sector(12, 8).slice());
      expect(ahci.bytesMoved(0)).toBe(4096);
    }
  });

  it('queues 32 commands, and tells which of them failed', () => {
    const store = new TestDisk(256);
    const ahci = new Ahci(disk(store));
    ahci.start();
    for (let slot = 0; slot < 32; slot++)
      ahci.prepare(slot, fis(READ_FPDMA, slot * 3, slot << 3, 2), [[BUFFERS + 1024 * slot, 1024]]);
    ahci.write(PORT(0, SACT), 0xffffffff);
    ahci.issue(0xffffffff);
    expect([ahci.read(PORT(0, SACT)), ahci.read(PORT(0, CI)), ahci.read(PORT(0, PIS)) & 8]).toEqual([0, 0, 8]);
    for (let slot = 0; slot < 32; slot++)
      expect(ahci.rig.ram.slice(BUFFERS + 1024 * slot, BUFFERS + 1024 * (slot + 1))).toEqual(
        store.sector(slot * 3, 2).slice(),
      );
    ahci.write(PORT(0, PIS), 0xffffffff);
    ahci.prepare(4, fis(WRITE_FPDMA, 300, 4 << 3, 1), [[BUFFERS, 512]]);
    ahci.prepare(5, fis(WRITE_FPDMA, 3, 5 << 3, 1), [[BUFFERS, 512]]);
    ahci.write(PORT(0, SACT), 0x30);
    ahci.issue(0x30);
    expect(ahci.read(PORT(0, PIS)) >>> 30).toBe(1);
    expect(ahci.read(PORT(0, SACT)) & 0x10).toBe(0x10);
    expect(ahci.read(PORT(0, TFD)) & 1).toBe(1);
    // the driver stops the port, starts it, reads the log
    ahci.write(PORT(0, CMD), 0x16);
    expect([ahci.read(PORT(0, CI)), ahci.read(PORT(0, SACT))]).toEqual([0, 0]);
    ahci.write(PORT(0, CMD), 0x17);
    ahci.prepare(0, fis(0x2f, 0x10, 1), [[BUFFERS, 512]]);
    ahci.issue(1);
    expect([...ahci.rig.ram.subarray(BUFFERS, BUFFERS + 4)]).toEqual([4, 0, 0x41, 4]);
  });

  it('stops at an error, and COMRESET brings the port back', () => {
    const ahci = new Ahci(disk(new TestDisk(16)));
    ahci.start();
    ahci.prepare(0, fis(READ_DMA_EXT, 20, 1), [[BUFFERS, 512]]);
    ahci.prepare(1, fis(READ_DMA_EXT, 2, 1), [[BUFFERS, 512]]);
    ahci.issue(3);
    expect([ahci.read(PORT(0, CI)), ahci.read(PORT(0, TFD)) & 1, ahci.read(PORT(0, PIS)) >>> 30]).toEqual([3, 1, 1]);
    ahci.write(PORT(0, CMD), 0x16);
    ahci.write(PORT(0, SCTL), 0x301);
    expect(ahci.read(PORT(0, SSTS))).toBe(0);
    ahci.write(PORT(0, SCTL), 0x300);
    expect([ahci.read(PORT(0, SSTS)), ahci.read(PORT(0, SERR)) >>> 26, ahci.read(PORT(0, SIG))]).toEqual([
      0x113, 1, 0x101,
    ]);
    ahci.start();
    ahci.prepare(1, fis(READ_DMA_EXT, 2, 1), [[BUFFERS, 512]]);
    ahci.issue(2);
    expect([ahci.read(PORT(0, CI)), ahci.read(PORT(0, TFD)) & 0x89]).toEqual([0, 0]);
  });

  it('fails commands whose regions are too small or outside RAM', () => {
    const ahci = new Ahci(disk(new TestDisk(64)));
    for (const regions of [[[BUFFERS, 100]], [[0x7fff0000, 512]], [], [[2 ** 40, 512]]] as [number, number][][]) {
      for (const command of [READ_DMA_EXT, WRITE_DMA_EXT, READ_SECTORS]) {
        ahci.start();
        ahci.prepare(0, fis(command, 1, 1), regions);
        ahci.issue(1);
        expect(ahci.read(PORT(0, TFD)) & 1, `${command} ${regions}`).toBe(1);
        ahci.write(PORT(0, CMD), 0x16);
      }
    }
  });

  it('goes on the same after save and load, with commands under way', () => {
    const make = () => new Ahci(disk(new TestDisk(256)), cd(new TestDisk(64)));
    const one = make();
    one.start();
    one.prepare(0, fis(READ_DMA_EXT, 1, 2), [[BUFFERS, 1024]]);
    one.prepare(1, fis(READ_SECTORS, 9, 3), [[BUFFERS + 1024, 1536]]);
    one.write(PORT(0, CI), 3);
    one.rig.pc.clock.advance(3000);
    const two = make();
    two.rig.ram.set(one.rig.ram);
    two.rig.pc.clock.advance(3000);
    two.rig.card.load(structuredClone(one.rig.card.save()));
    for (const { rig } of [one, two]) rig.pc.clock.advance(1_000_000);
    expect(two.rig.ram.subarray(BUFFERS, BUFFERS + 4096)).toEqual(one.rig.ram.subarray(BUFFERS, BUFFERS + 4096));
    expect([one.read(PORT(0, CI)), two.read(PORT(0, CI))]).toEqual([0, 0]);
    expect(structuredClone(two.rig.card.save())).toEqual(structuredClone(one.rig.card.save()));
  });

  it('never throws and always comes back, whatever a driver does', () => {
    const next = random(0xa4c1);
    let outside = 0;
    let done = 0;
    const commands = [
      READ_DMA_EXT,
      WRITE_DMA_EXT,
      READ_SECTORS,
      IDENTIFY,
      PACKET,
      READ_FPDMA,
      WRITE_FPDMA,
      0x2f,
      0xc4,
      0x39,
    ];
    for (let run = 0; run < 20; run++) {
      const ahci = new Ahci(disk(new TestDisk(256)), cd(new TestDisk(64)));
      const port = next(2);
      for (let step = 0; step < 30; step++) {
        if (step % 3 === 0) ahci.start(port);
        const slot = next(32);
        const wild = next(6) === 0;
        const regions = Array.from({ length: next(5) }, (): [number, number] => [
          wild ? next(0xffffffff) * 2 ** next(32) : BUFFERS + next(1 << 20),
          1 + (wild ? next(1 << 22) : next(4096)),
        ]);
        const command = next(4) === 0 ? next(256) : commands[next(commands.length)];
        ahci.prepare(
          slot,
          fis(command, next(wild ? 2 ** 31 : 300), next(wild ? 65536 : 8), next(wild ? 65536 : 4)),
          regions,
        );
        if (next(8) === 0) ahci.rig.ram[TABLES + TABLE_BYTES * slot + next(16)] = next(256);
        for (let i = 0; i < 12; i++) ahci.rig.ram[TABLES + TABLE_BYTES * slot + 0x40 + i] = next(2) ? next(256) : 0;
        if (next(10) === 0) ahci.rig.view.setUint32(LIST + 32 * slot, next(0xffffffff), true);
        if (next(10) === 0) ahci.rig.u64(LIST + 32 * slot + 8, next(0xffffffff) * 2 ** next(32));
        if (next(6) === 0) ahci.write(PORT(next(6), 4 * next(32)), next(0xffffffff));
        if (next(12) === 0) ahci.rig.write(next(0x1000), next(0xffffffff), { bar: 5, bytes: 1 << next(3) });
        if (next(2) === 0) ahci.write(PORT(port, SACT), 1 << slot);
        ahci.write(PORT(port, CI), next(20) === 0 ? next(0xffffffff) : 1 << slot);
        ahci.rig.pc.clock.advance(next(10_000_000));
        if (ahci.read(PORT(port, CI)) === 0) done++;
      }
      outside += ahci.rig.outside;
      structuredClone(ahci.rig.card.save());
    }
    expect(done).toBeGreaterThan(50);
    expect(outside).toBeGreaterThan(0);
  });

  it('gives the guest its turn while it reads a whole disc through one region', () => {
    const disc = { ...base(0x10000), read: (_: number, into: Uint8Array) => void into.fill(7) };
    const ahci = new Ahci(cd(disc));
    ahci.start();
    const table = TABLES;
    ahci.prepare(
      0,
      [...fis(PACKET)].map((byte, at) => (at === 6 ? 0x40 : byte)),
    );
    ahci.rig.view.setUint32(LIST, 5 | (0xffff << 16), true);
    // READ (12) of all blocks into the same memory again and again
    ahci.rig.ram.set([0xa8, 0, 0, 0, 0, 0, 0, 0, 0x40, 0], table + 0x40);
    for (let i = 0; i < 0x3000; i++) {
      ahci.rig.u64(table + 0x80 + 16 * i, 0x200000);
      ahci.rig.u64(table + 0x88 + 16 * i, 0x7ffff * 2 ** 32);
    }
    ahci.write(PORT(0, CI), 1);
    ahci.rig.pc.clock.advance(3_000_000);
    expect(ahci.read(PORT(0, CI))).toBe(1);
    ahci.rig.pc.clock.advance(200_000_000);
    expect(ahci.read(PORT(0, CI))).toBe(0);
  });
});

function base(sectors: number) {
  return { sectors, readOnly: true, write: () => {}, writeZeroes: () => {}, flush: () => {} };
}

describe("beside QEMU's ahci", () => {
  const qemu = requireTool('qemu-system-x86_64');
  test.skipIf(!qemu.available)(
    named('reads the same registers of a port without a drive', qemu),
    { timeout: 60_000 },
    async () => {
      const accesses: Access[] = [
        ['config', 0],
        ['config', 8],
      ];
      for (const register of [0, 4, 8, 0xc, 0x10]) accesses.push(['read', register]);
      for (let register = 0; register < 0x40; register += 4) accesses.push(['read', PORT(0, register)]);
      for (const [register, value] of [
        [CLB, 0xfffffc00],
        [FB, 0xffffff00],
        [PIE, 0xffffffff],
        [PIS, 0xffffffff],
        [SERR, 0xffffffff],
        [SCTL, 0x301],
        [SCTL, 0x300],
      ])
        accesses.push(['write', PORT(0, register), value], ['read', PORT(0, register)]);
      accesses.push(['write', GHC, 0x80000002], ['read', GHC], ['write', GHC, 0x80000001], ['read', GHC]);
      const ahci = new Ahci();
      ahci.write(GHC, 0x80000000);
      const ours = accesses.map(([what, where, value]) => {
        if (what === 'read') return ahci.read(where);
        if (what === 'config') return ahci.rig.config(where);
        ahci.write(where, value ?? 0);
        return 0;
      });
      const theirs = await onQemu(qemu.path, 'ahci', 5, accesses);
      const told = (values: readonly number[]) =>
        accesses.map((access, i) => `${access.join(' ')}: ${values[i].toString(16)}`);
      expect(told(ours)).toEqual(told(theirs));
    },
  );
});
