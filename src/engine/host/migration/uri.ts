/** Where a guest migrates to or from, as QEMU writes it: `tcp:HOST:PORT` or `unix:PATH`. */
import { connect, createServer, type Server, type Socket } from 'node:net';

export type MigrationUri = { kind: 'tcp'; host: string; port: number } | { kind: 'unix'; path: string };

/** sun_path holds 108 bytes on Linux. */
const MAX_PATH_BYTES = 107;
const LOOPBACK = '127.0.0.1';

/** @throws Error that says what a URI looks like. */
export function parseUri(text: string): MigrationUri {
  const path = /^unix:(.+)$/s.exec(text)?.[1];
  if (path !== undefined && Buffer.byteLength(path) <= MAX_PATH_BYTES) return { kind: 'unix', path };
  const match = /^tcp:(.*):(\d{1,5})$/s.exec(text);
  const port = Number(match?.[2]);
  if (!match || port > 65535)
    throw new Error(`use tcp:HOST:PORT, or unix:PATH with a path of at most ${MAX_PATH_BYTES} bytes`);
  const host = match[1].replace(/^\[(.*)\]$/, '$1');
  // QEMU's 0 is every address of the host
  return { kind: 'tcp', host: host === '0' ? '0.0.0.0' : host || LOOPBACK, port };
}

export function showUri(uri: MigrationUri): string {
  if (uri.kind === 'unix') return `unix:${uri.path}`;
  return `tcp:${uri.host.includes(':') ? `[${uri.host}]` : uri.host}:${uri.port}`;
}

const placeOf = (uri: MigrationUri) => (uri.kind === 'unix' ? { path: uri.path } : { host: uri.host, port: uri.port });

/** @throws Error of the system, such as ECONNREFUSED; one when nobody answers in time. */
export function connectTo(uri: MigrationUri, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(placeOf(uri));
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no answer for ${timeoutMs / 1000} s`));
    }, timeoutMs);
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

/** Listens; port 0 takes a free one. @throws Error of the system, such as EADDRINUSE. */
export function listenOn(
  uri: MigrationUri,
  take: (socket: Socket) => void,
): Promise<{ server: Server; at: MigrationUri }> {
  return new Promise((resolve, reject) => {
    const server = createServer(take);
    server.once('error', reject);
    server.listen(placeOf(uri), () => {
      server.off('error', reject);
      // what goes wrong with one connection later is that one's
      server.on('error', () => {});
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      resolve({ server, at: uri.kind === 'tcp' ? { ...uri, port } : uri });
    });
  });
}
