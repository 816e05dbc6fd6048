/** Both cables of the IDE controller without a PC around them, and a disk in memory that can fail. */
import { BlockError, type BlockStore, checkSectors, type Drive, SECTOR_BYTES } from '../../src/engine/devices/block.js';
import { Bus } from '../../src/engine/devices/bus.js';
import { buildIde } from '../../src/engine/devices/ide/controller.js';
import { TestClock, TestLine } from './rig.js';

export class TestDisk implements BlockStore {
  readonly bytes: Uint8Array;
  readonly sectors: number;
  flushes = 0;
  broken = false;

  constructor(
    sectors: number,
    readonly readOnly = false,
  ) {
    this.sectors = sectors;
    this.bytes = new Uint8Array(sectors * SECTOR_BYTES);
    for (let i = 0; i < this.bytes.length; i++) this.bytes[i] = ((i >> 9) * 7 + i) & 0xff;
  }

  private check(sector: number, length: number): void {
    checkSectors(this, sector, length / SECTOR_BYTES);
    if (this.broken) throw new BlockError('broken', 'read');
  }

  read(sector: number, into: Uint8Array): void {
    this.check(sector, into.length);
    into.set(this.sector(sector, into.length / SECTOR_BYTES));
  }

  write(sector: number, bytes: Uint8Array): void {
    this.check(sector, bytes.length);
    this.bytes.set(bytes, sector * SECTOR_BYTES);
  }

  writeZeroes(sector: number, count: number): void {
    this.write(sector, new Uint8Array(count * SECTOR_BYTES));
  }

  flush(): void {
    if (this.broken) throw new BlockError('broken', 'write');
    this.flushes++;
  }

  /** A view of sectors. */
  sector(first: number, count = 1): Uint8Array {
    return this.bytes.subarray(first * SECTOR_BYTES, (first + count) * SECTOR_BYTES);
  }
}

export function disk(store: BlockStore, number = 0): Drive {
  return { name: `disk${number}`, serial: `SERIAL${number}`, bus: 'ide', kind: 'disk', store };
}

export function cd(store: BlockStore | undefined): Drive {
  return { name: 'cdrom0', serial: 'CDSERIAL', bus: 'ide', kind: 'cdrom', store };
}

export function ideRig(...drives: Drive[]) {
  const clock = new TestClock();
  const memory = new Uint8Array(1 << 20);
  const lines = new Map([14, 15].map((irq) => [irq, new TestLine()]));
  const { cables, pci } = buildIde({
    clock,
    memory: {
      bytes: memory.length,
      read: (gpa, length) => {
        if (gpa + length > memory.length) throw new RangeError('outside');
        return memory.subarray(gpa, gpa + length);
      },
      write: (gpa, bytes) => {
        if (gpa + bytes.length > memory.length) throw new RangeError('outside');
        memory.set(bytes, gpa);
      },
    },
    irqLine: (irq) => lines.get(irq)!,
    drives,
  });
  const bus = new Bus();
  for (const cable of cables) bus.addPorts(cable);
  const out = (port: number, ...values: number[]) => {
    for (const value of values) bus.portWrite(port, 1, value);
  };
  const rig = {
    ...{ clock, memory, cables, pci, bus, out },
    irq: lines.get(14)!,
    irq15: lines.get(15)!,
    in: (port: number, bytes = 1) => bus.portRead(port, bytes),
    /** Writes features, count and 28-bit address, then the command to a drive of the first cable. */
    command(command: number, lba = 0, count = 1, features = 0, second = false): void {
      out(0x1f6, 0xe0 | (second ? 0x10 : 0) | ((lba >>> 24) & 15));
      out(0x1f1, features);
      out(0x1f2, count & 0xff);
      out(0x1f3, lba & 0xff);
      out(0x1f4, (lba >>> 8) & 0xff);
      out(0x1f5, (lba >>> 16) & 0xff);
      out(0x1f7, command);
    },
    /** The same with a 48-bit address. */
    commandExt(command: number, lba: number, count: number): void {
      out(0x1f6, 0x40);
      out(0x1f2, count >> 8, count & 0xff);
      out(0x1f3, Math.floor(lba / 2 ** 24) & 0xff, lba & 0xff);
      out(0x1f4, Math.floor(lba / 2 ** 32) & 0xff, (lba >>> 8) & 0xff);
      out(0x1f5, Math.floor(lba / 2 ** 40) & 0xff, (lba >>> 16) & 0xff);
      out(0x1f7, command);
    },
    /** Lets a command's time pass; answers the status, which takes the interrupt back. */
    wait(base = 0x1f0): number {
      clock.advance(1_000_000);
      return bus.portRead(base + 7, 1);
    },
    data(bytes: number, base = 0x1f0, width = 2): Uint8Array {
      const result = new Uint8Array(bytes);
      for (let i = 0; i < bytes; i += width) {
        const value = bus.portRead(base, width);
        for (let j = 0; j < width && i + j < bytes; j++) result[i + j] = value >>> (8 * j);
      }
      return result;
    },
    feed(bytes: Uint8Array, base = 0x1f0): void {
      for (let i = 0; i < bytes.length; i += 2) bus.portWrite(base, 2, bytes[i] | (bytes[i + 1] << 8));
    },
    /** The first cable's half of the bus master. */
    bm: {
      read: (offset: number, bytes = 1) => pci.bars[0].read(offset, bytes),
      write: (offset: number, value: number, bytes = 1) => pci.bars[0].write(offset, bytes, value),
    },
    /** A descriptor table at 1000h; the last entry is marked. */
    prds(...entries: [gpa: number, bytes: number][]): void {
      const view = new DataView(memory.buffer, 0x1000);
      for (const [i, [gpa, bytes]] of entries.entries()) {
        view.setUint32(i * 8, gpa, true);
        view.setUint32(i * 8 + 4, (bytes & 0xffff) | (i === entries.length - 1 ? 0x80000000 : 0), true);
      }
      rig.bm.write(4, 0x1000, 4);
    },
    /** Sends a packet to the drive on the second cable; answers the status after it. */
    packet(bytes: number[], limit = 0xfffe, features = 0): number {
      out(0x176, 0xa0);
      out(0x171, features);
      out(0x174, limit & 0xff);
      out(0x175, limit >> 8);
      out(0x177, 0xa0);
      rig.feed(
        Uint8Array.from({ length: 12 }, (_, i) => bytes[i] ?? 0),
        0x170,
      );
      return rig.wait(0x170);
    },
    /** All data of a packet, piece by piece as the drive offers it. */
    packetData(): Uint8Array[] {
      const pieces: Uint8Array[] = [];
      while (bus.portRead(0x177, 1) & 0x08) {
        pieces.push(rig.data(bus.portRead(0x174, 1) | (bus.portRead(0x175, 1) << 8), 0x170));
      }
      return pieces;
    },
  };
  return rig;
}
