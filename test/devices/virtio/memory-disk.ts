import { type BlockStore, checkSectors, SECTOR_BYTES } from '../../../src/engine/devices/block.js';

/** A disk in memory. */
export class MemoryDisk implements BlockStore {
  readonly readOnly = false;

  constructor(readonly bytes: Uint8Array) {}

  get sectors(): number {
    return this.bytes.length / SECTOR_BYTES;
  }

  read(sector: number, into: Uint8Array): void {
    checkSectors(this, sector, into.length / SECTOR_BYTES);
    into.set(this.bytes.subarray(sector * SECTOR_BYTES, sector * SECTOR_BYTES + into.length));
  }

  write(sector: number, bytes: Uint8Array): void {
    checkSectors(this, sector, bytes.length / SECTOR_BYTES);
    this.bytes.set(bytes, sector * SECTOR_BYTES);
  }

  writeZeroes(sector: number, count: number): void {
    checkSectors(this, sector, count);
    this.bytes.fill(0, sector * SECTOR_BYTES, (sector + count) * SECTOR_BYTES);
  }

  flush(): void {}
}
