/**
 * Serves a machine's screen to RFB clients. The screen is looked at while somebody waits for it and then at most so often
 * that looking and packing take a small share of this thread's time, which is the machine's too.
 */
import { chmodSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { Look, Seat } from './screen.js';
import { type Password, Session } from './session.js';

export interface RfbOptions {
  seat: Seat;
  /** Loopback unless given. */
  host?: string;
  port?: number;
  /** Socket in the file system, for its owner only, instead of a port. */
  path?: string;
  /** Clients must know it. */
  password?: Password;
}

export interface RfbServer {
  host: string;
  port: number;
  /** Where clients come from that have passed the door. */
  clients(): string[];
  close(): Promise<void>;
}

/** A machine's screen changes no faster for anybody. */
const LOOK_MS = 33;
/** Looking and packing take at most one part in so many of the time. */
const SHARE = 5;
const MOST_CLIENTS = 16;
/** Of those who have not passed the door; the longest waiting goes when there are more. */
const MOST_VISITORS = 32;
const DOOR_MS = 30_000;
/** What waits for a client beside its one picture. */
const MOST_WAITING = 1 << 16;
const KEEPALIVE_MS = 10_000;

class Client {
  readonly session: Session;
  #timer: NodeJS.Timeout;
  #picture = false;

  constructor(
    readonly name: string,
    readonly socket: Socket,
    seat: Seat,
    password: Password | undefined,
    wants: () => void,
    gone: (client: Client) => void,
  ) {
    this.#timer = setTimeout(() => socket.destroy(), DOOR_MS).unref();
    this.session = new Session(
      seat,
      password,
      {
        write: (bytes, sent) => {
          if (!socket.writable) return;
          if (sent) this.#picture = true;
          socket.write(bytes, () => {
            if (!sent || socket.destroyed) return;
            this.#picture = false;
            sent();
          });
          if (!this.#picture && socket.writableLength > MOST_WAITING) socket.destroy();
        },
        end: () => {
          socket.end();
          // one that does not hang up is hung up on
          setTimeout(() => socket.destroy(), 1000).unref();
        },
      },
      wants,
    );
    socket.on('data', (bytes) => {
      try {
        this.session.feed(bytes);
      } catch {
        socket.destroy();
      }
      if (this.session.isOpen) clearTimeout(this.#timer);
    });
    socket.on('error', () => socket.destroy());
    socket.once('end', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(this.#timer);
      this.session.close();
      gone(this);
    });
  }
}

/** @throws Error (from node:net) when the address cannot be had */
export async function serveRfb({ seat, host = '127.0.0.1', port, path, password }: RfbOptions): Promise<RfbServer> {
  const clients = new Set<Client>();
  let timer: NodeJS.Timeout | undefined;
  let next = 0;
  let unnamed = 0;

  /** What has changed since the last look is news to all. */
  const look = (): Look => {
    const seen = seat.screen.look();
    for (const { session } of clients) session.saw(seen);
    return seen;
  };
  const shared: Seat = { ...seat, screen: { name: seat.screen.name, look } };

  const show = (): void => {
    timer = undefined;
    const begun = performance.now();
    const waiting = [...clients].filter(({ session }) => session.waits);
    if (waiting.length === 0) return;
    const seen = look();
    for (const { session, socket } of waiting) session.send(seen).catch(() => socket.destroy());
    const now = performance.now();
    next = now + Math.max(LOOK_MS, (now - begun) * (SHARE - 1));
    // one that has got nothing new still waits
    plan();
  };
  const plan = (): void => {
    if (timer !== undefined || ![...clients].some(({ session }) => session.waits)) return;
    timer = setTimeout(show, Math.max(0, next - performance.now()));
    timer.unref();
  };

  const server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_MS);
    const all = [...clients].filter((client) => !client.socket.destroyed);
    const visitors = all.filter(({ session }) => !session.isOpen);
    if (all.length - visitors.length >= MOST_CLIENTS) return void socket.destroy();
    if (visitors.length >= MOST_VISITORS) visitors[0].socket.destroy();
    const name = path === undefined ? `${socket.remoteAddress}:${socket.remotePort}` : `client ${++unnamed} of ${path}`;
    clients.add(new Client(name, socket, shared, password, plan, (client) => clients.delete(client)));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    if (path === undefined) server.listen(port, host, resolve);
    else server.listen(path, resolve);
  });
  if (path !== undefined) chmodSync(path, 0o600);
  // what goes wrong with one connection later ends no machine
  server.on('error', () => {});
  server.unref();
  const address = server.address();
  return {
    ...(address === null || typeof address === 'string'
      ? { host: '', port: 0 }
      : { host: address.address, port: address.port }),
    clients: () => [...clients].filter(({ session }) => session.isOpen).map(({ name }) => name),
    close: () => {
      clearTimeout(timer);
      for (const { socket } of clients) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
