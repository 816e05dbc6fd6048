/**
 * Counts the references of a qcow2 image anew: a program that postpones them (lazy refcounts) has crashed.
 * @qcow2 "Host cluster management"
 */
import { type ByteFile, DiskImageError } from './byte-file.js';
import type { Qcow2Header } from './qcow2-header.js';
import type { Refcounts } from './qcow2-refcounts.js';
import type { Qcow2Snapshot } from './qcow2-snapshots.js';

const MAX_CLUSTERS = 2 ** 28;
const OFFSET = 0x00ff_ffff_ffff_fe00n;
const COMPRESSED = 1n << 62n;
const BITMAPS = 1n;

export interface RepairOptions {
  file: ByteFile;
  header: Qcow2Header;
  snapshots: readonly Qcow2Snapshot[];
  snapshotBytes: number;
  refcounts: Refcounts;
}

/** @throws DiskImageError, before anything is written, when the tables point outside the file. */
export function repairRefcounts(options: RepairOptions): void {
  const { file, header, refcounts } = options;
  if ((header.autoclear & BITMAPS) !== 0n) {
    throw new DiskImageError(file.name, 'was not closed and has bitmaps: repair it with qemu-img check -r all');
  }
  const expected = countReferences(options);
  const before = expected.slice();
  refcounts.inUse = (cluster) => cluster < before.length && before[cluster] > 0;
  refcounts.onMetadata = (offset, clusters) => {
    const first = offset / 2 ** header.clusterBits;
    for (let cluster = first; cluster < first + clusters; cluster++)
      if (cluster < expected.length) expected[cluster] = 1;
  };
  for (let cluster = 0; cluster < before.length; cluster++) {
    if (before[cluster] > refcounts.get(cluster)) refcounts.set(cluster, before[cluster]);
  }
  refcounts.writeBack();
  file.sync();
  for (let cluster = 0; cluster < expected.length; cluster++) {
    if (expected[cluster] < refcounts.get(cluster)) refcounts.set(cluster, expected[cluster]);
  }
  refcounts.writeBack();
  file.sync();
  refcounts.inUse = () => false;
  refcounts.onMetadata = () => {};
}

function countReferences({ file, header, snapshots, snapshotBytes, refcounts }: RepairOptions): Uint32Array {
  const clusterBytes = 2 ** header.clusterBits;
  const clusters = Math.ceil(file.size() / clusterBytes);
  if (clusters > MAX_CLUSTERS) throw new DiskImageError(file.name, 'was not closed and is too large to repair here');
  const counts = new Uint32Array(clusters);
  const count = (offset: number, bytes: number): void => {
    const end = Math.ceil((offset + bytes) / clusterBytes);
    for (let cluster = Math.floor(offset / clusterBytes); cluster < end; cluster++) {
      if (cluster >= clusters)
        throw new DiskImageError(file.name, `corrupt: 0x${offset.toString(16)} is beyond its end`);
      counts[cluster]++;
    }
  };
  const table = (offset: number, entries: number): DataView => {
    const bytes = new Uint8Array(entries * 8);
    file.read(offset, bytes);
    return new DataView(bytes.buffer);
  };
  const countTree = (l1Offset: number, l1Entries: number): void => {
    count(l1Offset, l1Entries * 8);
    const l1 = table(l1Offset, l1Entries);
    for (let i = 0; i < l1Entries; i++) {
      const l2Offset = Number(l1.getBigUint64(i * 8) & OFFSET);
      if (l2Offset === 0) continue;
      count(l2Offset, clusterBytes);
      const l2 = table(l2Offset, clusterBytes / 8);
      for (let j = 0; j < clusterBytes / 8; j++) countEntry(l2.getBigUint64(j * 8));
    }
  };
  const countEntry = (entry: bigint): void => {
    if ((entry & COMPRESSED) === 0n) {
      if ((entry & OFFSET) !== 0n) count(Number(entry & OFFSET), clusterBytes);
      return;
    }
    const shift = BigInt(62 - (header.clusterBits - 8));
    const offset = Number(entry & ((1n << shift) - 1n));
    const sectors = Number((entry & (COMPRESSED - 1n)) >> shift) + 1;
    count(offset, Math.min(sectors * 512 - (offset % 512), file.size() - offset));
  };
  count(0, clusterBytes);
  for (const offset of refcounts.metadata()) count(offset, clusterBytes);
  countTree(header.l1Offset, header.l1Entries);
  if (snapshotBytes > 0) count(header.snapshotsOffset, snapshotBytes);
  for (const { l1Offset, l1Entries } of snapshots) countTree(l1Offset, l1Entries);
  return counts;
}
