/**
 * Records in the ring of a perf event that samples with thread, time and raw data.
 * @see include/uapi/linux/perf_event.h, "enum perf_event_type"
 */

export const PERF_RECORD = { lost: 2, throttle: 5, unthrottle: 6, sample: 9 } as const;
export const PERF_SAMPLE = { tid: 1 << 1, time: 1 << 2, raw: 1 << 10 } as const;

export interface PerfVisitor {
  /** @param at of the raw data in `record` */
  sample(tid: number, ns: bigint, record: DataView, at: number, length: number): void;
  lost(count: number): void;
}

const HEADER = 8;
/** pid, tid, time, size of the raw data. */
const FIXED = HEADER + 4 + 4 + 8 + 4;

/** Goes through whole records; ends at the first that makes no sense. */
export function readPerfRecords(bytes: Uint8Array, visitor: PerfVisitor): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const type = view.getUint32(at, true);
    const size = view.getUint16(at + 6, true);
    if (size < HEADER || at + size > bytes.length) return;
    if (type === PERF_RECORD.sample && size >= FIXED) {
      const raw = view.getUint32(at + FIXED - 4, true);
      if (FIXED + raw <= size)
        visitor.sample(view.getUint32(at + 12, true), view.getBigUint64(at + 16, true), view, at + FIXED, raw);
    } else if (type === PERF_RECORD.lost && size >= HEADER + 16)
      visitor.lost(Number(view.getBigUint64(at + HEADER + 8, true)));
    at += size;
  }
}
