/** Images whose tables contradict each other or pretend to be huge: told at once, with the file's name, or harmless. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BlockError } from '../../src/engine/devices/block.js';
import { openDisk } from '../../src/engine/host/disk/open-disk.js';
import { scratchFolder } from './images.js';
import { type BuiltImage, buildImage, snapshotEntry, words } from './qcow2-builder.js';

const folder = scratchFolder();
const MIB = 2 ** 20;
const CLUSTER = 65536;
const SECTOR = new Uint8Array(512).fill(1);
let made = 0;

function build(image: BuiltImage): string {
  const path = join(folder, `image-${made++}.qcow2`);
  buildImage(path, image);
  return path;
}

it('an image made by hand is sound', () => {
  const path = build({});
  const disk = openDisk({ path });
  disk.store.write(7, SECTOR);
  disk.close();
  const again = openDisk({ path });
  const bytes = new Uint8Array(512);
  again.store.read(7, bytes);
  again.close();
  expect(bytes).toEqual(SECTOR);
});

describe('tables that would destroy each other are refused for writing and can be read', () => {
  const many = Array.from({ length: 20_000 }, (_, i) => snapshotEntry(String(i), 4 * MIB, 4 * MIB));
  const cases: [title: string, message: RegExp, image: BuiltImage][] = [
    [
      'an empty first entry of the refcount table',
      /header's cluster is counted as free/,
      { pieces: [[CLUSTER, words([0])]] },
    ],
    ['a count of 0 for the header', /header's cluster is counted as free/, { pieces: [[2 * CLUSTER, words([0])]] }],
    [
      'the refcount table in the L1 table',
      /the L1 table and the refcount table are both at 0x30000/,
      { refcountTable: { offset: 3 * CLUSTER, clusters: 1 } },
    ],
    [
      'a refcount block in the L1 table',
      /the L1 table and a refcount block are both at 0x30000/,
      { pieces: [[CLUSTER, words([3 * CLUSTER])]] },
    ],
    [
      'an L2 table in the refcount table',
      /the refcount table and an L2 table are both at 0x10000/,
      { pieces: [[3 * CLUSTER, words([(1n << 63n) | BigInt(CLUSTER)])]] },
    ],
    [
      'one L2 table for two parts of the disk',
      /an L2 table and another are both at 0x40000/,
      {
        ...{ diskBytes: 2 ** 30, l1: { offset: 3 * CLUSTER, entries: 2 }, fileBytes: 5 * CLUSTER },
        pieces: [[3 * CLUSTER, words([4 * CLUSTER, 4 * CLUSTER])]],
      },
    ],
    [
      'a snapshot with 2^32 entries in its L1 table',
      /snapshot 1 has an L1 table of 4294967295 entries/,
      {
        ...{ snapshots: { count: 1, offset: 4 * CLUSTER }, fileBytes: 5 * CLUSTER },
        pieces: [[4 * CLUSTER, snapshotEntry('1', 0, 0xffff_ffff)]],
      },
    ],
    [
      '20,000 snapshots with an L1 table of 32 MiB, all in one place',
      /the L1 table of snapshot 0 and the L1 table of snapshot 1 are both at 0x400000/,
      {
        ...{ clusterBits: 9, l1: { offset: 1536, entries: 32 } },
        ...{ snapshots: { count: many.length, offset: 2048 }, fileBytes: 64 * MIB },
        pieces: [[2048, Buffer.concat(many)]],
      },
    ],
    [
      'a refcount table of 8 MiB that names one block a million times',
      /refcount block 1 is in the table twice/,
      {
        ...{ clusterBits: 21, refcountOrder: 0, refcountTable: { offset: 4 << 21, clusters: 4 }, fileBytes: 8 << 21 },
        pieces: [
          [4 << 21, words(new Array<number>(MIB).fill(2 << 21))],
          [2 << 21, new Uint8Array(2 * MIB).fill(0xff)],
        ],
      },
    ],
  ];

  it.each(cases)('%s', (_title, message, image) => {
    const path = build(image);
    const before = readFileSync(path);
    for (const options of [{ path }, { path, format: 'qcow2' as const }]) {
      expect(() => openDisk(options)).toThrow(message);
      expect(() => openDisk(options)).toThrow(path);
    }
    const disk = openDisk({ path, readonly: true });
    disk.store.read(0, new Uint8Array(512));
    disk.close();
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});

it('a table that is counted as free is never handed out, and the image is not written to any more', () => {
  // cluster 1, the table of counts itself, has the count 0
  const counts = Buffer.alloc(8);
  for (const [i, count] of [1, 0, 1, 1].entries()) counts.writeUInt16BE(count, i * 2);
  const path = build({ pieces: [[2 * CLUSTER, counts]] });
  const before = readFileSync(path);
  const disk = openDisk({ path });
  expect(() => disk.store.write(0, SECTOR)).toThrow(BlockError);
  expect(() => disk.store.write(0, SECTOR)).toThrow(`${path}: corrupt: cluster 1 holds tables and is counted as free`);
  disk.close();
  expect(readFileSync(path).equals(before)).toBe(true);
});

it('an image that was not closed and is refused for its size stays as it is', () => {
  const path = build({ dirty: true, diskBytes: 511 });
  const before = readFileSync(path);
  expect(() => openDisk({ path })).toThrow(`${path}: is empty`);
  expect(readFileSync(path).equals(before)).toBe(true);
});

it('names in an image are quoted without their control characters', () => {
  const path = build({
    ...{ snapshots: { count: 1, offset: 4 * CLUSTER }, fileBytes: 5 * CLUSTER },
    pieces: [[4 * CLUSTER, snapshotEntry('\x1b[2J\n', 0, 0xffff_ffff)]],
  });
  expect(() => openDisk({ path })).toThrow('corrupt: snapshot \\x1b[2J\\n has an L1 table');
  const format = build({ backing: { name: 'x', format: 'vm\x1b\ndk' } });
  expect(() => openDisk({ path: format })).toThrow('has a backing file of format vm\\x1b\\ndk');
});

it('a snapshot table of 64 MiB and more is refused', () => {
  const entry = snapshotEntry('x'.repeat(32_000), 0, 0);
  const pieces = Array.from({ length: 1100 }, (_, i): [number, Uint8Array] => [4 * CLUSTER + i * entry.length, entry]);
  const path = build({ snapshots: { count: 1100, offset: 4 * CLUSTER }, fileBytes: 128 * MIB, pieces });
  expect(() => openDisk({ path, readonly: true })).toThrow(
    `${path}: corrupt: the snapshot table is larger than 64 MiB`,
  );
});

it.each([
  ['a file of 2^26 clusters', { fileBytes: 2 ** 35 }],
  [
    'a thousand L2 tables of 2 MiB in holes',
    {
      ...{ clusterBits: 21, diskBytes: 2 ** 48, fileBytes: 2 ** 34, l1: { offset: 3 << 21, entries: 1024 } },
      pieces: [[3 << 21, words(Array.from({ length: 1024 }, (_, i) => (i + 4) * 2 ** 21))] as [number, Uint8Array]],
    },
  ],
])('an image that was not closed, too large to count anew at once: %s', (_title, image) => {
  const path = build({ clusterBits: 9, l1: { offset: 1536, entries: 32 }, dirty: true, ...image });
  expect(() => openDisk({ path })).toThrow(`${path}: was not closed and is too large to repair here; qemu-img check`);
});

describe('a raw disk whose format was not given', () => {
  const raw = (): string => {
    const path = join(folder, `disk-${made++}.img`);
    writeFileSync(path, Buffer.alloc(MIB, 0x33));
    return path;
  };
  const secret = join(folder, 'secret');
  writeFileSync(secret, Buffer.alloc(4096, 's'));
  /** First sector of an image of another format that names the secret. */
  const heads: [string, () => Buffer][] = [
    [
      'qcow',
      () => {
        const path = build({ backing: { name: secret, format: 'raw' } });
        return readFileSync(path).subarray(0, 512);
      },
    ],
    ['VMDK', () => Buffer.from(`# Disk DescriptorFile\n\n \r\nversion=1\nRW 8 FLAT "${secret}" 0\n`.padEnd(512, '\0'))],
    ['VMDK', () => Buffer.from('KDMV'.padEnd(512, '\0'))],
    ['QED', () => Buffer.from('QED'.padEnd(512, '\0'))],
    ['VHDX', () => Buffer.from('vhdxfile'.padEnd(512, '\0'))],
  ];

  it.each(heads)('cannot be made a %s image that names a file of the host', (format, head) => {
    const path = raw();
    for (let start = 0; start < 2; start++) {
      const disk = openDisk({ path });
      const bytes = Buffer.concat([head(), Buffer.alloc(1024)]);
      const refused = `${path}: the guest's write to sector 0 would make a ${format} image of this raw one`;
      expect(() => disk.store.write(0, bytes.subarray(0, 512))).toThrow(refused);
      expect(() => disk.store.write(0, bytes)).toThrow(refused);
      expect(disk.format).toBe('raw');
      const read = new Uint8Array(512);
      disk.store.read(0, read);
      expect(read).toEqual(new Uint8Array(512).fill(0x33));
      disk.close();
    }
  });

  it.each(heads)('takes the head of a %s image when it was said to be raw', (_format, head) => {
    const path = raw();
    const disk = openDisk({ path, format: 'raw' });
    disk.store.write(0, head());
    disk.close();
    expect(readFileSync(path).subarray(0, 512).equals(head())).toBe(true);
  });

  it('takes every other first sector, and another format anywhere else', () => {
    const path = raw();
    const disk = openDisk({ path });
    disk.store.write(0, Buffer.concat([Buffer.from('\xeb\x3c\x90MSDOS5.0', 'latin1'), Buffer.alloc(1013)]));
    disk.store.write(1, heads[0][1]());
    disk.store.write(0, Buffer.from('#\r\n'.repeat(170).padEnd(512, '#')));
    disk.store.writeZeroes(0, 1);
    disk.close();
  });

  it('that holds a format that cannot be read is named instead of taken as bytes', () => {
    const path = raw();
    writeFileSync(path, Buffer.from('KDMV'.padEnd(4096, '\0')));
    expect(() => openDisk({ path })).toThrow(`${path}: is a VMDK image; raw and qcow2 are read`);
    openDisk({ path, format: 'raw' }).close();
  });
});

describe('a backing file whose format the image does not say', () => {
  it('is raw, and one that looks otherwise is not followed', () => {
    const base = join(folder, 'base.raw');
    writeFileSync(base, Buffer.alloc(MIB, 0x44));
    const top = build({ backing: { name: base } });
    const disk = openDisk({ path: top });
    const bytes = new Uint8Array(512);
    disk.store.read(0, bytes);
    expect(bytes[0]).toBe(0x44);
    disk.close();

    buildImage(base, { backing: { name: join(folder, 'secret'), format: 'raw' } });
    expect(() => openDisk({ path: top })).toThrow(
      `${top}: backing file ${base}: looks like qcow, but the image above does not say its format`,
    );
    openDisk({ path: build({ backing: { name: base, format: 'qcow2' } }) }).close();
    openDisk({ path: build({ backing: { name: base, format: 'raw' } }) }).close();
  });
});
