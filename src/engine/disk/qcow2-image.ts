/**
 * A qcow2 image as a disk: clusters found through the L1 and L2 tables, copied on write.
 *
 * What reaches the file first, so that a crash leaves at worst clusters that nobody uses: data and raised reference
 * counts, then the L2 tables that point to them, then the L1 table, then lowered counts; a sync between each.
 * @qcow2 "Cluster mapping"
 */
import { BlockError, type BlockStore, checkSectors, type DiskSnapshots, SECTOR_BYTES } from '../devices/block.js';
import { type ByteFile, type Decompressors, DiskImageError } from './byte-file.js';
import { ClusterSet, type TableRun } from './cluster-set.js';
import { FIELD, INCOMPATIBLE, l1EntriesFor, type Qcow2Header } from './qcow2-header.js';
import { Refcounts } from './qcow2-refcounts.js';
import { repairRefcounts } from './qcow2-repair.js';
import { SnapshotStore } from './qcow2-snapshot-store.js';
import { type SnapshotTable, snapshotFault } from './qcow2-snapshots.js';

const COPIED = 0x8000_0000;
const COMPRESSED = 0x4000_0000;
const HIGH_OFFSET = 0x00ff_ffff;
const LOW_OFFSET = 0xffff_fe00;
const ZERO = 1;
const TWO_32 = 0x1_0000_0000;
/** Tables kept in memory, in bytes. */
const CACHE_BYTES = 32 * 1024 * 1024;
/** All autoclear features are cleared by who writes and does not keep them up: this program keeps none. */
const KEPT_AUTOCLEAR = 0n;
const WAY_OUT = 'repair it with qemu-img check -r all, or open it readonly';

interface Table {
  offset: number;
  data: Uint8Array;
  view: DataView;
  dirty: boolean;
}

type Mapping =
  | { kind: 'none' }
  | { kind: 'zero'; offset: number; copied: boolean }
  | { kind: 'data'; offset: number; copied: boolean }
  | { kind: 'compressed'; offset: number; bytes: number };

export interface Qcow2Options {
  file: ByteFile;
  header: Qcow2Header;
  snapshots: SnapshotTable;
  backing: BlockStore | undefined;
  decompressors: Decompressors;
  /** Show the disk as this snapshot saw it; only reading then. */
  snapshot?: string;
}

export class Qcow2Image implements BlockStore {
  readonly sectors: number;
  readonly readOnly: boolean;
  readonly #file: ByteFile;
  readonly #clusterBytes: number;
  #l1: DataView;
  readonly #l1Offset: number;
  readonly #l1Dirty = new Set<number>();
  readonly #tables = new Map<number, Table>();
  readonly #refcounts: Refcounts | undefined;
  /** Clusters of headers and tables, by index: a guest's data never goes there. */
  #metadata = new ClusterSet();
  #inflated: { offset: number; data: Uint8Array } | undefined;
  #touched = false;
  #broken: string | undefined;
  #incompatible: bigint;

