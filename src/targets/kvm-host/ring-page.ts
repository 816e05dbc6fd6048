/**
 * Pages of the kernel's trace ring buffer, as `per_cpu/cpuN/trace_pipe_raw` gives them.
 * @see kernel/trace/ring_buffer.c, "struct buffer_data_page"; `events/header_page` and `events/header_event` say the same
 */

/** From `events/header_page`. */
export interface PageHeader {
  timestampOffset: number;
  commitOffset: number;
  commitSize: number;
  dataOffset: number;
}

export const PAGE_HEADER: PageHeader = { timestampOffset: 0, commitOffset: 8, commitSize: 8, dataOffset: 16 };

/** @throws Error when the text has no such fields */
export function parsePageHeader(text: string): PageHeader {
  const of = (name: string): { offset: number; size: number } => {
    const match = new RegExp(`\\b${name};\\s*offset:(\\d{1,4});\\s*size:(\\d{1,6});`).exec(text);
    if (!match) throw new Error(`the kernel's trace page has no ${name}`);
    return { offset: Number(match[1]), size: Number(match[2]) };
  };
  const commit = of('commit');
  return {
    timestampOffset: of('timestamp').offset,
    commitOffset: commit.offset,
    commitSize: commit.size,
    dataOffset: of('data').offset,
  };
}

const MISSED = 0x8000_0000;
const MISSED_STORED = 0x4000_0000;
/** Bits of the length in `commit`. */
const LENGTH = 0x000f_ffff;
const DATA_MAX = 28;
const PADDING = 29;
const TIME_EXTEND = 30;
const TIME_STAMP = 31;
const DELTA_BITS = 27n;

/** An event on a page: its time in ns, and where its bytes lie. */
export type Visit = (ns: bigint, record: DataView, at: number, length: number) => void;

/**
 * Goes through the events of one page; ends where the page ends or makes no sense.
 * @returns events that the kernel threw away before this page, as far as the page says: at least 1 where it says only that
 */
export function readPage(page: Uint8Array, header: PageHeader, visit: Visit): number {
  if (page.length < header.dataOffset) return 0;
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const commit = view.getUint32(header.commitOffset, true);
  const end = Math.min(page.length, header.dataOffset + (commit & LENGTH));
  let ns = view.getBigUint64(header.timestampOffset, true);
  let at = header.dataOffset;
  while (at + 4 <= end) {
    const head = view.getUint32(at, true);
    const type = head & 31;
    const delta = BigInt(head >>> 5);
    at += 4;
    if (type === TIME_EXTEND || type === TIME_STAMP) {
      if (at + 4 > end) break;
      const time = (BigInt(view.getUint32(at, true)) << DELTA_BITS) + delta;
      // An absolute stamp has 59 bits: the highest are those of the page.
      ns = type === TIME_EXTEND ? ns + time : (ns & ~((1n << 59n) - 1n)) | time;
      at += 4;
      continue;
    }
    if (type === PADDING && delta === 0n) break;
    let length = type * 4;
    if (type === 0 || type === PADDING) {
      if (at + 4 > end) break;
      // Counts itself.
      length = view.getUint32(at, true);
      if (type === 0) length -= 4;
      if (type === 0) at += 4;
    }
    if (length <= 0 || at + length > end) break;
    ns += delta;
    if (type <= DATA_MAX) visit(ns, view, at, length);
    // Events are padded to four bytes.
    at += (length + 3) & ~3;
  }
  if (!(commit & MISSED)) return 0;
  const stored = header.dataOffset + (commit & LENGTH);
  const count = commit & MISSED_STORED && stored + 8 <= page.length ? Number(view.getBigUint64(stored, true)) : 1;
  return Math.max(1, Math.min(count, Number.MAX_SAFE_INTEGER));
}
