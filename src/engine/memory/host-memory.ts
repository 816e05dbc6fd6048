import { ASKED_REFUSED, DIRTY_FOR_ALL, DIRTY_FOR_HISTORY, DIRTY_FRAMES } from '../core/layout.js';

/**
 * The engine's one WebAssembly memory seen from TypeScript. Addresses are host-physical (HPA) and
 * must be aligned to the access for the typed accessors.
 */
export class HostMemory {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly u64: BigUint64Array;

  /**
   * Told of each frame, by its number, before its first write after its DIRTY_FOR_HISTORY was cleared: by the core, and by
   * `willWrite` for whoever writes frames beside it.
   */
  firstWrite: (frame: number) => void = () => {};
  /** Told of each `willWrite`, while somebody looks for who writes. */
  writes: ((hpa: number, bytes: number) => void) | undefined;

  /** Asked by the core for an access to a device that it has recorded as a VM exit: answers ASKED_* (see core/vmx/ask.ts). */
  deviceAccess: (kind: number, address: number, bytes: number, write: number, low: number, high: number) => number =
    () => ASKED_REFUSED;

  /** @param clear zeroes frames; a host may take their pages back to do so */
  constructor(
    readonly memory: WebAssembly.Memory,
    private readonly clear = (u8: Uint8Array, hpa: number, bytes: number): unknown => u8.fill(0, hpa, hpa + bytes),
  ) {
    this.u8 = new Uint8Array(memory.buffer);
    this.u16 = new Uint16Array(memory.buffer);
    this.u32 = new Uint32Array(memory.buffer);
    this.u64 = new BigUint64Array(memory.buffer);
  }

  get bytes(): number {
    return this.memory.buffer.byteLength;
  }

  /** Somebody other than the guest's instructions is about to write into [hpa, hpa + bytes): call it before. */
  willWrite(hpa: number, bytes: number): void {
    this.writes?.(hpa, bytes);
    const end = (hpa + bytes + 4095) >>> 12;
    for (let frame = hpa >>> 12; frame < end; frame++) {
      const marks = this.u8[DIRTY_FRAMES + frame];
      if ((marks & DIRTY_FOR_HISTORY) === 0) this.firstWrite(frame);
      this.u8[DIRTY_FRAMES + frame] = DIRTY_FOR_ALL;
    }
  }

  /** The frames read as zeros afterwards; `hpa` and `bytes` are multiples of the page size. */
  release(hpa: number, bytes: number): void {
    this.clear(this.u8, hpa, bytes);
  }

  get32(hpa: number): number {
    return this.u32[hpa >>> 2];
  }

  set32(hpa: number, value: number): void {
    this.u32[hpa >>> 2] = value;
  }

  get64(hpa: number): bigint {
    return this.u64[hpa / 8];
  }

  set64(hpa: number, value: bigint): void {
    this.u64[hpa / 8] = value;
  }

  /** A 64-bit value as a double: exact up to 2^53, without the cost of a bigint. */
  getNumber(hpa: number): number {
    return this.u32[hpa >>> 2] + this.u32[(hpa >>> 2) + 1] * 0x1_0000_0000;
  }

  /** Stores a whole number from 0 to 2^53 as 64 bits. */
  setNumber(hpa: number, value: number): void {
    this.u32[hpa >>> 2] = value >>> 0;
    this.u32[(hpa >>> 2) + 1] = Math.floor(value / 0x1_0000_0000);
  }
}