  /** @throws DiskImageError */
  constructor(private readonly options: Qcow2Options) {
    const { file, header, snapshots, snapshot } = options;
    this.#file = file;
    this.#clusterBytes = 2 ** header.clusterBits;
    this.#incompatible = header.incompatible;
    let { l1Offset, l1Entries, diskBytes } = header;
    if (snapshot !== undefined) {
      const found =
        snapshots.list.find(({ name }) => name === snapshot) ?? snapshots.list.find(({ id }) => id === snapshot);
      if (!found) {
        const names = snapshots.list.map(({ name }) => name).join(', ') || 'none';
        throw new DiskImageError(file.name, `has no snapshot ${snapshot}; it has ${names}`);
      }
      ({ l1Offset, l1Entries, diskBytes } = found);
      const short = l1Entries < l1EntriesFor(diskBytes, header.clusterBits);
      const fault = short
        ? `corrupt: snapshot ${snapshot} has an impossible L1 table`
        : snapshotFault(found, header, file);
      if (fault !== undefined) throw new DiskImageError(file.name, fault);
    }
    this.readOnly = !file.writable || snapshot !== undefined;
    this.sectors = Math.floor(diskBytes / SECTOR_BYTES);
    // before a repair writes to it
    if (this.sectors === 0) throw new DiskImageError(file.name, 'is empty: a disk has at least one sector');
    this.#l1Offset = l1Offset;
    const l1 = new Uint8Array(l1Entries * 8);
    file.read(l1Offset, l1);
    this.#l1 = new DataView(l1.buffer);
    if (this.readOnly) return;

    if ((header.incompatible & INCOMPATIBLE.corrupt) !== 0n) {
      throw new DiskImageError(file.name, 'is marked corrupt: repair it with qemu-img check, or open it readonly');
    }
    this.#refcounts = new Refcounts(file, header);
    this.#metadata = this.#findTables();
    if ((header.incompatible & INCOMPATIBLE.dirty) !== 0n) {
      repairRefcounts({
        file,
        header,
        snapshots: snapshots.list,
        snapshotBytes: snapshots.bytes,
        refcounts: this.#refcounts,
      });
      this.#incompatible &= ~INCOMPATIBLE.dirty;
      this.#setHeader64(FIELD.incompatible, this.#incompatible);
      file.sync();
      // the repair may have moved the table of counts and made new ones
      this.#metadata = this.#findTables();
    }
    if (this.#refcounts.get(0) === 0) {
      throw new DiskImageError(file.name, `corrupt: the header's cluster is counted as free; ${WAY_OUT}`);
    }
    this.#refcounts.holdsTables = (cluster) => this.#metadata.has(cluster);
    this.#refcounts.onMetadata = (offset, clusters) => this.#metadata.add(offset / this.#clusterBytes, clusters);
    this.#refcounts.onReleasedMetadata = (cluster) => this.#metadata.delete(cluster);
  }

