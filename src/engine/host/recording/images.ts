/** What a recorded run began with: files and disks, by a hash of their content, or packed into the recording. */
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { SECTOR_BYTES } from '../../devices/block.js';
import { StateError } from '../../state/schema.js';
import { type DiskOptions, openDisk } from '../disk/open-disk.js';
import { readFully } from '../read-fully.js';
import type { Recording } from './recording.js';

const CHUNK = 1 << 20;
const FASTEST = { level: 1 };
/** Which content, and where in it: before each packed chunk. */
const PIECE_HEAD_BYTES = 10;

/** Bytes that can be read from their beginning to their end. */
export interface Content {
  readonly bytes: number;
  read(at: number, into: Uint8Array): void;
  close(): void;
}

/** A file as it is. @param bytes its size */
export function fileContent(path: string, bytes: number): Content {
  const fd = openSync(path, 'r');
  return {
    bytes,
    read: (at, into) => {
      if (readFully(fd, into, at) < into.length) throw new Error(`${path}: has become shorter while it is read`);
    },
    close: () => closeSync(fd),
  };
}

/** A disk as its guest sees it, whatever its image's format and backing files. @throws DiskImageError */
export function diskContent(options: DiskOptions): Content {
  const { store, close } = openDisk({ ...options, readonly: true, snapshot: false, unlocked: true });
  return {
    bytes: store.sectors * SECTOR_BYTES,
    read: (at, into) => store.read(at / SECTOR_BYTES, into),
    close,
  };
}

/** Chunks with anything but zeros in them. */
function* chunks({ bytes, read }: Content): Generator<{ at: number; chunk: Uint8Array }> {
  const buffer = new Uint8Array(CHUNK);
  const zeros = new Uint8Array(CHUNK);
  for (let at = 0; at < bytes; at += CHUNK) {
    const chunk = buffer.subarray(0, Math.min(CHUNK, bytes - at));
    read(at, chunk);
    if (Buffer.compare(chunk, zeros.subarray(0, chunk.length)) !== 0) yield { at, chunk };
  }
}

/** SHA-256 over the size and each MiB that is not zeros, with its place before it. */
export function contentHash(content: Content): string {
  const hash = createHash('sha256');
  const number = Buffer.alloc(8);
  const add = (value: number): void => {
    number.writeBigUInt64BE(BigInt(value));
    hash.update(number);
  };
  add(content.bytes);
  for (const { at, chunk } of chunks(content)) {
    add(at);
    hash.update(chunk);
  }
  return hash.digest('hex');
}

/** The content as bodies of blocks. @param index its place in the list of a recording's contents */
export function* packed(index: number, content: Content): Generator<Uint8Array> {
  for (const { at, chunk } of chunks(content)) {
    const head = Buffer.alloc(PIECE_HEAD_BYTES);
    head.writeUInt16BE(index);
    head.writeBigUInt64BE(BigInt(at), 2);
    yield Buffer.concat([head, deflateRawSync(chunk, FASTEST)]);
  }
}

/**
 * Writes packed contents into files.
 * @param files where each content goes, and how long it is; undefined: it is not packed
 * @throws StateError naming the recording
 */
export function unpack(recording: Recording, files: readonly ({ path: string; bytes: number } | undefined)[]): void {
  const fds = files.map((file) => file && openSync(file.path, 'wx', 0o600));
  const damaged = (): StateError => new StateError(`${recording.path}: is damaged: a packed piece of no content`);
  try {
    for (const [i, fd] of fds.entries()) if (fd !== undefined) ftruncateSync(fd, files[i]!.bytes);
    for (const place of recording.pieces) {
      const body = recording.body(place);
      const fd = body.length > PIECE_HEAD_BYTES ? fds[body.readUInt16BE()] : undefined;
      if (fd === undefined) throw damaged();
      const at = Number(body.readBigUInt64BE(2));
      const chunk = inflateRawSync(body.subarray(PIECE_HEAD_BYTES), { maxOutputLength: CHUNK });
      if (at + chunk.length > files[body.readUInt16BE()]!.bytes) throw damaged();
      for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done, chunk.length - done, at + done);
    }
  } finally {
    for (const fd of fds) if (fd !== undefined) closeSync(fd);
  }
}
