/**
 * Keeps two programs from one image, in the way of QEMU's raw files: for each permission in use a shared lock on
 * byte 100 + permission, for each one that others may not have a shared lock on byte 200 + permission. Who wants
 * something asks whether the opposite byte could be locked exclusively. The locks belong to the open file (OFD locks).
 */
import { cLibrary } from '../../../native/c-library.js';
import { DiskImageError } from '../../disk/byte-file.js';
import type { HostFile } from './host-file.js';

const PERMISSIONS = { read: 0, write: 1, resize: 3 } as const;
const USED = 100;
const NOT_SHARED = 200;

const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;
/** struct flock of 64-bit Linux: type u16, whence u16, start i64 at 8, length i64 at 16, pid i32 at 24. */
const FLOCK_BYTES = 32;

type Fcntl = (fd: number, command: number, lock: Uint8Array) => number;

let fcntl: Fcntl | undefined;

function loadFcntl(): Fcntl {
  if (process.platform !== 'linux') throw new Error(`there are no such locks on ${process.platform}`);
  return cLibrary().func('fcntl', 'int', 'int', 'int', 'void *');
}

function flock(type: number, byte: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(FLOCK_BYTES));
  view.setInt16(0, type, true);
  view.setBigInt64(8, BigInt(byte), true);
  view.setBigInt64(16, 1n, true);
  return new Uint8Array(view.buffer);
}

/** What a user of an image needs. Everybody reads; who writes shares nothing but reading with nobody. */
export type ImageUse = 'read' | 'write';

/**
 * Locks an open image until its file is closed.
 * @returns why it could not be locked here at all, or undefined.
 * @throws DiskImageError when another program uses the image.
 */
export function lockImage(file: HostFile, use: ImageUse): string | undefined {
  try {
    fcntl ??= loadFcntl();
  } catch (error) {
    return (error as Error).message.split('\n')[0];
  }
  const { read, write, resize } = PERMISSIONS;
  const used: number[] = use === 'write' ? [read, write, resize] : [read];
  const notShared: number[] = [write, resize];
  const bytes = [...used.map((bit) => USED + bit), ...notShared.map((bit) => NOT_SHARED + bit)];
  for (const byte of bytes) {
    if (fcntl(file.fd, F_OFD_SETLK, flock(F_RDLCK, byte)) !== 0) {
      // an exclusive lock of a program that does not keep to this scheme, or a file system without locks
      if (probe(file.fd, byte) === 'taken') throw new DiskImageError(file.name, 'is locked by another program');
      return 'the file system has no locks';
    }
  }
  const conflicts = [...used.map((bit) => NOT_SHARED + bit), ...notShared.map((bit) => USED + bit)];
  for (const byte of conflicts) {
    if (probe(file.fd, byte) !== 'taken') continue;
    const writes = byte === USED + write || byte === USED + resize;
    throw new DiskImageError(file.name, `is in use by another program${writes ? ' that writes to it' : ''}`);
  }
  return undefined;
}

function probe(fd: number, byte: number): 'free' | 'taken' | 'unknown' {
  const lock = flock(F_WRLCK, byte);
  if (fcntl!(fd, F_OFD_GETLK, lock) !== 0) return 'unknown';
  return new DataView(lock.buffer).getInt16(0, true) === F_UNLCK ? 'free' : 'taken';
}
