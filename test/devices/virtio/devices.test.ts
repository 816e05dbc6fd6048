import { describe, expect, it } from 'vitest';
import { BlockError, type BlockStore } from '../../../src/engine/devices/block.js';
import type { NetBackend } from '../../../src/engine/devices/net-backend.js';
import { VirtioBalloon } from '../../../src/engine/devices/virtio/balloon.js';
import { VirtioBlk } from '../../../src/engine/devices/virtio/blk.js';
import { ChaChaSource } from '../../../src/engine/devices/virtio/chacha.js';
import { VirtioConsole } from '../../../src/engine/devices/virtio/console.js';
import type { VirtioDevice } from '../../../src/engine/devices/virtio/device.js';
import { VirtioNet } from '../../../src/engine/devices/virtio/net.js';
import { VirtioRng } from '../../../src/engine/devices/virtio/rng.js';
import { record } from '../../../src/engine/state/schema.js';
import { Driver, type Rig, VERSION_1, virtioRig } from './driver.js';
import { MemoryDisk } from './memory-disk.js';

function started(device: VirtioDevice, without = 0n): { rig: Rig; driver: Driver } {
  const rig = virtioRig(device);
  const driver = new Driver(rig);
  driver.start(driver.offered() & ~without & ~(3n << 28n));
  driver.enableMsix();
  return { rig, driver };
}

