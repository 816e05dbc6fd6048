import { printable } from '../printable.js';

/** A file of bytes under a disk image. Offsets and lengths are in bytes. */
export interface ByteFile {
  /** As a user named it, for messages. */
  readonly name: string;
  readonly writable: boolean;
  size(): number;
  /** Fills `into`; what lies beyond the end reads as zeros. @throws BlockError */
  read(offset: number, into: Uint8Array): void;
  /** The file grows when the range ends beyond it. @throws BlockError */
  write(offset: number, bytes: Uint8Array): void;
  /** Makes a hole, which reads as zeros; false: it cannot, and nothing has changed. Absent where files have no holes. */
  punch?(offset: number, bytes: number): boolean;
  /** All that was written is on stable storage. @throws BlockError */
  sync(): void;
  close(): void;
}

/** An image that cannot be used: one line that names the file and the cause. */
export class DiskImageError extends Error {
  constructor(
    readonly file: string,
    readonly reason: string,
  ) {
    // the reason may quote names that stand in the image
    super(`${file}: ${printable(reason)}`);
    this.name = 'DiskImageError';
  }
}

/** Decompressors that the host gives to the format code. Both answer at most `limit` bytes and throw on bad data. */
export interface Decompressors {
  deflate(bytes: Uint8Array, limit: number): Uint8Array;
  /** Absent where the host has none. */
  zstd?(bytes: Uint8Array, limit: number): Uint8Array;
}
