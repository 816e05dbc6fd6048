/** Writes a memory dump to a file, a piece at a time; pages of zeros stay holes. */
import { closeSync, ftruncateSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CoreDump } from '../debug/core-dump.js';
import { fileCause, outputCause } from './file-cause.js';

/** Bytes at once: some milliseconds. */
const PIECE = 1 << 20;
const ZEROS = new Uint8Array(PIECE);

/**
 * Yields the share that is written.
 * @param read a view of guest memory
 * @throws Error naming the file and the cause; what was written of a file that was not there before is taken away
 */
export function* writeDump(
  path: string,
  dump: CoreDump,
  read: (gpa: number, bytes: number) => Uint8Array,
): Generator<number, string> {
  const file = resolve(path);
  const existed = mayBeWritten(file);
  let fd: number;
  try {
    fd = openSync(file, 'w');
  } catch (error) {
    throw new Error(`${file}: ${outputCause(error)}`);
  }
  let done = false;
  try {
    writeAll(fd, dump.head, 0);
    for (const { offset, gpa, bytes } of dump.pieces) {
      for (let at = 0; at < bytes; at += PIECE) {
        const piece = read(gpa + at, Math.min(PIECE, bytes - at));
        if (Buffer.compare(piece, ZEROS.subarray(0, piece.length)) !== 0) writeAll(fd, piece, offset + at);
        yield (offset + at) / dump.bytes;
      }
    }
    ftruncateSync(fd, dump.bytes);
    done = true;
    return file;
  } catch (error) {
    throw new Error(`${file}: ${fileCause(error)}`);
  } finally {
    closeSync(fd);
    if (!done && !existed) unlinkSync(file);
  }
}

/** Whether there is a file already. @throws Error when it is no ordinary one: a FIFO may have no reader */
function mayBeWritten(file: string): boolean {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (!stat.isFile()) throw new Error(`${file}: ${stat.isDirectory() ? 'is a folder' : 'is not an ordinary file'}`);
  return true;
}

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
}
