/**
 * Which frames an interval of the run writes, and what stood in them before. Going over an interval exchanges that with
 * what stands there: what was kept for going back is then kept for going forth.
 */
import {
  CODE_PAGES,
  DIRTY_FOR_COPY,
  DIRTY_FOR_HISTORY,
  DIRTY_FRAMES,
  RAM_BASE,
  TRACE_RECORD_BYTES,
  TRACE_RECORDS,
  TRACE_RING,
} from '../core/layout.js';
import type { Vm } from '../vmm/vm.js';
import { type IntervalWrites, joined, WriteNotes } from './interval-writes.js';
import { PageStore } from './page-store.js';

const PAGE = 4096;
const RING_BYTES = TRACE_RECORDS * TRACE_RECORD_BYTES;

/** Frames by number with the places of their pages in the store; each frame once. */
export interface FrameLog {
  readonly frames: number[];
  readonly places: number[];
  /** Where else it may have written. */
  writes: IntervalWrites | undefined;
}

const empty = (): FrameLog => ({ frames: [], places: [], writes: undefined });

/** What the frames of the open interval hold at an instant in it. */
export interface OpenFrames {
  readonly places: readonly number[];
  readonly ring: Uint8Array;
}

export class Frames {
  readonly store = new PageStore();
  /** Since the last `cut`. */
  #open = empty();
  /** The exit trace as it stood at the last `cut`; the core writes it without asking. */
  readonly #ring: Uint8Array;
  readonly #ringWords: Uint32Array;
  readonly #notes: WriteNotes;

  constructor(private readonly vm: Vm) {
    const { host } = vm;
    this.#ring = host.u8.slice(TRACE_RING, TRACE_RING + RING_BYTES);
    this.#ringWords = new Uint32Array(this.#ring.buffer);
    for (let frame = RAM_BASE / PAGE; frame < host.bytes / PAGE; frame++) this.#clear(frame);
    host.firstWrite = (frame) => this.#note(frame);
    this.#notes = new WriteNotes(vm);
  }

  /** No more first writes are noted. */
  close(): void {
    this.vm.host.firstWrite = () => {};
    this.#notes.close();
  }

  /** Frames written since the last `cut`. */
  get openFrames(): number {
    return this.#open.frames.length;
  }

  /** Begins a new interval; answers the one that ends here. Translations are to be empty, or first writes are missed. */
  cut(): FrameLog {
    const log = this.#end();
    this.#takeRing();
    for (const frame of log.frames) this.#clear(frame);
    return log;
  }

  /** Keeps what the frames written since the last `cut` hold now. */
  hold(): OpenFrames {
    const { u8, u32 } = this.vm.host;
    const places = this.#open.frames.map((frame) => this.store.keep(u8, u32, frame * PAGE));
    return { places, ring: u8.slice(TRACE_RING, TRACE_RING + RING_BYTES) };
  }

  /** Back, within the open interval, to where that was held. */
  backTo({ places, ring }: OpenFrames): void {
    const { frames, places: before } = this.#open;
    for (const [i, frame] of frames.entries()) this.#put(frame, i < places.length ? places[i] : before[i]);
    this.vm.host.u8.set(ring, TRACE_RING);
  }

  release({ places }: OpenFrames): void {
    for (const place of places) this.store.free(place);
  }

  /** Everything as at the last `cut`. */
  undo(): void {
    const { frames, places } = this.#end();
    for (const [i, frame] of frames.entries()) {
      this.#put(frame, places[i]);
      this.store.free(places[i]);
      this.#clear(frame);
    }
  }

  /** Exchanges what an interval keeps with what stands there. Nothing is written since the last `cut`. */
  exchange(log: FrameLog): void {
    const { u8, u32 } = this.vm.host;
    for (const [i, frame] of log.frames.entries()) {
      const now = this.store.keep(u8, u32, frame * PAGE);
      this.#put(frame, log.places[i]);
      this.store.free(log.places[i]);
      log.places[i] = now;
    }
  }

  /** After the last exchange: what is written from here on is a new interval. */
  settle(): void {
    this.#takeRing();
  }

  /** What the two intervals in a row, as kept for going back, are as one; neither is of use afterwards. */
  merge(first: FrameLog, second: FrameLog): FrameLog {
    const known = new Set(first.frames);
    for (const [i, frame] of second.frames.entries()) {
      if (known.has(frame)) this.store.free(second.places[i]);
      else {
        first.frames.push(frame);
        first.places.push(second.places[i]);
      }
    }
    if (first.writes && second.writes) first.writes = joined(first.writes, second.writes);
    else first.writes = undefined;
    return first;
  }

  drop(log: FrameLog): void {
    for (const place of log.places) this.store.free(place);
  }

  #note(frame: number): void {
    const { u8, u32 } = this.vm.host;
    this.#open.frames.push(frame);
    this.#open.places.push(this.store.keep(u8, u32, frame * PAGE));
  }

  #clear(frame: number): void {
    this.vm.host.u8[DIRTY_FRAMES + frame] &= ~DIRTY_FOR_HISTORY;
  }

  #put(frame: number, place: number): void {
    const { core, host } = this.vm;
    const code = host.u8[CODE_PAGES + frame] !== 0;
    if (code && this.store.equals(place, host.u8, frame * PAGE)) return;
    this.store.copy(place, host.u8, frame * PAGE);
    // who copies the machine elsewhere meanwhile has to copy that
    host.u8[DIRTY_FRAMES + frame] |= DIRTY_FOR_COPY;
    if (code) core.invalidatePageCode(frame * PAGE);
  }

  /** The open interval with the pages of the trace that it has written. */
  #end(): FrameLog {
    const log = this.#open;
    log.writes = this.#notes.take();
    this.#open = empty();
    const { u8 } = this.vm.host;
    if (Buffer.compare(u8.subarray(TRACE_RING, TRACE_RING + RING_BYTES), this.#ring) === 0) return log;
    for (let at = 0; at < RING_BYTES; at += PAGE) {
      const now = u8.subarray(TRACE_RING + at, TRACE_RING + at + PAGE);
      if (Buffer.compare(now, this.#ring.subarray(at, at + PAGE)) === 0) continue;
      log.frames.push((TRACE_RING + at) / PAGE);
      log.places.push(this.store.keep(this.#ring, this.#ringWords, at));
    }
    return log;
  }

  #takeRing(): void {
    this.#ring.set(this.vm.host.u8.subarray(TRACE_RING, TRACE_RING + RING_BYTES));
  }
}
