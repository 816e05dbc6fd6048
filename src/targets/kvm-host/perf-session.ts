/**
 * Trace events of chosen threads through perf events: one ring a thread, which all go when this process ends, however
 * it ends. @see perf_event_open(2)
 */
import { libc } from '../../engine/host/kvm/libc.js';
import type { ExitEvent, ExitEvents } from './events.js';
import { PERF_SAMPLE, readPerfRecords } from './perf-records.js';

const SYS_PERF_EVENT_OPEN = 298;
const PERF_TYPE_TRACEPOINT = 2;
const ATTR_BYTES = 112;
const FLAG_DISABLED = 1n;
const FLAG_USE_CLOCKID = 1n << 25n;
const CLOCK_MONOTONIC = 1;
const FD_CLOEXEC = 8;
const IOC_ENABLE = 0x2400;
const IOC_SET_OUTPUT = 0x2405;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const PAGE = 4096;
/** Of the first page of the mapping. */
const DATA_HEAD = 1024;
const DATA_TAIL = 1032;
/** Of one thread, and of all together. */
const MAX_RING_PAGES = 512;
const ALL_PAGES = 8192;
const [EPERM, ENOENT, ESRCH, EACCES, EMFILE] = [1, 2, 3, 13, 24];

/** What traces, one way or the other. */
export interface TraceSession {
  readonly by: 'perf' | 'tracefs';
  /** Events that were thrown away because nobody fetched them in time. */
  readonly lost: number;
  /** Hands over what has come since. @param gap told before events behind some that were lost */
  poll(take: (event: ExitEvent) => void, gap: () => void): void;
  close(): void;
}

interface Ring {
  fds: number[];
  address: number;
  bytes: number;
  numbers: BigUint64Array;
  data: Uint8Array;
}

/** Where kernel.perf_event_paranoid forbids it. */
export class RightError extends Error {}

export class PerfSession implements TraceSession {
  readonly by = 'perf';
  lost = 0;
  readonly #rings: Ring[] = [];

  /** @throws RightError, or Error in one line. A thread that has ended meanwhile is left out. */
  constructor(
    private readonly events: ExitEvents,
    threads: readonly number[],
  ) {
    let pages = MAX_RING_PAGES;
    while (pages > 8 && pages * threads.length > ALL_PAGES) pages /= 2;
    try {
      for (const tid of threads) this.#open(tid, pages);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #open(tid: number, pages: number): void {
    const c = libc();
    const fds: number[] = [];
    try {
      for (const { id } of this.events.formats) {
        const fd = c.systemCallPointer(SYS_PERF_EVENT_OPEN, attributes(id), tid, -1, -1, FD_CLOEXEC);
        if (fd < 0) throw openError(c.errno(), tid);
        fds.push(fd);
      }
      const bytes = (1 + pages) * PAGE;
      const address = c.mmap(0, bytes, PROT_READ_WRITE, MAP_SHARED, fds[0]!, 0);
      if (address < 0) throw new Error(`the kernel gives no ring of ${pages} pages (kernel.perf_event_mlock_kb)`);
      const view = c.view(address, bytes);
      const ring = { fds, address, bytes, numbers: new BigUint64Array(view), data: new Uint8Array(view, PAGE) };
      this.#rings.push(ring);
      for (const fd of fds.slice(1)) c.ioctlValue(fd, IOC_SET_OUTPUT, fds[0]!);
      for (const fd of fds) c.ioctlValue(fd, IOC_ENABLE, 0);
    } catch (error) {
      if (!this.#rings.some((ring) => ring.fds === fds)) for (const fd of fds) c.close(fd);
      if (!(error instanceof GoneError)) throw error;
    }
  }

  poll(take: (event: ExitEvent) => void, gap: () => void): void {
    for (const ring of this.#rings) {
      const head = ring.numbers[DATA_HEAD / 8]!;
      const tail = ring.numbers[DATA_TAIL / 8]!;
      if (head === tail) continue;
      readPerfRecords(piece(ring.data, Number(tail % BigInt(ring.data.length)), Number(head - tail)), {
        sample: (tid, ns, record, at, length) => {
          const event = this.events.decode(tid, ns, record, at, length);
          if (event) take(event);
        },
        lost: (count) => {
          this.lost += count;
          gap();
        },
      });
      ring.numbers[DATA_TAIL / 8] = head;
    }
  }

  close(): void {
    const c = libc();
    for (const { fds, address, bytes } of this.#rings.splice(0)) {
      c.munmap(address, bytes);
      for (const fd of fds) c.close(fd);
    }
  }
}

class GoneError extends Error {}

/** A copy of bytes of a ring: the kernel writes on behind them. */
function piece(data: Uint8Array, from: number, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.min(length, data.length));
  const first = data.subarray(from, Math.min(data.length, from + bytes.length));
  bytes.set(first);
  bytes.set(data.subarray(0, bytes.length - first.length), first.length);
  return bytes;
}

function attributes(id: number): Uint8Array {
  const bytes = Buffer.alloc(ATTR_BYTES);
  bytes.writeUInt32LE(PERF_TYPE_TRACEPOINT, 0);
  bytes.writeUInt32LE(ATTR_BYTES, 4);
  bytes.writeBigUInt64LE(BigInt(id), 8);
  // Each event.
  bytes.writeBigUInt64LE(1n, 16);
  bytes.writeBigUInt64LE(BigInt(PERF_SAMPLE.tid | PERF_SAMPLE.time | PERF_SAMPLE.raw), 24);
  bytes.writeBigUInt64LE(FLAG_DISABLED | FLAG_USE_CLOCKID, 40);
  bytes.writeInt32LE(CLOCK_MONOTONIC, 92);
  return bytes;
}

function openError(errno: number, tid: number): Error {
  if (errno === ESRCH) return new GoneError(`thread ${tid} has gone`);
  if (errno === EPERM || errno === EACCES) return new RightError(PERF_RIGHTS);
  if (errno === ENOENT) return new Error('the kernel does not know the event any more');
  if (errno === EMFILE) return new Error('too many open files (ulimit -n)');
  return new Error(`perf_event_open: error ${errno}`);
}

export const PERF_RIGHTS =
  'perf events of other programs need root or CAP_PERFMON (setcap cap_perfmon+ep on node), or sysctl kernel.perf_event_paranoid=-1';
