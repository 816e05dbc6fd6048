/** Opens a disk image with everything behind it: backing files, locks, and an overlay for `snapshot=on`. */
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import * as zlib from 'node:zlib';
import { inflateRawSync } from 'node:zlib';
import { BlockError, type BlockStore, type DiskSnapshots, SECTOR_BYTES } from '../../devices/block.js';
import { type Decompressors, DiskImageError } from '../../disk/byte-file.js';
import { probedFormat } from '../../disk/format-probe.js';
import { Overlay } from '../../disk/overlay.js';
import { isQcow, type Qcow2Header, readHeader } from '../../disk/qcow2-header.js';
import { Qcow2Image } from '../../disk/qcow2-image.js';
import { type Qcow2Snapshot, readSnapshots } from '../../disk/qcow2-snapshots.js';
import { RawImage } from '../../disk/raw-image.js';
import { HostFile } from './host-file.js';
import { lockImage } from './image-lock.js';

/** A chain that is longer than this is a mistake. */
const MAX_DEPTH = 64;
const CD_SECTOR_BYTES = 2048;

export type DiskFormat = 'raw' | 'qcow2';

export interface DiskOptions {
  path: string;
  /** Told by the content when absent. */
  format?: DiskFormat;
  readonly?: boolean;
  /** Writes are forgotten at the end. */
  snapshot?: boolean;
  /** An internal snapshot of a qcow2 image to show, read-only. */
  snapshotName?: string;
  cdrom?: boolean;
  /** Only looked at, while another process uses it. */
  unlocked?: boolean;
}

export interface OpenDisk {
  store: BlockStore;
  format: DiskFormat;
  /** Internal snapshots of the image. */
  snapshots: readonly Qcow2Snapshot[];
  /** Makes and takes them; absent where the image, or how it is used, has none. */
  snapshotStore?: DiskSnapshots;
  /** What the user should know, one line each. */
  warnings: string[];
  /** Writes back what is held in memory and gives the files up. */
  close(): void;
}

const decompressors: Decompressors = {
  // the stream is followed by the rest of its last sector, so its end is where the data says
  deflate: (bytes, limit) =>
    inflateRawSync(bytes, { maxOutputLength: limit, finishFlush: zlib.constants.Z_SYNC_FLUSH }),
  ...('zstdDecompressSync' in zlib
    ? {
        zstd: (bytes: Uint8Array, limit: number) =>
          (zlib as unknown as Zstd).zstdDecompressSync(bytes, { maxOutputLength: limit }),
      }
    : {}),
};

interface Zstd {
  zstdDecompressSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
}

interface Opened {
  unlocked: boolean;
  files: HostFile[];
  warnings: string[];
  identities: Set<string>;
}

/** @throws DiskImageError, and then no file has been changed or is kept open. */
export function openDisk(options: DiskOptions): OpenDisk {
  const opened: Opened = { unlocked: options.unlocked === true, files: [], warnings: [], identities: new Set() };
  try {
    const writable = !options.readonly && !options.snapshot && options.snapshotName === undefined && !options.cdrom;
    const top = openLayer(options.path, options.format, writable, opened, 'disk', options);
    const overlay = options.snapshot && !options.cdrom ? new Overlay(top.store, HostFile.scratch) : undefined;
    const store = overlay ?? top.store;
    let closed = false;
    if (store.sectors === 0) throw new DiskImageError(options.path, 'is empty: a disk has at least one sector');
    return {
      ...{ store, format: top.format, snapshots: top.snapshots, warnings: opened.warnings },
      ...(top.store instanceof Qcow2Image && writable ? { snapshotStore: top.store.snapshotStore } : {}),
      close: () => {
        if (closed) return;
        closed = true;
        try {
          store.flush();
        } finally {
          overlay?.close();
          closeAll(opened);
        }
      },
    };
  } catch (error) {
    closeAll(opened);
    // a table that cannot be read while the image is opened
    if (error instanceof BlockError)
      throw new DiskImageError(options.path, error.message.replace(`${options.path}: `, ''));
    throw error;
  }
}

