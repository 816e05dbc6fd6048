import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDisk } from '../../src/engine/host/disk/open-disk.js';
import { named } from '../tools.js';
import { contents, img, io, qemuImg, qemuIo, scratchFolder, scribble } from './images.js';

const folder = scratchFolder();
const MIB = 1024 * 1024;
const absent = !qemuImg.available || !qemuIo.available;
const suite = describe.skipIf(absent);
const at = (name: string): string => join(folder, name);

/** The image is without fault for qemu-img and holds these bytes. */
function expectImage(path: string, expected: Uint8Array): void {
  expect(img('check', path)).toContain('No errors were found');
  const raw = `${path}.raw`;
  writeFileSync(raw, expected);
  expect(img('compare', '-F', 'raw', path, raw)).toContain('Images are identical');
}

suite(named('qcow2 images', qemuImg, qemuIo), () => {
  it.each([
    ['compat=0.10', 65536, 16],
    ['compat=0.10', 512, 16],
    ['compat=1.1', 512, 16],
    ['compat=1.1', 4096, 1],
    ['compat=1.1', 65536, 2],
    ['compat=1.1', 512, 4],
    ['compat=1.1', 1024, 8],
    ['compat=1.1', 65536, 32],
    ['compat=1.1', 512, 64],
    ['compat=1.1', 2 * MIB, 16],
  ])('are written as %s with clusters of %i and %i-bit counts', (compat, cluster, bits) => {
    const path = at(`w-${compat}-${cluster}-${bits}.qcow2`);
    img('create', '-q', '-f', 'qcow2', '-o', `${compat},cluster_size=${cluster},refcount_bits=${bits}`, path, '12M');
    let expected: Uint8Array = new Uint8Array(12 * MIB);
    for (const seed of [cluster + bits, cluster ^ bits]) {
      const disk = openDisk({ path });
      expect(disk.format).toBe('qcow2');
      expected = scribble(disk.store, expected, seed, 400);
      expect(Buffer.compare(contents(disk.store), expected)).toBe(0);
      disk.close();
      expectImage(path, expected);
    }
  });

  it('grow the refcount table of a file that outgrows it', () => {
    const path = at('grow.qcow2');
    img('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=512,refcount_bits=64', path, '40M');
    const disk = openDisk({ path });
    const expected = new Uint8Array(40 * MIB);
    for (let i = 0; i < 40; i++) {
      expected.fill(i + 1, i * MIB, (i + 1) * MIB);
      disk.store.write(i * 2048, expected.subarray(i * MIB, (i + 1) * MIB));
    }
    disk.close();
    expectImage(path, expected);
  });

  it('have zero clusters, compressed clusters and holes', () => {
    const raw = at('source.raw');
    const bytes = new Uint8Array(8 * MIB);
    for (let i = 0; i < bytes.length; i += 3) bytes[i] = (i >> 9) & 0xff;
    bytes.fill(0, 2 * MIB, 3 * MIB);
    writeFileSync(raw, bytes);
    for (const cluster of [4096, 65536, 2 * MIB]) {
      const path = at(`compressed-${cluster}.qcow2`);
      img('convert', '-c', '-O', 'qcow2', '-o', `cluster_size=${cluster}`, raw, path);
      io(path, 'write -z 5M 1M', 'write -z -u 6M 512k');
      const expected = bytes.slice();
      expected.fill(0, 5 * MIB, 6.5 * MIB);
      const disk = openDisk({ path });
      expect(Buffer.compare(contents(disk.store), expected)).toBe(0);
      const after = scribble(disk.store, expected, cluster, 300);
      disk.close();
      expectImage(path, after);
    }
  });

  it('lie on backing files: relative, raw below qcow2, shorter than what lies above', () => {
    mkdirSync(at('chain/base'), { recursive: true });
    const base = new Uint8Array(3 * MIB).fill(0x5a);
    writeFileSync(at('chain/base/base.raw'), base);
    execFileSync(qemuImg.path, ['create', '-q', '-f', 'qcow2', '-b', 'base.raw', '-F', 'raw', 'middle.qcow2', '6M'], {
      cwd: at('chain/base'),
    });
    io(at('chain/base/middle.qcow2'), 'write -P 7 1M 100k', 'write -z 2M 64k');
    execFileSync(
      qemuImg.path,
      ['create', '-q', '-f', 'qcow2', '-b', 'base/middle.qcow2', '-F', 'qcow2', 'top.qcow2', '8M'],
      { cwd: at('chain') },
    );
    const expected = new Uint8Array(8 * MIB);
    expected.set(base);
    expected.fill(7, MIB, MIB + 100 * 1024);
    expected.fill(0, 2 * MIB, 2 * MIB + 65536);
    const middle = readFileSync(at('chain/base/middle.qcow2'));
    const disk = openDisk({ path: at('chain/top.qcow2') });
    expect(Buffer.compare(contents(disk.store), expected)).toBe(0);
    const after = scribble(disk.store, expected, 99, 200);
    disk.close();
    expectImage(at('chain/top.qcow2'), after);
    expect(readFileSync(at('chain/base/middle.qcow2')).equals(middle)).toBe(true);
    expect(readFileSync(at('chain/base/base.raw')).equals(base)).toBe(true);
  });

  it('keep internal snapshots apart from what is written later', () => {
    const path = at('snapshots.qcow2');
    img('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4096', path, '8M');
    io(path, 'write -P 1 0 2M');
    img('snapshot', '-c', 'first', path);
    io(path, 'write -P 2 1M 2M');
    img('snapshot', '-c', 'second', path);
    const now = new Uint8Array(8 * MIB);
    now.fill(1, 0, MIB);
    now.fill(2, MIB, 3 * MIB);
    const disk = openDisk({ path });
    expect(disk.snapshots.map(({ name }) => name)).toEqual(['first', 'second']);
    const after = scribble(disk.store, now, 5, 300);
    disk.close();
    expectImage(path, after);
    const first = new Uint8Array(8 * MIB).fill(1, 0, 2 * MIB);
    const old = openDisk({ path, snapshotName: 'first' });
    expect(old.store.readOnly).toBe(true);
    expect(Buffer.compare(contents(old.store), first)).toBe(0);
    expect(() => old.store.write(0, new Uint8Array(512))).toThrow('read-only');
    old.close();
    expect(() => openDisk({ path, snapshotName: 'third' })).toThrow('has no snapshot third; it has first, second');
    img('snapshot', '-d', 'first', path);
    expectImage(path, after);
  });

  it('count references anew after a crash with lazy refcounts', () => {
    const path = at('dirty.qcow2');
    img('create', '-q', '-f', 'qcow2', '-o', 'lazy_refcounts=on', path, '8M');
    try {
      io(path, 'write -P 3 0 3M', 'abort');
    } catch {
      // it ends by a signal
    }
    expect(img('info', path)).toContain('lazy refcounts: true');
    expect(readFileSync(path)[79] & 1).toBe(1);
    const disk = openDisk({ path });
    const expected = new Uint8Array(8 * MIB).fill(3, 0, 3 * MIB);
    const after = scribble(disk.store, expected, 6, 50);
    disk.close();
    expect(readFileSync(path)[79] & 1).toBe(0);
    expectImage(path, after);
  });

  it('are whole after each flush, whatever is still in memory', () => {
    const path = at('crash.qcow2');
    img('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4096', path, '8M');
    const disk = openDisk({ path });
    let expected: Uint8Array = new Uint8Array(8 * MIB);
    for (let round = 0; round < 5; round++) {
      expected = scribble(disk.store, expected, round + 1, 60);
      disk.store.flush();
      // what a crash of this program would leave, before and after further writes without a flush
      copyFileSync(path, at(`crash-${round}.qcow2`));
      expectImage(at(`crash-${round}.qcow2`), expected);
    }
    disk.close();
  });

  it('stay as they are when nothing is written, with readonly and with snapshot=on', () => {
    const path = at('untouched.qcow2');
    img('create', '-q', '-f', 'qcow2', path, '4M');
    io(path, 'write -P 9 0 1M');
    const before = readFileSync(path);
    for (const options of [{}, { readonly: true }, { snapshot: true }]) {
      const disk = openDisk({ path, ...options });
      const expected = new Uint8Array(4 * MIB).fill(9, 0, MIB);
      expect(Buffer.compare(contents(disk.store), expected)).toBe(0);
      if (options.snapshot) expect(Buffer.compare(contents(disk.store), scribble(disk.store, expected, 3, 0))).toBe(0);
      if (options.snapshot) {
        const after = scribble(disk.store, expected, 3, 100);
        expect(Buffer.compare(contents(disk.store), after)).toBe(0);
      }
      disk.close();
      expect(readFileSync(path).equals(before)).toBe(true);
    }
  });
});

