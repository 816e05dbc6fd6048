/** The snapshots inside a qcow2 image. @qcow2 "Snapshots" */
import { type ByteFile, DiskImageError } from './byte-file.js';
import { MAX_L1_BYTES, type Qcow2Header } from './qcow2-header.js';

const FIXED_BYTES = 40;
const MAX_EXTRA_BYTES = 1024;
/** The whole table, as QEMU's limit. */
const MAX_TABLE_BYTES = 64 * 1024 * 1024;
/** The file is read in pieces of this size: a table may have 65536 entries of a few bytes. */
const WINDOW_BYTES = 256 * 1024;

export interface Qcow2Snapshot {
  id: string;
  name: string;
  l1Offset: number;
  l1Entries: number;
  /** Size of the disk at that time, in bytes. */
  diskBytes: number;
  /** Seconds since 1970. */
  dateSeconds: number;
}

export interface SnapshotTable {
  list: Qcow2Snapshot[];
  /** Bytes that the table takes in the file. */
  bytes: number;
}

/** @throws DiskImageError when the table leaves the file or makes no sense. */
export function readSnapshots(file: ByteFile, header: Qcow2Header): SnapshotTable {
  const list: Qcow2Snapshot[] = [];
  let at = header.snapshotsOffset;
  let window = { start: 0, bytes: new Uint8Array(0) };
  /** A copy of the next bytes. */
  const need = (bytes: number): Uint8Array => {
    if (at + bytes > file.size())
      throw new DiskImageError(file.name, 'is truncated: the snapshot table lies beyond its end');
    if (at + bytes - header.snapshotsOffset > MAX_TABLE_BYTES)
      throw new DiskImageError(file.name, 'corrupt: the snapshot table is larger than 64 MiB');
    if (at < window.start || at + bytes > window.start + window.bytes.length) {
      window = { start: at, bytes: new Uint8Array(Math.max(bytes, WINDOW_BYTES)) };
      file.read(at, window.bytes);
    }
    const data = window.bytes.slice(at - window.start, at - window.start + bytes);
    at += bytes;
    return data;
  };
  for (let i = 0; i < header.snapshots; i++) {
    const fixed = new DataView(need(FIXED_BYTES).buffer);
    const extraBytes = fixed.getUint32(36);
    if (extraBytes > MAX_EXTRA_BYTES)
      throw new DiskImageError(file.name, 'corrupt: a snapshot has too much extra data');
    const extra = new DataView(need(extraBytes).buffer);
    const id = new TextDecoder().decode(need(fixed.getUint16(12)));
    const name = new TextDecoder().decode(need(fixed.getUint16(14)));
    const l1Offset = fixed.getBigUint64(0);
    const l1Entries = fixed.getUint32(8);
    const diskBytes = extraBytes >= 16 ? extra.getBigUint64(8) : BigInt(header.diskBytes);
    list.push({
      ...{ id, name, l1Entries },
      l1Offset: checkedNumber(file, l1Offset),
      diskBytes: checkedNumber(file, diskBytes),
      dateSeconds: fixed.getUint32(16),
    });
    at = Math.ceil(at / 8) * 8;
  }
  return { list, bytes: at - header.snapshotsOffset };
}

/** Why the L1 table of a snapshot cannot be what it says; undefined when it can. */
export function snapshotFault(
  { name, l1Offset, l1Entries }: Qcow2Snapshot,
  { clusterBits }: Qcow2Header,
  file: ByteFile,
): string | undefined {
  const bytes = l1Entries * 8;
  if (bytes > MAX_L1_BYTES) return `corrupt: snapshot ${name} has an L1 table of ${l1Entries} entries`;
  const fits = bytes === 0 || (l1Offset % 2 ** clusterBits === 0 && l1Offset + bytes <= file.size());
  return fits ? undefined : `corrupt: snapshot ${name} has an impossible L1 table`;
}

function checkedNumber(file: ByteFile, value: bigint): number {
  if (value > 2n ** 53n - 1n)
    throw new DiskImageError(file.name, 'corrupt: a snapshot has an impossible offset or size');
  return Number(value);
}
