/**
 * The blocks of a recording: `docs/recording.md`. Each block's checks go over all blocks before it, so that none is damaged, left
 * out or put elsewhere unnoticed.
 *
 *   | "VMSCOPE RECORDING\n" 18 | version u16 | block ...
 *   block: | kind u8 | bytes u32 | check of the head, 4 | body | check of head and body, 8 |, big-endian
 */
import { createHash } from 'node:crypto';
import { fstatSync } from 'node:fs';
import { StateError } from '../../state/schema.js';
import { readFully } from '../read-fully.js';

const MAGIC = Buffer.from('VMSCOPE RECORDING\n', 'latin1');
export const RECORDING_VERSION = 3;
const FILE_HEAD_BYTES = MAGIC.length + 2;
const HEAD_BYTES = 5;
const HEAD_CHECK_BYTES = 4;
const CHECK_BYTES = 8;
/** Before and behind a body. */
const BEFORE_BYTES = HEAD_BYTES + HEAD_CHECK_BYTES;
/** No block that this program writes comes near it. */
const MAX_BODY_BYTES = 1 << 28;

export const BLOCK = { about: 0x41, piece: 0x50, journal: 0x4a, end: 0x45 } as const;

function check(before: Uint8Array, ...parts: Uint8Array[]): Buffer {
  const hash = createHash('sha256').update(before);
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** Makes the bytes of a recording, a block after the other. */
export class BlockWriter {
  #before: Buffer = Buffer.alloc(CHECK_BYTES);

  head(): Buffer {
    const head = Buffer.alloc(FILE_HEAD_BYTES);
    MAGIC.copy(head);
    head.writeUInt16BE(RECORDING_VERSION, MAGIC.length);
    return head;
  }

  block(kind: number, body: Uint8Array): Buffer {
    const head = Buffer.alloc(HEAD_BYTES);
    head[0] = kind;
    head.writeUInt32BE(body.length, 1);
    const headCheck = check(this.#before, head).subarray(0, HEAD_CHECK_BYTES);
    this.#before = check(this.#before, head, body).subarray(0, CHECK_BYTES);
    return Buffer.concat([head, headCheck, body, this.#before]);
  }
}

/** Where a body lies in the file. */
export interface BlockPlace {
  readonly kind: number;
  readonly at: number;
  readonly bytes: number;
}

/** The blocks of an open file in order, each checked. Returns whether the file is cut within a block. */
export function* readBlocks(fd: number): Generator<{ place: BlockPlace; body: Buffer }, { cut: boolean }> {
  const size = fstatSync(fd).size;
  const fileHead = readAt(fd, 0, Math.min(size, FILE_HEAD_BYTES));
  if (fileHead.length < FILE_HEAD_BYTES || !fileHead.subarray(0, MAGIC.length).equals(MAGIC))
    throw new StateError('is not a recording of vmscope');
  const version = fileHead.readUInt16BE(MAGIC.length);
  if (version !== RECORDING_VERSION)
    throw new StateError(`has version ${version} of the format, this program reads version ${RECORDING_VERSION}`);
  let before: Buffer = Buffer.alloc(CHECK_BYTES);
  let at = FILE_HEAD_BYTES;
  for (let number = 1; at < size; number++) {
    if (size - at < BEFORE_BYTES) return { cut: true };
    const start = readAt(fd, at, BEFORE_BYTES);
    const head = start.subarray(0, HEAD_BYTES);
    const damaged = (): StateError => new StateError(`is damaged: block ${number}, at byte ${at}, has another check`);
    if (!check(before, head).subarray(0, HEAD_CHECK_BYTES).equals(start.subarray(HEAD_BYTES))) throw damaged();
    const bytes = head.readUInt32BE(1);
    if (bytes > MAX_BODY_BYTES) throw damaged();
    if (size - at < BEFORE_BYTES + bytes + CHECK_BYTES) return { cut: true };
    const rest = readAt(fd, at + BEFORE_BYTES, bytes + CHECK_BYTES);
    const body = rest.subarray(0, bytes);
    before = check(before, head, body).subarray(0, CHECK_BYTES);
    if (!before.equals(rest.subarray(bytes))) throw damaged();
    yield { place: { kind: head[0], at: at + BEFORE_BYTES, bytes }, body };
    at += BEFORE_BYTES + bytes + CHECK_BYTES;
  }
  return { cut: false };
}

/** @throws StateError where the file is shorter by now */
export function readAt(fd: number, at: number, bytes: number): Buffer {
  const into = Buffer.alloc(bytes);
  if (readFully(fd, into, at) < bytes) throw new StateError('has become shorter while it is read');
  return into;
}
