import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { BlockStore } from '../../src/engine/devices/block.js';
import { Rng } from '../../src/engine/difftest/rng.js';
import { Overlay } from '../../src/engine/disk/overlay.js';
import { RawImage } from '../../src/engine/disk/raw-image.js';
import { HostFile } from '../../src/engine/host/disk/host-file.js';
import { openDisk } from '../../src/engine/host/disk/open-disk.js';

const folder = mkdtempSync(join(tmpdir(), 'vmscope-sparse-'));
afterAll(() => rmSync(folder, { recursive: true }));
const GIB_SECTORS = 2 ** 21;
const taken = (path: string): number => statSync(path).blocks * 512;

describe('zeroes in a raw image', () => {
  it('leave a sparse file sparse, and give space back', () => {
    const path = join(folder, 'sparse.img');
    writeFileSync(path, new Uint8Array(1 << 20).fill(7));
    truncateSync(path, 2 ** 30);
    const disk = openDisk({ path, format: 'raw', readonly: false, snapshot: false });
    disk.store.writeZeroes(1024, GIB_SECTORS - 1024);
    expect(taken(path)).toBeLessThan(2 << 20);
    disk.store.writeZeroes(0, GIB_SECTORS);
    const read = new Uint8Array(1 << 20);
    disk.store.read(0, read);
    expect(read.every((byte) => byte === 0)).toBe(true);
    disk.close();
    expect(statSync(path).size).toBe(2 ** 30);
    expect(taken(path)).toBeLessThan(1 << 20);
  });

  it('write nothing where there are zeros, on a host that cannot make holes', () => {
    const written: [number, number][] = [];
    const bytes = new Uint8Array(1 << 20).fill(9, 70_000, 70_001);
    const file = {
      ...{ name: 'memory', writable: true, size: () => bytes.length, sync() {}, close() {} },
      read: (offset: number, into: Uint8Array) => into.set(bytes.subarray(offset, offset + into.length)),
      write: (offset: number, data: Uint8Array) => {
        written.push([offset, data.length]);
        bytes.set(data, offset);
      },
    };
    new RawImage(file).writeZeroes(0, 2048);
    expect(written).toEqual([[65_536, 65_536]]);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });
});

describe('snapshot=on', () => {
  it('takes no memory for a disk that is zeroed from end to end', () => {
    const base: BlockStore = {
      ...{ sectors: 2 ** 30, readOnly: true, write() {}, writeZeroes() {}, flush() {} },
      read: (_sector, into) => void into.fill(1),
    };
    const overlay = new Overlay(base, () => {
      throw new Error('a file is not needed');
    });
    const before = process.memoryUsage();
    for (let sector = 0; sector < base.sectors; sector += 2 ** 22) overlay.writeZeroes(sector, 2 ** 22);
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(64 << 20);
    const read = new Uint8Array(512).fill(3);
    overlay.read(2 ** 29 + 77, read);
    expect(read.every((byte) => byte === 0)).toBe(true);
  });

  it('reads what was written, and leaves the image and the folder for temporary files as they were', () => {
    const path = join(folder, 'base.img');
    const model = Uint8Array.from({ length: 1000 * 512 }, (_, n) => (n >> 9) & 0xff);
    writeFileSync(path, model);
    const files = readdirSync(tmpdir()).filter((name) => name.startsWith(`vmscope-${process.pid}-`));
    const disk = openDisk({ path, format: 'raw', readonly: false, snapshot: true });
    const expected = model.slice();
    const rng = new Rng(1);
    for (let n = 0; n < 400; n++) {
      const sector = rng.below(1000);
      const count = 1 + rng.below(Math.min(300, 1000 - sector));
      if (rng.oneIn(3)) {
        disk.store.writeZeroes(sector, count);
        expected.fill(0, sector * 512, (sector + count) * 512);
      } else {
        const data = new Uint8Array(count * 512).fill(rng.below(256));
        disk.store.write(sector, data);
        expected.set(data, sector * 512);
      }
    }
    const read = new Uint8Array(model.length);
    disk.store.read(0, read);
    expect(Buffer.compare(read, expected)).toBe(0);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`vmscope-${process.pid}-`))).toEqual(files);
    disk.close();
    expect(Buffer.compare(readFileSync(path), model)).toBe(0);
  });

  it('keeps its writes in a file that has no name', () => {
    const scratch = HostFile.scratch();
    scratch.write(5, Uint8Array.of(1, 2));
    const read = new Uint8Array(4);
    scratch.read(4, read);
    expect([...read]).toEqual([0, 1, 2, 0]);
    scratch.close();
  });
});
