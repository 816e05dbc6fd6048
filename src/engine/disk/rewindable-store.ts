/** A disk under a history: what its sectors held is kept, and in the past the image itself is left alone. */
import { BlockError, type BlockStore, SECTOR_BYTES } from '../devices/block.js';

/** What sectors held before an interval of the run wrote them. */
export type SectorLog = Map<number, Uint8Array>;

/** What a kept sector takes in memory, about. */
export const KEPT_SECTOR_BYTES = SECTOR_BYTES + 120;
/** More than this an interval does not keep, and a branch does not write. */
export const MAX_SECTORS = 1 << 17;

/** What differs from the image, and which of that the open interval has written. */
export interface DiskDifference {
  readonly overlay: SectorLog;
  readonly written: SectorLog;
}

export class RewindableStore implements BlockStore {
  /** Since the last `cut`. */
  #open: SectorLog = new Map();
  #overflowed = false;
  /** In the past: what differs from the image, which is that of the live end. */
  #overlay: SectorLog | undefined;
  /** In the past: what was written there since `showBefore` or `cutAside`. */
  #written: SectorLog = new Map();
  /** Told of what the guest's devices do, while somebody looks for it. */
  accesses: ((sector: number, count: number, access: 'read' | 'write') => void) | undefined;

  /** @param scratch what is written to `inner` is forgotten at the end */
  constructor(
    private readonly inner: BlockStore,
    private readonly scratch = false,
  ) {}

  /** What it held at the last `cut` is not kept. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  get sectors(): number {
    return this.inner.sectors;
  }

  get readOnly(): boolean {
    return this.inner.readOnly;
  }

  read(sector: number, into: Uint8Array): void {
    this.accesses?.(sector, into.length / SECTOR_BYTES, 'read');
    this.inner.read(sector, into);
    if (!this.#overlay?.size) return;
    for (let at = 0; at < into.length; at += SECTOR_BYTES) {
      const kept = this.#overlay.get(sector + at / SECTOR_BYTES);
      if (kept) into.set(kept, at);
    }
  }

  write(sector: number, bytes: Uint8Array): void {
    this.accesses?.(sector, bytes.length / SECTOR_BYTES, 'write');
    if (this.#overlay) {
      for (let at = 0; at < bytes.length; at += SECTOR_BYTES)
        this.#put(this.#overlay, sector + at / SECTOR_BYTES, bytes.slice(at, at + SECTOR_BYTES));
      return;
    }
    this.#keep(sector, bytes.length / SECTOR_BYTES);
    this.inner.write(sector, bytes);
  }

  writeZeroes(sector: number, count: number): void {
    this.accesses?.(sector, count, 'write');
    if (this.#overlay && count <= MAX_SECTORS) {
      const zeros = new Uint8Array(SECTOR_BYTES);
      for (let n = 0; n < count; n++) this.#put(this.#overlay, sector + n, zeros);
      return;
    }
    // a history does not lead to where so much was written; a run that is repeated for the first time does
    if (this.#overlay && !this.scratch) throw new BlockError('too much to write at once in the past', 'write');
    if (this.#overlay) this.commit();
    this.#keep(sector, count);
    this.inner.writeZeroes(sector, count);
  }

  flush(): void {
    if (!this.#overlay) this.inner.flush();
  }

  /**
   * What was written in the past goes to the image, and stands there as if it had been written at the live end: a run that
   * is repeated to behind its last snapshot goes on from there.
   */
  commit(): void {
    const overlay = this.#overlay;
    if (overlay === undefined) return;
    this.#overlay = undefined;
    for (const [sector, bytes] of overlay) this.write(sector, bytes);
    this.#overlay = new Map();
    this.#written = new Map();
  }

  #put(overlay: SectorLog, sector: number, bytes: Uint8Array): void {
    overlay.set(sector, bytes);
    this.#written.set(sector, bytes);
  }

  /** An interval ends: what its sectors held before; undefined: it was too much to keep. */
  cut(): SectorLog | undefined {
    const log = this.#overflowed ? undefined : this.#open;
    this.#open = new Map();
    this.#overflowed = false;
    return log;
  }

  /** An interval of a branch ends: what its sectors hold now. */
  cutAside(): SectorLog {
    const log = this.#written;
    this.#written = new Map();
    return log;
  }

  /**
   * Shows the disk as it was before the first of these intervals, which are those up to the live end in order, and then
   * wrote the others, which are of a branch.
   */
  showBefore(intervals: readonly SectorLog[], branch: readonly SectorLog[] = []): void {
    const overlay: SectorLog = new Map();
    for (const log of [...intervals].reverse()) for (const [sector, bytes] of log) overlay.set(sector, bytes);
    for (const log of branch) for (const [sector, bytes] of log) overlay.set(sector, bytes);
    this.#overlay = overlay;
    this.#written = new Map();
  }

  /** Sectors written in the past since `showBefore` or `cutAside`. */
  get writtenAside(): number {
    return this.#written.size;
  }

  /** In the past: what differs from the image now, and to have that again. */
  get difference(): DiskDifference {
    return { overlay: new Map(this.#overlay), written: new Map(this.#written) };
  }

  set difference({ overlay, written }: DiskDifference) {
    this.#overlay = new Map(overlay);
    this.#written = new Map(written);
  }

  /** Back at the live end: the image is the disk. */
  showLive(): void {
    this.#overlay = undefined;
  }

  #keep(sector: number, count: number): void {
    if (this.#overflowed || sector < 0 || sector + count > this.sectors) return;
    if (this.#open.size + count > MAX_SECTORS) {
      this.#overflowed = true;
      this.#open = new Map();
      return;
    }
    for (let n = 0; n < count; n++) {
      if (this.#open.has(sector + n)) continue;
      const bytes = new Uint8Array(SECTOR_BYTES);
      try {
        this.inner.read(sector + n, bytes);
      } catch {
        // what cannot be read cannot be had again
        this.#overflowed = true;
        return;
      }
      this.#open.set(sector + n, bytes);
    }
  }
}

/** Two intervals in a row as one. */
export function mergeSectors(first: SectorLog, second: SectorLog): SectorLog {
  for (const [sector, bytes] of second) if (!first.has(sector)) first.set(sector, bytes);
  return first;
}
