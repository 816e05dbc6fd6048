import { beforeEach, describe, expect, it } from 'vitest';
import { VirtioBlk } from '../../../src/engine/devices/virtio/blk.js';
import { Driver, EVENT_INDEX, INDIRECT, RAM_BYTES, type Rig, VERSION_1, virtioRig } from './driver.js';
import { MemoryDisk } from './memory-disk.js';

let rig: Rig;
let driver: Driver;
let disk: MemoryDisk;

const header = (type: number, sector: number) => {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint32(0, type, true);
  view.setUint32(8, sector, true);
  return new Uint8Array(view.buffer);
};
const getId = [{ bytes: header(8, 0) }, { room: 20 }, { room: 1 }];

beforeEach(() => {
  disk = new MemoryDisk(new Uint8Array(64 * 512));
  rig = virtioRig(new VirtioBlk({ name: 'disk0', store: disk, serial: 'abc' }));
  driver = new Driver(rig);
});

describe('virtio over PCI', () => {
  it('is found by identity and capabilities', () => {
    expect(driver.config(0, 4)).toBe(0x1042_1af4);
    expect(driver.config(8, 1)).toBe(1);
    expect([...driver.places.keys()].sort()).toEqual([1, 2, 3, 4, 5]);
    for (const [type, { bar, offset, length }] of driver.places) {
      if (type !== 5) expect([bar, offset + length <= 0x4000]).toEqual([4, true]);
    }
    expect(driver.read(1, 0x12, 2)).toBe(1);
    expect(driver.read(4, 0, 4)).toBe(64);
  });

  it('refuses features that it does not offer, and a driver without VERSION_1', () => {
    driver.status = 3;
    driver.accept(1n << 10n);
    driver.status = 11;
    expect(driver.status & 8).toBe(0);
    driver.accept(VERSION_1 | (1n << 50n));
    driver.status = 11;
    expect(driver.status & 8).toBe(0);
    driver.accept(driver.offered());
    driver.status = 11;
    expect(driver.status & 8).toBe(8);
    // What was agreed on stays.
    driver.accept(0n);
    driver.write(1, 8, 4, 1);
    expect(driver.read(1, 12, 4)).toBe(Number(driver.offered() >> 32n));
  });

  it('serves nothing before DRIVER_OK and nothing after a reset', () => {
    driver.status = 3;
    driver.accept(VERSION_1);
    driver.status = 11;
    driver.addRing(0, 16);
    driver.offer(0, getId);
    driver.notify(0);
    expect(driver.used(0)).toEqual([]);
    driver.status = 15;
    driver.notify(0);
    expect(driver.used(0)).toEqual([{ head: 0, written: 21 }]);
    driver.status = 0;
    expect(driver.status).toBe(0);
    driver.write(1, 0x16, 2, 0);
    expect([driver.read(1, 0x1c, 2), driver.read(1, 0x18, 2)]).toEqual([0, 256]);
    driver.available(0, 0);
    driver.notify(0);
    expect(driver.used(0)).toEqual([]);
  });

  it('interrupts by INTx with the ISR register, and by MSI-X per queue', () => {
    rig.ioapicWrite(0x10 + 2 * 19, 0x8000 | 0x55);
    driver.start(VERSION_1);
    driver.request(0, getId);
    expect(rig.pc.acknowledgeInterrupt(0)).toBe(0x55);
    expect(driver.read(3, 0, 1)).toBe(1);
    expect(driver.read(3, 0, 1)).toBe(0);
    rig.apicWrite(0xb0, 0);
    expect(rig.pc.interruptPending(0)).toBe(false);
    driver.enableMsix();
    driver.request(0, getId);
    expect(driver.interrupt()).toBe(0x41);
    expect(driver.read(3, 0, 1)).toBe(0);
    // The driver may ask for silence.
    driver.put(driver.ring(0).avail, 2, 1);
    driver.request(0, getId);
    expect(driver.interrupt()).toBeUndefined();
  });

  it('interrupts by event index only at the entry that the driver names', () => {
    driver.start(VERSION_1 | EVENT_INDEX);
    driver.enableMsix();
    const ring = driver.ring(0);
    driver.put(ring.avail + 4 + 2 * ring.size, 2, 1);
    driver.request(0, getId);
    expect(driver.interrupt()).toBeUndefined();
    expect(driver.u16(ring.used + 4 + 8 * ring.size)).toBe(1);
    driver.request(0, getId);
    expect(driver.interrupt()).toBe(0x41);
    driver.request(0, getId);
    expect(driver.interrupt()).toBeUndefined();
  });

  it('follows indirect tables', () => {
    driver.start(VERSION_1 | INDIRECT);
    const parts = driver.buffers(getId);
    const table = driver.alloc(16 * parts.length);
    for (const [i, { gpa, length, flags }] of parts.entries()) {
      const last = i === parts.length - 1;
      driver.descriptor(table + 16 * i, gpa, length, flags | (last ? 0 : 1), last ? 0 : i + 1);
    }
    driver.descriptor(driver.ring(0).desc + 16 * 5, table, 16 * parts.length, 4, 0);
    driver.available(0, 5);
    driver.notify(0);
    expect(driver.used(0)).toEqual([{ head: 5, written: 21 }]);
    expect(String.fromCharCode(...rig.ram.subarray(parts[1].gpa, parts[1].gpa + 3))).toBe('abc');
  });

  it('answers through the window in configuration space', () => {
    const { at } = driver.places.get(5)!;
    driver.setConfig(at + 4, 1, 4);
    driver.setConfig(at + 8, 4, 0x2000);
    driver.setConfig(at + 12, 4, 4);
    expect(driver.config(at + 16, 4)).toBe(64);
    driver.setConfig(at + 8, 4, 0x14);
    driver.setConfig(at + 12, 4, 1);
    driver.setConfig(at + 16, 1, 1);
    expect(driver.status).toBe(1);
  });

  it.each<[string, (driver: Driver) => void]>([
    ['a head outside the ring', (d) => d.available(0, 16)],
    ['an index that jumps over the ring', (d) => d.put(d.ring(0).avail + 2, 2, 17)],
    ['a loop', (d) => d.descriptor(d.ring(0).desc, 0x1000, 8, 1, 0)],
    ['a next outside the ring', (d) => d.descriptor(d.ring(0).desc, 0x1000, 8, 1, 77)],
    ['a buffer past RAM', (d) => d.descriptor(d.ring(0).desc, RAM_BYTES - 4, 8, 0, 0)],
    ['a buffer at the end of 64 bits', (d) => d.descriptor(d.ring(0).desc, 0xffff_ffff_ffff_f000, 4096, 2, 0)],
    ['a huge length', (d) => d.descriptor(d.ring(0).desc, 0x1000, 0xffffffff, 2, 0)],
    ['an indirect table that was not agreed on', (d) => d.descriptor(d.ring(0).desc, 0x1000, 16, 4, 0)],
    ['a header that is too short', (d) => d.offer(0, [{ bytes: new Uint8Array(15) }, { room: 1 }])],
    ['no room for the status', (d) => d.offer(0, [{ bytes: new Uint8Array(16) }])],
    ['a readable part after a writable one', (d) => d.offer(0, [{ room: 1 }, { bytes: header(0, 0) }])],
  ])('asks for a reset after %s', (_name, spoil) => {
    driver.start(VERSION_1);
    driver.enableMsix();
    spoil(driver);
    if (driver.u16(driver.ring(0).avail + 2) === 0) driver.available(0, 0);
    driver.notify(0);
    expect(driver.status & 0x40).toBe(0x40);
    expect(driver.interrupt()).toBe(0x40);
    driver.available(0, 0);
    driver.notify(0);
    expect(driver.used(0)).toEqual([]);
    driver.start(VERSION_1);
    expect(driver.request(0, getId).written).toBe(21);
  });

  it('refuses rings that are not aligned, not in RAM or not a power of two', () => {
    for (const [offset, value] of [
      [0x20, 0x10008],
      [0x30, RAM_BYTES - 4],
      [0x24, 1],
    ]) {
      driver.start(VERSION_1);
      driver.status = 0;
      driver.write(1, offset, 4, value);
      driver.write(1, 0x1c, 2, 1);
      expect(driver.status & 0x40).toBe(0x40);
    }
    driver.status = 0;
    driver.write(1, 0x18, 2, 12);
    driver.write(1, 0x1c, 2, 1);
    expect([driver.status & 0x40, driver.read(1, 0x1c, 2)]).toEqual([0x40, 0]);
  });

  it('comes back from a snapshot in the middle of a conversation', () => {
    driver.start(VERSION_1 | INDIRECT);
    driver.request(0, getId);
    const saved = structuredClone(rig.pc.save());
    const twin = virtioRig(new VirtioBlk({ name: 'disk0', store: disk, serial: 'abc' }));
    twin.ram.set(rig.ram);
    twin.pc.load(saved);
    (driver as { rig: Rig }).rig = twin;
    expect(driver.request(0, getId).written).toBe(21);
  });
});
