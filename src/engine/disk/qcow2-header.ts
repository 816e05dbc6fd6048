/**
 * The header of a qcow2 image and its extensions.
 * @qcow2 "Header", "Header extensions"
 */
import { type ByteFile, DiskImageError } from './byte-file.js';

export const QCOW2_MAGIC = 0x514649fb;
const HEADER_BYTES_V2 = 72;
const HEADER_BYTES_V3 = 104;
/** A header may not be longer than a cluster of the largest size. */
const MAX_HEADER_BYTES = 2 * 1024 * 1024;
/** Sizes of tables above which QEMU opens no image either. */
export const MAX_L1_BYTES = 32 * 1024 * 1024;
export const MAX_REFCOUNT_TABLE_BYTES = 8 * 1024 * 1024;
const MAX_SNAPSHOTS = 65536;
const MAX_BACKING_NAME = 1023;

/** Header fields that change while an image is in use, by their offset. */
export const FIELD = {
  refcountTable: 48,
  /** Count of snapshots, u32, and where their table is, u64. */
  snapshots: 60,
  incompatible: 72,
  autoclear: 88,
} as const;

export const INCOMPATIBLE = { dirty: 1n, corrupt: 2n, dataFile: 4n, compressionType: 8n, extendedL2: 16n } as const;
const KNOWN_INCOMPATIBLE = 0x1fn;

const EXTENSION = { end: 0, backingFormat: 0xe2792aca, featureNames: 0x6803f857 } as const;
const FEATURE_NAME_BYTES = 48;

export type CompressionType = 'deflate' | 'zstd';

export interface Qcow2Header {
  version: 2 | 3;
  clusterBits: number;
  /** Size of the disk in bytes. */
  diskBytes: number;
  backingFile: string | undefined;
  backingFormat: string | undefined;
  l1Entries: number;
  l1Offset: number;
  refcountTableOffset: number;
  refcountTableClusters: number;
  refcountOrder: number;
  snapshots: number;
  snapshotsOffset: number;
  incompatible: bigint;
  autoclear: bigint;
  compression: CompressionType;
}

/** True when the first bytes of a file are those of a qcow (any version). */
export function isQcow(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) === QCOW2_MAGIC;
}

/** Reads and checks the header. @throws DiskImageError for what this program cannot read. */
export function readHeader(file: ByteFile): Qcow2Header {
  const fail = (reason: string): never => {
    throw new DiskImageError(file.name, reason);
  };
  const fixed = new Uint8Array(HEADER_BYTES_V3 + 8);
  if (file.size() < HEADER_BYTES_V2) fail('is too short for a qcow2 header');
  file.read(0, fixed);
  if (!isQcow(fixed)) fail('is not a qcow2 image');
  const view = new DataView(fixed.buffer);
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3) return fail(`is a qcow image of version ${version}; versions 2 and 3 are read`);
  const clusterBits = view.getUint32(20);
  if (clusterBits < 9 || clusterBits > 21) fail(`cluster size of 2^${clusterBits} bytes is not from 512 to 2 MiB`);
  const clusterBytes = 2 ** clusterBits;
  const place = (offset: number, what: string, bytes: number): number => {
    const value = view.getBigUint64(offset);
    if (value % BigInt(clusterBytes) !== 0n) fail(`corrupt: ${what} is not at a cluster's start`);
    if (value + BigInt(bytes) > BigInt(file.size())) fail(`is truncated: ${what} lies beyond its end`);
    return Number(value);
  };

  if (view.getUint32(32) !== 0) fail('is encrypted, which is not supported');
  const v3 = version === 3;
  const headerBytes = v3 ? view.getUint32(100) : HEADER_BYTES_V2;
  if (v3 && (headerBytes < HEADER_BYTES_V3 || headerBytes > clusterBytes || headerBytes % 8 !== 0)) {
    fail(`corrupt: header length ${headerBytes}`);
  }
  const incompatible = v3 ? view.getBigUint64(FIELD.incompatible) : 0n;
  const extensions = readExtensions(file, headerBytes, Math.min(clusterBytes, MAX_HEADER_BYTES), backingStart(view));
  checkFeatures(file.name, incompatible, extensions.names);
  const compression = headerBytes > 104 && v3 ? fixed[104] : 0;
  if (compression > 1) fail(`compression type ${compression} is not known`);
  if (((incompatible & INCOMPATIBLE.compressionType) !== 0n) !== (compression !== 0)) {
    fail('corrupt: compression type and its feature bit disagree');
  }

  const diskBytes = view.getBigUint64(24);
  if (diskBytes > 2n ** 53n - 1n) fail(`disk of ${diskBytes} bytes is too large`);
  const l1Entries = view.getUint32(36);
  if (l1Entries * 8 > MAX_L1_BYTES) fail(`L1 table of ${l1Entries} entries is too large`);
  if (l1Entries < l1EntriesFor(Number(diskBytes), clusterBits)) {
    fail(`corrupt: L1 table of ${l1Entries} entries is too small for the disk`);
  }
  const refcountOrder = v3 ? view.getUint32(96) : 4;
  if (refcountOrder > 6) fail(`refcounts of 2^${refcountOrder} bits are wider than 64`);
  const refcountTableClusters = view.getUint32(56);
  if (refcountTableClusters * clusterBytes > MAX_REFCOUNT_TABLE_BYTES) fail('refcount table is too large');
  if (refcountTableClusters === 0) fail('corrupt: it has no refcount table');
  const snapshots = view.getUint32(60);
  if (snapshots > MAX_SNAPSHOTS) fail(`too many snapshots: ${snapshots}`);
  return {
    version,
    clusterBits,
    diskBytes: Number(diskBytes),
    backingFile: backingFile(file, view, clusterBytes),
    backingFormat: extensions.backingFormat,
    l1Entries,
    l1Offset: place(40, 'the L1 table', l1Entries * 8),
    refcountTableOffset: place(FIELD.refcountTable, 'the refcount table', refcountTableClusters * clusterBytes),
    refcountTableClusters,
    refcountOrder,
    snapshots,
    snapshotsOffset: snapshots === 0 ? 0 : place(64, 'the snapshot table', 0),
    incompatible,
    autoclear: v3 ? view.getBigUint64(FIELD.autoclear) : 0n,
    compression: compression === 1 ? 'zstd' : 'deflate',
  };
}