  read(sector: number, into: Uint8Array): void {
    checkSectors(this, sector, into.length / SECTOR_BYTES);
    this.#pieces(sector, into.length, (guest, within, at, length) => {
      this.#readPiece(this.#map(guest), guest, within, into.subarray(at, at + length));
    });
  }

  write(sector: number, bytes: Uint8Array): void {
    checkSectors(this, sector, bytes.length / SECTOR_BYTES);
    this.#beforeWrite();
    this.#pieces(sector, bytes.length, (guest, within, at, length) => {
      this.#writePiece(guest, within, bytes.subarray(at, at + length));
    });
    this.#limitCache();
  }

  writeZeroes(sector: number, count: number): void {
    checkSectors(this, sector, count);
    this.#beforeWrite();
    const deallocates = this.options.header.version === 3 || this.options.backing === undefined;
    this.#pieces(sector, count * SECTOR_BYTES, (guest, within, _at, length) => {
      const whole =
        within === 0 &&
        (length === this.#clusterBytes || (guest * this.#clusterBytes + length) / SECTOR_BYTES === this.sectors);
      if (whole && deallocates) this.#zeroCluster(guest);
      else if (this.#map(guest).kind !== 'zero') this.#writePiece(guest, within, new Uint8Array(length));
    });
    this.#limitCache();
  }

  flush(): void {
    if (this.readOnly) return;
    this.#writeBack();
    this.#file.sync();
  }

  /** The image's snapshots, made and taken while it is in use. */
  readonly snapshotStore: DiskSnapshots = {
    create: (what, vmState) => this.#withSnapshots((store) => store.create({ ...what, vmState })),
    apply: (id) => this.#withSnapshots((store) => store.apply(id)),
    delete: (id) => this.#withSnapshots((store) => store.delete(id)),
    vmState: (id) => this.#withSnapshots((store) => store.vmState(id)),
  };

  /** Works on the snapshots while everything of the image is in the file; afterwards its tables are read anew. */
  #withSnapshots<T>(work: (store: SnapshotStore) => T): T {
    this.#beforeWrite();
    this.#writeBack();
    this.#file.sync();
    const { snapshots, header, file } = this.options;
    const refcounts = this.#refcounts!;
    const options = { file, header, refcounts, list: snapshots.list, tableBytes: snapshots.bytes };
    try {
      return work(new SnapshotStore(options));
    } finally {
      snapshots.bytes = options.tableBytes;
      refcounts.writeBack();
      this.#tables.clear();
      this.#inflated = undefined;
      const l1 = new Uint8Array(this.#l1.byteLength);
      file.read(this.#l1Offset, l1);
      this.#l1 = new DataView(l1.buffer);
      this.#metadata = this.#findTables();
    }
  }

  // ---- finding clusters ----

  #pieces(
    sector: number,
    bytes: number,
    each: (guest: number, within: number, at: number, length: number) => void,
  ): void {
    for (let at = 0; at < bytes; ) {
      const offset = sector * SECTOR_BYTES + at;
      const within = offset % this.#clusterBytes;
      const length = Math.min(this.#clusterBytes - within, bytes - at);
      each(Math.floor(offset / this.#clusterBytes), within, at, length);
      at += length;
    }
  }

  get #l2Entries(): number {
    return this.#clusterBytes / 8;
  }

  #map(guest: number): Mapping {
    const table = this.#l2(Math.floor(guest / this.#l2Entries));
    if (!table) return { kind: 'none' };
    const at = (guest % this.#l2Entries) * 8;
    const high = table.view.getUint32(at);
    const low = table.view.getUint32(at + 4);
    if ((high & COMPRESSED) !== 0) return { kind: 'compressed', ...this.#compressedPlace(high, low) };
    const offset = (high & HIGH_OFFSET) * TWO_32 + ((low & LOW_OFFSET) >>> 0);
    const copied = (high & COPIED) !== 0;
    if (offset % this.#clusterBytes !== 0) this.#corrupt(`the cluster at 0x${offset.toString(16)} is not aligned`);
    if ((low & ZERO) !== 0 && this.options.header.version === 3) return { kind: 'zero', offset, copied };
    return offset === 0 ? { kind: 'none' } : { kind: 'data', offset, copied };
  }

  /** Compressed data: an offset in bytes and a count of 512-byte sectors that it touches, packed by cluster size. */
  #compressedPlace(high: number, low: number): { offset: number; bytes: number } {
    const packed = (BigInt(high & 0x3fff_ffff) << 32n) | BigInt(low);
    const shift = BigInt(62 - (this.options.header.clusterBits - 8));
    const offset = Number(packed & ((1n << shift) - 1n));
    const sectors = Number(packed >> shift) + 1;
    return { offset, bytes: sectors * SECTOR_BYTES - (offset % SECTOR_BYTES) };
  }

  #l2(l1Index: number): Table | undefined {
    const high = this.#l1.getUint32(l1Index * 8);
    const low = this.#l1.getUint32(l1Index * 8 + 4);
    const offset = (high & HIGH_OFFSET) * TWO_32 + ((low & LOW_OFFSET) >>> 0);
    if (offset === 0) return undefined;
    const present = this.#tables.get(offset);
    if (present) return present;
    if (offset % this.#clusterBytes !== 0 || offset >= this.#file.size()) {
      this.#corrupt(`the L2 table at 0x${offset.toString(16)} is not in the file`);
    }
    const data = new Uint8Array(this.#clusterBytes);
    this.#file.read(offset, data);
    const table = { offset, data, view: new DataView(data.buffer), dirty: false };
    this.#tables.set(offset, table);
    this.#limitCache();
    return table;
  }

  #readPiece(mapping: Mapping, guest: number, within: number, into: Uint8Array): void {
    switch (mapping.kind) {
      case 'zero':
        into.fill(0);
        break;
      case 'none':
        this.#readBacking(guest * this.#clusterBytes + within, into);
        break;
      case 'data':
        this.#file.read(mapping.offset + within, into);
        break;
      case 'compressed':
        into.set(this.#decompress(mapping).subarray(within, within + into.length));
    }
  }

  #readBacking(offset: number, into: Uint8Array): void {
    const { backing } = this.options;
    const available = backing ? Math.max(0, Math.min(into.length, backing.sectors * SECTOR_BYTES - offset)) : 0;
    if (available > 0) backing!.read(offset / SECTOR_BYTES, into.subarray(0, available));
    into.fill(0, available);
  }

  #decompress({ offset, bytes }: { offset: number; bytes: number }): Uint8Array {
    if (this.#inflated?.offset === offset) return this.#inflated.data;
    const { decompressors, header } = this.options;
    const name = this.#file.name;
    if (offset >= this.#file.size()) throw new BlockError(`${name}: compressed data lies beyond the end`, 'read');
    const packed = new Uint8Array(bytes);
    this.#file.read(offset, packed);
    const unpack = header.compression === 'zstd' ? decompressors.zstd : decompressors.deflate;
    let data: Uint8Array;
    try {
      data = unpack!(packed, this.#clusterBytes);
    } catch (error) {
      throw new BlockError(`${name}: compressed data at 0x${offset.toString(16)}: ${(error as Error).message}`, 'read');
    }
    if (data.length !== this.#clusterBytes) {
      throw new BlockError(`${name}: compressed data at 0x${offset.toString(16)} is not a cluster`, 'read');
    }
    this.#inflated = { offset, data };
    return data;
  }

  // ---- writing ----

  /** The header is touched by the first write only: a guest that writes nothing leaves the image as it was. */
  #beforeWrite(): void {
    if (this.readOnly) throw new BlockError(`${this.#file.name} is read-only`, 'read-only');
    if (this.#broken !== undefined) throw new BlockError(this.#broken, 'write');
    if (this.#touched) return;
    this.#touched = true;
    const { autoclear } = this.options.header;
    if ((autoclear & ~KEPT_AUTOCLEAR) !== 0n) {
      this.#setHeader64(FIELD.autoclear, autoclear & KEPT_AUTOCLEAR);
      this.#file.sync();
    }
  }

  #writePiece(guest: number, within: number, bytes: Uint8Array): void {
    const mapping = this.#map(guest);
    if (mapping.kind === 'data' && mapping.copied) {
      this.#writeData(mapping.offset, within, bytes);
      return;
    }
    let whole = bytes;
    if (bytes.length < this.#clusterBytes) {
      whole = new Uint8Array(this.#clusterBytes);
      this.#readPiece(mapping, guest, 0, whole);
      whole.set(bytes, within);
    }
    const table = this.#writableL2(Math.floor(guest / this.#l2Entries));
    const reuse = mapping.kind === 'zero' && mapping.copied && mapping.offset !== 0;
    const offset = reuse ? mapping.offset : this.#allocate();
    this.#writeData(offset, 0, whole);
    this.#setEntry(table, guest, COPIED, offset);
    if (!reuse) this.#release(mapping);
  }

  #writeData(offset: number, within: number, bytes: Uint8Array): void {
    if (this.#metadata.has(offset / this.#clusterBytes)) {
      this.#corrupt(`the cluster at 0x${offset.toString(16)} holds both data and tables`);
    }
    this.#file.write(offset + within, bytes);
  }

  #zeroCluster(guest: number): void {
    const mapping = this.#map(guest);
    const { header, backing } = this.options;
    if (mapping.kind === 'zero' || (mapping.kind === 'none' && !backing)) return;
    const table = this.#writableL2(Math.floor(guest / this.#l2Entries));
    this.#setEntry(table, guest, 0, header.version === 3 && backing ? ZERO : 0);
    this.#release(mapping);
  }

  #setEntry({ view }: Table, guest: number, flags: number, offset: number): void {
    const at = (guest % this.#l2Entries) * 8;
    view.setUint32(at, (flags | Math.floor(offset / TWO_32)) >>> 0);
    view.setUint32(at + 4, offset % TWO_32);
  }

  /** The L2 table of an L1 entry, marked dirty; made, or copied where a snapshot shares it. */
  #writableL2(l1Index: number): Table {
    const present = this.#l2(l1Index);
    if (present && (this.#l1.getUint32(l1Index * 8) & COPIED) !== 0) {
      if (this.#refcounts!.get(present.offset / this.#clusterBytes) !== 1) {
        this.#corrupt(`the L2 table at 0x${present.offset.toString(16)} is counted otherwise than used`);
      }
      present.dirty = true;
      return present;
    }
    const data = present ? present.data.slice() : new Uint8Array(this.#clusterBytes);
    const table = { offset: this.#allocate(), data, view: new DataView(data.buffer), dirty: true };
    this.#tables.set(table.offset, table);
    this.#metadata.add(table.offset / this.#clusterBytes, 1);
    this.#l1.setUint32(l1Index * 8, (COPIED | Math.floor(table.offset / TWO_32)) >>> 0);
    this.#l1.setUint32(l1Index * 8 + 4, table.offset % TWO_32);
    this.#l1Dirty.add(l1Index);
    if (present) {
      this.#refcounts!.release(present.offset / this.#clusterBytes);
      this.#metadata.delete(present.offset / this.#clusterBytes);
    }
    return table;
  }

  #allocate(): number {
    const cluster = this.#refcounts!.allocate();
    if (this.#metadata.has(cluster)) this.#corrupt(`cluster ${cluster} holds tables and is counted as free`);
    return cluster * this.#clusterBytes;
  }

  #release(mapping: Mapping): void {
    if (mapping.kind === 'none' || mapping.offset === 0) return;
    const last = mapping.kind === 'compressed' ? mapping.offset + mapping.bytes - 1 : mapping.offset;
    if (mapping.kind === 'compressed') this.#inflated = undefined;
    for (let c = Math.floor(mapping.offset / this.#clusterBytes); c <= Math.floor(last / this.#clusterBytes); c++) {
      this.#refcounts!.release(c);
    }
  }

  #writeBack(): void {
    const dirty = [...this.#tables.values()].filter((table) => table.dirty);
    const counted = this.#refcounts!.writeBack();
    if (dirty.length > 0 || this.#l1Dirty.size > 0) {
      if (counted || dirty.length > 0) this.#file.sync();
      for (const table of dirty) {
        this.#file.write(table.offset, table.data);
        table.dirty = false;
      }
      this.#file.sync();
      for (const index of this.#l1Dirty) {
        this.#file.write(this.#l1Offset + index * 8, new Uint8Array(this.#l1.buffer, index * 8, 8));
      }
      if (this.#l1Dirty.size > 0) this.#file.sync();
      this.#l1Dirty.clear();
    }
    this.#refcounts!.settleReleased();
  }

  #limitCache(): void {
    const limit = Math.max(16, CACHE_BYTES / this.#clusterBytes);
    if (this.#tables.size <= limit) return;
    if (!this.readOnly) this.#writeBack();
    // the oldest half: a map keeps the order of insertion
    for (const [offset, table] of this.#tables) {
      if (this.#tables.size <= limit / 2) break;
      if (!table.dirty) this.#tables.delete(offset);
    }
    this.#refcounts?.trim();
  }

  // ---- trust ----

  /** Everything in the file that is no data of the guest, as far as it is in use now. @throws DiskImageError */
  #findTables(): ClusterSet {
    const { header, snapshots, file } = this.options;
    const runs: TableRun[] = [];
    const add = (what: string, offset: number, bytes: number): void => {
      runs.push({ what, first: offset / this.#clusterBytes, count: Math.ceil(bytes / this.#clusterBytes) });
    };
    add('the header', 0, this.#clusterBytes);
    add('the L1 table', header.l1Offset, header.l1Entries * 8);
    add('the snapshot table', header.snapshotsOffset, snapshots.bytes);
    for (const snapshot of snapshots.list) {
      const fault = snapshotFault(snapshot, header, file);
      if (fault !== undefined) throw new DiskImageError(file.name, `${fault}; ${WAY_OUT}`);
      add(`the L1 table of snapshot ${snapshot.name}`, snapshot.l1Offset, snapshot.l1Entries * 8);
    }
    const { table, blocks } = this.#refcounts!.metadata();
    add('the refcount table', table.offset, table.bytes);
    const l2: number[] = [];
    for (let i = 0; i < header.l1Entries; i++) {
      const high = this.#l1.getUint32(i * 8) & HIGH_OFFSET;
      const offset = high * TWO_32 + ((this.#l1.getUint32(i * 8 + 4) & LOW_OFFSET) >>> 0);
      // one that is not at a cluster's start or not in the file is told when the guest gets there
      if (offset !== 0 && offset % this.#clusterBytes === 0) l2.push(offset / this.#clusterBytes);
    }
    const tables = new ClusterSet(runs, [
      { what: 'a refcount block', clusters: blocks.map((offset) => offset / this.#clusterBytes) },
      { what: 'an L2 table', clusters: l2 },
    ]);
    if (tables.overlap) {
      const place = `0x${(tables.overlap.cluster * this.#clusterBytes).toString(16)}`;
      throw new DiskImageError(file.name, `corrupt: ${tables.overlap.tables} are both at ${place}; ${WAY_OUT}`);
    }
    return tables;
  }

  #setHeader64(offset: number, value: bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, value);
    this.#file.write(offset, bytes);
  }

  /** The image contradicts itself: it is marked so, and nothing is written to it any more. */
  #corrupt(reason: string): never {
    const { header } = this.options;
    const message = `${this.#file.name}: corrupt: ${reason}`;
    if (!this.readOnly && this.#broken === undefined && this.#touched && header.version === 3) {
      this.#setHeader64(FIELD.incompatible, this.#incompatible | INCOMPATIBLE.corrupt);
    }
    this.#broken = message;
    throw new BlockError(message, 'read');
  }
}
