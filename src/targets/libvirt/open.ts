/** From a URI to an open connection: a socket of this host, or ssh to another one's. */
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { quoted, SshEnded, type SshPlace, sshForward, sshStream } from '../ssh.js';
import { LibvirtConnection } from './connection.js';
import { type LibvirtUri, socketPaths } from './uri.js';

/** For a socket of this host; the first question starts libvirtd where systemd listens for it. */
const LOCAL_MS = 5000;
const SSH_MS = 15_000;

/** Hosts, by their URIs, where only a forwarded socket has worked. */
const forwarded = new Set<string>();

/** @throws Error with one line that says what was tried */
export async function openLibvirt(uri: LibvirtUri, write: boolean): Promise<LibvirtConnection> {
  if (uri.transport !== 'ssh') return await opened(uri, write, await localStream(uri, write), LOCAL_MS);
  let ended: Error | undefined;
  if (!forwarded.has(uri.text)) {
    const stream = remoteStream(uri, write);
    stream.once('error', (error) => {
      ended = error;
    });
    try {
      return await opened(uri, write, stream, SSH_MS);
    } catch (error) {
      // The host is there, but has no program for this, or no shell.
      const path = remotePath(uri, write);
      if (!(ended instanceof SshEnded && ended.wasThere) || path === undefined) throw error;
    }
  }
  const path = remotePath(uri, write)!;
  try {
    const connection = await opened(uri, write, await sshForward(placeOf(uri), path), SSH_MS);
    forwarded.add(uri.text);
    return connection;
  } catch (error) {
    forwarded.delete(uri.text);
    const { message } = error as Error;
    throw new Error(ended ? `${ended.message}; by a forwarded socket: ${message}` : message);
  }
}

async function opened(uri: LibvirtUri, write: boolean, stream: Duplex, ms: number): Promise<LibvirtConnection> {
  const connection = new LibvirtConnection(stream);
  try {
    await connection.open(uri.name, !write, ms);
  } catch (error) {
    connection.close();
    throw error;
  }
  return connection;
}

function placeOf(uri: LibvirtUri): SshPlace {
  return {
    host: uri.host!,
    user: uri.user,
    port: uri.port,
    keyfile: uri.parameters.get('keyfile') ?? undefined,
    command: uri.parameters.get('command') ?? undefined,
  };
}

/** The socket on the other host; undefined where only its shell knows the folder. */
function remotePath(uri: LibvirtUri, write: boolean): string | undefined {
  const socket = uri.parameters.get('socket');
  if (socket) return socket;
  return uri.session ? undefined : `/run/libvirt/libvirt-sock${write ? '' : '-ro'}`;
}

async function localStream(uri: LibvirtUri, write: boolean): Promise<Duplex> {
  const paths = socketPaths(uri, write).filter((path) => existsSync(path));
  let failure = `no socket of libvirt: looked for ${socketPaths(uri, write)[0] ?? '$XDG_RUNTIME_DIR/libvirt/libvirt-sock'}`;
  for (const path of paths) {
    try {
      return await connected(path);
    } catch (error) {
      failure = (error as Error).message;
    }
  }
  throw new Error(failure);
}

function connected(path: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.setTimeout(LOCAL_MS, () => socket.destroy(new Error(`${path}: no answer`)));
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.removeListener('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** What the other side has: libvirt's helper, else a program that joins a socket with its standard streams. */
function remoteStream(uri: LibvirtUri, write: boolean): Duplex {
  const socket = uri.parameters.get('socket');
  const path = remotePath(uri, write) ?? '$XDG_RUNTIME_DIR/libvirt/libvirt-sock';
  const end = socket ? quoted(path) : `"${path}"`;
  const helper = socket
    ? ''
    : `if command -v virt-ssh-helper >/dev/null 2>&1; then exec virt-ssh-helper ${write ? '' : '-r '}${quoted(uri.name)}; fi; `;
  const script =
    `${helper}if command -v socat >/dev/null 2>&1; then exec socat - UNIX-CONNECT:${end}; fi; ` +
    `if command -v nc >/dev/null 2>&1; then exec nc -U ${end}; fi; ` +
    `echo "${uri.host}: has neither virt-ssh-helper nor socat nor nc" >&2; exit 127`;
  return sshStream(placeOf(uri), `sh -c ${quoted(script)}`);
}
