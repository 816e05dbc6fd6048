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
const VERSION = 1;
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

/** A file that is written beside its place and takes it when it is whole. */
class Output {
  readonly #hash = createHash('sha256');
  readonly #part: string;
  readonly #fd: number;

  constructor(readonly path: string) {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat !== undefined && !stat.isFile())
      throw new Error(stat.isDirectory() ? 'is a folder' : 'is no ordinary file');
    this.#part = `${path}.part`;
    try {
      this.#fd = openSync(this.#part, 'w', 0o600);
    } catch (error) {
      throw new Error(outputCause(error));
    }
  }

  write(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
  }

  record(kind: number, body: Uint8Array): void {
    const head = Buffer.alloc(RECORD_HEAD_BYTES);
    head[0] = kind;
    head.writeUInt32BE(body.length, 1);
    this.write(head);
    this.write(body);
  }

  finish(): void {
    const head = Buffer.alloc(RECORD_HEAD_BYTES);
    head[0] = END;
    head.writeUInt32BE(DIGEST_BYTES, 1);
    this.write(head);
    this.write(this.#hash.copy().digest());
    closeSync(this.#fd);
    renameSync(this.#part, this.path);
  }

  /** Nothing stays of it. */
  abandon(): void {
    closeSync(this.#fd);
    unlinkSync(this.#part);
  }
}

/**
 * Writes a state. The frames are read as it goes on, so the guest stands meanwhile. Yields the share that is done.
 * @returns the file's full path
 * @throws Error naming the file and the cause; a file that was there before is left as it was
 */
export function* writeState(
  file: string,
  { state, frames }: { state: MachineState; frames: Iterable<Frame> },
  memoryBytes: number,
): Generator<number, string> {
  const path = resolve(file);
  let out: Output | undefined;
  try {
    out = new Output(path);
    const head = Buffer.alloc(HEAD_BYTES);
    MAGIC.copy(head);
    head.writeUInt16BE(VERSION, MAGIC.length);
    out.write(head);
    out.record(TREE, deflateTree(state));
    let batch: Frame[] = [];
    for (const frame of frames) {
      batch.push(frame);
      if (batch.length < FRAMES_A_RECORD) continue;
      out.record(FRAMES, framesBody(batch));
      batch = [];
      yield Math.min(1, frame.hpa / memoryBytes);
    }
    if (batch.length > 0) out.record(FRAMES, framesBody(batch));
    out.finish();
    out = undefined;
    return path;
  } catch (error) {
    throw new Error(`${path}: ${fileCause(error)}`);
  } finally {
    out?.abandon();
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
    if (!statSync(path).isFile()) throw new Error('is no ordinary file');
    bytes = readFileSync(path);
  } catch (error) {
    throw new StateError(`${path}: ${fileCause(error)}`);
  }
  try {
    const { tree, records } = parse(bytes);
    return { state: inflateTree(tree), frames: { [Symbol.iterator]: () => framesOf(records) } };
  } catch (error) {
    if (error instanceof StateError) throw new StateError(`${path}: ${error.message}`);
    throw error;
  }
}

function parse(bytes: Buffer): { tree: Buffer; records: Buffer[] } {
  if (bytes.length < HEAD_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC))
    throw new StateError('is no saved state of vmscope');
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
      if (end !== bytes.length || !digest.equals(body)) throw new StateError('is damaged: its digest is another one');
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
