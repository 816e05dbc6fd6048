/**
 * The TCP end of the stub. One client at a time; another one is told who is there and turned away.
 * Clients come in turn: when one leaves, by detach or by vanishing, the next may connect.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { encodePacket } from '../rsp/packet.js';
import { Session, type Wire } from './session.js';
import { defaultSettings, type StubSettings } from './settings.js';
import type { Target } from './target.js';

export interface StubOptions {
  target: Target;
  /** Address to listen on; loopback unless given: the protocol has no authentication. */
  host?: string;
  /** 0 picks a free port. */
  port: number;
  settings?: Partial<StubSettings>;
  /** Told when a client comes, goes or is turned away. */
  onMessage?: (text: string) => void;
  /** Told whether a client is connected, when that changes. */
  onClient?: (connected: boolean) => void;
}

export interface Stub {
  host: string;
  port: number;
  /** Changes hold for later connections, and for this one as `monitor` says. */
  readonly settings: StubSettings;
  /** Address of the client, if there is one. */
  client(): string | undefined;
  /** Drops the client and stops listening; the guest stays as it is. */
  close(): Promise<void>;
}

function wireOf(socket: Socket): Wire {
  return {
    write: (bytes) => socket.writable && socket.write(bytes),
    // A socket that closes never drains.
    drained: () =>
      new Promise((resolve) => {
        if (!socket.writable || !socket.writableNeedDrain) return resolve();
        const done = (): void => {
          socket.off('drain', done);
          socket.off('close', done);
          resolve();
        };
        socket.on('drain', done);
        socket.on('close', done);
      }),
    pauseInput: () => void socket.pause(),
    resumeInput: () => void socket.resume(),
    end: () => void socket.end(),
  };
}

function nameOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

/** How long a client that is turned away may take to read why. */
const REFUSAL_MS = 2000;

/** Answers the first packet with the reason, so that GDB shows it, then hangs up. */
function refuse(socket: Socket, reason: string): void {
  socket.on('error', () => {});
  socket.setTimeout(REFUSAL_MS, () => socket.destroy());
  socket.once('data', () => {
    socket.write('+');
    socket.end(encodePacket(`E.${reason}`));
  });
}

/** Starts to listen. @throws Error (from node:net) when the address cannot be had, e.g. EADDRINUSE. */
export async function startStub(options: StubOptions): Promise<Stub> {
  const { target, onMessage = () => {}, onClient = () => {} } = options;
  const settings: StubSettings = { ...defaultSettings(), ...options.settings };
  let current: { socket: Socket; session: Session; name: string } | undefined;
  /** Ends when the last client's breakpoints are out; a new client waits for it. */
  let leaving: Promise<void> = Promise.resolve();
  const refused = new Set<Socket>();

  const accept = (socket: Socket): void => {
    socket.setNoDelay(true);
    const name = nameOf(socket);
    if (current !== undefined) {
      onMessage(`gdb: turned ${name} away, ${current.name} is connected`);
      refused.add(socket);
      socket.once('close', () => refused.delete(socket));
      refuse(socket, `another debugger (${current.name}) is connected to ${target.name}`);
      return;
    }
    const session = new Session(target, settings, wireOf(socket));
    const client = { socket, session, name };
    current = client;
    onMessage(`gdb: ${name} connected`);
    onClient(true);
    const leave = (): void => {
      if (current !== client) return;
      current = undefined;
      leaving = session.close().catch((error: unknown) => onMessage(`gdb: ${String(error)}`));
      onMessage(`gdb: ${name} left; the guest ${target.running() ? 'runs' : 'is stopped'}`);
      onClient(false);
    };
    socket.on('error', leave);
    socket.on('close', leave);
    socket.on('end', leave);
    void leaving.then(() => socket.on('data', (bytes: Buffer) => session.feed(bytes)));
  };

  const server: Server = createServer(accept);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host ?? '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error(`no TCP address: ${address}`);
  return {
    host: address.address,
    port: address.port,
    settings,
    client: () => current?.name,
    async close() {
      for (const socket of refused) socket.destroy();
      const session = current?.session;
      current?.socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await session?.close();
      await leaving;
    },
  };
}
