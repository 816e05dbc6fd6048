/**
 * A split virtqueue as the device sees it. Everything in it was written by the guest: whatever does not fit is a
 * RingError, which makes the device ask for a reset.
 * @virtio 2.7 "Split Virtqueues"
 */
import { address, flag, record, type StateOf, u16 } from '../../state/schema.js';
import type { GuestMemory } from '../device.js';

/** The guest's ring or a request in it makes no sense. */
export class RingError extends Error {}

const DESCRIPTOR_BYTES = 16;
const DESC_NEXT = 1;
const DESC_WRITE = 2;
const DESC_INDIRECT = 4;
const AVAIL_NO_INTERRUPT = 1;
const USED_ENTRY_BYTES = 8;
/** Longest chain: what a driver with the largest queue may make. */
export const MAX_QUEUE_SIZE = 1024;
/** A chain longer than this in bytes is nothing that a driver sends. */
const MAX_CHAIN_BYTES = 0x1_0000_0000;

export interface Segment {
  gpa: number;
  bytes: number;
}

/** The features that change how a ring is read. */
export interface RingFeatures {
  indirect: boolean;
  eventIndex: boolean;
}

/** Guest memory for a device: what leaves RAM is the guest's mistake, not the program's. */
export class RingMemory {
  /** Work of the device so far, in bytes moved or what takes as long. */
  work = 0;

  constructor(private readonly memory: GuestMemory) {}

  /** The bytes as they are now; do not keep the array. */
  read(gpa: number, bytes: number): Uint8Array {
    this.work += bytes;
    try {
      return this.memory.read(gpa, bytes);
    } catch (error) {
      throw asRingError(error);
    }
  }

  write(gpa: number, bytes: Uint8Array): void {
    this.work += bytes.length;
    try {
      this.memory.write(gpa, bytes);
    } catch (error) {
      throw asRingError(error);
    }
  }

  u16(gpa: number): number {
    const bytes = this.read(gpa, 2);
    return bytes[0] | (bytes[1] << 8);
  }

  u32(gpa: number): number {
    const bytes = this.read(gpa, 4);
    return (bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24)) >>> 0;
  }

  setU16(gpa: number, value: number): void {
    this.write(gpa, Uint8Array.of(value & 0xff, (value >> 8) & 0xff));
  }

  /** Gives whole pages back to the host; they read as zeros. */
  release(gpa: number, bytes: number): void {
    if (this.memory.release) this.memory.release(gpa, bytes);
    else this.write(gpa, new Uint8Array(bytes));
  }

  contains(gpa: number, bytes: number): boolean {
    return gpa >= 0 && gpa + bytes <= this.memory.bytes;
  }
}

function asRingError(error: unknown): unknown {
  return error instanceof RangeError ? new RingError(error.message) : error;
}

/** One request: what the device may read, and what it may write. */
export class Chain {
  readonly readableBytes: number;
  readonly writableBytes: number;

  constructor(
    readonly memory: RingMemory,
    readonly head: number,
    readonly readable: readonly Segment[],
    readonly writable: readonly Segment[],
  ) {
    this.readableBytes = total(readable);
    this.writableBytes = total(writable);
  }

  /** Copies from the readable part. @throws RingError when the chain is shorter. */
  read(offset: number, length: number): Uint8Array {
    if (offset + length > this.readableBytes)
      throw new RingError(`a request of ${this.readableBytes} bytes is cut off`);
    const out = new Uint8Array(length);
    let done = 0;
    for (const { gpa, bytes } of pieces(this.readable, offset, length)) {
      out.set(this.memory.read(gpa, bytes), done);
      done += bytes;
    }
    return out;
  }

  /** Copies into the writable part. @throws RingError when the chain is shorter. */
  write(offset: number, data: Uint8Array): void {
    if (offset + data.length > this.writableBytes) {
      throw new RingError(`${data.length} bytes at ${offset} do not fit a buffer of ${this.writableBytes}`);
    }
    let done = 0;
    for (const { gpa, bytes } of pieces(this.writable, offset, data.length)) {
      this.memory.write(gpa, data.subarray(done, done + bytes));
      done += bytes;
    }
  }
}

