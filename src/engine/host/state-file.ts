/**
 * A machine's state in a file: a head with the version of the format, records, and a digest of it all.
 *
 *   | "VMSCOPE STATE\n" 14 | version u16 | record ...
 *   record: | kind u8 | bytes u32 | body |, big-endian
 *     'T'  the tree as JSON, deflated; the first record
 *     'F'  frames: | count u16 | hpa u64 ... | pages, deflated |
 *     'E'  SHA-256 of all before it; the last record
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, renameSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { StateError } from '../state/schema.js';
import type { Frame } from '../vmm/core-image.js';
import type { MachineState } from '../vmm/machine-state.js';
import { fileCause, outputCause } from './file-cause.js';
import { deflateTree, inflateTree } from './state-tree.js';

const MAGIC = Buffer.from('VMSCOPE STATE\n', 'latin1');
const VERSION = 3;
const HEAD_BYTES = MAGIC.length + 2;
const RECORD_HEAD_BYTES = 5;
const TREE = 0x54;
const FRAMES = 0x46;
const END = 0x45;
const DIGEST_BYTES = 32;
const PAGE = 4096;
/** Pages in a record: some milliseconds of work. */
const FRAMES_A_RECORD = 256;
const FASTEST = { level: 1 };

/**
 * The bytes of a state, piece by piece. The frames are read as it goes on, so the guest stands meanwhile.
 * @param memoryBytes of the machine, for the share of the work that is done at each piece
 */
export function* stateBytes(
  { state, frames }: SavedMachine,
  memoryBytes: number,
): Generator<{ bytes: Uint8Array; share: number }> {
  const hash = createHash('sha256');
  const head = Buffer.alloc(HEAD_BYTES);
  MAGIC.copy(head);
  head.writeUInt16BE(VERSION, MAGIC.length);
  const piece = (bytes: Uint8Array, share: number) => {
    hash.update(bytes);
    return { bytes, share };
  };
  yield piece(head, 0);
  yield piece(record(TREE, deflateTree(state)), 0);
  let batch: Frame[] = [];
  for (const frame of frames) {
    if (batch.push(frame) < FRAMES_A_RECORD) continue;
    yield piece(record(FRAMES, framesBody(batch)), Math.min(1, frame.hpa / memoryBytes));
    batch = [];
  }
  if (batch.length > 0) yield piece(record(FRAMES, framesBody(batch)), 1);
  const end = record(END, Buffer.alloc(DIGEST_BYTES));
  hash.update(end.subarray(0, RECORD_HEAD_BYTES));
  end.set(hash.digest(), RECORD_HEAD_BYTES);
  yield { bytes: end, share: 1 };
}

function record(kind: number, body: Uint8Array): Buffer {
  const whole = Buffer.alloc(RECORD_HEAD_BYTES + body.length);
  whole[0] = kind;
  whole.writeUInt32BE(body.length, 1);
  whole.set(body, RECORD_HEAD_BYTES);
  return whole;
}

export interface SavedMachine {
  readonly state: MachineState;
  readonly frames: Iterable<Frame>;
}

/**
 * Writes a state into a file that takes its place when it is whole. Yields the share that is done.
 * @returns the file's full path
 * @throws Error naming the file and the cause; a file that was there before is left as it was
 */
export function* writeState(file: string, saved: SavedMachine, memoryBytes: number): Generator<number, string> {
  const path = resolve(file);
  const part = `${path}.part`;
  let fd: number | undefined;
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat !== undefined && !stat.isFile())
      throw new Error(stat.isDirectory() ? 'is a folder' : 'is not an ordinary file');
    try {
      fd = openSync(part, 'w', 0o600);
    } catch (error) {
      throw new Error(outputCause(error));
    }
    for (const { bytes, share } of stateBytes(saved, memoryBytes)) {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      yield share;
    }
    closeSync(fd);
    fd = undefined;
    renameSync(part, path);
    return path;
  } catch (error) {
    throw new Error(`${path}: ${fileCause(error)}`);
  } finally {
    if (fd !== undefined) {
      closeSync(fd);
      unlinkSync(part);
    }
  }
}

