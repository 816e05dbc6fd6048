import type { Drive } from '../engine/devices/block.js';
import { DiskImageError } from '../engine/disk/byte-file.js';
import { type OpenDisk, openDisk } from '../engine/host/disk/open-disk.js';
import type { DriveArgument } from './drive-options.js';
import { FailingStore } from './failing-store.js';
import { UsageError } from './options.js';

const IDE_DRIVES = 4;

export interface OpenDrives {
  drives: Drive[];
  warnings: string[];
  /** Told why storage fails while the guest uses it. */
  onFailure: (cause: string) => void;
  /** Writes back what is in memory and closes the files. @throws Error naming the first image that this fails for. */
  close(): void;
}

/** Opens the drives of a guest. @throws UsageError, and then none of them is open. */
export function openDrives(list: readonly DriveArgument[], defaultBus: 'ide' | 'virtio'): OpenDrives {
  const opened: OpenDisk[] = [];
  const drives: Drive[] = [];
  const close = () => {
    let failure: unknown;
    for (const disk of opened) {
      try {
        disk.close();
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
  };
  const result: OpenDrives = { drives, warnings: [], onFailure: () => {}, close };
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
        ...{ kind, name: `${kind}${number}`, bus: bus ?? defaultBus },
        store: new FailingStore(disk.store, (cause) => result.onFailure(cause)),
        image: { file: path, format: disk.format, snapshots: disk.snapshots },
        serial: `VMS${kind === 'disk' ? 'D' : 'C'}${String(number).padStart(5, '0')}`,
      });
    }
    result.warnings.push(...opened.flatMap(({ warnings }) => warnings));
    return result;
  } catch (error) {
    close();
    if (error instanceof DiskImageError) throw new UsageError(error.message);
    throw error;
  }
}
