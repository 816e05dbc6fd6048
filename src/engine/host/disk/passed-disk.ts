/** A disk image behind a store that stays while the image goes to another process, and comes from one. */
import { BlockError, type BlockStore, type ImageInfo } from '../../devices/block.js';
import { type DiskOptions, type OpenDisk, openDisk } from './open-disk.js';

export class PassedDisk implements BlockStore {
  #open: OpenDisk;
  #held: boolean;
  readonly sectors: number;
  readonly readOnly: boolean;

  /**
   * Opens the image: to use it, or, while another process does that, only to look at it, without locks.
   * @throws DiskImageError
   */
  constructor(
    readonly options: DiskOptions,
    held: boolean,
  ) {
    this.#open = openDisk(held ? options : lookAt(options));
    this.#held = held;
    this.sectors = this.#open.store.sectors;
    const { readonly, cdrom, snapshot, snapshotName } = options;
    const written = snapshot === true && cdrom !== true;
    this.readOnly = held
      ? this.#open.store.readOnly
      : !written && (readonly === true || cdrom === true || snapshotName !== undefined);
  }

  /** The image as it is open now. */
  get image(): OpenDisk {
    return this.#open;
  }

  /** The image for the user, and for who makes snapshots. It may be opened anew meanwhile. */
  get info(): ImageInfo {
    const disk = this;
    return {
      file: this.options.path,
      format: this.#open.format,
      get snapshots() {
        return disk.#open.snapshots;
      },
      get snapshotStore() {
        return disk.#open.snapshotStore;
      },
    };
  }

  /** Flushes and closes the image, so that another process can take it. What it is stays known. */
  letGo(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#open.close();
  }

  /** Opens the image to use it. @throws DiskImageError when it cannot be had, or is not the one that it was */
  take(): void {
    if (this.#held) return;
    this.#open.close();
    const open = openDisk(this.options);
    if (open.store.sectors !== this.sectors) {
      open.close();
      throw new BlockError(
        `${this.options.path}: has ${open.store.sectors} sectors by now, and had ${this.sectors}`,
        'range',
      );
    }
    this.#open = open;
    this.#held = true;
  }

  read(sector: number, into: Uint8Array): void {
    this.#open.store.read(sector, into);
  }

  write(sector: number, bytes: Uint8Array): void {
    this.#mustBeHeld();
    this.#open.store.write(sector, bytes);
  }

  writeZeroes(sector: number, count: number): void {
    this.#mustBeHeld();
    this.#open.store.writeZeroes(sector, count);
  }

  flush(): void {
    if (this.#held) this.#open.store.flush();
  }

  close(): void {
    this.#held = false;
    this.#open.close();
  }

  #mustBeHeld(): void {
    if (!this.#held) throw new BlockError(`${this.options.path} is another process's`, 'write');
  }
}

/** Nothing is written then, so that a qcow2 image's tables may change under it. */
const lookAt = (options: DiskOptions): DiskOptions => ({ ...options, readonly: true, snapshot: false, unlocked: true });
