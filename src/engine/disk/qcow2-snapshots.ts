/** The snapshots inside a qcow2 image. @qcow2 "Snapshots" */
import { type ByteFile, DiskImageError } from './byte-file.js';
import { MAX_L1_BYTES, type Qcow2Header } from './qcow2-header.js';

const FIXED_BYTES = 40;
/** state size u64, disk size u64, icount u64 */
const EXTRA_BYTES = 24;
const NO_ICOUNT = 2n ** 64n - 1n;
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
  /** Virtual time, and instructions where they are counted. */
  clockNs: number;
  icount: bigint;
  /** Size of the machine's state that goes with it; 0: none does. */
  vmStateBytes: number;
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
    const vmStateBytes = extraBytes >= 8 ? extra.getBigUint64(0) : BigInt(fixed.getUint32(32));
    const icount = extraBytes >= 24 ? extra.getBigUint64(16) : NO_ICOUNT;
    const diskBytes = extraBytes >= 16 ? extra.getBigUint64(8) : BigInt(header.diskBytes);
    list.push({
      ...{ id, name, l1Entries },
      l1Offset: checkedNumber(file, l1Offset),
      diskBytes: checkedNumber(file, diskBytes),
      dateSeconds: fixed.getUint32(16),
      clockNs: Number(fixed.getBigUint64(24)),
      icount: icount === NO_ICOUNT ? 0n : icount,
      vmStateBytes: checkedNumber(file, vmStateBytes),
    });
    at = Math.ceil(at / 8) * 8;
  }
  return { list, bytes: at - header.snapshotsOffset };
}

/** The table of these snapshots, as it stands in the file. */
export function encodeSnapshots(list: readonly Qcow2Snapshot[]): Uint8Array {
  const parts = list.map((snapshot) => {
    const [id, name] = [snapshot.id, snapshot.name].map((text) => new TextEncoder().encode(text));
    const length = FIXED_BYTES + EXTRA_BYTES + id.length + name.length;
    const bytes = new Uint8Array(Math.ceil(length / 8) * 8);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt(snapshot.l1Offset));
    view.setUint32(8, snapshot.l1Entries);
    view.setUint16(12, id.length);
    view.setUint16(14, name.length);
    view.setUint32(16, snapshot.dateSeconds);
    view.setBigUint64(24, BigInt(snapshot.clockNs));
    view.setUint32(32, snapshot.vmStateBytes < 2 ** 32 ? snapshot.vmStateBytes : 0);
    view.setUint32(36, EXTRA_BYTES);
    view.setBigUint64(40, BigInt(snapshot.vmStateBytes));
    view.setBigUint64(48, BigInt(snapshot.diskBytes));
    view.setBigUint64(56, snapshot.icount);
    bytes.set(id, FIXED_BYTES + EXTRA_BYTES);
    bytes.set(name, FIXED_BYTES + EXTRA_BYTES + id.length);
    return bytes;
  });
  const table = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    table.set(part, at);
    at += part.length;
  }
  return table;
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
