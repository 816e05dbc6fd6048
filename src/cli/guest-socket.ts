/** Each running guest answers the debugger API on a socket of its own, by which `top` and `attach` find it. */
import { chmodSync, mkdirSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Debugger } from '../engine/debugger.js';
import { connectDebugger, serveDebugger } from '../engine/host/rpc.js';
import { SocketChannel } from '../engine/host/socket-channel.js';

const SUFFIX = '.sock';
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

/** Folder of the sockets: only its owner may look into it. */
export function socketFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const runtime = environment.XDG_RUNTIME_DIR;
  return runtime ? join(runtime, 'vmscope') : join(tmpdir(), `vmscope-${userInfo().uid}`);
}

/** The folder, made if need be. @throws Error when it belongs to somebody else. */
function ownFolder(): string {
  const folder = socketFolder();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = statSync(folder);
  if (uid !== userInfo().uid) throw new Error(`${folder} belongs to another user`);
  if (mode & 0o077) chmodSync(folder, 0o700);
  return folder;
}

/**
 * Serves a guest on `NAME.sock`, or `NAME-PID.sock` while another guest has the name.
 * @returns the socket's path, to be removed at the end; undefined where sockets cannot be had, which is no error
 */
export async function publishGuest(target: Debugger, name: string, image: string): Promise<string | undefined> {
  const safe = name.replace(/[^\w.+-]/g, '_').slice(0, 40) || 'guest';
  try {
    const folder = ownFolder();
    const plain = join(folder, safe + SUFFIX);
    const taken = await answers(plain);
    const path = taken ? join(folder, `${safe}-${process.pid}${SUFFIX}`) : plain;
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) return undefined;
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
    server.unref();
    return path;
  } catch {
    return undefined;
  }
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

/** Names of the guests that have a socket, running or not. */
export function guestNames(): string[] {
  try {
    return readdirSync(socketFolder())
      .filter((file) => file.endsWith(SUFFIX))
      .map((file) => file.slice(0, -SUFFIX.length))
      .sort();
  } catch {
    return [];
  }
}

/** Connects to a running guest by name. @throws Error when there is none; the socket of one that died is removed. */
export async function connectGuest(name: string): Promise<GuestConnection> {
  const path = join(socketFolder(), name + SUFFIX);
  const socket = await open(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') remove(path);
    throw new Error(`no running guest "${name}"`);
  });
  const channel = new SocketChannel(socket);
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(`${name}: the guest has gone`)));
  const hello = await Promise.race([
    new Promise<GuestHello>((resolve) => {
      channel.on('message', (message: { hello?: GuestHello }) => {
        if (message.hello) resolve(message.hello);
      });
    }),
    new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), HELLO_MS).unref()),
    closed.then(() => undefined),
  ]);
  if (!hello) {
    socket.destroy();
    throw new Error(`${name}: no answer`);
  }
  const target = await connectDebugger(channel, closed);
  return { target, hello, closed, close: () => socket.destroy() };
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}