describe('virtio-blk', () => {
  const request = (type: number, sector: number) => {
    const view = new DataView(new ArrayBuffer(16));
    view.setUint32(0, type, true);
    view.setUint32(8, sector, true);
    return { bytes: new Uint8Array(view.buffer) };
  };
  const range = (sector: number, sectors: number, flags = 0) => {
    const view = new DataView(new ArrayBuffer(16));
    view.setUint32(0, sector, true);
    view.setUint32(8, sectors, true);
    view.setUint32(12, flags, true);
    return { bytes: new Uint8Array(view.buffer) };
  };
  const sector = (fill: number) => new Uint8Array(512).fill(fill);

  it('offers its geometry: that of an ATA disk of its size', () => {
    const config = (sectors: number) => {
      const store = { sectors, readOnly: false, read() {}, write() {}, writeZeroes() {}, flush() {} };
      const disk = new VirtioBlk({ name: 'disk0', serial: 's', store });
      expect(disk.features).toContain(4);
      const view = new DataView(disk.config().buffer);
      return [view.getUint16(16, true), view.getUint8(18), view.getUint8(19)];
    };
    expect(config(16 * 63 * 100)).toEqual([100, 16, 63]);
    expect(config(1)).toEqual([1, 16, 63]);
    expect(config(2 ** 32)).toEqual([16383, 16, 63]);
  });

  it('reads and writes scattered sectors and refuses those past the end', () => {
    const disk = new MemoryDisk(new Uint8Array(16 * 512));
    const { driver } = started(new VirtioBlk({ name: 'disk0', serial: 's', store: disk }));
    const written = driver.request(0, [
      request(1, 3),
      { bytes: sector(0xaa).subarray(0, 100) },
      { bytes: Uint8Array.of(...sector(0xaa).subarray(100), ...sector(0xbb)) },
      { room: 1 },
    ]);
    expect([written.written, written.data[0]]).toEqual([1, 0]);
    expect([disk.bytes[3 * 512], disk.bytes[4 * 512 - 1], disk.bytes[5 * 512 - 1], disk.bytes[5 * 512]]).toEqual([
      0xaa, 0xaa, 0xbb, 0,
    ]);
    const read = driver.request(0, [request(0, 3), { room: 700 }, { room: 1024 - 700 + 1 }]);
    expect(read.written).toBe(1025);
    expect(read.data.subarray(0, 1024)).toEqual(disk.bytes.subarray(3 * 512, 5 * 512));
    expect(read.data[1024]).toBe(0);
    expect(driver.request(0, [request(0, 15), { room: 1024 }, { room: 1 }]).data.at(-1)).toBe(1);
    expect(driver.request(0, [request(1, 16), { bytes: sector(1) }, { room: 1 }]).data.at(-1)).toBe(1);
    expect(driver.request(0, [request(0, 0), { room: 100 }, { room: 1 }]).data.at(-1)).toBe(1);
    expect(driver.request(0, [request(99, 0), { room: 1 }]).data.at(-1)).toBe(2);
  });

  it('discards and zeroes ranges', () => {
    const disk = new MemoryDisk(new Uint8Array(16 * 512).fill(7));
    const { driver } = started(new VirtioBlk({ name: 'disk0', serial: 's', store: disk }));
    expect(driver.request(0, [request(11, 0), range(2, 1), range(5, 2), { room: 1 }]).data[0]).toBe(0);
    expect([1, 2, 3, 5, 6, 7].map((s) => disk.bytes[s * 512])).toEqual([7, 0, 7, 0, 0, 7]);
    expect(driver.request(0, [request(13, 0), range(8, 1, 1), { room: 1 }]).data[0]).toBe(0);
    expect(disk.bytes[8 * 512]).toBe(0);
    expect(driver.request(0, [request(13, 0), range(15, 2), { room: 1 }]).data[0]).toBe(1);
    expect(driver.request(0, [request(11, 0), range(1, 1, 1), { room: 1 }]).data[0]).toBe(2);
  });

  it('serves a ring that its requests refill in turns, and the guest goes on between them', () => {
    let reads = 0;
    const disk: BlockStore = {
      ...{ sectors: 1 << 20, readOnly: false, write() {}, writeZeroes() {}, flush() {} },
      read: () => {
        reads++;
        // as DMA into the ring would: one request more
        const { avail } = driver.ring(0);
        driver.put(avail + 2, 2, driver.u16(avail + 2) + 1);
      },
    };
    const { driver, rig } = started(new VirtioBlk({ name: 'disk0', serial: 's', store: disk }));
    driver.offer(0, [request(0, 0), { room: 512 }, { room: 1 }]);
    driver.notify(0);
    const { size } = driver.ring(0);
    expect(reads).toBe(size);
    for (let turn = 2; turn < 5; turn++) {
      rig.clock.advance(10_000_000);
      expect(reads).toBe(turn * size);
    }
    driver.status = 0;
    rig.clock.advance(100_000_000);
    expect(reads).toBe(4 * size);
  });

  it('does no more for one notification than a turn of work', () => {
    let zeroed = 0;
    const disk: BlockStore = {
      ...{ sectors: 1 << 30, readOnly: false, read() {}, write() {}, flush() {} },
      writeZeroes: () => void zeroed++,
    };
    const { driver, rig } = started(new VirtioBlk({ name: 'disk0', serial: 's', store: disk }));
    for (let n = 0; n < 3; n++) driver.offer(0, [request(13, 0), range(0, 1 << 22), { room: 1 }], 3 * n);
    driver.notify(0);
    expect(zeroed).toBe(1);
    rig.clock.advance(10_000_000);
    expect(zeroed).toBe(2);
    rig.clock.advance(10_000_000);
    expect(zeroed).toBe(3);
  });

  it('flushes when asked, and after each write for a driver that cannot ask', () => {
    const log: string[] = [];
    const disk = new MemoryDisk(new Uint8Array(16 * 512));
    const backend: BlockStore = {
      sectors: disk.sectors,
      readOnly: false,
      read: (sector, into) => disk.read(sector, into),
      write: (sector) => void log.push(`write ${sector}`),
      writeZeroes: () => {},
      flush: () => void log.push('flush'),
    };
    const device = new VirtioBlk({ name: 'disk0', serial: 's', store: backend });
    const { driver } = started(device);
    driver.request(0, [request(1, 1), { bytes: sector(1) }, { room: 1 }]);
    driver.request(0, [request(4, 0), { room: 1 }]);
    driver.start(VERSION_1);
    driver.request(0, [request(1, 2), { bytes: sector(1) }, { room: 1 }]);
    expect(log).toEqual(['write 1', 'flush', 'write 2', 'flush']);
  });

  it('reports an image that fails as an I/O error, and is read-only when the image is', () => {
    const broken: BlockStore = {
      sectors: 1,
      readOnly: true,
      read: () => {
        throw new BlockError('cluster 5 is corrupt', 'read');
      },
      write: () => {},
      writeZeroes: () => {},
      flush: () => {},
    };
    const { driver } = started(new VirtioBlk({ name: 'disk0', serial: 's', store: broken }));
    expect(driver.offered() & (1n << 5n)).not.toBe(0n);
    expect(driver.request(0, [request(0, 0), { room: 512 }, { room: 1 }]).data.at(-1)).toBe(1);
    expect(driver.request(0, [request(1, 0), { bytes: sector(0) }, { room: 1 }]).data.at(-1)).toBe(1);
    expect(driver.status).toBe(15);
  });
});

