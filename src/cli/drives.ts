import type { Drive, DriveBus } from '../engine/devices/block.js';
import { CountedStore } from '../engine/devices/counted-store.js';
import { FLOPPY_DRIVES } from '../engine/devices/floppy/controller.js';
import { floppyFor } from '../engine/devices/floppy/medium.js';
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

export interface OpenDrives {
  drives: Drive[];
  warnings: string[];
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
  const result: OpenDrives = { drives, warnings: [], onFailure: () => {}, close, letGo, take };
  try {
    for (const [bus, room] of Object.entries(ROOM) as [DriveBus, number][]) {
      const there = list.filter((drive) => (drive.bus ?? defaultBus) === bus);
      if (there.length <= room) continue;
      const much =
        bus === 'floppy' ? `there are ${room} floppy drives` : `${BUS_NAMES[bus]} has room for ${room} drives`;
      throw new UsageError(`${there[room].path}: ${much}`);
    }
    for (const { path, kind, format, bus, readonly, snapshot, snapshotName } of list) {
      const number = drives.filter((drive) => drive.kind === kind).length;
      const options = {
        ...{ path, readonly, snapshot, cdrom: kind === 'cdrom' },
        ...(format === undefined ? {} : { format }),
        ...(snapshotName === undefined ? {} : { snapshotName }),
      };
      const disk = new PassedDisk(options, !incoming);
      opened.push(disk);
      if (kind === 'floppy' && !floppyFor(disk.sectors))
        throw new UsageError(`${path}: ${disk.sectors / 2} KiB do not fit a floppy disk: 2880 KiB are the largest`);
      const store = new CountedStore(new FailingStore(disk, (cause) => result.onFailure(cause)));
      drives.push({
        ...{ kind, name: `${kind}${number}`, bus: bus ?? defaultBus },
        ...{ store, traffic: store.traffic },
        image: disk.info,
        ...(snapshot ? { overlaid: true } : {}),
        serial: `VMS${KINDS[kind]}${String(number).padStart(5, '0')}`,
      });
    }
    result.warnings.push(...opened.flatMap(({ image }) => image.warnings));
    return result;
  } catch (error) {
    close();
    if (error instanceof DiskImageError) throw new UsageError(error.message);
    throw error;
  }
}
