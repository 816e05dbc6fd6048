/**
 * The file of `--trace`: every VM exit of a run. docs/trace-file.md describes it for other programs.
 *
 * A header: magic `VMSCTRC\0`, u32 bytes a record, u32 version (2), u32 length of a JSON text (UTF-8) that follows: program,
 * guest, engine, instructionNs. Then blocks until the end of the file: u64 sequence of the block's first record, u32 count, u32 length of the
 * data, the records in raw deflate. Little-endian. A sequence that jumps tells of exits that were lost; one that begins at 1
 * again, of a reset.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';

const MAGIC = Buffer.from('VMSCTRC\0');
export const TRACE_FILE_VERSION = 2;
const HEADER_BYTES = 20;
const BLOCK_BYTES = 16;
/** Bounds that a reader demands, and a writer keeps. */
export const MAX_BLOCK_RECORDS = 16_384;
const MAX_ABOUT_BYTES = 65_536;

/** What a trace is of. */
export interface TraceAbout {
  readonly program: string;
  readonly guest: string;
  readonly engine: string;
  /** Virtual time that an instruction takes; absent: 1 ns, or not counted. */
  readonly instructionNs?: number;
}

export function encodeTraceHeader(recordBytes: number, about: TraceAbout): Buffer {
  const text = Buffer.from(JSON.stringify(about));
  const head = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(head);
  head.writeUInt32LE(recordBytes, 8);
  head.writeUInt32LE(TRACE_FILE_VERSION, 12);
  head.writeUInt32LE(text.length, 16);
  return Buffer.concat([head, text]);
}

/** `records` hold whole records whose sequences follow each other from `first` on. */
export function encodeTraceBlock(first: number, count: number, records: Uint8Array): Buffer {
  const data = deflateRawSync(records, { level: 1 });
  const head = Buffer.alloc(BLOCK_BYTES);
  head.writeBigUInt64LE(BigInt(first), 0);
  head.writeUInt32LE(count, 8);
  head.writeUInt32LE(data.length, 12);
  return Buffer.concat([head, data]);
}

/** A trace cannot be read; `message` says why, without the file's name. */
export class TraceFileError extends Error {}

export interface TraceBlock {
  readonly first: number;
  readonly count: number;
  /** `count` records. */
  readonly records: Uint8Array;
}

/** Reads `bytes` from `at`; fewer at the end of the file. */
export type ReadAt = (at: number, bytes: number) => Uint8Array;

/** @throws TraceFileError for another kind of file, or another version of this one. */
export function readTraceHeader(read: ReadAt, recordBytes: number): { about: TraceAbout; blocksAt: number } {
  const head = Buffer.from(read(0, HEADER_BYTES));
  if (!head.subarray(0, 8).equals(MAGIC))
    throw new TraceFileError('is not a trace of VM exits: vmscope run --trace writes one');
  if (head.length < 16) throw new TraceFileError('ends within its header');
  const version = head.readUInt32LE(12);
  if (version !== TRACE_FILE_VERSION)
    throw new TraceFileError(`is a trace of version ${version}; this program reads version ${TRACE_FILE_VERSION}`);
  if (head.length < HEADER_BYTES) throw new TraceFileError('ends within its header');
  if (head.readUInt32LE(8) !== recordBytes)
    throw new TraceFileError(`has records of ${head.readUInt32LE(8)} bytes; this program reads ${recordBytes}`);
  const length = head.readUInt32LE(16);
  const text = length <= MAX_ABOUT_BYTES ? Buffer.from(read(HEADER_BYTES, length)) : Buffer.alloc(0);
  if (text.length !== length) throw new TraceFileError('is damaged: its description does not fit');
  return { about: aboutOf(text.toString()), blocksAt: HEADER_BYTES + length };
}

function aboutOf(text: string): TraceAbout {
  try {
    const { program, guest, engine, instructionNs } = JSON.parse(text);
    const counted = Number.isSafeInteger(instructionNs) && instructionNs > 0 ? { instructionNs } : {};
    return { program: String(program), guest: String(guest), engine: String(engine), ...counted };
  } catch {
    throw new TraceFileError('is damaged: its description is not JSON');
  }
}

/**
 * The blocks in order.
 * @throws TraceFileError at the first one that is damaged, or that the file ends in: a run that was killed leaves that.
 */
export function* readTraceBlocks(read: ReadAt, at: number, recordBytes: number): Generator<TraceBlock> {
  for (;;) {
    const head = Buffer.from(read(at, BLOCK_BYTES));
    if (head.length === 0) return;
    if (head.length < BLOCK_BYTES) throw new TraceFileError(`ends within a block, at byte ${at}`);
    const [first, count, length] = [Number(head.readBigUInt64LE(0)), head.readUInt32LE(8), head.readUInt32LE(12)];
    const fits = Number.isSafeInteger(first + count) && first > 0 && count > 0 && count <= MAX_BLOCK_RECORDS;
    // deflate makes what it cannot compress a little longer
    if (!fits || length > 2 * count * recordBytes + 64) throw new TraceFileError(`is damaged at byte ${at}`);
    const data = read(at + BLOCK_BYTES, length);
    if (data.length < length) throw new TraceFileError(`ends within a block, at byte ${at}`);
    yield { first, count, records: inflated(data, count * recordBytes, at) };
    at += BLOCK_BYTES + length;
  }
}

function inflated(data: Uint8Array, bytes: number, at: number): Uint8Array {
  let records: Uint8Array | undefined;
  try {
    records = inflateRawSync(data, { maxOutputLength: bytes });
  } catch {
    // told below
  }
  if (records?.length !== bytes) throw new TraceFileError(`is damaged at byte ${at}`);
  return records;
}
