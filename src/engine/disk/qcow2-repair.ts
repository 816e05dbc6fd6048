/**
 * Counts the references of a qcow2 image anew: a program that postpones them (lazy refcounts) has crashed.
 * @qcow2 "Host cluster management"
 */
import { type ByteFile, DiskImageError } from './byte-file.js';
import type { Qcow2Header } from './qcow2-header.js';
import type { Refcounts } from './qcow2-refcounts.js';
import type { Qcow2Snapshot } from './qcow2-snapshots.js';

/** What is more than that takes minutes: a tool for it can show how far it is. */
const MAX_CLUSTERS = 2 ** 25;
const MAX_TABLE_BYTES = 2 ** 28;
const COMPRESSED = 0x4000_0000;
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
  const tooLarge = () =>
    new DiskImageError(file.name, 'was not closed and is too large to repair here; qemu-img check -r all does');
  if (clusters > MAX_CLUSTERS) throw tooLarge();
  const counts = new Uint32Array(clusters);
  const count = (offset: number, bytes: number, times = 1): void => {
    const end = Math.ceil((offset + bytes) / clusterBytes);
    if (end > clusters) throw new DiskImageError(file.name, `corrupt: 0x${offset.toString(16)} is beyond its end`);
    for (let cluster = Math.floor(offset / clusterBytes); cluster < end; cluster++) counts[cluster] += times;
  };
  let tableBytes = 0;
  const table = (offset: number, bytes: number): DataView => {
    tableBytes += bytes;
    if (tableBytes > MAX_TABLE_BYTES) throw tooLarge();
    const data = new Uint8Array(bytes);
    file.read(offset, data);
    return new DataView(data.buffer);
  };
  /** How often each L2 table is used: snapshots share them. */
  const l2Uses = new Map<number, number>();
  const countTree = (l1Offset: number, l1Entries: number): void => {
    count(l1Offset, l1Entries * 8);
    const l1 = table(l1Offset, l1Entries * 8);
    for (let at = 0; at < l1.byteLength; at += 8) {
      const l2 = offsetIn(l1, at);
      if (l2 !== 0) l2Uses.set(l2, (l2Uses.get(l2) ?? 0) + 1);
    }
  };
  const shift = BigInt(62 - (header.clusterBits - 8));
  const countEntry = (l2: DataView, at: number, times: number): void => {
    const high = l2.getUint32(at);
    if ((high & COMPRESSED) === 0) {
      const offset = offsetIn(l2, at);
      if (offset !== 0) count(offset, clusterBytes, times);
      return;
    }
    const packed = l2.getBigUint64(at) & ((1n << 62n) - 1n);
    const offset = Number(packed & ((1n << shift) - 1n));
    const sectors = Number(packed >> shift) + 1;
    if (offset >= file.size())
      throw new DiskImageError(file.name, `corrupt: 0x${offset.toString(16)} is beyond its end`);
    count(offset, Math.min(sectors * 512 - (offset % 512), file.size() - offset), times);
  };
  count(0, clusterBytes);
  const { table: countTable, blocks } = refcounts.metadata();
  count(countTable.offset, countTable.bytes);
  for (const offset of blocks) count(offset, clusterBytes);
  countTree(header.l1Offset, header.l1Entries);
  if (snapshotBytes > 0) count(header.snapshotsOffset, snapshotBytes);
  for (const { l1Offset, l1Entries } of snapshots) countTree(l1Offset, l1Entries);
  for (const [offset, times] of l2Uses) {
    count(offset, clusterBytes, times);
    const l2 = table(offset, clusterBytes);
    for (let at = 0; at < clusterBytes; at += 8) countEntry(l2, at, times);
  }
  return counts;
}

function offsetIn(table: DataView, at: number): number {
  return (table.getUint32(at) & 0x00ff_ffff) * 2 ** 32 + ((table.getUint32(at + 4) & 0xffff_fe00) >>> 0);
}