/** L1 entries that a disk of this size needs. */
export function l1EntriesFor(diskBytes: number, clusterBits: number): number {
  return Math.ceil(diskBytes / 2 ** (2 * clusterBits - 3));
}

/** Offset of the backing file's name; extensions end before it. */
function backingStart(view: DataView): number {
  const offset = view.getBigUint64(8);
  return offset === 0n ? Number.POSITIVE_INFINITY : Number(offset);
}

function backingFile(file: ByteFile, view: DataView, clusterBytes: number): string | undefined {
  const offset = view.getBigUint64(8);
  const length = view.getUint32(16);
  if (offset === 0n || length === 0) return undefined;
  if (length > MAX_BACKING_NAME || offset + BigInt(length) > BigInt(Math.min(clusterBytes, file.size()))) {
    throw new DiskImageError(file.name, 'corrupt: the name of the backing file is outside the header');
  }
  const name = new Uint8Array(length);
  file.read(Number(offset), name);
  return new TextDecoder().decode(name);
}

interface Extensions {
  backingFormat?: string;
  /** Feature names by kind * 64 + bit. */
  names: Map<number, string>;
}

function readExtensions(file: ByteFile, start: number, clusterBytes: number, before: number): Extensions {
  const result: Extensions = { names: new Map() };
  const end = Math.min(clusterBytes, before, file.size());
  const bytes = new Uint8Array(Math.max(0, end - start));
  file.read(start, bytes);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + 8 <= bytes.length; ) {
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4);
    if (type === EXTENSION.end) break;
    at += 8;
    if (at + length > bytes.length)
      throw new DiskImageError(file.name, 'corrupt: a header extension leaves the header');
    const data = bytes.subarray(at, at + length);
    if (type === EXTENSION.backingFormat) result.backingFormat = new TextDecoder().decode(data);
    if (type === EXTENSION.featureNames) readFeatureNames(data, result.names);
    at += Math.ceil(length / 8) * 8;
  }
  return result;
}

function readFeatureNames(data: Uint8Array, names: Map<number, string>): void {
  for (let at = 0; at + FEATURE_NAME_BYTES <= data.length; at += FEATURE_NAME_BYTES) {
    const text = new TextDecoder('latin1').decode(data.subarray(at + 2, at + FEATURE_NAME_BYTES));
    names.set(data[at] * 64 + data[at + 1], text.replace(/\0.*$/s, '').replace(/[^\x20-\x7e]/g, '?'));
  }
}

/** Incompatible features mean that the image must not be opened by who does not know them. */
function checkFeatures(file: string, bits: bigint, names: Map<number, string>): void {
  if ((bits & INCOMPATIBLE.dataFile) !== 0n) {
    throw new DiskImageError(file, 'keeps its data in an external data file, which is not supported');
  }
  if ((bits & INCOMPATIBLE.extendedL2) !== 0n) {
    throw new DiskImageError(file, 'uses extended L2 entries, which are not supported');
  }
  const unknown = bits & ~KNOWN_INCOMPATIBLE;
  if (unknown === 0n) return;
  const list: string[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if ((unknown >> BigInt(bit)) & 1n) list.push(names.get(bit) || `bit ${bit}`);
  }
  throw new DiskImageError(file, `uses unknown incompatible features: ${list.join(', ')}`);
}
