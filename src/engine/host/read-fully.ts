import { readSync } from 'node:fs';

/** Reads a file from `at` on until `into` is full or the file ends, however little one call gives. @returns bytes read */
export function readFully(fd: number, into: Uint8Array, at: number): number {
  let done = 0;
  while (done < into.length) {
    const read = readSync(fd, into, done, into.length - done, at + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}
