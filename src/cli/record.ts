/** `run --record`: what the run begins with goes into the file, then its inputs. */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { DiskImageError } from '../engine/disk/byte-file.js';
import { contentHash, diskContent, fileContent, packed } from '../engine/host/recording/images.js';
import { Recorder } from '../engine/host/recording/recorder.js';
import type { InputKeeper } from '../engine/time/input-keeper.js';
import type { DriveArgument } from './drive-options.js';
import { regularFileBytes } from './files.js';
import { findVgaBios } from './firmware.js';
import type { GuestWorkerData } from './guest-options.js';
import { UsageError } from './options.js';
import { openOutput, streamOf, writeOutput } from './output-file.js';
import { machineOf, modulesOf, type RecordedContent } from './recorded-run.js';
import { VERSION } from './version.js';

export interface BegunRun {
  readonly path: string;
  readonly about: object;
  readonly warnings: readonly string[];
  pieces(): Iterable<Uint8Array>;
}

/** Looks at all that the guest begins with, before it begins. @throws UsageError */
export function describeRun(data: GuestWorkerData, { path, pack }: { path: string; pack: boolean }): BegunRun {
  const named = [
    data.image,
    ...modulesOf(data),
    data.firmware?.vgaBios,
    data.firmware?.netRom,
    data.firmware?.kernel,
    data.restore,
    findVgaBios(),
  ];
  const files = named.filter((name) => name !== undefined);
  const drives = data.drives ?? [];
  for (const name of [...files, ...drives.map((drive) => drive.path)]) {
    if (isSame(name, path)) throw new UsageError(`--record ${path}: the guest starts from this file; name another`);
  }
  const contents = [
    ...[...new Set(files)].map((name) => ofFile(name, pack)),
    ...drives.map((drive, index) => ofDrive(drive, index, pack)),
  ];
  const written = drives.filter((drive) => !pack && isWritten(drive));
  return {
    path,
    about: { program: `vmscope ${VERSION}`, machine: machineOf(data), contents },
    warnings: written.map(
      (drive) =>
        `${drive.path}: the guest may write it, and its recording begins with it as it is now: keep a copy, or use --pack or snapshot=on`,
    ),
    *pieces() {
      if (!pack) return;
      for (const [index, { path: file, bytes, drive }] of contents.entries()) {
        const content = drive === undefined ? fileContent(file, bytes) : diskContent(asDisk(drives[drive]));
        try {
          yield* packed(index, content);
        } finally {
          content.close();
        }
      }
    },
  };
}

/** @throws UsageError when the file cannot be written */
export function startRecorder({ path, about, pieces }: BegunRun, kept: InputKeeper): Recorder {
  if (streamOf(path) !== undefined) throw new UsageError(`--record ${path}: name a file`);
  const fd = openOutput('--record', path);
  try {
    return new Recorder(fd, (bytes) => writeOutput('--record', path, fd, bytes), kept, about, pieces());
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** The guest's writes stay in the image. */
function isWritten({ kind, readonly, snapshot, snapshotName }: DriveArgument): boolean {
  return kind !== 'cdrom' && !readonly && !snapshot && snapshotName === undefined;
}

function ofFile(name: string, pack: boolean): RecordedContent {
  const path = resolve(name);
  const bytes = regularFileBytes(name);
  const content = fileContent(path, bytes);
  try {
    return { name, path, bytes, hash: contentHash(content), packed: pack, drive: undefined };
  } finally {
    content.close();
  }
}

function ofDrive(drive: DriveArgument, index: number, pack: boolean): RecordedContent {
  const { path: name } = drive;
  try {
    const content = diskContent(asDisk(drive));
    try {
      return {
        name,
        path: resolve(name),
        bytes: content.bytes,
        hash: contentHash(content),
        packed: pack,
        drive: index,
      };
    } finally {
      content.close();
    }
  } catch (error) {
    if (error instanceof DiskImageError) throw new UsageError(error.message);
    throw error;
  }
}

/** As its image is opened. */
export const asDisk = (drive: DriveArgument) => ({ ...drive, cdrom: drive.kind === 'cdrom' });

function isSame(a: string, b: string): boolean {
  try {
    return realpathSync(a) === realpathSync(b);
  } catch {
    return false;
  }
}
