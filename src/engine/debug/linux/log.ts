/** The kernel's log, read from its ring buffer as `dmesg` prints it. */
import type { LinuxKernel } from './kernel.js';

export interface LogRecord {
  sequence: bigint;
  /** Since the kernel's start. */
  ns: bigint;
  level: number;
  text: string;
}

/** Two top bits of a descriptor's state. @linux kernel/printk/printk_ringbuffer.h */
const STATE_SHIFT = 62n;
const COMMITTED = 1n;
const FINALIZED = 2n;
const ID_MASK = (1n << STATE_SHIFT) - 1n;
/** A data block starts with the descriptor's id. */
const ID_BYTES = 8n;

/** All records that the buffer still holds, oldest first. @throws Error when the kernel keeps its log otherwise. */
export function readLog(kernel: LinuxKernel): LogRecord[] {
  return kernel.has('prb') ? readRing(kernel) : readRecords(kernel);
}

/** The lock-free ring of 5.10 and later. */
function readRing(kernel: LinuxKernel): LogRecord[] {
  const { btf } = kernel;
  const ring = kernel.u64(kernel.address('prb'));
  const at = (path: string): bigint => ring + BigInt(btf.offsetOf('printk_ringbuffer', path));
  const slots = 1n << BigInt(kernel.u32(at('desc_ring.count_bits')));
  const dataBytes = 1n << BigInt(kernel.u32(at('text_data_ring.size_bits')));
  const descriptors = kernel.u64(at('desc_ring.descs'));
  const infos = kernel.u64(at('desc_ring.infos'));
  const data = kernel.u64(at('text_data_ring.data'));
  const descriptorBytes = BigInt(btf.sizeOf('prb_desc'));
  const infoBytes = BigInt(btf.sizeOf('printk_info'));
  const state = BigInt(btf.offsetOf('prb_desc', 'state_var'));
  const begin = BigInt(btf.offsetOf('prb_desc', 'text_blk_lpos.begin'));
  const next = BigInt(btf.offsetOf('prb_desc', 'text_blk_lpos.next'));
  const info = {
    seq: BigInt(btf.offsetOf('printk_info', 'seq')),
    ns: BigInt(btf.offsetOf('printk_info', 'ts_nsec')),
    length: BigInt(btf.offsetOf('printk_info', 'text_len')),
    // the byte of the bit fields flags (5) and level (3)
    level: BigInt(btf.offsetOf('printk_info', 'facility')) + 1n,
  };
  const records: LogRecord[] = [];
  const head = kernel.u64(at('desc_ring.head_id')) & ID_MASK;
  for (let id = kernel.u64(at('desc_ring.tail_id')) & ID_MASK; ; id = (id + 1n) & ID_MASK) {
    const descriptor = descriptors + (id % slots) * descriptorBytes;
    const word = kernel.u64(descriptor + state);
    const kind = word >> STATE_SHIFT;
    if ((word & ID_MASK) === id && (kind === COMMITTED || kind === FINALIZED)) {
      const own = infos + (id % slots) * infoBytes;
      const first = kernel.u64(descriptor + begin);
      const end = kernel.u64(descriptor + next);
      const length = kernel.u16(own + info.length);
      let text = '';
      // An odd position says that the record has no data.
      if ((first & 1n) === 0n && length > 0) {
        const wraps = first / dataBytes !== (end - 1n) / dataBytes;
        const block = wraps ? 0n : first % dataBytes;
        text = Buffer.from(kernel.read(data + block + ID_BYTES, length)).toString('utf8');
      }
      records.push({
        sequence: kernel.u64(own + info.seq),
        ns: kernel.u64(own + info.ns),
        level: kernel.read(own + info.level, 1)[0] >> 5,
        text,
      });
    }
    if (id === head) return records;
    if (records.length > Number(slots)) throw new Error('the log has no end');
  }
}

/** The byte stream of records before 5.10: `struct printk_log` and its text, from log_first_idx to log_next_idx. */
function readRecords(kernel: LinuxKernel): LogRecord[] {
  const buffer = kernel.u64(kernel.address('log_buf'));
  const bytes = kernel.u32(kernel.address('log_buf_len'));
  const end = kernel.u32(kernel.address('log_next_idx'));
  const records: LogRecord[] = [];
  let sequence = kernel.u64(kernel.address('log_first_seq'));
  for (let at = kernel.u32(kernel.address('log_first_idx')); at !== end && records.length < bytes / 16; ) {
    const record = buffer + BigInt(at);
    const length = kernel.u16(record + 8n);
    if (length === 0) {
      if (at === 0) throw new Error('the log is damaged: a record without length');
      // A record that would not fit continues at the start.
      at = 0;
      continue;
    }
    const text = Buffer.from(kernel.read(record + 16n, kernel.u16(record + 10n))).toString('utf8');
    const level = kernel.read(record + 15n, 1)[0] >> 5;
    records.push({ sequence: sequence++, ns: kernel.u64(record), level, text });
    at = (at + length) % bytes;
  }
  return records;
}

/** As dmesg prints it: `[    3.535207] text`, the time before each line. */
export function formatLog(records: readonly LogRecord[]): string {
  const lines: string[] = [];
  for (const { ns, text } of records) {
    const us = ns / 1000n;
    const stamp = `[${String(us / 1_000_000n).padStart(5)}.${String(us % 1_000_000n).padStart(6, '0')}] `;
    for (const line of text.replace(/\n$/, '').split('\n')) lines.push(stamp + line);
  }
  return lines.join('\n');
}
