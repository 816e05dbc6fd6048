/** Each running guest answers the debugger API on a socket of its own, by which `top` and `attach` find it. */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  unlinkSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import type { Debugger } from '../engine/debugger.js';
import { fileCause } from '../engine/host/file-cause.js';
import { connectDebugger, serveDebugger } from '../engine/host/rpc.js';
import { isRecord } from '../engine/host/rpc-methods.js';
import { SocketChannel } from '../engine/host/socket-channel.js';
import { serveQmp } from '../qmp/session.js';
import { UsageError } from './options.js';

const SUFFIX = '.sock';
/** As `publishGuest` makes them: no path leads out of the folder. */
const NAME = /^[\w.+-]+$/;
const HELLO_MS = 2000;
/** sun_path holds 108 bytes on Linux, fewer elsewhere. */
const MAX_PATH_BYTES = 100;

/** First message of a guest's socket. */
export interface GuestHello {
  name: string;
  pid: number;
  image: string;
  /** Unix time in ms. */
  startedMs: number;
}

export interface GuestConnection {
  target: Debugger;
  hello: GuestHello;
  /** Resolves with the reason once the guest's process is gone. */
  closed: Promise<string>;
  close(): void;
}

/** What `publishGuest` did. */
export interface Publication {
  /** The socket, to be removed at the end; absent where there is none. */
  path?: string;
  /** Why `top` and `attach` will not find the guest, where somebody should know. */
  warning?: string;
}

/** A folder that is not this user's alone is not used: one line that says which and why. */
class UntrustedFolderError extends UsageError {}

/** Folder of the sockets: only its owner may look into it. */
export function socketFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const runtime = environment.XDG_RUNTIME_DIR;
  return runtime ? join(runtime, 'vmscope') : join(tmpdir(), `vmscope-${userInfo().uid}`);
}

/**
 * The folder, when it is there. In a shared temporary folder anybody may have made it, or a link of its name to
 * somewhere else: it is looked at without following links, and through one open file, so that it cannot change meanwhile.
 * @throws UntrustedFolderError when it is a link, no folder, or somebody else's
 */
function trustedFolder(): string | undefined {
  const folder = socketFolder();
  let fd: number;
  try {
    fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'ELOOP' || code === 'ENOTDIR') {
      throw new UntrustedFolderError(
        `${folder} is not a folder but ${kindOf(folder)}; remove it, or set XDG_RUNTIME_DIR`,
      );
    }
    throw new UntrustedFolderError(`${folder}: ${fileCause(error)}`);
  }
  try {
    const { uid, mode } = fstatSync(fd);
    if (uid !== userInfo().uid) {
      throw new UntrustedFolderError(`${folder} belongs to user ${uid}; set XDG_RUNTIME_DIR to a folder of your own`);
    }
    if (mode & 0o077) fchmodSync(fd, 0o700);
    return folder;
  } finally {
    closeSync(fd);
  }
}

function kindOf(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isSymbolicLink() ? 'a symbolic link' : 'a file';
}

