/** A file of the host under a disk image. */
import { randomUUID } from 'node:crypto';
import { closeSync, constants, fdatasyncSync, fstatSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlockError } from '../../devices/block.js';
import { type ByteFile, DiskImageError } from '../../disk/byte-file.js';
import { fileCause } from '../file-cause.js';
import { readFully } from '../read-fully.js';
import { punchHole } from './punch-hole.js';

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
      // one that is no file (a FIFO) must not be waited for
      fd = openSync(name, (writable ? constants.O_RDWR : constants.O_RDONLY) | constants.O_NONBLOCK);
      const stat = fstatSync(fd, { bigint: true });
      if (stat.isDirectory()) throw new DiskImageError(name, 'is a folder');
      if (!stat.isFile()) throw new DiskImageError(name, 'is not a regular file');
      return new HostFile(name, fd, writable, `${stat.dev}:${stat.ino}`, Number(stat.size));
    } catch (error) {
      if (fd !== undefined) closeSync(fd);
      if (error instanceof DiskImageError) throw error;
      throw new DiskImageError(name, fileCause(error));
    }
  }

  /** A file without a name, which is gone when it is closed, in the folder for temporary files. @throws BlockError */
  static scratch(): HostFile {
    const folder = tmpdir();
    const name = join(folder, `vmscope-${process.pid}-${randomUUID()}`);
    try {
      const fd = openSync(name, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
      unlinkSync(name);
      return new HostFile(`a file in ${folder}`, fd, true, name, 0);
    } catch (error) {
      throw new BlockError(`a file in ${folder} for snapshot=on: ${fileCause(error)}`, 'write');
    }
  }

  size(): number {
    return this.#size;
  }

  /** Makes a hole: the range reads as zeros and takes no space. false: the host cannot. */
  punch(offset: number, bytes: number): boolean {
    return punchHole(this.fd, offset, bytes);
  }

  read(offset: number, into: Uint8Array): void {
    try {
      into.fill(0, readFully(this.fd, into, offset));
    } catch (error) {
      throw new BlockError(`${this.name}: ${fileCause(error)}`, 'read');
    }
  }

  write(offset: number, bytes: Uint8Array): void {
    try {
      let done = 0;
      while (done < bytes.length) done += writeSync(this.fd, bytes, done, bytes.length - done, offset + done);
    } catch (error) {
      const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
      throw new BlockError(`${this.name}: ${fileCause(error)}`, full ? 'no-space' : 'write');
    }
    this.#size = Math.max(this.#size, offset + bytes.length);
  }

  sync(): void {
    try {
      fdatasyncSync(this.fd);
    } catch (error) {
      throw new BlockError(`${this.name}: ${fileCause(error)}`, 'write');
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.fd);
  }
}
