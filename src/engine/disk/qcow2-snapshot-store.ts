/**
 * Makes, applies and deletes the snapshots inside a qcow2 image, with the state of a machine where QEMU has it: in the
 * clusters behind the disk's end that the snapshot's L1 table maps. The image's own tables are all on the disk meanwhile.
 *
 * In each operation counts are raised before anything points to a cluster and lowered when nothing does any more, with a
 * sync between: a crash leaves at worst clusters that nobody uses.
 * @qcow2 "Snapshots"
 */
import { BlockError, type DiskSnapshot } from '../devices/block.js';
import type { ByteFile } from './byte-file.js';
import { FIELD, l1EntriesFor, MAX_L1_BYTES, type Qcow2Header } from './qcow2-header.js';
import type { Refcounts } from './qcow2-refcounts.js';
import { encodeSnapshots, type Qcow2Snapshot, snapshotFault } from './qcow2-snapshots.js';

const COPIED = 0x8000_0000;
const COMPRESSED = 0x4000_0000;
const HIGH_OFFSET = 0x00ff_ffff;
const LOW_OFFSET = 0xffff_fe00;
const TWO_32 = 0x1_0000_0000;
/** What a saved machine has at most: memory of 4 GiB and a little. */
const MAX_STATE_BYTES = 2 ** 33;

/** What a new snapshot is, besides the disk. */
export interface NewSnapshot extends Omit<DiskSnapshot, 'id' | 'vmStateBytes'> {
  /** The machine's state; empty: the disk alone. */
  readonly vmState: readonly Uint8Array[];
}

/** 16 bits: narrower counts run over when many snapshots share a cluster. */
const LEAST_REFCOUNT_ORDER = 4;

export interface SnapshotStoreOptions {
  readonly file: ByteFile;
  /** `snapshots` and `snapshotsOffset` are kept up to date. */
  readonly header: Qcow2Header;
  readonly refcounts: Refcounts;
  readonly list: Qcow2Snapshot[];
  /** Bytes that the table takes in the file. */
  tableBytes: number;
}

export class SnapshotStore {
  readonly #clusterBytes: number;

  constructor(private readonly options: SnapshotStoreOptions) {
    this.#clusterBytes = 2 ** options.header.clusterBits;
  }

  get list(): readonly Qcow2Snapshot[] {
    return this.options.list;
  }