/** The folder, made if need be. @throws UntrustedFolderError, or Error where it cannot be made */
export function ownFolder(): string {
  const found = trustedFolder();
  if (found !== undefined) return found;
  mkdirSync(dirname(socketFolder()), { recursive: true, mode: 0o700 });
  try {
    mkdirSync(socketFolder(), { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const made = trustedFolder();
  if (made === undefined) throw new Error(`${socketFolder()} has gone`);
  return made;
}

/** Serves a guest on `NAME.sock`, or `NAME-PID.sock` while another guest has the name. */
export async function publishGuest(target: Debugger, name: string, image: string): Promise<Publication> {
  const safe = name.replace(/[^\w.+-]/g, '_').slice(0, 40) || 'guest';
  try {
    const folder = ownFolder();
    const plain = join(folder, safe + SUFFIX);
    const taken = await answers(plain);
    const path = taken ? join(folder, `${safe}-${process.pid}${SUFFIX}`) : plain;
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) return {};
    remove(path);
    const hello: GuestHello = {
      name: taken ? `${safe}-${process.pid}` : safe,
      pid: process.pid,
      image,
      startedMs: Date.now(),
    };
    const server = createServer((socket) => {
      const channel = new SocketChannel(socket);
      channel.postMessage({ hello });
      socket.once('close', serveDebugger(target, channel));
      socket.unref();
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    // what goes wrong with one connection later ends no guest
    server.on('error', () => {});
    server.unref();
    await publishQmp(target, qmpPath(path));
    return { path };
  } catch (error) {
    // a host without a place for sockets is no failure
    if (!(error instanceof UntrustedFolderError)) return {};
    return { warning: `top and attach will not find this guest: ${error.message}` };
  }
}

/** QMP of the guest that is served on `path`, beside it. */
export const qmpPath = (path: string): string => `${path.slice(0, -SUFFIX.length)}.qmp`;

async function publishQmp(target: Debugger, path: string): Promise<void> {
  remove(path);
  const server = createServer((socket) => {
    serveQmp(target, socket);
    socket.unref();
  });
  await new Promise<void>((resolve) => {
    // a guest without QMP is a guest
    server.on('error', () => resolve());
    server.listen(path, resolve);
  });
  server.unref();
}

/** Removes a guest's sockets. */
export function removeSockets(path: string): void {
  remove(path);
  remove(qmpPath(path));
}

export function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Nothing there.
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Names of the guests that have a socket, running or not. @throws Error when the folder is not this user's own */
export function guestNames(): string[] {
  const folder = trustedFolder();
  if (folder === undefined) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.slice(0, -SUFFIX.length))
    .filter((name) => NAME.test(name))
    .sort();
}

/** Longer than this a guest that runs does not leave its socket's queue full. */
const KNOCK_MS = 200;

/**
 * Names of the guests that run: those that answer at their sockets. The sockets of those that died are removed.
 * @throws Error when the folder is not this user's own
 */
export async function runningGuestNames(): Promise<string[]> {
  const folder = trustedFolder();
  const names = guestNames();
  const there = await Promise.all(names.map((name) => isThere(join(folder ?? '', name + SUFFIX))));
  return names.filter((_, n) => there[n]);
}

/** Somebody listens at a guest's socket, or is too busy to take the call. */
async function isThere(path: string): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const busy = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), KNOCK_MS);
  });
  const code = await Promise.race([
    open(path).then(
      (socket) => void socket.destroy(),
      ({ code }: NodeJS.ErrnoException) => code,
    ),
    busy,
  ]);
  clearTimeout(timer);
  if (code === 'ECONNREFUSED') removeSockets(path);
  return code !== 'ECONNREFUSED' && code !== 'ENOENT';
}

/** Connects to a running guest by name. @throws Error when there is none; the socket of one that died is removed. */
export async function connectGuest(name: string): Promise<GuestConnection> {
  const folder = trustedFolder();
  if (folder === undefined || !NAME.test(name)) throw new Error(`no running guest ${JSON.stringify(name)}`);
  const path = join(folder, name + SUFFIX);
  const socket = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') removeSockets(path);
    throw new Error(`no running guest ${JSON.stringify(name)}`);
  });
  const channel = new SocketChannel(socket);
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(`${name}: the guest has gone`)));
  const greeted = new Promise<GuestHello>((resolve) => {
    channel.on('message', (message: unknown) => {
      if (isRecord(message) && isHello(message.hello)) resolve(message.hello);
    });
  });
  const hello = await soon(greeted, closed);
  const target = hello && (await soon(connectDebugger(channel, closed), closed));
  if (!target) {
    socket.destroy();
    throw new Error(`${name}: does not answer as a vmscope guest does`);
  }
  return { target, hello, closed, close: () => socket.destroy() };
}

/** The answer, or undefined when it is late, refused, or the guest has gone. */
function soon<T>(answer: Promise<T>, closed: Promise<string>): Promise<T | undefined> {
  return Promise.race([
    answer.catch(() => undefined),
    closed.then(() => undefined),
    new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), HELLO_MS).unref()),
  ]);
}

function isHello(value: unknown): value is GuestHello {
  if (!isRecord(value)) return false;
  const { name, pid, image, startedMs } = value;
  return (
    typeof name === 'string' && Number.isSafeInteger(pid) && typeof image === 'string' && Number.isFinite(startedMs)
  );
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}
