/** A raw image: the file is the disk. */
import { type BlockStore, checkSectors, SECTOR_BYTES } from '../devices/block.js';
import type { ByteFile } from './byte-file.js';
import { refuseOtherFormat } from './format-probe.js';

const ZEROS = new Uint8Array(128 * SECTOR_BYTES);

export class RawImage implements BlockStore {
  readonly sectors: number;

  /**
   * `unit` is the size in bytes that the disk is rounded up to: the file's last sector may be short. `guessed`: nobody
   * said that the image is raw, so the guest must not make it look otherwise.
   */
  constructor(
    private readonly file: ByteFile,
    unit = SECTOR_BYTES,
    private readonly guessed = false,
  ) {
    this.sectors = (Math.ceil(file.size() / unit) * unit) / SECTOR_BYTES;
  }

  get readOnly(): boolean {
    return !this.file.writable;
  }

  read(sector: number, into: Uint8Array): void {
    checkSectors(this, sector, into.length / SECTOR_BYTES);
    this.file.read(sector * SECTOR_BYTES, into);
  }

  write(sector: number, bytes: Uint8Array): void {
    checkSectors(this, sector, bytes.length / SECTOR_BYTES);
    if (this.guessed && sector === 0) refuseOtherFormat(this.file.name, bytes);
    this.file.write(sector * SECTOR_BYTES, bytes);
  }

  writeZeroes(sector: number, count: number): void {
    checkSectors(this, sector, count);
    for (let done = 0; done < count; ) {
      const piece = Math.min(count - done, ZEROS.length / SECTOR_BYTES);
      this.file.write((sector + done) * SECTOR_BYTES, ZEROS.subarray(0, piece * SECTOR_BYTES));
      done += piece;
    }
  }

  flush(): void {
    if (this.file.writable) this.file.sync();
  }
}
