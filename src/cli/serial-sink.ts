/** Where the bytes of COM1 go: standard output, a file, a socket. */

import { connect, type Socket } from 'node:net';
import { counted } from '../engine/counted.js';
import type { Debugger } from '../engine/debugger.js';
import { fileCause, isReaderGone, READER_GONE } from '../engine/host/file-cause.js';
import type { SerialTarget } from './options.js';
import { HIGH_BYTES, Output } from './output.js';
import { openOutput, streamOf } from './output-file.js';

const USAGE = 2;
const LOST = 3;

/**
 * What the guest has written and nobody reads stays in memory, until the guest stands still for it: the engine's thread
 * hears of that a moment later.
 */
export interface SerialSink {
  write(bytes: Uint8Array): void;
  /** Resolves when all is delivered, or no more can be. */
  drained(): Promise<void>;
  /** Where bytes are left that the reader has not taken: how many, in words. */
  left(): string | undefined;
  /** Why bytes were lost, if they were, and the process status for that. */
  failure(): { status: number; message?: string } | undefined;
  close(): void;
}

/** Opens it; `failed` is called when bytes can no longer be delivered. @throws UsageError for a file that cannot be written. */
export function openSerial(serial: SerialTarget, target: Debugger, failed: () => void): SerialSink {
  if (serial.kind === 'none') {
    const nothing = () => undefined;
    return { write: nothing, drained: async () => {}, left: nothing, failure: nothing, close: nothing };
  }
  if (serial.kind === 'unix') return openSocket(serial.path, target, failed);
  const output = new Output(
    serial.kind === 'stdio' ? 1 : openOutput('--serial file:', serial.path),
    serial.kind === 'stdio' ? 'standard output' : serial.path,
    failed,
    (held) => hold(target, held),
  );
  const own = serial.kind === 'stdio' || streamOf(serial.path) !== undefined;
  const failure = () => {
    // `| head` has read enough
    if (own && isReaderGone(output.failure)) return { status: READER_GONE };
    const message = output.message();
    return message === undefined ? undefined : { status: LOST, message };
  };
  return {
    write: (bytes) => output.write(bytes),
    drained: () => output.drained(),
    left: () => (output.unread === 0 ? undefined : unread(output.name, output.unread)),
    failure,
    close: () => output.close(),
  };
}

const unread = (name: string, bytes: number): string => `${name}: its reader has left ${counted(bytes, 'byte')} unread`;

function hold(target: Debugger, held: boolean): void {
  // the engine may be gone by now
  void target.console?.holdOutput?.(held).catch(() => {});
}

function openSocket(path: string, target: Debugger, failed: () => void): SerialSink {
  let problem: { status: number; message: string } | undefined;
  let connected = false;
  let held = false;
  const socket: Socket = connect(path, () => {
    connected = true;
  });
  socket.on('data', (bytes) => {
    socket.pause();
    void target.console
      ?.serialInput(bytes)
      .catch(() => {})
      .then(() => socket.resume());
  });
  socket.on('error', (error) => {
    problem = { status: connected ? LOST : USAGE, message: `--serial unix:${path}: ${fileCause(error)}` };
    failed();
  });
  const write = (bytes: Uint8Array): void => {
    if (problem) return;
    const full = !socket.write(bytes) && socket.writableLength > HIGH_BYTES;
    if (!full || held) return;
    held = true;
    hold(target, true);
    socket.once('drain', () => {
      held = false;
      hold(target, false);
    });
  };
  const drained = (): Promise<void> =>
    new Promise((resolve) => {
      if (problem || socket.writableLength === 0) return resolve();
      socket.once('drain', resolve).once('close', resolve);
    });
  return {
    write,
    drained,
    left: () =>
      problem || socket.writableLength === 0 ? undefined : unread(`--serial unix:${path}`, socket.writableLength),
    failure: () => problem,
    close: () => void (socket.writableLength === 0 ? socket.end() : socket.destroy()),
  };
}
