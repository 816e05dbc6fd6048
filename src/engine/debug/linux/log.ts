/** The kernel's log, read from its ring buffer as `dmesg` prints it. */
import type { LinuxKernel } from './kernel.js';
import { dataView } from './physical.js';

export interface LogRecord {
  sequence: bigint;
  /** Since the kernel's start. */
  ns: bigint;
  level: number;
  text: string;
}

/** Two top bits of a descriptor's state. @linux kernel/printk/printk_ringbuffer.h */
const COMMITTED = 1n;
const FINALIZED = 2n;
/** Buffers of 128 KiB are usual, and a record for each 32 bytes of them. */
const MAX_SLOT_BITS = 18;
const MAX_DATA_BITS = 26;
const MAX_RECORD_BYTES = 1 << 24;
/** `struct printk_log` without its text. */
const RECORD_HEAD = 16;

/** All records that the buffer still holds, oldest first. @throws Error when the kernel keeps its log otherwise. */
export function readLog(kernel: LinuxKernel): LogRecord[] {
  return kernel.has('prb') ? readRing(kernel) : readRecords(kernel);
}

/** The lock-free ring of 5.10 and later. */
function readRing(kernel: LinuxKernel): LogRecord[] {
  const { types } = kernel;
  const stateShift = BigInt(kernel.bits - 2);
  const idMask = (1n << stateShift) - 1n;
  // a data block starts with the descriptor's id, an unsigned long
  const idBytes = kernel.pointerBytes;
  const ring = kernel.pointer(kernel.address('prb'));
  const part = (name: string, structure: string, member: string): bigint =>
    ring + BigInt(types.offsetOf('printk_ringbuffer', name) + types.offsetOf(structure, member));
  const descriptorsOf = (member: string): bigint => part('desc_ring', 'prb_desc_ring', member);
  const slots = 1 << bounded(kernel.u32(descriptorsOf('count_bits')), MAX_SLOT_BITS);
  const dataSize = 1 << bounded(kernel.u32(part('text_data_ring', 'prb_data_ring', 'size_bits')), MAX_DATA_BITS);
  const dataBytes = BigInt(dataSize);
  const descriptorBytes = types.sizeOf('prb_desc');
  const infoBytes = types.sizeOf('printk_info');
  // each ring at once: a hostile guest has it read as often as it has slots
  const descriptors = wordsOf(kernel, kernel.pointer(descriptorsOf('descs')), slots * descriptorBytes);
  const infos = wordsOf(kernel, kernel.pointer(descriptorsOf('infos')), slots * infoBytes);
  const data = kernel.read(kernel.pointer(part('text_data_ring', 'prb_data_ring', 'data')), dataSize);
  const state = types.offsetOf('prb_desc', 'state_var');
  const block = types.offsetOf('prb_desc', 'text_blk_lpos');
  const begin = block + types.offsetOf('prb_data_blk_lpos', 'begin');
  const next = block + types.offsetOf('prb_data_blk_lpos', 'next');
  const sequence = types.offsetOf('printk_info', 'seq');
  const time = types.offsetOf('printk_info', 'ts_nsec');
  const length = types.offsetOf('printk_info', 'text_len');
  const records: LogRecord[] = [];
  const head = kernel.pointer(descriptorsOf('head_id')) & idMask;
  let id = kernel.pointer(descriptorsOf('tail_id')) & idMask;
  for (let step = 0; step < slots; step++, id = (id + 1n) & idMask) {
    const slot = Number(id % BigInt(slots));
    const descriptor = slot * descriptorBytes;
    const word = descriptors.pointer(descriptor + state);
    const kind = word >> stateShift;
    if ((word & idMask) === id && (kind === COMMITTED || kind === FINALIZED)) {
      const own = slot * infoBytes;
      const first = descriptors.pointer(descriptor + begin);
      const end = descriptors.pointer(descriptor + next);
      let text = '';
      // An odd position says that the record has no data.
      if ((first & 1n) === 0n) {
        const wraps = first / dataBytes !== (end - 1n) / dataBytes;
        const at = (wraps ? 0 : Number(first % dataBytes)) + idBytes;
        text = Buffer.from(data.subarray(at, at + infos.data.getUint16(own + length, true))).toString('utf8');
      }
      records.push({
        sequence: infos.data.getBigUint64(own + sequence, true),
        ns: infos.data.getBigUint64(own + time, true),
        // behind the length the facility, then the byte of the bit fields flags (5) and level (3)
        level: infos.data.getUint8(own + length + 3) >> 5,
        text,
      });
    }
    if (id === head) return records;
  }
  throw new Error('the log is damaged: it has no end');
}

/** A copy of kernel memory, and a reader of its pointers. */
function wordsOf(kernel: LinuxKernel, address: bigint, bytes: number) {
  const data = dataView(kernel.read(address, bytes));
  const pointer = (at: number): bigint =>
    kernel.bits === 64 ? data.getBigUint64(at, true) : BigInt(data.getUint32(at, true));
  return { data, pointer };
}

/** @throws Error when a power of two is larger than any log is. */
function bounded(bits: number, max: number): number {
  if (bits > max) throw new Error(`the log is damaged: a ring of 2^${bits}`);
  return bits;
}

/** The byte stream of records before 5.10: `struct printk_log` and its text, from log_first_idx to log_next_idx. */
function readRecords(kernel: LinuxKernel): LogRecord[] {
  const bytes = kernel.u32(kernel.address('log_buf_len'));
  if (bytes > MAX_RECORD_BYTES) throw new Error(`the log is damaged: a buffer of ${bytes} bytes`);
  const buffer = kernel.read(kernel.pointer(kernel.address('log_buf')), bytes);
  const data = dataView(buffer);
  const end = kernel.u32(kernel.address('log_next_idx'));
  const records: LogRecord[] = [];
  let sequence = kernel.u64(kernel.address('log_first_seq'));
  let left = bytes;
  for (let at = kernel.u32(kernel.address('log_first_idx')); at !== end; ) {
    const length = at + RECORD_HEAD <= bytes ? data.getUint16(at + 8, true) : 0;
    if (length === 0) {
      if (at === 0) throw new Error('the log is damaged: a record without length');
      // A record that would not fit continues at the start.
      at = 0;
      continue;
    }
    left -= Math.max(length, RECORD_HEAD);
    if (left < 0) throw new Error('the log is damaged: it has no end');
    const start = at + RECORD_HEAD;
    const text = Buffer.from(buffer.subarray(start, start + data.getUint16(at + 10, true))).toString('utf8');
    records.push({ sequence: sequence++, ns: data.getBigUint64(at, true), level: buffer[at + 15] >> 5, text });
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