describe('virtio-rng', () => {
  it('gives the ChaCha20 key stream of its seed', () => {
    // RFC 8439, A.1, test vector 1: key and nonce zero.
    const { driver } = started(new VirtioRng('rng0', new ChaChaSource(new Uint8Array(32))));
    const first = driver.request(0, [{ room: 5 }, { room: 11 }]);
    expect(first.written).toBe(16);
    expect(Buffer.from(first.data).toString('hex')).toBe('76b8e0ada0f13d90405d6ae55386bd28');
    const second = driver.request(0, [{ room: 64 }]).data;
    expect(Buffer.from(second.subarray(48, 56)).toString('hex')).toBe('9f07e7be5551387a');
  });
});

describe('virtio-console', () => {
  it('writes at once and keeps input until the guest has buffers', () => {
    const out: number[] = [];
    const device = new VirtioConsole({ name: 'console0', columns: 100, rows: 40, output: (b) => void out.push(...b) });
    const { driver } = started(device);
    expect([driver.read(4, 0, 2), driver.read(4, 2, 2)]).toEqual([100, 40]);
    driver.request(1, [{ bytes: new TextEncoder().encode('hello ') }, { bytes: new TextEncoder().encode('world') }]);
    expect(String.fromCharCode(...out)).toBe('hello world');
    device.receive(new TextEncoder().encode('abcdef'));
    expect(driver.request(0, [{ room: 4 }]).written).toBe(4);
    const [gpa] = driver.offer(0, [{ room: 10 }]);
    driver.notify(0);
    expect(driver.used(0)).toEqual([{ head: 0, written: 2 }]);
    expect(String.fromCharCode(...driver.rig.ram.subarray(gpa, gpa + 2))).toBe('ef');
    driver.write(4, 8, 4, 0x21);
    expect(out.at(-1)).toBe(0x21);
  });
});

describe('virtio-balloon', () => {
  const words = (...values: number[]) => ({ bytes: new Uint8Array(Uint32Array.from(values).buffer) });

  it('asks for pages, gives them back to the host and reads statistics', () => {
    const device = new VirtioBalloon('balloon0');
    const { driver, rig } = started(device);
    const stats = new DataView(new ArrayBuffer(20));
    stats.setUint16(0, 4, true);
    stats.setBigUint64(2, 12345n, true);
    stats.setUint16(10, 5, true);
    stats.setBigUint64(12, 99999n, true);
    driver.offer(2, [{ bytes: new Uint8Array(stats.buffer) }]);
    driver.notify(2);
    expect(device.statistics).toEqual([
      ['free', 12345n],
      ['total', 99999n],
    ]);
    // The buffer stays with the device until it wants new numbers.
    expect(driver.used(2)).toEqual([]);
    device.refreshStats();
    expect(driver.used(2).length).toBe(1);
    expect(driver.interrupt()).toBe(0x43);
    device.inflateTo(2);
    expect(driver.interrupt()).toBe(0x40);
    expect(driver.read(4, 0, 4)).toBe(2);
    rig.ram.fill(0x55, 0x200000, 0x204000);
    driver.request(0, [words(0x200, 0x202)]);
    driver.write(4, 4, 4, 2);
    expect(rig.released).toEqual([
      [0x200000, 0x1000],
      [0x202000, 0x1000],
    ]);
    expect([rig.ram[0x200000], rig.ram[0x201000], rig.ram[0x202000]]).toEqual([0, 0x55, 0]);
    expect(device.pages).toEqual({ target: 2, actual: 2 });
    driver.request(1, [words(0x200)]);
    expect(rig.released.length).toBe(2);
  });

  it('takes reports of free pages on the queue after the statistics', () => {
    const { driver, rig } = started(new VirtioBalloon('balloon0'));
    const ring = driver.ring(3);
    driver.descriptor(ring.desc, 0x200000, 0x3000, 2, 0);
    driver.available(3, 0);
    driver.notify(3);
    expect(rig.released).toEqual([[0x200000, 0x3000]]);
    // Without statistics the queue has number 2.
    driver.start(VERSION_1 | (1n << 5n));
    driver.descriptor(driver.ring(2).desc, 0x210000, 0x1000, 2, 0);
    driver.available(2, 0);
    driver.notify(2);
    expect(rig.released.at(-1)).toEqual([0x210000, 0x1000]);
  });

  it('reads statistics that were made available before DRIVER_OK, as Linux does', () => {
    const device = new VirtioBalloon('balloon0');
    const driver = new Driver(virtioRig(device));
    driver.status = 3;
    driver.accept(VERSION_1 | 2n);
    driver.status = 11;
    driver.addRing(2, 16);
    driver.offer(2, [{ bytes: Uint8Array.of(4, 0, 1, 0, 0, 0, 0, 0, 0, 0) }]);
    driver.notify(2);
    expect(device.statistics).toEqual([]);
    driver.status = 15;
    expect(device.statistics).toEqual([['free', 1n]]);
  });

  it('breaks on a page that is not RAM', () => {
    const { driver } = started(new VirtioBalloon('balloon0'));
    driver.offer(0, [words(0xfffff)]);
    driver.notify(0);
    expect(driver.status & 0x40).toBe(0x40);
  });
});

