/**
 * Reference counts of the clusters of a qcow2 image, and with them where free clusters are.
 * @qcow2 "Host cluster management"
 */
import { BlockError } from '../devices/block.js';
import { type ByteFile, DiskImageError } from './byte-file.js';
import { FIELD, MAX_REFCOUNT_TABLE_BYTES, type Qcow2Header } from './qcow2-header.js';

const TWO_32 = 0x1_0000_0000;
const LOW_OFFSET = 0xffff_fe00;

interface Block {
  offset: number;
  data: Uint8Array;
  view: DataView;
  dirty: boolean;
}

/** Counts are kept as numbers: 64-bit ones above 2^53 occur in no image. */
export class Refcounts {
  readonly #clusterBytes: number;
  readonly #blockEntries: number;
  /** Host offset of each refcount block, 0 where there is none. */
  #table: number[];
  #tableOffset: number;
  #tableClusters: number;
  readonly #blocks = new Map<number, Block>();
  /** Table entries that are newer than the file. */
  readonly #newEntries = new Set<number>();
  #hint = 0;
  /** Clusters that lose a reference once nothing on the disk points to them any more. */
  #released: number[] = [];
  /** Clusters that are in use whatever their counts say. */
  inUse: (cluster: number) => boolean = () => false;
  /** Clusters that are written as tables: one of them that is counted as free shows a broken image. */
  holdsTables: (cluster: number) => boolean = () => false;
  /** Told of every cluster that holds reference counts from now on. */
  onMetadata: (offset: number, clusters: number) => void = () => {};
  /** Told of clusters that held the table and do not any more. */
  onReleasedMetadata: (cluster: number) => void = () => {};

