/** A qcow2 image made by hand, as a sparse file, so that each table can be where and what a test wants. */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

export interface BuiltImage {
  clusterBits?: number;
  diskBytes?: number;
  /** Length of the file; the rest are holes. */
  fileBytes?: number;
  refcountOrder?: number;
  l1?: { offset: number; entries: number };
  refcountTable?: { offset: number; clusters: number };
  snapshots?: { count: number; offset: number };
  /** Lazy refcounts, and the image was not closed. */
  dirty?: boolean;
  backing?: { name: string; format?: string };
  /** Bytes by their offset, over what the rest makes. */
  pieces?: readonly [offset: number, bytes: Uint8Array][];
}

/** Big-endian 64-bit words. */
export function words(values: readonly (bigint | number)[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8);
  for (const [i, value] of values.entries()) bytes.writeBigUInt64BE(BigInt(value), i * 8);
  return bytes;
}

/** An entry of the snapshot table without extra data: 40 bytes, id and name, padded to 8. */
export function snapshotEntry(id: string, l1Offset: number, l1Entries: number): Buffer {
  const entry = Buffer.alloc(40 + Math.ceil((id.length * 2) / 8) * 8);
  entry.writeBigUInt64BE(BigInt(l1Offset), 0);
  entry.writeUInt32BE(l1Entries, 8);
  entry.writeUInt16BE(id.length, 12);
  entry.writeUInt16BE(id.length, 14);
  entry.write(id + id, 40, 'latin1');
  return entry;
}

/**
 * Cluster 0 is the header, 1 the refcount table, 2 its first block, which counts clusters 0 to 3, and 3 the L1 table,
 * unless said otherwise.
 */
export function buildImage(path: string, image: BuiltImage = {}): void {
  const clusterBits = image.clusterBits ?? 16;
  const cluster = 2 ** clusterBits;
  const header = Buffer.alloc(cluster < 512 ? 512 : Math.min(cluster, 4096));
  header.writeUInt32BE(0x514649fb, 0);
  header.writeUInt32BE(3, 4);
  header.writeUInt32BE(clusterBits, 20);
  header.writeBigUInt64BE(BigInt(image.diskBytes ?? 2 ** 20), 24);
  header.writeUInt32BE(image.l1?.entries ?? 1, 36);
  header.writeBigUInt64BE(BigInt(image.l1?.offset ?? 3 * cluster), 40);
  header.writeBigUInt64BE(BigInt(image.refcountTable?.offset ?? cluster), 48);
  header.writeUInt32BE(image.refcountTable?.clusters ?? 1, 56);
  header.writeUInt32BE(image.snapshots?.count ?? 0, 60);
  header.writeBigUInt64BE(BigInt(image.snapshots?.offset ?? 0), 64);
  if (image.dirty) {
    header.writeBigUInt64BE(1n, 72);
    header.writeBigUInt64BE(1n, 80);
  }
  header.writeUInt32BE(image.refcountOrder ?? 4, 96);
  header.writeUInt32BE(104, 100);
  if (image.backing) {
    const { name, format } = image.backing;
    let at = 104;
    if (format !== undefined) {
      header.writeUInt32BE(0xe2792aca, at);
      header.writeUInt32BE(format.length, at + 4);
      header.write(format, at + 8);
      at += 8 + Math.ceil(format.length / 8) * 8;
    }
    at += 8;
    header.writeBigUInt64BE(BigInt(at), 8);
    header.writeUInt32BE(Buffer.byteLength(name), 16);
    header.write(name, at);
  }
  const counts = Buffer.alloc(8);
  for (let i = 0; i < 4; i++) counts.writeUInt16BE(1, i * 2);
  const fd = openSync(path, 'w');
  try {
    ftruncateSync(fd, image.fileBytes ?? 4 * cluster);
    writeSync(fd, header, 0, header.length, 0);
    if (!image.refcountTable) writeSync(fd, words([2 * cluster]), 0, 8, cluster);
    writeSync(fd, counts, 0, 8, 2 * cluster);
    for (const [offset, bytes] of image.pieces ?? []) writeSync(fd, bytes, 0, bytes.length, offset);
  } finally {
    closeSync(fd);
  }
}
