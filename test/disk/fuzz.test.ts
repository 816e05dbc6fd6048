import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BlockError } from '../../src/engine/devices/block.js';
import { DiskImageError } from '../../src/engine/disk/byte-file.js';
import { openDisk } from '../../src/engine/host/disk/open-disk.js';
import { named } from '../tools.js';
import { img, io, qemuImg, qemuIo, random, scratchFolder } from './images.js';

const SEED = Number(process.env.VMSCOPE_FUZZ_SEED ?? 20260);
const COUNT = Number(process.env.VMSCOPE_FUZZ_COUNT ?? 500);
const MIB = 1024 * 1024;
const VALUES = [
  0n,
  1n,
  0x1ffn,
  0x200n,
  0xffffn,
  0x10000n,
  0xffff_ffffn,
  1n << 40n,
  1n << 53n,
  1n << 62n,
  1n << 63n,
  (1n << 64n) - 1n,
];

/** Images with everything that the format has, small. */
function seeds(folder: string): Buffer[] {
  const plain = join(folder, 'plain.qcow2');
  img('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4096', plain, '4M');
  io(plain, 'write -P 1 0 256k', 'write -z 512k 64k');
  const snapshots = join(folder, 'snapshots.qcow2');
  img('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=512,refcount_bits=8', snapshots, '1M');
  io(snapshots, 'write -P 2 0 128k');
  img('snapshot', '-c', 'one', snapshots);
  io(snapshots, 'write -P 3 64k 128k');
  const compressed = join(folder, 'compressed.qcow2');
  img('convert', '-c', '-O', 'qcow2', '-o', 'cluster_size=4096', snapshots, compressed);
  const old = join(folder, 'old.qcow2');
  img('convert', '-O', 'qcow2', '-o', 'compat=0.10,cluster_size=1024', snapshots, old);
  const dirty = join(folder, 'dirty.qcow2');
  img('create', '-q', '-f', 'qcow2', '-o', 'lazy_refcounts=on,cluster_size=512', dirty, '1M');
  io(dirty, 'write -P 4 0 100k');
  const dirtyBytes = readFileSync(dirty);
  dirtyBytes[79] |= 1;
  return [...[plain, snapshots, compressed, old].map((path) => readFileSync(path)), dirtyBytes];
}

it.skipIf(!qemuImg.available || !qemuIo.available)(
  named(`opens or refuses ${COUNT} damaged images, and touches no other file`, qemuImg, qemuIo),
  { timeout: 120_000 },
  () => {
    const folder = scratchFolder();
    const images = seeds(folder);
    const next = random(SEED);
    const here = join(folder, 'here');
    const beside = join(folder, 'beside.raw');
    const witness = Buffer.alloc(MIB, 0x77);
    writeFileSync(beside, witness);
    mkdirSync(here);
    const path = join(here, 'image.qcow2');
    let opened = 0;
    for (let i = 0; i < COUNT; i++) {
      let bytes = Buffer.from(images[i % images.length]);
      for (let changes = 1 + next(4); changes > 0; changes--) {
        // most of the changes go to the header and the tables that follow it
        const range = next(3) === 0 ? bytes.length : next(2) === 0 ? 112 : Math.min(bytes.length, 32768);
        const offset = next(range);
        switch (next(4)) {
          case 0:
            bytes[offset] ^= 1 << next(8);
            break;
          case 1:
            bytes[offset] = next(256);
            break;
          case 2:
            if (offset + 16 < bytes.length) bytes.writeBigUInt64BE(VALUES[next(VALUES.length)], offset & ~7);
            break;
          default:
            if (next(8) === 0) bytes = bytes.subarray(0, Math.max(offset, 8));
        }
      }
      writeFileSync(path, bytes);
      const started = performance.now();
      try {
        const disk = openDisk({ path, format: 'qcow2', ...(i % 3 === 0 ? { snapshotName: 'one' } : {}) });
        opened++;
        try {
          use(disk.store, next);
        } finally {
          try {
            disk.close();
          } catch (error) {
            expect(error, `close of case ${i}`).toBeInstanceOf(BlockError);
          }
        }
      } catch (error) {
        const expected = error instanceof DiskImageError || error instanceof BlockError;
        if (!expected) throw new Error(`case ${i}: ${(error as Error).stack}`);
        expect((error as Error).message).not.toContain('\n');
        expect((error as Error).message).toContain(path);
        if (error instanceof DiskImageError) expect(readFileSync(path).equals(bytes)).toBe(true);
      }
      expect(performance.now() - started, `time of case ${i}`).toBeLessThan(10_000);
      expect(readdirSync(here)).toEqual(['image.qcow2']);
    }
    expect(readFileSync(beside).equals(witness)).toBe(true);
    expect(opened).toBeGreaterThan(COUNT / 10);
    expect(opened).toBeLessThan(COUNT);
  },
);

/** Reads and writes as a guest would; errors of the storage are fine. */
function use(store: ReturnType<typeof openDisk>['store'], next: (below: number) => number): void {
  const piece = new Uint8Array(64 * 512);
  for (let i = 0; i < 40; i++) {
    const count = 1 + next(Math.min(64, store.sectors));
    const sector = next(Math.min(store.sectors - count, 8192) + 1);
    try {
      if (next(2) === 0 || store.readOnly) store.read(sector, piece.subarray(0, count * 512));
      else if (next(4) === 0) store.writeZeroes(sector, count);
      else store.write(sector, piece.subarray(0, count * 512));
      if (next(8) === 0) store.flush();
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
    }
  }
}
