/** What stands behind a disk: the bytes of an image file, or of anything else that can be read by offset. */

/** The image could not do it: a full host disk, a corrupt cluster. Devices report it to the guest as an I/O error. */
export class BlockError extends Error {}

/**
 * A disk image. Every call is done when it returns, so a run with the same image repeats exactly. Offsets and
 * lengths are in bytes; the device keeps them inside `size` and to whole sectors of 512 bytes.
 */
export interface BlockBackend {
  /** Size of the disk in bytes, a multiple of 512. */
  readonly size: number;
  readonly readonly: boolean;
  /** Fills `into` from `offset`. @throws BlockError */
  read(offset: number, into: Uint8Array): void;
  /** @throws BlockError; the image is as before or holds part of the data, as after a power cut. */
  write(offset: number, data: Uint8Array): void;
  /** All writes so far are on stable storage when this returns. @throws BlockError */
  flush(): void;
  /** The range's contents are not needed any more; it reads as zeros or as before. Absent: not offered to guests. */
  discard?(offset: number, bytes: number): void;
  /** The range reads as zeros from now on. Absent: devices write zeros. */
  writeZeroes?(offset: number, bytes: number, mayUnmap: boolean): void;
}

/** Size of a sector: the unit of offsets in every disk protocol here. */
export const SECTOR_BYTES = 512;

/** A disk in memory, for tests and scratch space. */
export class MemoryDisk implements BlockBackend {
  readonly readonly: boolean;

  constructor(
    readonly bytes: Uint8Array,
    options: { readonly?: boolean } = {},
  ) {
    if (bytes.length % SECTOR_BYTES !== 0) throw new RangeError(`a disk of ${bytes.length} bytes is not whole sectors`);
    this.readonly = options.readonly ?? false;
  }

  get size(): number {
    return this.bytes.length;
  }

  read(offset: number, into: Uint8Array): void {
    this.check(offset, into.length);
    into.set(this.bytes.subarray(offset, offset + into.length));
  }

  write(offset: number, data: Uint8Array): void {
    if (this.readonly) throw new BlockError('the disk is read-only');
    this.check(offset, data.length);
    this.bytes.set(data, offset);
  }

  flush(): void {}

  discard(offset: number, bytes: number): void {
    this.check(offset, bytes);
    this.bytes.fill(0, offset, offset + bytes);
  }

  writeZeroes(offset: number, bytes: number): void {
    this.discard(offset, bytes);
  }

  private check(offset: number, length: number): void {
    if (offset < 0 || offset + length > this.size) throw new BlockError(`offset ${offset} is past the end of the disk`);
  }
}
