/** Guest-physical memory as the Linux views read it: without side effects, in this thread. */
export interface PhysicalMemory {
  readonly bytes: number;
  /**
   * False where some of what was asked for is on its way: who reads is asked again, and what was found without it is
   * not to be kept. Absent: all is there.
   */
  readonly whole?: boolean;
  /** A view, not a copy; the whole range must lie inside. */
  view(gpa: number, length: number): Uint8Array;
}

/** Work that pauses after each piece; what it yields is the share of memory that it has come through, 0 to 1. */
export type Search<T> = Generator<number, T>;

/** Bytes that are looked through at once: some milliseconds. */
const PIECE = 4 << 20;

/** Where `wanted` stands first from `from` on; -1 where it does not. */
export function* findBytes(memory: PhysicalMemory, wanted: Uint8Array, from: number): Search<number> {
  for (let start = from; start < memory.bytes; start += PIECE) {
    const { buffer, byteOffset, length } = memory.view(
      start,
      Math.min(PIECE + wanted.length - 1, memory.bytes - start),
    );
    const at = Buffer.from(buffer, byteOffset, length).indexOf(wanted);
    if (at >= 0) return start + at;
    yield start / memory.bytes;
  }
  return -1;
}

/**
 * Every place where `wanted` stands, from `from` on; at most `limit` of them, as memory may be full of them. Between two
 * the search pauses.
 */
export function* occurrences(
  memory: PhysicalMemory,
  wanted: Uint8Array,
  from: number,
  limit: number,
  visit: (at: number) => boolean,
): Search<void> {
  let at = yield* findBytes(memory, wanted, from);
  for (let count = 0; at >= 0 && count < limit; count++) {
    if (visit(at)) return;
    if (count % 64 === 63) yield at / memory.bytes;
    at = yield* findBytes(memory, wanted, at + 1);
  }
}

/** A reader of little-endian numbers over bytes that stay put. */
export function dataView(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Text up to the first NUL. */
export function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('latin1');
}
