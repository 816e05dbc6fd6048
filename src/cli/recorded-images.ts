/** Finds what a recorded run began with: packed in the recording, or where it was, or beside the recording. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { contentHash, diskContent, fileContent, unpack } from '../engine/host/recording/images.js';
import type { Recording } from '../engine/host/recording/recording.js';
import type { DriveArgument } from './drive-options.js';
import { regularFileBytes } from './files.js';
import type { GuestWorkerData } from './guest-options.js';
import { UsageError } from './options.js';
import { asDisk } from './record.js';
import { modulesOf, type RecordedContent, type RecordedRun } from './recorded-run.js';
import { printable } from './tell.js';

/** The options of a guest that begins as the recorded one did. */
export type FoundImages = Pick<GuestWorkerData, 'sources' | 'drives'>;

/** @throws UsageError naming what is not there or has changed */
export function findImages(recording: Recording, { machine, contents }: RecordedRun): FoundImages {
  const folder = contents.some(({ packed }) => packed) ? mkdtempSync(join(tmpdir(), 'vmscope-replay-')) : undefined;
  if (folder !== undefined) process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const places = contents.map((content, i) => {
    if (content.packed) return join(folder!, `${i}`);
    return find(recording.path, content, content.drive === undefined ? undefined : machine.drives?.[content.drive]);
  });
  const files = contents.map(({ packed, bytes }, i) => (packed ? { path: places[i], bytes } : undefined));
  if (folder !== undefined) unpack(recording, files);
  const sources = contents.flatMap(({ name, drive }, i) => (drive === undefined ? [[name, places[i]]] : []));
  const { image, firmware, restore, font } = machine;
  for (const name of [
    image,
    ...modulesOf(machine),
    firmware?.vgaBios,
    firmware?.netRom,
    firmware?.kernel,
    restore,
    font,
  ])
    if (name !== undefined && !sources.some(([known]) => known === name))
      throw new UsageError(`${recording.path}: is damaged: nothing says what ${printable(name)} was`);
  const drives = machine.drives?.map((drive, index): DriveArgument => {
    const at = contents.findIndex((content) => content.drive === index);
    if (at < 0) throw new UsageError(`${recording.path}: is damaged: nothing says what ${printable(drive.path)} was`);
    return asRepeated(drive as DriveArgument, places[at], contents[at].packed);
  });
  return { sources: Object.fromEntries(sources), ...(drives ? { drives } : {}) };
}

/** What the guest writes again stays apart from the image. */
function asRepeated(drive: DriveArgument, path: string, packed: boolean): DriveArgument {
  const { kind, bus, readonly, snapshot, snapshotName, format } = drive;
  const written = kind !== 'cdrom' && (snapshot || (!readonly && snapshotName === undefined));
  const common = { path, kind, ...(bus === undefined ? {} : { bus }), snapshot: written };
  if (packed) return { ...common, format: 'raw', readonly: !written };
  return {
    ...{ ...common, readonly },
    ...(format === undefined ? {} : { format }),
    ...(snapshotName === undefined ? {} : { snapshotName }),
  };
}

function find(recording: string, content: RecordedContent, drive: object | undefined): string {
  const { name, path, hash } = content;
  const candidates = [path, join(dirname(resolve(recording)), basename(path)), resolve(name)];
  const there = [...new Set(candidates)].filter((candidate) => existsSync(candidate));
  const shown = printable(path);
  if (there.length === 0)
    throw new UsageError(
      `${recording}: needs ${shown}, which is neither there nor beside it; --pack would have kept it`,
    );
  const found = there.find((candidate) => hashOf(candidate, drive as DriveArgument | undefined) === hash);
  if (found === undefined)
    throw new UsageError(
      `${recording}: ${shown} is not what it was when the run was recorded; --pack would have kept it`,
    );
  return found;
}

function hashOf(path: string, drive: DriveArgument | undefined): string {
  try {
    const content = drive ? diskContent(asDisk({ ...drive, path })) : fileContent(path, regularFileBytes(path));
    try {
      return contentHash(content);
    } finally {
      content.close();
    }
  } catch {
    return '';
  }
}
