import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileCause } from '../engine/host/file-cause.js';
import { readFully } from '../engine/host/read-fully.js';
import { UsageError } from './options.js';

/** Largest image that is read: everything that could fit the guest. */
const MAX_FILE_BYTES = 3 * 2 ** 30;

/** From so many bytes on a file's memory is worth a preparation. */
const LARGE_BYTES = 4 * 2 ** 20;

/**
 * Reads a file.
 * @param prepare is given the memory for a large one before it is filled
 * @throws UsageError naming it and the cause.
 */
export function readInput(path: string, prepare?: (bytes: Uint8Array) => void): Uint8Array {
  try {
    const bytes = regularFileBytes(path);
    if (bytes > MAX_FILE_BYTES) throw new UsageError(`${path}: ${bytes} bytes do not fit a guest`);
    return prepare && bytes >= LARGE_BYTES ? readLarge(path, bytes, prepare) : readFileSync(path);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path}: ${fileCause(error)}`);
  }
}

/** What there is of so many bytes, in memory that is the file's alone. */
function readLarge(path: string, bytes: number, prepare: (bytes: Uint8Array) => void): Uint8Array {
  const whole = Buffer.allocUnsafeSlow(bytes);
  prepare(whole);
  const fd = openSync(path, 'r');
  try {
    return whole.subarray(0, readFully(fd, whole, 0));
  } finally {
    closeSync(fd);
  }
}

/** The first bytes of a file, zeros where it is shorter. @throws UsageError naming it and the cause. */
export function readHead(path: string, bytes: number): Buffer {
  const head = Buffer.alloc(bytes);
  regularFileBytes(path);
  try {
    const fd = openSync(path, 'r');
    try {
      readSync(fd, head, 0, bytes, 0);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new UsageError(`${path}: ${fileCause(error)}`);
  }
  return head;
}

/** Size of a regular file; to open another one (a FIFO, a device) may hang. @throws UsageError naming it and the cause. */
export function regularFileBytes(path: string): number {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw new UsageError(`${path}: is a folder`);
    if (!stat.isFile()) throw new UsageError(`${path}: is not a regular file`);
    return stat.size;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${path}: ${fileCause(error)}`);
  }
}

/** The samples that the program brings. */
const SAMPLES = fileURLToPath(new URL('../../samples', import.meta.url));

/** The folder of the sample with this name, `exit-zoo` or `samples/exit-zoo`, wherever the program is called. */
export function sampleFolder(name: string): string | undefined {
  const bare = /^(?:samples\/)?([\w-]+)\/?$/.exec(name)?.[1];
  const folder = bare === undefined ? undefined : join(SAMPLES, bare);
  return folder !== undefined && existsSync(folder) ? folder : undefined;
}

/** Whether an image is one of the program's samples that is over in a moment: all but those that wait for somebody to type. */
export function isShortSample(image: string): boolean {
  const folder = dirname(resolve(image));
  return dirname(folder) === resolve(SAMPLES) && !existsSync(join(folder, 'input.txt'));
}

/**
 * A sample's folder stands for the image in it that has the folder's name, and a sample's name for its folder where no
 * such file is.
 */
export function resolveImage(path: string): string {
  const folder = existsSync(path) ? undefined : sampleFolder(path);
  if (folder !== undefined) return resolveImage(folder);
  if (!existsSync(path) || !statSync(path).isDirectory()) return path;
  const name = basename(path.replace(/\/+$/, ''));
  for (const ending of ['.elf', '.bin', '.img']) {
    const image = join(path, name + ending);
    if (existsSync(image)) return image;
  }
  throw new UsageError(`${path}: the folder has no image ${name}.elf or ${name}.bin`);
}
