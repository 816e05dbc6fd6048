/** A file of the host under a disk image. */
import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { BlockError } from '../../devices/block.js';
import { type ByteFile, DiskImageError } from '../../disk/byte-file.js';

const CAUSES: Record<string, string> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  EISDIR: 'is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  ELOOP: 'too many symbolic links',
  EMFILE: 'too many open files',
  ENOSPC: 'no space left on the host',
  EIO: 'input/output error of the host',
};

/** The cause of a failed file operation in words. */
export function causeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code && CAUSES[code]) ?? message;
}

export class HostFile implements ByteFile {
  #size: number;
  #closed = false;

  private constructor(
    readonly name: string,
    readonly fd: number,
    readonly writable: boolean,
    /** Tells two paths to one file. */
    readonly identity: string,
    size: number,
  ) {
    this.#size = size;
  }

  /** @throws DiskImageError naming the file and the cause. */
  static open(name: string, writable: boolean): HostFile {
    let fd: number | undefined;
    try {
      fd = openSync(name, writable ? 'r+' : 'r');
      const stat = fstatSync(fd, { bigint: true });
      if (stat.isDirectory()) throw new DiskImageError(name, 'is a folder');
      if (!stat.isFile()) throw new DiskImageError(name, 'is not a regular file');
      return new HostFile(name, fd, writable, `${stat.dev}:${stat.ino}`, Number(stat.size));
    } catch (error) {
      if (fd !== undefined) closeSync(fd);
      if (error instanceof DiskImageError) throw error;
      throw new DiskImageError(name, causeOf(error));
    }
  }

  size(): number {
    return this.#size;
  }

  read(offset: number, into: Uint8Array): void {
    try {
      let done = 0;
      while (done < into.length) {
        const count = readSync(this.fd, into, done, into.length - done, offset + done);
        if (count === 0) break;
        done += count;
      }
      into.fill(0, done);
    } catch (error) {
      throw new BlockError(`${this.name}: ${causeOf(error)}`, 'read');
    }
  }

  write(offset: number, bytes: Uint8Array): void {
    try {
      let done = 0;
      while (done < bytes.length) done += writeSync(this.fd, bytes, done, bytes.length - done, offset + done);
    } catch (error) {
      const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
      throw new BlockError(`${this.name}: ${causeOf(error)}`, full ? 'no-space' : 'write');
    }
    this.#size = Math.max(this.#size, offset + bytes.length);
  }

  sync(): void {
    try {
      fdatasyncSync(this.fd);
    } catch (error) {
      throw new BlockError(`${this.name}: ${causeOf(error)}`, 'write');
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.fd);
  }
}
