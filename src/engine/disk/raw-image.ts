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
    if (count === 0) return;
    const start = sector * SECTOR_BYTES;
    if (this.file.writable && this.file.punch?.(start, count * SECTOR_BYTES)) return;
    // without holes to make, those that are there stay
    const old = new Uint8Array(ZEROS.length);
    for (let done = 0; done < count * SECTOR_BYTES; done += old.length) {
      const piece = old.subarray(0, Math.min(old.length, count * SECTOR_BYTES - done));
      this.file.read(start + done, piece);
      if (piece.some((byte) => byte !== 0)) this.file.write(start + done, ZEROS.subarray(0, piece.length));
    }
  }

  flush(): void {
    if (this.file.writable) this.file.sync();
  }
}