suite(named('qcow2 images that are refused', qemuImg, qemuIo), () => {
  /** A fresh image with some bytes changed. */
  function changed(name: string, change: (bytes: Buffer) => void, length?: number): string {
    const path = at(`${name}.qcow2`);
    img('create', '-q', '-f', 'qcow2', path, '4M');
    io(path, 'write -P 9 0 1M');
    const bytes = readFileSync(path);
    change(bytes);
    writeFileSync(path, bytes.subarray(0, length));
    return path;
  }
  const put32 = (offset: number, value: number) => (b: Buffer) => void b.writeUInt32BE(value, offset);
  const put64 = (offset: number, value: bigint) => (b: Buffer) => void b.writeBigUInt64BE(value, offset);
  const cases: [name: string, message: RegExp, change: (bytes: Buffer) => void, length?: number][] = [
    ['version', /qcow image of version 7/, put32(4, 7)],
    ['unknown', /unknown incompatible features: bit 9, bit 40/, put64(72, (1n << 9n) | (1n << 40n))],
    ['corrupt-bit', /marked corrupt/, put64(72, 2n)],
    ['encrypted', /encrypted/, put32(32, 1)],
    ['clusters', /cluster size/, put32(20, 40)],
    ['order', /refcounts/, put32(96, 7)],
    ['l1-size', /L1 table/, put32(36, 0)],
    ['l1-place', /L1 table/, put64(40, 1n << 40n)],
    ['refcount-table', /refcount table/, put64(48, 513n)],
    ['short', /too short/, () => {}, 60],
    ['cut', /truncated/, () => {}, 65536],
  ];

  it.each(cases)('%s', (name, message, change, length) => {
    const path = changed(name, change, length);
    const before = readFileSync(path);
    expect(() => openDisk({ path, format: 'qcow2' })).toThrow(message);
    expect(() => openDisk({ path, format: 'qcow2' })).toThrow(path);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('extended L2 entries, external data and zstd without a decompressor', () => {
    img('create', '-q', '-f', 'qcow2', '-o', 'extended_l2=on', at('extended.qcow2'), '4M');
    expect(() => openDisk({ path: at('extended.qcow2') })).toThrow('extended L2');
    img('create', '-q', '-f', 'qcow2', '-o', `data_file=${at('data.raw')}`, at('external.qcow2'), '4M');
    expect(() => openDisk({ path: at('external.qcow2') })).toThrow('external data file');
    img('create', '-q', '-f', 'qcow2', '-o', 'compression_type=zstd', at('zstd.qcow2'), '4M');
    const [major, minor] = process.versions.node.split('.').map(Number);
    if (major > 22 || (major === 22 && minor >= 15)) openDisk({ path: at('zstd.qcow2') }).close();
    else expect(() => openDisk({ path: at('zstd.qcow2') })).toThrow('zstd');
  });

  it('backing files that are missing, of another kind, or the image itself', () => {
    img('create', '-q', '-u', '-f', 'qcow2', '-b', 'nowhere.raw', '-F', 'raw', at('orphan.qcow2'), '4M');
    expect(() => openDisk({ path: at('orphan.qcow2') })).toThrow(/backing file .*nowhere.raw: no such file/);
    img('create', '-q', '-u', '-f', 'qcow2', '-b', 'nbd://localhost/x', '-F', 'raw', at('nbd.qcow2'), '4M');
    expect(() => openDisk({ path: at('nbd.qcow2') })).toThrow('only files of this host');
    img('create', '-q', '-u', '-f', 'qcow2', '-b', 'b.qcow2', '-F', 'qcow2', at('a.qcow2'), '4M');
    img('create', '-q', '-u', '-f', 'qcow2', '-b', 'a.qcow2', '-F', 'qcow2', at('b.qcow2'), '4M');
    expect(() => openDisk({ path: at('a.qcow2') })).toThrow('its own backing file');
  });

  it('an L2 entry that points into the tables: writing stops and the image is marked', () => {
    const path = changed('overlap', (bytes) => {
      const l1 = Number(bytes.readBigUInt64BE(40));
      const l2 = Number(bytes.readBigUInt64BE(l1) & 0x00fffffffffffe00n);
      bytes.writeBigUInt64BE((1n << 63n) | BigInt(l1), l2);
    });
    const disk = openDisk({ path });
    disk.store.write(2048, new Uint8Array(512).fill(1));
    expect(() => disk.store.write(0, new Uint8Array(512))).toThrow('both data and tables');
    expect(() => disk.store.write(4096, new Uint8Array(512))).toThrow('corrupt');
    disk.close();
    expect(readFileSync(path)[79] & 2).toBe(2);
  });
});
