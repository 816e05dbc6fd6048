/** Writes that are forgotten at the end: `snapshot=on`. They lie in memory, over a disk that is only read. */
import { type BlockStore, checkSectors, SECTOR_BYTES } from '../devices/block.js';

const CLUSTER_SECTORS = 32;
const CLUSTER_BYTES = CLUSTER_SECTORS * SECTOR_BYTES;

export class Overlay implements BlockStore {
  readonly readOnly = false;
  readonly #clusters = new Map<number, Uint8Array>();

  constructor(private readonly base: BlockStore) {}

  get sectors(): number {
    return this.base.sectors;
  }

  /** Bytes that the guest's writes take. */
  get bytes(): number {
    return this.#clusters.size * CLUSTER_BYTES;
  }

  read(sector: number, into: Uint8Array): void {
    checkSectors(this, sector, into.length / SECTOR_BYTES);
    this.#pieces(sector, into.length, (index, within, at, length) => {
      const cluster = this.#clusters.get(index);
      const piece = into.subarray(at, at + length);
      if (cluster) piece.set(cluster.subarray(within, within + length));
      else this.base.read(sector + at / SECTOR_BYTES, piece);
    });
  }

  write(sector: number, bytes: Uint8Array): void {
    checkSectors(this, sector, bytes.length / SECTOR_BYTES);
    this.#pieces(sector, bytes.length, (index, within, at, length) => {
      this.#cluster(index).set(bytes.subarray(at, at + length), within);
    });
  }

  writeZeroes(sector: number, count: number): void {
    checkSectors(this, sector, count);
    this.#pieces(sector, count * SECTOR_BYTES, (index, within, _at, length) => {
      this.#cluster(index).fill(0, within, within + length);
    });
  }

  flush(): void {}

  #cluster(index: number): Uint8Array {
    let cluster = this.#clusters.get(index);
    if (!cluster) {
      cluster = new Uint8Array(CLUSTER_BYTES);
      const first = index * CLUSTER_SECTORS;
      const count = Math.min(CLUSTER_SECTORS, this.sectors - first);
      this.base.read(first, cluster.subarray(0, count * SECTOR_BYTES));
      this.#clusters.set(index, cluster);
    }
    return cluster;
  }

  #pieces(
    sector: number,
    bytes: number,
    each: (index: number, within: number, at: number, length: number) => void,
  ): void {
    for (let at = 0; at < bytes; ) {
      const offset = sector * SECTOR_BYTES + at;
      const within = offset % CLUSTER_BYTES;
      const length = Math.min(CLUSTER_BYTES - within, bytes - at);
      each(Math.floor(offset / CLUSTER_BYTES), within, at, length);
      at += length;
    }
  }
}