function closeAll({ files }: Opened): void {
  for (const file of files) file.close();
}

/**
 * Format of an image that nobody said. Who could write to a raw image chose its first sector, so a backing file that
 * looks like another format is not followed to further files: its format must stand in the image above.
 * @throws DiskImageError
 */
function probe(file: HostFile, role: 'disk' | 'backing file'): DiskFormat {
  const sector = new Uint8Array(SECTOR_BYTES);
  file.read(0, sector);
  const found = probedFormat(sector);
  if (found === undefined) return 'raw';
  if (role === 'backing file') {
    throw new DiskImageError(
      file.name,
      `looks like ${found}, but the image above does not say its format; qemu-img rebase -u -b FILE -F FORMAT IMAGE says it`,
    );
  }
  if (isQcow(sector)) return 'qcow2';
  throw new DiskImageError(file.name, `is a ${found} image; raw and qcow2 are read, and format=raw takes any file`);
}

interface Layer {
  store: BlockStore;
  format: DiskFormat;
  snapshots: readonly Qcow2Snapshot[];
}

function openLayer(
  path: string,
  format: DiskFormat | undefined,
  writable: boolean,
  opened: Opened,
  role: 'disk' | 'backing file',
  { snapshotName, cdrom }: Pick<DiskOptions, 'snapshotName' | 'cdrom'> = {},
): Layer {
  const file = HostFile.open(path, writable);
  opened.files.push(file);
  if (opened.identities.has(file.identity)) throw new DiskImageError(path, 'is its own backing file');
  if (opened.identities.size >= MAX_DEPTH) throw new DiskImageError(path, `has more than ${MAX_DEPTH} backing files`);
  opened.identities.add(file.identity);
  const unlocked = opened.unlocked ? undefined : lockImage(file, writable ? 'write' : 'read');
  if (unlocked !== undefined) opened.warnings.push(`${path}: not locked against other programs: ${unlocked}`);

  if ((format ?? probe(file, role)) === 'raw') {
    if (snapshotName !== undefined) throw new DiskImageError(path, 'is a raw image: it has no snapshots');
    const unit = cdrom ? CD_SECTOR_BYTES : SECTOR_BYTES;
    return { store: new RawImage(file, unit, format === undefined), format: 'raw', snapshots: [] };
  }
  const header = readHeader(file);
  if (header.compression === 'zstd' && !decompressors.zstd) {
    throw new DiskImageError(path, `is compressed with zstd, which Node ${process.versions.node} cannot read`);
  }
  const snapshots = readSnapshots(file, header);
  const backing = openBacking(path, header, opened);
  const snapshot = snapshotName === undefined ? {} : { snapshot: snapshotName };
  const store = new Qcow2Image({ file, header, snapshots, backing, decompressors, ...snapshot });
  return { store, format: 'qcow2', snapshots: snapshots.list };
}

function openBacking(path: string, header: Qcow2Header, opened: Opened): BlockStore | undefined {
  const name = header.backingFile;
  if (name === undefined) return undefined;
  const local = name.replace(/^file:(\/\/)?/, '');
  if (/^[a-z0-9+.-]+:/i.test(local) && !existsSync(resolve(path, local))) {
    throw new DiskImageError(path, `has the backing file ${name}; only files of this host are read`);
  }
  if (local.includes('\0')) throw new DiskImageError(path, 'corrupt: the name of the backing file has a zero byte');
  const format = header.backingFormat;
  if (format !== undefined && format !== 'raw' && format !== 'qcow2') {
    throw new DiskImageError(path, `has a backing file of format ${format}; raw and qcow2 are read`);
  }
  try {
    return openLayer(resolve(path, local), format, false, opened, 'backing file').store;
  } catch (error) {
    if (error instanceof DiskImageError && error.file !== path) {
      throw new DiskImageError(path, `backing file ${error.message}`);
    }
    throw error;
  }
}

/** Relative names count from the folder of the image that names them. */
function resolve(image: string, name: string): string {
  return isAbsolute(name) ? name : join(dirname(image), name);
}
