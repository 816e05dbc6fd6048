/** Files that a run writes besides the guest's disks: COM1's, the debug console's, the exits'. */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { fileCause, isReaderGone, outputCause } from '../engine/host/file-cause.js';
import { UsageError } from './options.js';

const FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NONBLOCK | constants.O_NOCTTY;
/** How long the reader of a pipe may take nothing. */
const STALLED_MS = 5000;
const NAP_MS = 2;

/** Names of the streams that this process has open: opened anew, a file behind them would be cut and written over. */
const STREAMS: Record<string, number> = { '/dev/stdout': 1, '/dev/stderr': 2 };

/** The stream of this process that a path names, as `/dev/stdout` or `/dev/fd/3`; undefined for a file. */
export function streamOf(path: string): number | undefined {
  const number = /^(?:\/dev\/fd|\/proc\/self\/fd)\/(\d{1,4})$/.exec(path)?.[1];
  return STREAMS[path] ?? (number === undefined ? undefined : Number(number));
}

/** Opens a file for an option (`--trace`, `--serial file:`), empty. One that is a FIFO is not waited for. @throws UsageError naming option, file, cause. */
export function openOutput(option: string, path: string): number {
  const stream = streamOf(path);
  if (stream !== undefined) return checkedStream(option, path, stream);
  let fd: number | undefined;
  try {
    fd = openSync(path, FLAGS);
    if (fstatSync(fd).isDirectory()) throw new UsageError(`${place(option, path)}: is a folder`);
    return fd;
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    if (error instanceof UsageError) throw error;
    const nobody = (error as NodeJS.ErrnoException).code === 'ENXIO';
    const cause = nobody ? 'nobody reads this FIFO; start its reader first' : outputCause(error);
    throw new UsageError(`${place(option, path)}: ${cause}`);
  }
}

/** @throws UsageError when the stream is not open for writing */
function checkedStream(option: string, path: string, fd: number): number {
  try {
    writeSync(fd, '');
    return fd;
  } catch (error) {
    throw new UsageError(`${place(option, path)}: ${fileCause(error)}`);
  }
}

/**
 * Writes all bytes.
 * @throws Error naming option and file when they cannot be written, or a pipe stays full; its cause is the host's error. Empty
 * where a stream of this process has no reader any more: `| head` has read enough, and wants to hear nothing
 */
export function writeOutput(option: string, path: string, fd: number, bytes: Uint8Array): void {
  let naps = 0;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
      naps = 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN')
        throw new Error(writeFailure(option, path, error), { cause: error });
      if (++naps * NAP_MS > STALLED_MS) {
        throw new Error(`${place(option, path)}: its reader has taken nothing for ${STALLED_MS / 1000} s`);
      }
      nap();
    }
  }
}

/** What was not written, and why; empty where nobody wants to hear of it. */
export const writeFailure = (option: string, path: string, error: unknown): string =>
  isReaderGone(error) && (path === 'stdio' || streamOf(path) !== undefined)
    ? ''
    : `${place(option, path)}: ${fileCause(error)}`;

function place(option: string, path: string): string {
  return option.endsWith(':') ? option + path : `${option} ${path}`;
}

/** A non-blocking pipe is full: gives its reader a moment. */
export function nap(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, NAP_MS);
}
