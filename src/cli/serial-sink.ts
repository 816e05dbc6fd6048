/** Where the bytes of COM1 go: standard output, a file, a socket. */
import { connect, type Socket } from 'node:net';
import type { Debugger } from '../engine/debugger.js';
import { fileCause } from '../engine/host/file-cause.js';
import type { SerialTarget } from './options.js';
import { Output } from './output.js';
import { openOutput } from './output-file.js';

const USAGE = 2;
const LOST = 3;
/** What the guest has written and nobody reads stays in memory: so much of it. */
const MAX_UNREAD_BYTES = 64 * 2 ** 20;

export interface SerialSink {
  write(bytes: Uint8Array): void;
  /** Why bytes were lost, if they were, and the process status for that. */
  failure(): { status: number; message: string } | undefined;
  close(): void;
}

/** Opens it; `failed` is called when bytes can no longer be delivered. @throws UsageError for a file that cannot be written. */
export function openSerial(serial: SerialTarget, target: Debugger, failed: () => void): SerialSink {
  if (serial.kind === 'none') return { write: () => {}, failure: () => undefined, close: () => {} };
  if (serial.kind === 'unix') return openSocket(serial.path, target, failed);
  const output = new Output(
    serial.kind === 'stdio' ? 1 : openOutput('--serial file:', serial.path),
    serial.kind === 'stdio' ? 'standard output' : serial.path,
    failed,
  );
  const failure = () => {
    const message = output.message();
    return message === undefined ? undefined : { status: LOST, message };
  };
  return { write: (bytes) => output.write(bytes), failure, close: () => {} };
}

function openSocket(path: string, target: Debugger, failed: () => void): SerialSink {
  let problem: { status: number; message: string } | undefined;
  let connected = false;
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
    socket.write(bytes);
    if (socket.writableLength <= MAX_UNREAD_BYTES) return;
    problem = { status: LOST, message: `--serial unix:${path}: its reader leaves ${MAX_UNREAD_BYTES} bytes unread` };
    socket.destroy();
    failed();
  };
  return { write, failure: () => problem, close: () => void socket.end() };
}
