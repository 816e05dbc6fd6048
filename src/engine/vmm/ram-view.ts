import { RAM_BASE } from '../core/layout.js';
import type { EngineFrames } from '../memory/engine-frames.js';
import type { GuestMemory } from '../memory/guest-memory.js';

const PAGE = 4096;

/** Guest RAM as devices and loaders see it: one run of frames from GPA 0. */
export class RamView implements GuestMemory {
  /** Bytes that devices have read and written. */
  moved = 0;
  /** Told of each write, while somebody notes where they go. */
  written: ((gpa: number, bytes: number) => void) | undefined;

  constructor(
    private readonly frames: Pick<EngineFrames, 'host' | 'core'>,
    readonly bytes: number,
  ) {}

  read(gpa: number, length: number): Uint8Array {
    this.#check(gpa, length);
    this.moved += length;
    return this.frames.host.u8.subarray(RAM_BASE + gpa, RAM_BASE + gpa + length);
  }

  write(gpa: number, bytes: Uint8Array): void {
    this.#check(gpa, bytes.length);
    this.moved += bytes.length;
    this.written?.(gpa, bytes.length);
    const { host } = this.frames;
    host.willWrite(RAM_BASE + gpa, bytes.length);
    host.u8.set(bytes, RAM_BASE + gpa);
    this.#codeChanged(gpa - (gpa % PAGE), gpa + bytes.length);
  }

  release(gpa: number, bytes: number): void {
    this.#check(gpa, bytes);
    this.written?.(gpa, bytes);
    const { host } = this.frames;
    host.willWrite(RAM_BASE + gpa, bytes);
    host.release(RAM_BASE + gpa, bytes);
    this.#codeChanged(gpa, gpa + bytes);
  }

  #codeChanged(first: number, end: number): void {
    for (let page = first; page < end; page += PAGE) this.frames.core.invalidatePageCode(RAM_BASE + page);
  }

  #check(gpa: number, length: number): void {
    if (gpa < 0 || length < 0 || gpa + length > this.bytes) {
      throw new RangeError(`guest-physical 0x${gpa.toString(16)} + ${length} is outside RAM of ${this.bytes} bytes`);
    }
  }
}
