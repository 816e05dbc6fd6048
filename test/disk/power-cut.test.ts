/** What a qcow2 image is after a power cut at any moment: some of the writes since the last sync are in the file. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { ByteFile } from '../../src/engine/disk/byte-file.js';
import { readHeader } from '../../src/engine/disk/qcow2-header.js';
import { Qcow2Image } from '../../src/engine/disk/qcow2-image.js';
import { readSnapshots } from '../../src/engine/disk/qcow2-snapshots.js';
import { openDisk } from '../../src/engine/host/disk/open-disk.js';
import { named } from '../tools.js';
import { contents, img, io, qemuImg, qemuIo, random, scratchFolder } from './images.js';

const SECTOR = 512;
const folder = scratchFolder();

/** A file whose writes reach the disk one by one, in any order, until a sync. */
class FragileFile implements ByteFile {
  readonly name = 'fragile';
  readonly writable = true;
  #stable: Buffer;
  #now: Buffer;
  #pending: { offset: number; bytes: Buffer }[] = [];
  /** Called before a sync takes effect. */
  beforeSync = () => {};

  constructor(bytes: Buffer) {
    this.#stable = bytes;
    this.#now = Buffer.from(bytes);
  }

  size(): number {
    return this.#now.length;
  }

  read(offset: number, into: Uint8Array): void {
    into.fill(0);
    into.set(this.#now.subarray(offset, offset + into.length));
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#now = patched(this.#now, offset, bytes);
    this.#pending.push({ offset, bytes: Buffer.from(bytes) });
  }

  sync(): void {
    this.beforeSync();
    this.#stable = Buffer.from(this.#now);
    this.#pending = [];
  }

  close(): void {}

  /** The file after a power cut now: each sector of the writes since the last sync is there or not. */
  cut(next: (below: number) => number): Buffer {
    let file: Buffer = Buffer.from(this.#stable);
    const chance = 1 + next(4);
    for (const { offset, bytes } of this.#pending) {
      for (let at = 0; at < bytes.length; at += SECTOR) {
        if (next(4) < chance) file = patched(file, offset + at, bytes.subarray(at, at + SECTOR));
      }
    }
    return file;
  }
}

function patched(file: Buffer, offset: number, bytes: Uint8Array): Buffer {
  const end = offset + bytes.length;
  const result = end > file.length ? Buffer.concat([file, Buffer.alloc(end - file.length)]) : file;
  result.set(bytes, offset);
  return result;
}

/** Errors that qemu-img finds; clusters that nobody uses are none. */
function corruptions(path: string): number {
  let output: string;
  try {
    output = execFileSync(qemuImg.path, ['check', '--output=json', path], { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    output = (error as { stdout: string }).stdout;
  }
  const { corruptions: count = 0, 'check-errors': errors } = JSON.parse(output) as Record<string, number>;
  return count + errors;
}

describe.skipIf(!qemuImg.available || !qemuIo.available)(named('a power cut', qemuImg, qemuIo), () => {
  it.each([
    [512, 16],
    [4096, 16],
    [1024, 1],
  ])(
    'leaves an image with clusters of %i and %i-bit counts whole, with all that was flushed',
    (cluster, bits) => {
      const path = join(folder, `start-${cluster}.qcow2`);
      const options = `cluster_size=${cluster},refcount_bits=${bits}`;
      img('create', '-q', '-f', 'qcow2', '-o', options, path, '2M');
      io(path, 'write -P 1 0 300k');
      if (bits > 1) img('snapshot', '-c', 'old', path);
      io(path, 'write -P 2 100k 400k');
      const file = new FragileFile(readFileSync(path));
      const header = readHeader(file);
      const decompressors = { deflate: (bytes: Uint8Array) => inflateRawSync(bytes) };
      const disk = new Qcow2Image({
        file,
        header,
        snapshots: readSnapshots(file, header),
        backing: undefined,
        decompressors,
      });
      const next = random(cluster + bits);
      const flushed = contents(disk);
      const current = flushed.slice();
      /** Sectors written since the last flush: what they hold after a cut is open. */
      const open = new Set<number>();
      const after = join(folder, `cut-${cluster}.qcow2`);
      let step = 0;
      const check = (): void => {
        writeFileSync(after, file.cut(next));
        expect(corruptions(after), `step ${step}`).toBe(0);
        const survivor = openDisk({ path: after, readonly: true });
        const found = contents(survivor.store);
        survivor.close();
        for (let i = 0; i < found.length / SECTOR; i++) {
          if (open.has(i)) continue;
          const at = i * SECTOR;
          const same = Buffer.compare(found.subarray(at, at + SECTOR), flushed.subarray(at, at + SECTOR)) === 0;
          if (!same) throw new Error(`step ${step}: sector ${i} was flushed and is lost`);
        }
      };
      let cuts = 0;
      file.beforeSync = () => {
        if (next(2) === 0) return;
        cuts++;
        check();
      };
      for (; step < 240; step++) {
        const count = 1 + next(40);
        const sector = next(disk.sectors - count);
        const bytes = new Uint8Array(count * SECTOR).fill(3 + (step % 250));
        for (let i = 0; i < count; i++) open.add(sector + i);
        if (next(6) === 0) {
          bytes.fill(0);
          disk.writeZeroes(sector, count);
        } else disk.write(sector, bytes);
        current.set(bytes, sector * SECTOR);
        if (next(12) === 0) {
          disk.flush();
          flushed.set(current);
          open.clear();
        }
        if (next(12) === 0) check();
      }
      expect(cuts).toBeGreaterThan(20);
    },
    120_000,
  );
});
