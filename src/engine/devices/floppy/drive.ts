/** One floppy drive: its disk, where its head stands, and the lines that tell of them. */
import { BlockError, type BlockStore, SECTOR_BYTES } from '../block.js';
import type { MediumBay, MediumDrive } from '../medium-bay.js';
import { type FloppyFormat, floppyFor } from './medium.js';

export type SectorResult = 'done' | 'absent' | 'failed' | 'protected';

export class FloppyDrive implements MediumDrive {
  /** Cylinder under the head. */
  cylinder = 0;
  /** The disk was changed, and no seek has happened since. */
  changed = true;
  /** No door is held shut by software. */
  readonly locked = false;

  constructor(readonly bay: MediumBay) {}

  private get store(): BlockStore | undefined {
    return this.bay.medium?.store;
  }

  get format(): FloppyFormat | undefined {
    return this.store && floppyFor(this.store.sectors);
  }

  change(file: string | undefined): void {
    this.bay.put(file);
    this.changed = true;
  }

  askForEjection(): void {}

  get hasDisk(): boolean {
    return this.format !== undefined;
  }

  get writeProtected(): boolean {
    return this.store === undefined || this.store.readOnly;
  }

  /** Steps to a cylinder, as far as the rail goes. */
  seek(cylinder: number): void {
    this.cylinder = Math.max(0, Math.min(cylinder, (this.format?.cylinders ?? 80) + 2));
    if (this.hasDisk) this.changed = false;
  }

  /** Number of the sector on the disk; undefined where the track under the head has none of this name. */
  #sector(head: number, sector: number): number | undefined {
    const { format } = this;
    if (!format || this.cylinder >= format.cylinders || head >= format.heads) return undefined;
    if (sector < 1 || sector > format.sectors) return undefined;
    return (this.cylinder * format.heads + head) * format.sectors + sector - 1;
  }

  read(head: number, sector: number, into: Uint8Array): SectorResult {
    const at = this.#sector(head, sector);
    if (at === undefined || !this.store) return 'absent';
    // an image shorter than its disk: the rest was never written
    if (at >= this.store.sectors) into.fill(0);
    else return this.#attempt((store) => store.read(at, into));
    return 'done';
  }

  write(head: number, sector: number, bytes: Uint8Array): SectorResult {
    const at = this.#sector(head, sector);
    if (at === undefined || !this.store) return 'absent';
    if (this.writeProtected) return 'protected';
    if (at >= this.store.sectors) return 'failed';
    return this.#attempt((store) => store.write(at, bytes));
  }

  #attempt(access: (store: BlockStore) => void): SectorResult {
    try {
      access(this.store!);
      return 'done';
    } catch (error) {
      if (error instanceof BlockError) return 'failed';
      throw error;
    }
  }
}

export { SECTOR_BYTES };