  /** @throws DiskImageError when the table has impossible entries. */
  constructor(
    private readonly file: ByteFile,
    private readonly header: Qcow2Header,
  ) {
    this.#clusterBytes = 2 ** header.clusterBits;
    this.#blockEntries = (this.#clusterBytes * 8) / 2 ** header.refcountOrder;
    this.#tableOffset = header.refcountTableOffset;
    this.#tableClusters = header.refcountTableClusters;
    const bytes = new Uint8Array(this.#tableClusters * this.#clusterBytes);
    file.read(this.#tableOffset, bytes);
    const view = new DataView(bytes.buffer);
    const size = file.size();
    this.#table = new Array<number>(bytes.length / 8).fill(0);
    const seen = new Set<number>();
    for (let i = 0; i < this.#table.length; i++) {
      const offset = view.getUint32(i * 8) * TWO_32 + ((view.getUint32(i * 8 + 4) & LOW_OFFSET) >>> 0);
      if (offset === 0) continue;
      if (offset % this.#clusterBytes !== 0 || offset >= size) {
        throw new DiskImageError(file.name, `corrupt: refcount block ${i} is outside the file`);
      }
      // two would be one block under two names, and the search for a free cluster as long as the table pretends
      if (seen.has(offset)) throw new DiskImageError(file.name, `corrupt: refcount block ${i} is in the table twice`);
      seen.add(offset);
      this.#table[i] = offset;
    }
  }

  /** Places of the table and of all blocks of counts, in bytes. */
  metadata(): { table: { offset: number; bytes: number }; blocks: number[] } {
    return {
      table: { offset: this.#tableOffset, bytes: this.#tableClusters * this.#clusterBytes },
      blocks: this.#table.filter((offset) => offset !== 0),
    };
  }

  get(cluster: number): number {
    const block = this.#block(Math.floor(cluster / this.#blockEntries));
    return block ? this.#read(block, cluster % this.#blockEntries) : 0;
  }

  /** @throws BlockError when the count does not fit or the file is corrupt. */
  set(cluster: number, count: number): void {
    const index = Math.floor(cluster / this.#blockEntries);
    this.#write(this.#block(index) ?? this.#addBlock(index), cluster % this.#blockEntries, count);
    if (count === 0) this.#hint = Math.min(this.#hint, cluster);
  }

  /** First of `count` free clusters in a row, which get the count 1. */
  allocate(count = 1): number {
    for (;;) {
      const first = this.#findFree(count);
      let moved = false;
      for (let cluster = first; cluster < first + count; cluster++) {
        const index = Math.floor(cluster / this.#blockEntries);
        if (this.#block(index)) continue;
        // a new block of counts takes a cluster itself, perhaps one of these
        this.#addBlock(index);
        moved = true;
      }
      if (moved) continue;
      for (let cluster = first; cluster < first + count; cluster++) this.set(cluster, 1);
      if (count === 1 || first === this.#hint) this.#hint = first + count;
      return first;
    }
  }

  /** Takes away a reference after the next write-back of the tables that pointed there. */
  release(cluster: number): void {
    this.#released.push(cluster);
  }

  /** Writes new and raised counts. Whoever points to the clusters may be written after a sync. */
  writeBack(): boolean {
    let written = false;
    for (const block of this.#blocks.values()) {
      if (!block.dirty) continue;
      this.file.write(block.offset, block.data);
      block.dirty = false;
      written = true;
    }
    if (this.#newEntries.size > 0) {
      this.file.sync();
      for (const index of this.#newEntries) {
        const entry = new Uint8Array(8);
        new DataView(entry.buffer).setBigUint64(0, BigInt(this.#table[index]));
        this.file.write(this.#tableOffset + index * 8, entry);
      }
      this.#newEntries.clear();
      written = true;
    }
    return written;
  }

  /** Lowers the counts of what was released; the tables on the disk point elsewhere by now. */
  settleReleased(): void {
    const released = this.#released;
    if (released.length === 0) return;
    this.#released = [];
    for (const cluster of released) {
      const count = this.get(cluster);
      if (count === 0)
        throw new BlockError(`${this.file.name}: corrupt: cluster ${cluster} in use has no count`, 'write');
      this.set(cluster, count - 1);
    }
    this.writeBack();
  }

  /** Drops unchanged blocks from memory. */
  trim(): void {
    for (const [index, block] of this.#blocks) if (!block.dirty) this.#blocks.delete(index);
  }

  #read({ view, data }: Block, entry: number): number {
    const order = this.header.refcountOrder;
    switch (order) {
      case 3:
        return data[entry];
      case 4:
        return view.getUint16(entry * 2);
      case 5:
        return view.getUint32(entry * 4);
      case 6:
        return Number(view.getBigUint64(entry * 8));
      default: {
        const bits = 2 ** order;
        const bit = entry * bits;
        return (data[bit >> 3] >> (bit & 7)) & (2 ** bits - 1);
      }
    }
  }

  #write(block: Block, entry: number, count: number): void {
    const order = this.header.refcountOrder;
    const { view, data } = block;
    if (count < 0 || (order < 6 && count >= 2 ** (2 ** order))) {
      throw new BlockError(`${this.file.name}: a reference count of ${count} does not fit`, 'write');
    }
    block.dirty = true;
    switch (order) {
      case 3:
        data[entry] = count;
        break;
      case 4:
        view.setUint16(entry * 2, count);
        break;
      case 5:
        view.setUint32(entry * 4, count);
        break;
      case 6:
        view.setBigUint64(entry * 8, BigInt(count));
        break;
      default: {
        const bits = 2 ** order;
        const bit = entry * bits;
        const mask = (2 ** bits - 1) << (bit & 7);
        data[bit >> 3] = (data[bit >> 3] & ~mask) | (count << (bit & 7));
      }
    }
  }

  #findFree(count: number): number {
    let first = this.#hint;
    for (let found = 0; found < count; ) {
      const cluster = first + found;
      if (this.get(cluster) !== 0 || this.inUse(cluster)) {
        first = cluster + 1;
        found = 0;
        if (count === 1) this.#hint = first;
      } else {
        this.#refuseTables(cluster);
        found++;
      }
    }
    return first;
  }

  /** @throws BlockError when a cluster that is about to be handed out holds tables. */
  #refuseTables(cluster: number): void {
    if (!this.holdsTables(cluster)) return;
    throw new BlockError(`${this.file.name}: corrupt: cluster ${cluster} holds tables and is counted as free`, 'write');
  }

  #block(index: number): Block | undefined {
    const offset = this.#table[index];
    if (!offset) return undefined;
    let block = this.#blocks.get(index);
    if (!block) {
      const data = new Uint8Array(this.#clusterBytes);
      this.file.read(offset, data);
      block = { offset, data, view: new DataView(data.buffer), dirty: false };
      this.#blocks.set(index, block);
    }
    return block;
  }

  /** Makes a block of counts. It counts itself when its own cluster is one of those that it describes. */
  #addBlock(index: number): Block {
    for (;;) {
      if (index >= this.#table.length) this.#growTable(index);
      const present = this.#block(index);
      if (present) return present;
      const cluster = this.#findFree(1);
      const describing = Math.floor(cluster / this.#blockEntries);
      if (describing !== index && !this.#block(describing)) {
        this.#addBlock(describing);
        continue;
      }
      const data = new Uint8Array(this.#clusterBytes);
      const block = { offset: cluster * this.#clusterBytes, data, view: new DataView(data.buffer), dirty: true };
      if (describing !== index) this.set(cluster, 1);
      this.#table[index] = block.offset;
      this.#newEntries.add(index);
      this.#blocks.set(index, block);
      if (describing === index) this.set(cluster, 1);
      this.onMetadata(block.offset, 1);
      return block;
    }
  }

  /** A larger table, behind everything that the old one can describe, with the blocks that count it. */
  #growTable(index: number): void {
    const perCluster = this.#clusterBytes / 8;
    const first = this.#table.length * this.#blockEntries;
    let clusters = Math.ceil(Math.max((index + 1) * 1.5, this.#table.length + 1) / perCluster);
    let blocks = 1;
    for (;;) {
      const needed = Math.ceil((clusters + blocks) / this.#blockEntries);
      const fit = Math.ceil((this.#table.length + needed) / perCluster);
      if (needed <= blocks && fit <= clusters) break;
      blocks = Math.max(blocks, needed);
      clusters = Math.max(clusters, fit);
    }
    if (clusters * this.#clusterBytes > MAX_REFCOUNT_TABLE_BYTES) {
      throw new BlockError(`${this.file.name}: its refcount table cannot grow further`, 'no-space');
    }
    for (let cluster = first; cluster < first + clusters + blocks; cluster++) this.#refuseTables(cluster);
    const old = { offset: this.#tableOffset, clusters: this.#tableClusters, length: this.#table.length };
    const table = [...this.#table, ...new Array<number>(clusters * perCluster - this.#table.length).fill(0)];
    for (let i = 0; i < blocks; i++) {
      const data = new Uint8Array(this.#clusterBytes);
      const block = {
        offset: (first + clusters + i) * this.#clusterBytes,
        data,
        view: new DataView(data.buffer),
        dirty: true,
      };
      table[old.length + i] = block.offset;
      this.#blocks.set(old.length + i, block);
    }
    this.#table = table;
    for (let cluster = first; cluster < first + clusters + blocks; cluster++) this.set(cluster, 1);
    const bytes = new Uint8Array(clusters * this.#clusterBytes);
    const view = new DataView(bytes.buffer);
    for (const [i, offset] of table.entries()) view.setBigUint64(i * 8, BigInt(offset));
    this.#newEntries.clear();
    this.#tableOffset = first * this.#clusterBytes;
    this.#tableClusters = clusters;
    this.writeBack();
    this.file.write(this.#tableOffset, bytes);
    this.file.sync();
    const pointer = new DataView(new ArrayBuffer(12));
    pointer.setBigUint64(0, BigInt(this.#tableOffset));
    pointer.setUint32(8, clusters);
    this.file.write(FIELD.refcountTable, new Uint8Array(pointer.buffer));
    this.file.sync();
    this.onMetadata(this.#tableOffset, clusters + blocks);
    for (let i = 0; i < old.clusters; i++) {
      this.release(old.offset / this.#clusterBytes + i);
      this.onReleasedMetadata(old.offset / this.#clusterBytes + i);
    }
  }
}