  /** @throws BlockError when it cannot be; the image is then as it was but for clusters that nobody uses */
  create({ name, dateSeconds, clockNs, icount, vmState }: NewSnapshot): void {
    const { file, header, list, refcounts } = this.options;
    if (header.refcountOrder < LEAST_REFCOUNT_ORDER)
      throw new BlockError(
        `${file.name}: its reference counts of ${2 ** header.refcountOrder} bits are too narrow for snapshots`,
        'write',
      );
    const active = this.#table(header.l1Offset, header.l1Entries);
    const entries = this.#diskEntries(header.diskBytes);
    const stateTables = this.#writeState(vmState);
    const l1Entries = entries + stateTables.length;
    if (l1Entries * 8 > MAX_L1_BYTES) throw new BlockError(`${file.name}: its L1 table would be too large`, 'no-space');
    const l1 = new DataView(new ArrayBuffer(l1Entries * 8));
    for (let i = 0; i < entries; i++) l1.setBigUint64(i * 8, active.getBigUint64(i * 8) & ~(1n << 63n));
    for (const [i, offset] of stateTables.entries()) l1.setBigUint64((entries + i) * 8, BigInt(offset));
    const l1Offset = refcounts.allocate(this.#clustersOf(l1.byteLength)) * this.#clusterBytes;
    this.#addReferences(active, entries, 1);
    refcounts.writeBack();
    file.sync();
    this.#write(l1Offset, l1);
    this.#fixCopied();
    const id = String(list.reduce((most, snapshot) => Math.max(most, Number(snapshot.id) || 0), 0) + 1);
    const vmStateBytes = vmState.reduce((sum, { length }) => sum + length, 0);
    const made = {
      id,
      name,
      l1Offset,
      l1Entries,
      diskBytes: header.diskBytes,
      dateSeconds,
      clockNs,
      icount,
      vmStateBytes,
    };
    this.#replaceTable([...list, made]);
  }

  /** The disk becomes what it was then. @throws BlockError when it cannot be */
  apply(id: string): void {
    const { file, header, refcounts } = this.options;
    const snapshot = this.#find(id);
    if (snapshot.diskBytes !== header.diskBytes)
      throw new BlockError(`${file.name}: snapshot ${snapshot.name} is of a disk of another size`, 'range');
    const entries = this.#diskEntries(header.diskBytes);
    const saved = this.#table(snapshot.l1Offset, entries);
    const old = this.#table(header.l1Offset, header.l1Entries);
    this.#addReferences(saved, entries, 1);
    refcounts.writeBack();
    file.sync();
    const next = new DataView(new ArrayBuffer(header.l1Entries * 8));
    for (let i = 0; i < entries; i++) next.setBigUint64(i * 8, saved.getBigUint64(i * 8) & ~(1n << 63n));
    this.#write(header.l1Offset, next);
    file.sync();
    this.#addReferences(old, header.l1Entries, -1);
    refcounts.writeBack();
    file.sync();
    this.#fixCopied();
  }

  /** @throws BlockError when it cannot be */
  delete(id: string): void {
    const { file, refcounts, list } = this.options;
    const snapshot = this.#find(id);
    const l1 = this.#table(snapshot.l1Offset, snapshot.l1Entries);
    this.#replaceTable(list.filter((other) => other !== snapshot));
    this.#addReferences(l1, snapshot.l1Entries, -1);
    this.#release(snapshot.l1Offset, l1.byteLength);
    refcounts.writeBack();
    file.sync();
    this.#fixCopied();
  }

  /** The machine's state in a snapshot; undefined: it has none. @throws BlockError when the tables are broken */
  vmState(id: string): Uint8Array | undefined {
    const { file } = this.options;
    const snapshot = this.#find(id);
    const { vmStateBytes } = snapshot;
    if (vmStateBytes === 0) return undefined;
    const perTable = this.#clusterBytes / 8;
    const first = this.#diskEntries(snapshot.diskBytes);
    const clusters = this.#clustersOf(vmStateBytes);
    if (vmStateBytes > MAX_STATE_BYTES || first + Math.ceil(clusters / perTable) > snapshot.l1Entries)
      throw new BlockError(`${file.name}: corrupt: the state in snapshot ${snapshot.name} is not whole`, 'read');
    const l1 = this.#table(snapshot.l1Offset, snapshot.l1Entries);
    const state = new Uint8Array(vmStateBytes);
    for (let n = 0; n < clusters; n++) {
      const l2Offset = offsetIn(l1, (first + Math.floor(n / perTable)) * 8);
      const l2 = l2Offset === 0 ? undefined : this.#cached(l2Offset);
      const at = (n % perTable) * 8;
      if (l2 === undefined || (l2.getUint32(at) & COMPRESSED) !== 0)
        throw new BlockError(`${file.name}: corrupt: the state in snapshot ${snapshot.name} is not whole`, 'read');
      const offset = offsetIn(l2, at);
      const into = state.subarray(n * this.#clusterBytes, (n + 1) * this.#clusterBytes);
      if (offset !== 0) file.read(offset, into);
    }
    this.#newest = undefined;
    return state;
  }

  #newest: { offset: number; table: DataView } | undefined;

  #cached(offset: number): DataView {
    if (this.#newest?.offset !== offset) this.#newest = { offset, table: this.#l2(offset) };
    return this.#newest.table;
  }

  #find(id: string): Qcow2Snapshot {
    const { list, header, file } = this.options;
    const found = list.find((snapshot) => snapshot.id === id);
    if (!found) throw new BlockError(`${file.name}: has no snapshot ${id}`, 'range');
    const short = found.l1Entries < this.#diskEntries(found.diskBytes);
    const fault = short
      ? `corrupt: snapshot ${found.name} has an impossible L1 table`
      : snapshotFault(found, header, file);
    if (fault !== undefined) throw new BlockError(`${file.name}: ${fault}`, 'read');
    return found;
  }

  #diskEntries(diskBytes: number): number {
    return l1EntriesFor(diskBytes, this.options.header.clusterBits);
  }

  #clustersOf(bytes: number): number {
    return Math.ceil(bytes / this.#clusterBytes);
  }

