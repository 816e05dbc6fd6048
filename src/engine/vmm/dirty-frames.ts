/**
 * Which frames of a machine were written: by its vCPUs (the core notes a frame when it fills the write TLB), by devices
 * and the VMM (they tell the core), and by the exit trace. Several may watch, each since its own last look.
 */
import {
  DIRTY_FOR_COPY,
  DIRTY_FRAMES,
  TRACE_RECORD_BYTES,
  TRACE_RECORDS,
  TRACE_RING,
  TRACE_SEQUENCE,
} from '../core/layout.js';
import type { Vm } from './vm.js';

const PAGE = 4096;

/** One who watches. A frame is named by its host-physical address. */
export interface DirtyWatch {
  /** Frames written since the last call or since the watch began, in order. */
  take(): number[];
  /** Frames that `take` would tell of now. */
  count(): number;
  /** These frames were copied so; for who tells by what a frame holds. */
  copied?(hpa: number, bytes: Uint8Array): void;
  /** Nobody asks any more. */
  close(): void;
}

export interface FrameWatcher {
  /** A copy of the frames is made from now on, whose frames are all zeros at first. */
  watch(): DirtyWatch;
}

export class DirtyFrames implements FrameWatcher {
  readonly #watchers = new Set<Uint8Array>();
  /** Drops all translations. Who keeps the run for a repetition has that noted as well. @throws Error where it may not be */
  flush: () => void = () => this.vm.core.flushAllVcpus();
  #traced = 0;

  constructor(private readonly vm: Vm) {}

  watch(): DirtyWatch {
    this.#collect();
    const pages = new Uint8Array(Math.ceil(this.vm.host.bytes / PAGE));
    this.#watchers.add(pages);
    return {
      take: () => {
        this.#collect();
        const list: number[] = [];
        for (let page = pages.indexOf(1); page >= 0; page = pages.indexOf(1, page + 1)) list.push(page * PAGE);
        pages.fill(0);
        return list;
      },
      count: () => {
        this.#collect();
        return pages.reduce((sum, page) => sum + page, 0);
      },
      close: () => void this.#watchers.delete(pages),
    };
  }

  /** Tells all who watch what is new. From then on the core notes a frame at its first write again. */
  #collect(): void {
    const { host } = this.vm;
    this.flush();
    const pages = Math.ceil(host.bytes / PAGE);
    const noted = host.u8.subarray(DIRTY_FRAMES, DIRTY_FRAMES + pages);
    for (let page = 0; page < pages; page++) {
      if ((noted[page] & DIRTY_FOR_COPY) === 0) continue;
      noted[page] &= ~DIRTY_FOR_COPY;
      for (const watcher of this.#watchers) watcher[page] = 1;
    }
    this.#collectTrace();
  }

  /** Pages of the trace ring with records that are new; the newest one of before may have been completed since. */
  #collectTrace(): void {
    const sequence = this.vm.host.getNumber(TRACE_SEQUENCE);
    const since = sequence < this.#traced ? 0 : Math.max(0, this.#traced - 2, sequence - TRACE_RECORDS);
    for (let record = since; record < sequence; record++) {
      const page = (TRACE_RING + (record % TRACE_RECORDS) * TRACE_RECORD_BYTES) >>> 12;
      for (const watcher of this.#watchers) watcher[page] = 1;
    }
    this.#traced = sequence;
  }
}