describe('virtio-net', () => {
  const cable = () => {
    const frames: Uint8Array[] = [];
    const backend: NetBackend = {
      fromGuest: (frame) => void frames.push(frame),
      toGuest: () => {},
      shape: record({}),
      save: () => ({}),
      load: () => {},
      describe: () => [],
    };
    return { frames, backend };
  };
  const mac = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56);

  it('sends frames without their header and shows MAC and link', () => {
    const { frames, backend } = cable();
    const { driver } = started(new VirtioNet({ name: 'net0', mac, backend }));
    expect([0, 1, 2, 3, 4, 5].map((i) => driver.read(4, i, 1))).toEqual([...mac]);
    expect(driver.read(4, 6, 2)).toBe(1);
    driver.request(1, [{ bytes: new Uint8Array(12) }, { bytes: Uint8Array.of(1, 2, 3) }]);
    driver.request(1, [{ bytes: Uint8Array.of(...new Uint8Array(12), 4, 5) }]);
    expect(frames.map((frame) => [...frame])).toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
  });

  it('merges receive buffers and keeps a frame until there are enough', () => {
    const { backend } = cable();
    const { driver, rig } = started(new VirtioNet({ name: 'net0', mac, backend }));
    const frame = Uint8Array.from({ length: 200 }, (_, i) => i);
    const places = [...driver.offer(0, [{ room: 100 }], 0), ...driver.offer(0, [{ room: 50 }], 1)];
    backend.toGuest(frame);
    expect(driver.used(0)).toEqual([]);
    places.push(...driver.offer(0, [{ room: 100 }], 2));
    driver.notify(0);
    expect(driver.used(0)).toEqual([
      { head: 0, written: 100 },
      { head: 1, written: 50 },
      { head: 2, written: 62 },
    ]);
    expect(driver.u16(places[0] + 10)).toBe(3);
    const bytes = [
      ...rig.ram.subarray(places[0] + 12, places[0] + 100),
      ...rig.ram.subarray(places[1], places[1] + 50),
      ...rig.ram.subarray(places[2], places[2] + 62),
    ];
    expect(bytes).toEqual([...frame]);
    expect(driver.interrupt()).toBe(0x41);
  });

  it('wants whole frames in one buffer where merging was not agreed on', () => {
    const { backend } = cable();
    const { driver } = started(new VirtioNet({ name: 'net0', mac, backend }), 1n << 15n);
    driver.offer(0, [{ room: 12 }, { room: 1514 }]);
    backend.toGuest(new Uint8Array(60));
    expect(driver.used(0)).toEqual([{ head: 0, written: 72 }]);
    driver.offer(0, [{ room: 40 }]);
    backend.toGuest(new Uint8Array(60));
    expect(driver.status & 0x40).toBe(0x40);
  });
});
