/** Counters of frames; a read clears them. @8254x 13.7 "Statistics Registers" */
import { type Registers, STATISTICS } from './registers.js';

const MISSED = STATISTICS + 0x10;
const NO_BUFFERS = STATISTICS + 0xa0;
const UNDERSIZE = STATISTICS + 0xa4;
const OVERSIZE = STATISTICS + 0xac;
const SEGMENTED_CONTEXTS = STATISTICS + 0xf8;

/** The counters of a direction: by size from 64 bytes on, good ones, broadcasts, multicasts, bytes, all, all bytes. */
interface Direction {
  sizes: number;
  good: number;
  broadcast: number;
  multicast: number;
  goodBytes: number;
  total: number;
  totalBytes: number;
}

const RECEIVED: Direction = {
  ...{ sizes: 0x405c, good: 0x4074, broadcast: 0x4078, multicast: 0x407c, goodBytes: 0x4088 },
  ...{ total: 0x40d0, totalBytes: 0x40c0 },
};
const SENT: Direction = {
  ...{ sizes: 0x40d8, good: 0x4080, broadcast: 0x40f4, multicast: 0x40f0, goodBytes: 0x4090 },
  ...{ total: 0x40d4, totalBytes: 0x40c8 },
};
/** Upper halves of 64-bit counters: reading one clears both. */
const HIGH = new Set([0x408c, 0x4094, 0x40c4, 0x40cc]);
const LOW = new Set([0x4088, 0x4090, 0x40c0, 0x40c8]);
const SIZES = [64, 127, 255, 511, 1023];

export class Statistics {
  constructor(private readonly registers: Registers) {}

  /** A read by software. */
  take(offset: number): number {
    const value = this.registers.get(offset);
    if (!LOW.has(offset)) this.registers.set(offset, 0);
    if (HIGH.has(offset)) this.registers.set(offset - 4, 0);
    return value;
  }

  /** Counters stay at their greatest value. */
  private add(offset: number, amount = 1): void {
    this.registers.set(offset, Math.min(this.registers.get(offset) + amount, 0xffff_ffff));
  }

  private addWide(offset: number, amount: number): void {
    const sum = this.registers.get(offset) + amount;
    this.registers.set(offset, sum >>> 0);
    if (sum >= 2 ** 32) this.add(offset + 4);
  }

  private frame(d: Direction, frame: Uint8Array): void {
    // with its check sequence
    const bytes = frame.length + 4;
    const size = SIZES.findIndex((limit) => bytes <= limit);
    this.add(d.sizes + 4 * (size < 0 ? SIZES.length : size));
    this.add(d.good);
    this.add(d.total);
    this.addWide(d.goodBytes, bytes);
    this.addWide(d.totalBytes, bytes);
    if ((frame[0] & 1) === 0) return;
    const broadcast = frame.subarray(0, 6).every((byte) => byte === 0xff);
    this.add(broadcast ? d.broadcast : d.multicast);
  }

  sent(frame: Uint8Array): void {
    this.frame(SENT, frame);
  }

  received(frame: Uint8Array): void {
    this.frame(RECEIVED, frame);
  }

  segmented(): void {
    this.add(SEGMENTED_CONTEXTS);
  }

  missed(): void {
    this.add(MISSED);
  }

  noBuffers(): void {
    this.add(NO_BUFFERS);
  }

  wrongSize(tooLong: boolean): void {
    this.add(tooLong ? OVERSIZE : UNDERSIZE);
  }
}