  /** Writes a machine's state into clusters of its own; answers the L2 tables that map them. */
  #writeState(pieces: readonly Uint8Array[]): number[] {
    const { file, refcounts } = this.options;
    const total = pieces.reduce((sum, { length }) => sum + length, 0);
    const perTable = this.#clusterBytes / 8;
    const tables: DataView[] = [];
    const whole = Buffer.alloc(this.#clusterBytes);
    const clusters = this.#clustersOf(total);
    const stream = joined(pieces, this.#clusterBytes);
    for (let n = 0; n < clusters; n++) {
      const offset = refcounts.allocate() * this.#clusterBytes;
      const { value } = stream.next();
      whole.fill(0);
      whole.set(value as Uint8Array);
      file.write(offset, whole);
      if (n % perTable === 0) tables.push(new DataView(new ArrayBuffer(this.#clusterBytes)));
      // a snapshot's clusters have one reference: the flag says that they may be written in place
      tables[tables.length - 1].setBigUint64((n % perTable) * 8, BigInt(offset) | (1n << 63n));
    }
    return tables.map((table) => {
      const offset = refcounts.allocate() * this.#clusterBytes;
      this.#write(offset, table);
      return offset;
    });
  }

  /** Adds to the count of each cluster that a tree of tables uses, the L2 tables among them. */
  #addReferences(l1: DataView, entries: number, by: 1 | -1): void {
    for (let i = 0; i < entries; i++) {
      const offset = offsetIn(l1, i * 8);
      if (offset === 0) continue;
      const l2 = this.#l2(offset);
      for (let at = 0; at < this.#clusterBytes; at += 8) {
        for (const cluster of this.#clustersAt(l2, at)) this.#count(cluster, by);
      }
      this.#count(offset / this.#clusterBytes, by);
    }
  }

  #count(cluster: number, by: 1 | -1): void {
    const { refcounts, file } = this.options;
    const count = refcounts.get(cluster);
    if (count === 0) throw new BlockError(`${file.name}: corrupt: cluster ${cluster} in use has no count`, 'write');
    refcounts.set(cluster, count + by);
  }

  /** Clusters that an L2 entry uses: one, or those that compressed data touches. */
  *#clustersAt(l2: DataView, at: number): Generator<number> {
    const high = l2.getUint32(at);
    if ((high & COMPRESSED) === 0) {
      const offset = offsetIn(l2, at);
      if (offset !== 0) yield offset / this.#clusterBytes;
      return;
    }
    const packed = l2.getBigUint64(at) & ((1n << 62n) - 1n);
    const shift = BigInt(62 - (this.options.header.clusterBits - 8));
    const offset = Number(packed & ((1n << shift) - 1n));
    const last = offset - (offset % 512) + (Number(packed >> shift) + 1) * 512 - 1;
    for (let c = Math.floor(offset / this.#clusterBytes); c <= Math.floor(last / this.#clusterBytes); c++) yield c;
  }

  /** The flag of each entry of the active tables says whether its cluster has one reference. */
  #fixCopied(): void {
    const { header, refcounts, file } = this.options;
    const l1 = this.#table(header.l1Offset, header.l1Entries);
    let l1Changed = false;
    for (let i = 0; i < header.l1Entries; i++) {
      const offset = offsetIn(l1, i * 8);
      if (offset === 0) continue;
      const l2 = this.#l2(offset);
      let changed = false;
      for (let at = 0; at < this.#clusterBytes; at += 8) {
        if ((l2.getUint32(at) & COMPRESSED) !== 0) continue;
        const data = offsetIn(l2, at);
        if (data !== 0 && setCopied(l2, at, refcounts.get(data / this.#clusterBytes) === 1)) changed = true;
      }
      if (changed) this.#write(offset, l2);
      if (setCopied(l1, i * 8, refcounts.get(offset / this.#clusterBytes) === 1)) l1Changed = true;
    }
    if (l1Changed) this.#write(header.l1Offset, l1);
    file.sync();
  }

  /** Puts another table of snapshots in the place of the old one: the header points to it once it is whole. */
  #replaceTable(list: readonly Qcow2Snapshot[]): void {
    const { file, header, refcounts } = this.options;
    const bytes = encodeSnapshots(list);
    const offset = list.length === 0 ? 0 : refcounts.allocate(this.#clustersOf(bytes.length)) * this.#clusterBytes;
    refcounts.writeBack();
    if (list.length > 0) file.write(offset, bytes);
    file.sync();
    const pointer = new DataView(new ArrayBuffer(12));
    pointer.setUint32(0, list.length);
    pointer.setBigUint64(4, BigInt(offset));
    file.write(FIELD.snapshots, new Uint8Array(pointer.buffer));
    file.sync();
    const old = { offset: header.snapshotsOffset, bytes: this.options.tableBytes };
    header.snapshots = list.length;
    header.snapshotsOffset = offset;
    this.options.tableBytes = list.length === 0 ? 0 : bytes.length;
    this.options.list.splice(0, this.options.list.length, ...list);
    if (old.bytes > 0) this.#release(old.offset, old.bytes);
    refcounts.writeBack();
  }

  #release(offset: number, bytes: number): void {
    const first = offset / this.#clusterBytes;
    for (let cluster = first; cluster < first + this.#clustersOf(bytes); cluster++) this.#count(cluster, -1);
  }

  #l2(offset: number): DataView {
    const { file } = this.options;
    if (offset % this.#clusterBytes !== 0 || offset >= file.size())
      throw new BlockError(
        `${file.name}: corrupt: the L2 table at 0x${offset.toString(16)} is not in the file`,
        'read',
      );
    return this.#table(offset, this.#clusterBytes / 8);
  }

  #table(offset: number, entries: number): DataView {
    const bytes = new Uint8Array(entries * 8);
    this.options.file.read(offset, bytes);
    return new DataView(bytes.buffer);
  }

  #write(offset: number, table: DataView): void {
    this.options.file.write(offset, new Uint8Array(table.buffer, table.byteOffset, table.byteLength));
  }
}

function offsetIn(table: DataView, at: number): number {
  return (table.getUint32(at) & HIGH_OFFSET) * TWO_32 + ((table.getUint32(at + 4) & LOW_OFFSET) >>> 0);
}

/** Answers whether that changed the entry. */
function setCopied(table: DataView, at: number, copied: boolean): boolean {
  const high = table.getUint32(at);
  const next = (copied ? high | COPIED : high & ~COPIED) >>> 0;
  if (next === high) return false;
  table.setUint32(at, next);
  return true;
}

/** The pieces as pieces of one size, the last one shorter. */
function* joined(pieces: readonly Uint8Array[], bytes: number): Generator<Uint8Array> {
  let block = new Uint8Array(bytes);
  let filled = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + bytes - filled);
      block.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < bytes) continue;
      yield block;
      block = new Uint8Array(bytes);
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}