function framesBody(frames: readonly Frame[]): Buffer {
  const head = Buffer.alloc(2 + 8 * frames.length);
  head.writeUInt16BE(frames.length);
  for (const [i, { hpa }] of frames.entries()) head.writeBigUInt64BE(BigInt(hpa), 2 + 8 * i);
  return Buffer.concat([head, deflateRawSync(Buffer.concat(frames.map(({ bytes }) => bytes)), FASTEST)]);
}

/** A state as it was read: `parts` and `identity` are still to be checked by `loadMachine`. */
export interface StateFile {
  readonly state: MachineState;
  /** Read anew at each turn over them. */
  readonly frames: Iterable<Frame>;
}

/**
 * Reads a state and checks that it is whole, before anything of it is used.
 * @throws StateError naming the file and what is wrong with it
 */
export function readState(file: string): StateFile {
  const path = resolve(file);
  let bytes: Buffer;
  try {
    if (!statSync(path).isFile()) throw new Error('is not an ordinary file');
    bytes = readFileSync(path);
  } catch (error) {
    throw new StateError(`${path}: ${fileCause(error)}`);
  }
  return parseState(bytes, path);
}

/** The same for a state that is in memory. @param from where it comes from, for messages */
export function parseState(bytes: Buffer, from: string): StateFile {
  try {
    const { tree, records } = parse(bytes);
    return { state: inflateTree(tree), frames: { [Symbol.iterator]: () => framesOf(records) } };
  } catch (error) {
    if (error instanceof StateError) throw new StateError(`${from}: ${error.message}`);
    throw error;
  }
}

function parse(bytes: Buffer): { tree: Buffer; records: Buffer[] } {
  if (bytes.length < HEAD_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC))
    throw new StateError('is not a saved state of vmscope');
  const version = bytes.readUInt16BE(MAGIC.length);
  if (version !== VERSION)
    throw new StateError(`has version ${version} of the format, this program reads version ${VERSION}`);
  const records: Buffer[] = [];
  let tree: Buffer | undefined;
  for (let at = HEAD_BYTES; ; ) {
    if (at + RECORD_HEAD_BYTES > bytes.length) throw new StateError('is cut short');
    const kind = bytes[at];
    const body = bytes.subarray(at + RECORD_HEAD_BYTES, at + RECORD_HEAD_BYTES + bytes.readUInt32BE(at + 1));
    const end = at + RECORD_HEAD_BYTES + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) throw new StateError('is cut short');
    if (kind === END) {
      const digest = createHash('sha256')
        .update(bytes.subarray(0, at + RECORD_HEAD_BYTES))
        .digest();
      if (end !== bytes.length || !digest.equals(body)) throw new StateError('is damaged: its digest does not match');
      break;
    }
    if (kind === TREE && tree === undefined) tree = body;
    else if (kind === FRAMES) records.push(body);
    else throw new StateError(`is damaged: a record of kind ${kind}`);
    at = end;
  }
  if (tree === undefined) throw new StateError('is damaged: it has no tree');
  return { tree, records };
}

function* framesOf(records: readonly Buffer[]): Generator<Frame> {
  for (const record of records) {
    const count = record.length >= 2 ? record.readUInt16BE() : 0;
    const head = 2 + 8 * count;
    if (head > record.length) throw new StateError('is damaged: a record of frames has no room for its addresses');
    let pages: Buffer;
    try {
      pages = inflateRawSync(record.subarray(head), { maxOutputLength: PAGE * count });
    } catch (error) {
      throw new StateError(`is damaged: ${(error as Error).message}`);
    }
    if (pages.length !== PAGE * count) throw new StateError('is damaged: a record of frames lacks pages');
    for (let i = 0; i < count; i++) {
      yield { hpa: Number(record.readBigUInt64BE(2 + 8 * i)), bytes: pages.subarray(PAGE * i, PAGE * (i + 1)) };
    }
  }
}
