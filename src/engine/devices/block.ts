/** What a disk device needs of the storage behind it. */
import type { StoreTraffic } from './counted-store.js';

export const SECTOR_BYTES = 512;

/**
 * Storage in sectors of 512 bytes. Every call is complete when it returns: how long the guest waits is the
 * device's business and is counted in virtual time.
 */
export interface BlockStore {
  readonly sectors: number;
  readonly readOnly: boolean;
  /** Fills `into`, a whole number of sectors. @throws BlockError */
  read(sector: number, into: Uint8Array): void;
  /** @throws BlockError */
  write(sector: number, bytes: Uint8Array): void;
  /** The sectors read as zeros afterwards; the space they took may be given back. @throws BlockError */
  writeZeroes(sector: number, count: number): void;
  /** What was written survives a crash of the host. @throws BlockError */
  flush(): void;
}

/** Storage failed while the guest used it: the device reports an error to the guest. */
export class BlockError extends Error {
  constructor(
    message: string,
    readonly kind: 'read' | 'write' | 'no-space' | 'read-only' | 'range',
  ) {
    super(message);
    this.name = 'BlockError';
  }
}

/** Where a drive can be attached, by QEMU's words for `if=`. */
export const DRIVE_BUSES = ['virtio', 'ide', 'sata', 'nvme', 'floppy'] as const;
export type DriveBus = (typeof DRIVE_BUSES)[number];

/** A drive of the machine in the order of the command line. */
export interface Drive {
  /** Name in messages and views: `disk0`, `cdrom0`, `floppy0`. */
  readonly name: string;
  /** Identity that the guest can read, at most 20 characters. */
  readonly serial: string;
  readonly bus: DriveBus;
  readonly kind: 'disk' | 'cdrom' | 'floppy';
  /** Undefined: a CD-ROM drive without a disc. */
  readonly store: BlockStore | undefined;
  /** What was done to the storage, where that is counted. */
  readonly traffic?: Readonly<StoreTraffic>;
  /** What the guest writes is kept by this process, and in no image. */
  readonly overlaid?: boolean;
  /** What the storage is, for the user. */
  readonly image?: ImageInfo;
  /** For drives whose medium can be changed. */
  readonly shelf?: MediumShelf;
}

/** What can be put into a drive. */
export interface Medium {
  readonly store: BlockStore;
  readonly image?: ImageInfo;
  readonly traffic?: Readonly<StoreTraffic>;
}

/** Where media come from that are put into drives while the machine runs. */
export interface MediumShelf {
  /** The same one each time, as long as the machine is there. @throws Error naming the file and the cause */
  get(file: string, kind: Drive['kind']): Medium;
}

/** The image behind a drive. */
export interface ImageInfo {
  readonly file: string;
  readonly format: string;
  /** Snapshots inside the image. */
  readonly snapshots: readonly DiskSnapshot[];
  /** Makes and takes them; absent where the image, or how it is used, has none. */
  readonly snapshotStore?: DiskSnapshots;
}

/** A snapshot inside an image. */
export interface DiskSnapshot {
  readonly id: string;
  readonly name: string;
  /** Since 1970. */
  readonly dateSeconds: number;
  /** Virtual time, and instructions where they are counted. */
  readonly clockNs: number;
  readonly icount: bigint;
  /** Size of the machine's state in it; 0: it is of the disk alone. */
  readonly vmStateBytes: number;
}

/** The snapshots of an image that can be written. All throw BlockError. */
export interface DiskSnapshots {
  /** @param vmState of the machine, in pieces; none: of the disk alone */
  create(what: Omit<DiskSnapshot, 'id' | 'vmStateBytes'>, vmState: readonly Uint8Array[]): void;
  /** The disk becomes what it was then. */
  apply(id: string): void;
  delete(id: string): void;
  /** The state of the machine in one; undefined: it has none. */
  vmState(id: string): Uint8Array | undefined;
}

/** @throws BlockError when the sectors are not all on the disk. */
export function checkSectors(store: BlockStore, sector: number, count: number): void {
  if (sector < 0 || count < 0 || sector + count > store.sectors) {
    throw new BlockError(`sectors ${sector}+${count} are outside the disk of ${store.sectors}`, 'range');
  }
}
