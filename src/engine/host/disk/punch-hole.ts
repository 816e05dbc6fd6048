import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, libc } from '../kvm/libc.js';

let usable = process.platform === 'linux';

/** Takes the space of a range of a file away; it reads as zeros. false: the host or the file system cannot. */
export function punchHole(fd: number, offset: number, bytes: number): boolean {
  if (!usable) return false;
  try {
    return libc().fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes) === 0;
  } catch {
    usable = false;
    return false;
  }
}
