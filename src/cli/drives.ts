import { resolve } from 'node:path';
import type { Drive, DriveBus, Medium, MediumShelf } from '../engine/devices/block.js';
import { CountedStore } from '../engine/devices/counted-store.js';
import { FLOPPY_DRIVES } from '../engine/devices/floppy/controller.js';
import { floppyFor } from '../engine/devices/floppy/medium.js';
import { CD_PLACE, idePlaces } from '../engine/devices/ide/controller.js';
import { DiskImageError } from '../engine/disk/byte-file.js';
import { PassedDisk } from '../engine/host/disk/passed-disk.js';
import type { DriveArgument } from './drive-options.js';
import { FailingStore } from './failing-store.js';
import { UsageError } from './options.js';

/** Drives that a bus with few places has room for. */
const ROOM: Partial<Record<DriveBus, number>> = { ide: 4, sata: 6, floppy: FLOPPY_DRIVES };
const BUS_NAMES: Partial<Record<DriveBus, string>> = { ide: 'IDE', sata: 'SATA' };
/** Letters in serial numbers. */
const KINDS = { disk: 'D', cdrom: 'C', floppy: 'F' };

const serialOf = (kind: Drive['kind'], number: number): string => `VMS${KINDS[kind]}${String(number).padStart(5, '0')}`;

/** QEMU counts the places of IDE drives from 1, two to a cable; a SATA port is a cable behind both of the PIIX3. */
const ataSerial = (place: number): string => `QM${String(place + 1).padStart(5, '0')}`;
const sataPlace = (port: number): number => 4 + 2 * port;

/** Drives of IDE and SATA without a serial number of their own have that of their place. */
function numberAtaDrives(drives: Drive[], own: ReadonlySet<Drive>): void {
  const sata = drives.filter(({ bus }) => bus === 'sata');
  const places = new Map(
    [...idePlaces(drives.filter(({ bus }) => bus === 'ide'))].map(([place, drive]) => [drive, place]),
  );
  for (const [port, drive] of sata.entries()) places.set(drive, sataPlace(port));
  for (const [at, drive] of drives.entries()) {
    const place = places.get(drive);
    if (place !== undefined && !own.has(drive)) drives[at] = { ...drive, serial: ataSerial(place) };
  }
}

export interface OpenDrives {
  drives: Drive[];
  warnings: string[];
  /** A floppy disk that is put in later is written to its image; a run that is kept cannot go back over that. */
  writesFloppies: boolean;
  /** Told why storage fails while the guest uses it. */
  onFailure: (cause: string) => void;
  /** Writes back what is in memory and closes the files. @throws Error naming the first image that this fails for. */
  close(): void;
  /** Closes the images for another process; `take` opens them again, or those of a guest that comes from one. */
  letGo(): void;
  /** @throws DiskImageError, and then none of them is open */
  take(): void;
}

/**
 * Opens the drives of a guest; those of one that is to come are only looked at.
 * @throws UsageError, and then none of them is open.
 */
export function openDrives(list: readonly DriveArgument[], defaultBus: 'ide' | 'virtio', incoming = false): OpenDrives {
  const opened: PassedDisk[] = [];
  const drives: Drive[] = [];
  const each = (action: (disk: PassedDisk) => void) => {
    let failure: unknown;
    for (const disk of opened) {
      try {
        action(disk);
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
  };
  const close = () => each((disk) => disk.close());
  const letGo = () => each((disk) => disk.letGo());
  const take = () => {
    try {
      each((disk) => disk.take());
    } catch (error) {
      letGo();
      throw error;
    }
  };
  const result: OpenDrives = {
    ...{ drives, warnings: [], writesFloppies: true, onFailure: () => {} },
    ...{ close, letGo, take },
  };
  const media = new Map<string, Medium>();
  const shelf: MediumShelf = {
    get: (file, kind) => {
      const path = resolve(file);
      const key = `${kind} ${path}`;
      let medium = media.get(key);
      if (medium === undefined) media.set(key, (medium = openMedium(path, kind, result, opened)));
      return medium;
    },
  };
  try {
    for (const [bus, room] of Object.entries(ROOM) as [DriveBus, number][]) {
      const there = list.filter((drive) => (drive.bus ?? defaultBus) === bus);
      if (there.length <= room) continue;
      const much =
        bus === 'floppy' ? `there are ${room} floppy drives` : `${BUS_NAMES[bus]} has room for ${room} drives`;
      throw new UsageError(`${there[room].path}: ${much}`);
    }
    const own = new Set<Drive>();
    for (const { path, kind, format, bus, readonly, snapshot, snapshotName, serial } of list) {
      const number = drives.filter((drive) => drive.kind === kind).length;
      const options = {
        ...{ path, readonly, snapshot, cdrom: kind === 'cdrom' },
        ...(format === undefined ? {} : { format }),
        ...(snapshotName === undefined ? {} : { snapshotName }),
      };
      const disk = new PassedDisk(options, !incoming);
      opened.push(disk);
      checkFits(disk, kind);
      const store = new CountedStore(new FailingStore(disk, (cause) => result.onFailure(cause)));
      const drive: Drive = {
        ...{ kind, name: `${kind}${number}`, bus: bus ?? defaultBus },
        ...{ store, traffic: store.traffic },
        image: disk.info,
        ...(kind === 'disk' ? {} : { shelf }),
        ...(snapshot ? { overlaid: true } : {}),
        serial: serial ?? serialOf(kind, number),
      };
      drives.push(drive);
      if (serial !== undefined) own.add(drive);
    }
    const ide = drives.filter(({ bus }) => bus === 'ide');
    // as QEMU's pc: where there are IDE drives, one for CDs is the second cable's first
    if ((defaultBus === 'ide' || ide.length > 0) && !idePlaces(ide).has(CD_PLACE)) {
      const number = drives.filter(({ kind }) => kind === 'cdrom').length;
      drives.push({
        ...{ kind: 'cdrom', name: `cdrom${number}`, bus: 'ide', store: undefined, shelf },
        serial: serialOf('cdrom', number),
      });
    }
    numberAtaDrives(drives, own);
    result.warnings.push(...opened.flatMap(({ image }) => image.warnings));
    return result;
  } catch (error) {
    close();
    if (error instanceof DiskImageError) throw new UsageError(error.message);
    throw error;
  }
}

/** @throws UsageError */
function checkFits({ sectors, options: { path } }: PassedDisk, kind: Drive['kind']): void {
  if (kind === 'floppy' && !floppyFor(sectors))
    throw new UsageError(`${path}: ${sectors / 2} KiB do not fit on a floppy disk: the largest has 2880 KiB`);
}

/** Media that a run's drives have had, at most: each keeps its file open, so that the run can be gone back in. */
const MOST_MEDIA = 64;

/** @throws Error naming the file and the cause */
function openMedium(path: string, kind: Drive['kind'], drives: OpenDrives, opened: PassedDisk[]): Medium {
  if (opened.length >= MOST_MEDIA) throw new Error(`${path}: ${MOST_MEDIA} images are open already`);
  const readonly = kind === 'cdrom' || !drives.writesFloppies;
  const disk = new PassedDisk({ path, readonly, snapshot: false, cdrom: kind === 'cdrom' }, true);
  try {
    checkFits(disk, kind);
  } catch (error) {
    disk.close();
    throw error;
  }
  opened.push(disk);
  const store = new CountedStore(new FailingStore(disk, (cause) => drives.onFailure(cause)));
  return { store, traffic: store.traffic, image: disk.info };
}
