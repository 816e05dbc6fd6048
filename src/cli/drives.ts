import type { Drive } from '../engine/devices/block.js';
import { DiskImageError } from '../engine/disk/byte-file.js';
import { type OpenDisk, openDisk } from '../engine/host/disk/open-disk.js';
import type { DriveArgument } from './drive-options.js';
import { UsageError } from './options.js';

const IDE_DRIVES = 4;

export interface OpenDrives {
  drives: Drive[];
  warnings: string[];
  /** Writes back what is in memory and closes the files. */
  close(): void;
}

/** Opens the drives of a guest. @throws UsageError, and then none of them is open. */
export function openDrives(list: readonly DriveArgument[], defaultBus: 'ide' | 'virtio'): OpenDrives {
  const opened: OpenDisk[] = [];
  const drives: Drive[] = [];
  const close = () => {
    for (const disk of opened) disk.close();
  };
  try {
    const ide = list.filter(({ kind, bus }) => kind === 'cdrom' || (bus ?? defaultBus) === 'ide');
    if (ide.length > IDE_DRIVES) throw new UsageError(`${ide[IDE_DRIVES].path}: IDE has room for ${IDE_DRIVES} drives`);
    for (const { path, kind, format, bus, readonly, snapshot, snapshotName } of list) {
      const number = drives.filter((drive) => drive.kind === kind).length;
      const disk = openDisk({
        ...{ path, readonly, snapshot, cdrom: kind === 'cdrom' },
        ...(format === undefined ? {} : { format }),
        ...(snapshotName === undefined ? {} : { snapshotName }),
      });
      opened.push(disk);
      drives.push({
        ...{ kind, name: `${kind}${number}`, bus: bus ?? defaultBus, store: disk.store },
        image: { file: path, format: disk.format, snapshots: disk.snapshots },
        serial: `VMS${kind === 'disk' ? 'D' : 'C'}${String(number).padStart(5, '0')}`,
      });
    }
    return { drives, warnings: opened.flatMap(({ warnings }) => warnings), close };
  } catch (error) {
    close();
    if (error instanceof DiskImageError) throw new UsageError(error.message);
    throw error;
  }
}