function total(segments: readonly Segment[]): number {
  return segments.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** The parts of a scattered buffer that hold [offset, offset + length), each at most 1 MiB long. */
export function* pieces(segments: readonly Segment[], offset: number, length: number): Generator<Segment> {
  const largest = 1 << 20;
  let skip = offset;
  let left = length;
  for (const segment of segments) {
    if (skip >= segment.bytes) {
      skip -= segment.bytes;
      continue;
    }
    for (let at = skip; at < segment.bytes && left > 0; ) {
      const bytes = Math.min(largest, segment.bytes - at, left);
      yield { gpa: segment.gpa + at, bytes };
      at += bytes;
      left -= bytes;
    }
    skip = 0;
    if (left === 0) return;
  }
}

/** What the driver wrote, whatever it is: 64 bits as a number. */
export const RING_STATE = record({
  size: u16,
  enabled: flag,
  descriptors: address,
  driver: address,
  device: address,
  vector: u16,
  nextAvailable: u16,
  nextUsed: u16,
  /** Used index at the last interrupt that was considered. */
  signalled: u16,
});
export type RingState = StateOf<typeof RING_STATE>;

export const NO_VECTOR = 0xffff;
/** Work that a device does for one notification before the guest goes on: some 10 ms of the host. */
const TURN_WORK = 32 << 20;

export class Virtqueue {
  s: RingState;

  constructor(
    readonly maxSize: number,
    private readonly memory: RingMemory,
    private readonly features: () => RingFeatures,
  ) {
    this.s = this.powerOn();
  }

  private powerOn(): RingState {
    const places = { descriptors: 0, driver: 0, device: 0 };
    const positions = { nextAvailable: 0, nextUsed: 0, signalled: 0 };
    return { size: this.maxSize, enabled: false, vector: NO_VECTOR, ...places, ...positions };
  }

  reset(): void {
    this.s = this.powerOn();
  }

  /** The driver turns the queue on. @throws RingError when its size or places are not legal. */
  enable(): void {
    const { size, descriptors, driver, device } = this.s;
    const legalSize = size > 0 && size <= this.maxSize && (size & (size - 1)) === 0;
    if (!legalSize) throw new RingError(`a queue of ${size} entries`);
    if (descriptors % 16 !== 0 || driver % 2 !== 0 || device % 4 !== 0) throw new RingError('a ring is not aligned');
    const inRam =
      this.memory.contains(descriptors, size * DESCRIPTOR_BYTES) &&
      this.memory.contains(driver, 6 + 2 * size) &&
      this.memory.contains(device, 6 + USED_ENTRY_BYTES * size);
    if (!inRam) throw new RingError('a ring is not in RAM');
    this.s.enabled = true;
  }

  get ready(): boolean {
    return this.s.enabled;
  }

  /** Requests that wait. @throws RingError when the index leaves the ring. */
  private waiting(): number {
    const { s } = this;
    const count = (this.memory.u16(s.driver + 2) - s.nextAvailable) & 0xffff;
    if (count > s.size) throw new RingError(`${count} requests are available in a ring of ${s.size}`);
    return count;
  }

  /** Requests and work that the device may still do in this turn; undefined: as much as there is. */
  #turn: { requests: number; work: number; cut: boolean } | undefined;

  /**
   * Lets the device serve requests, but no more than fit the ring, and not more work than it does in one go: a request
   * may write new ones into the ring. True when some were left for another turn.
   */
  inTurn(serve: () => void): boolean {
    this.#turn = { requests: this.s.size, work: this.memory.work + TURN_WORK, cut: false };
    try {
      serve();
      return this.#turn.cut;
    } finally {
      this.#turn = undefined;
    }
  }

  /** Takes the next request; undefined when there is none, or none for this turn. @throws RingError */
  pop(): Chain | undefined {
    const { s, memory } = this;
    if (!s.enabled || this.waiting() === 0) return undefined;
    const turn = this.#turn;
    if (turn) {
      turn.cut = turn.requests-- <= 0 || memory.work > turn.work;
      if (turn.cut) return undefined;
    }
    const head = memory.u16(s.driver + 4 + 2 * (s.nextAvailable % s.size));
    const chain = this.walk(head);
    s.nextAvailable = (s.nextAvailable + 1) & 0xffff;
    this.askForNotification();
    return chain;
  }

  /** Puts the request popped last back: it will be the next one again. */
  unpop(): void {
    this.s.nextAvailable = (this.s.nextAvailable - 1) & 0xffff;
    this.askForNotification();
  }

  /** Tells the driver to notify about the next request after those that were taken. */
  private askForNotification(): void {
    const { s, memory } = this;
    if (this.features().eventIndex) memory.setU16(s.device + 4 + USED_ENTRY_BYTES * s.size, s.nextAvailable);
  }

  private walk(head: number): Chain {
    const readable: Segment[] = [];
    const writable: Segment[] = [];
    let table = this.s.descriptors;
    let entries = this.s.size;
    let index = head;
    let inIndirect = false;
    let bytes = 0;
    for (let seen = 0; ; seen++) {
      if (index >= entries) throw new RingError(`descriptor ${index} of a table of ${entries}`);
      if (seen >= entries) throw new RingError('a chain of descriptors has no end');
      const { gpa, length, flags, next } = this.descriptor(table + index * DESCRIPTOR_BYTES);
      if (flags & DESC_INDIRECT) {
        if (inIndirect || flags & DESC_NEXT || !this.features().indirect) {
          throw new RingError('an indirect descriptor is not allowed here');
        }
        if (length === 0 || length % DESCRIPTOR_BYTES !== 0 || length / DESCRIPTOR_BYTES > MAX_QUEUE_SIZE) {
          throw new RingError(`an indirect table of ${length} bytes`);
        }
        table = gpa;
        entries = length / DESCRIPTOR_BYTES;
        index = 0;
        seen = -1;
        inIndirect = true;
        continue;
      }
      if (!this.memory.contains(gpa, length)) {
        throw new RingError(`a buffer of ${length} bytes at 0x${gpa.toString(16)} is not in RAM`);
      }
      bytes += length;
      if (bytes > MAX_CHAIN_BYTES) throw new RingError('a request is longer than 4 GiB');
      if (flags & DESC_WRITE) writable.push({ gpa, bytes: length });
      else if (writable.length > 0) throw new RingError('a readable buffer follows a writable one');
      else readable.push({ gpa, bytes: length });
      if (!(flags & DESC_NEXT)) return new Chain(this.memory, head, readable, writable);
      index = next;
    }
  }

  private descriptor(gpa: number): { gpa: number; length: number; flags: number; next: number } {
    const { memory } = this;
    return {
      gpa: memory.u32(gpa) + memory.u32(gpa + 4) * 2 ** 32,
      length: memory.u32(gpa + 8),
      flags: memory.u16(gpa + 12),
      next: memory.u16(gpa + 14),
    };
  }

  /** Gives a request back, with the count of bytes written to it. */
  push(chain: Chain, written: number): void {
    const { s, memory } = this;
    const entry = new DataView(new ArrayBuffer(USED_ENTRY_BYTES));
    entry.setUint32(0, chain.head, true);
    entry.setUint32(4, written, true);
    memory.write(s.device + 4 + USED_ENTRY_BYTES * (s.nextUsed % s.size), new Uint8Array(entry.buffer));
    s.nextUsed = (s.nextUsed + 1) & 0xffff;
    memory.setU16(s.device + 2, s.nextUsed);
  }

  /** True when the driver wants an interrupt for what was pushed since the last call. */
  mustInterrupt(): boolean {
    const { s, memory } = this;
    const before = s.signalled;
    s.signalled = s.nextUsed;
    if (before === s.nextUsed) return false;
    if (!this.features().eventIndex) return (memory.u16(s.driver) & AVAIL_NO_INTERRUPT) === 0;
    const wanted = memory.u16(s.driver + 4 + 2 * s.size);
    // The event lies in (before, now], counted modulo 2^16.
    return ((s.nextUsed - wanted - 1) & 0xffff) < ((s.nextUsed - before) & 0xffff);
  }
}
