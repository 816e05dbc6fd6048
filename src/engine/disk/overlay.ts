/** Writes that are forgotten at the end: `snapshot=on`. They lie in a file that nobody else sees, over a disk that is only read. */
import { type BlockStore, checkSectors, SECTOR_BYTES } from '../devices/block.js';
import type { ByteFile } from './byte-file.js';

const CLUSTER_SECTORS = 128;
const CLUSTER_BYTES = CLUSTER_SECTORS * SECTOR_BYTES;
/** Clusters in a part of the map: 256 MiB of disk. */
const PART = 4096;
/** In the map: the base has it, or it is all zeros; else 1 + its place in the file, in clusters. */
const IN_BASE = 0;
const ZERO = -1;
const ZERO_PART = new Int32Array(PART).fill(ZERO);

export class Overlay implements BlockStore {
  readonly readOnly = false;
  readonly #map = new Map<number, Int32Array>();
  #scratch: ByteFile | undefined;
  #used = 0;

  /** @param makeScratch a file for what is written, made at the first write */
  constructor(
    private readonly base: BlockStore,
    private readonly makeScratch: () => ByteFile,
  ) {}

  get sectors(): number {
    return this.base.sectors;
  }

  /** Bytes that the guest's writes take in the file. */
  get bytes(): number {
    return this.#used * CLUSTER_BYTES;
  }

  read(sector: number, into: Uint8Array): void {
    checkSectors(this, sector, into.length / SECTOR_BYTES);
    this.#pieces(sector, into.length, (index, within, at, length) => {
      const place = this.#place(index);
      const piece = into.subarray(at, at + length);
      if (place === IN_BASE) this.base.read(sector + at / SECTOR_BYTES, piece);
      else if (place === ZERO) piece.fill(0);
      else this.#file().read((place - 1) * CLUSTER_BYTES + within, piece);
    });
  }

  write(sector: number, bytes: Uint8Array): void {
    checkSectors(this, sector, bytes.length / SECTOR_BYTES);
    this.#pieces(sector, bytes.length, (index, within, at, length) => {
      this.#put(index, within, bytes.subarray(at, at + length));
    });
  }

  writeZeroes(sector: number, count: number): void {
    checkSectors(this, sector, count);
    this.#pieces(sector, count * SECTOR_BYTES, (index, within, _at, length) => {
      const place = this.#place(index);
      if (place === ZERO) return;
      if (length === this.#lengthOf(index) && place <= IN_BASE) this.#setPlace(index, ZERO);
      else this.#put(index, within, new Uint8Array(length));
    });
  }

  flush(): void {}

  close(): void {
    this.#scratch?.close();
  }

  #file(): ByteFile {
    this.#scratch ??= this.makeScratch();
    return this.#scratch;
  }

  /** Bytes of a cluster: the disk's last one may be short. */
  #lengthOf(index: number): number {
    return Math.min(CLUSTER_SECTORS, this.sectors - index * CLUSTER_SECTORS) * SECTOR_BYTES;
  }

  /** Writes into a cluster, which comes into the file first with what it holds so far. */
  #put(index: number, within: number, bytes: Uint8Array): void {
    const file = this.#file();
    let place = this.#place(index);
    if (place <= IN_BASE) {
      const whole = new Uint8Array(CLUSTER_BYTES);
      if (place === IN_BASE && bytes.length < this.#lengthOf(index))
        this.base.read(index * CLUSTER_SECTORS, whole.subarray(0, this.#lengthOf(index)));
      whole.set(bytes, within);
      file.write(this.#used * CLUSTER_BYTES, whole);
      place = ++this.#used;
      this.#setPlace(index, place);
    } else file.write((place - 1) * CLUSTER_BYTES + within, bytes);
  }

  #place(index: number): number {
    return this.#map.get(Math.floor(index / PART))?.[index % PART] ?? IN_BASE;
  }

  #setPlace(index: number, place: number): void {
    const number = Math.floor(index / PART);
    let part = this.#map.get(number);
    if (part === ZERO_PART) {
      if (place === ZERO) return;
      part = ZERO_PART.slice();
      this.#map.set(number, part);
    }
    if (!part) {
      part = new Int32Array(PART);
      this.#map.set(number, part);
    }
    part[index % PART] = place;
    // a disk that is zeroed from end to end takes no memory
    if (place === ZERO && index % PART === PART - 1 && part.every((each) => each === ZERO))
      this.#map.set(number, ZERO_PART);
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
