/**
 * The stub's front door: one client at a time. Whoever connects is a visitor until he has sent a packet; silent ones keep
 * nobody out. A visitor while another client is there waits a moment, since that one may be leaving, and takes the place
 * of one that has asked for nothing of the guest yet; else he is told who is there and turned away.
 */
import { chmodSync } from 'node:fs';
import { createServer, type Server, Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { encodePacket } from '../rsp/packet.js';
import { PromptSocket } from './prompt-socket.js';
import { Session, type Wire } from './session.js';
import { defaultSettings, type StubSettings } from './settings.js';
import type { Target } from './target.js';

export interface StubOptions {
  target: Target;
  /** Address to listen on; loopback unless given: the protocol has no authentication. */
  host?: string;
  /** 0 picks a free port; without one and without a path nothing listens. */
  port?: number;
  /** Socket in the file system, for its owner only. */
  path?: string;
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
  /** Serves a client that is there already, at the other end of these streams. */
  attach(input: Readable, output: Writable, name: string): void;
  /** Drops the client and stops listening; the guest stays as it is. */
  close(): Promise<void>;
}

/** Where a client speaks: a socket both ways, or two streams. */
interface Line {
  input: Readable;
  output: Writable;
  name: string;
}

function wireOf({ input, output }: Line): Wire {
  const prompt = input instanceof Socket && input === output ? PromptSocket.of(input) : undefined;
  return {
    write: (bytes) => {
      if (!output.writable) return false;
      const given = prompt?.give(bytes) ?? 0;
      return given === bytes.length || output.write(given === 0 ? bytes : bytes.subarray(given));
    },
    promptly: () => prompt?.take(),
    // A stream that closes never drains.
    drained: () =>
      new Promise((resolve) => {
        if (!output.writable || !output.writableNeedDrain) return resolve();
        const done = (): void => {
          output.off('drain', done);
          output.off('close', done);
          resolve();
        };
        output.on('drain', done);
        output.on('close', done);
      }),
    pauseInput: () => void input.pause(),
    resumeInput: () => void input.resume(),
    end: () => void output.end(),
  };
}

function destroy({ input, output }: Line): void {
  input.destroy();
  output.destroy();
}

/** How long a client that is turned away may take to read why. */
const REFUSAL_MS = 2000;
/** How long a visitor waits for the client that is there to leave: GDB gives up after 2 s. */
const PATIENCE_MS = 1000;
/** Visitors that have sent no packet yet; the longest waiting goes when there are more. */
const MAX_VISITORS = 64;
/** Of one of them. */
const MAX_BYTES = 0x10000;
/** A peer that has vanished without a word is noticed after this and some probes. */
const KEEPALIVE_MS = 10_000;
const PACKET_START = 0x24;

/** Tells GDB the reason as the answer to its first packet, then hangs up. */
function refuse({ input, output }: Line, reason: string): void {
  output.write('+');
  output.end(encodePacket(`E.${reason}`));
  setTimeout(() => input.destroy(), REFUSAL_MS).unref();
}

/** Somebody at the door. */
interface Visitor {
  line: Line;
  /** What was sent so far. */
  bytes: Buffer[];
  count: number;
  /** A packet has begun. */
  spoke: boolean;
  timer?: NodeJS.Timeout;
}

/** Lets clients in, one after the other. */
class Door {
  private readonly visitors = new Set<Visitor>();
  private current: { line: Line; session: Session } | undefined;
  /** Ends when the last client's breakpoints are out; a new client waits for it. */
  private leaving: Promise<void> = Promise.resolve();

  constructor(
    private readonly target: Target,
    private readonly settings: StubSettings,
    private readonly onMessage: (text: string) => void,
    private readonly onClient: (connected: boolean) => void,
  ) {}

  get client(): string | undefined {
    return this.current?.line.name;
  }

  knock(line: Line): void {
    const visitor: Visitor = { line, bytes: [], count: 0, spoke: false };
    this.visitors.add(visitor);
    const silent = [...this.visitors].filter(({ spoke }) => !spoke);
    if (silent.length > MAX_VISITORS) this.dismiss(silent[0]);
    const gone = (): void => {
      clearTimeout(visitor.timer);
      this.visitors.delete(visitor);
      if (this.current?.line === line) this.leave();
    };
    for (const stream of new Set<Readable | Writable>([line.input, line.output])) {
      stream.on('error', gone);
      stream.on('close', gone);
    }
    line.input.on('end', gone);
    line.input.on('data', (bytes: Buffer) => {
      if (this.current?.line === line) return this.current.session.feed(bytes);
      if (!this.visitors.has(visitor)) return;
      visitor.bytes.push(bytes);
      visitor.count += bytes.length;
      if (visitor.count > MAX_BYTES) return this.dismiss(visitor);
      if (visitor.spoke || !bytes.includes(PACKET_START)) return;
      visitor.spoke = true;
      if (this.current === undefined) this.admit(visitor);
      else visitor.timer = setTimeout(() => this.decide(visitor), PATIENCE_MS);
    });
  }

  private dismiss(visitor: Visitor): void {
    clearTimeout(visitor.timer);
    this.visitors.delete(visitor);
    destroy(visitor.line);
  }

  private admit(visitor: Visitor): void {
    clearTimeout(visitor.timer);
    this.visitors.delete(visitor);
    const { line } = visitor;
    const session = new Session(this.target, this.settings, wireOf(line));
    this.current = { line, session };
    this.onMessage(`gdb: ${line.name} connected`);
    this.onClient(true);
    line.input.pause();
    void this.leaving.then(() => {
      session.feed(Buffer.concat(visitor.bytes));
      line.input.resume();
    });
  }

  private leave(): void {
    const { current } = this;
    if (current === undefined) return;
    this.current = undefined;
    this.leaving = current.session.close().catch((error: unknown) => this.onMessage(`gdb: ${String(error)}`));
    const state = this.target.running() ? 'runs' : 'is stopped';
    this.onMessage(`gdb: ${current.line.name} left; the guest ${state}`);
    this.onClient(false);
    const next = [...this.visitors].find(({ spoke }) => spoke);
    if (next !== undefined) this.admit(next);
  }

  /** The visitor has waited, and the client is still there. */
  private decide(visitor: Visitor): void {
    const { current } = this;
    if (current === undefined) this.admit(visitor);
    else if (!current.session.atWork) {
      this.onMessage(`gdb: ${current.line.name} asked for nothing; ${visitor.line.name} takes its place`);
      destroy(current.line);
      this.leave();
    } else {
      this.visitors.delete(visitor);
      this.onMessage(`gdb: turned ${visitor.line.name} away, ${current.line.name} is connected`);
      refuse(visitor.line, `another debugger (${current.line.name}) is connected to ${this.target.name}`);
    }
  }

  async close(): Promise<void> {
    for (const visitor of [...this.visitors]) this.dismiss(visitor);
    const { current } = this;
    if (current !== undefined) {
      destroy(current.line);
      this.leave();
    }
    await this.leaving;
  }
}

/** Starts to listen. @throws Error (from node:net) when the address cannot be had, e.g. EADDRINUSE. */
export async function startStub(options: StubOptions): Promise<Stub> {
  const { target, onMessage = () => {}, onClient = () => {}, path, port } = options;
  const settings: StubSettings = { ...defaultSettings(), ...options.settings };
  const door = new Door(target, settings, onMessage, onClient);
  const sockets = new Set<Socket>();
  let unnamed = 0;
  const server: Server = createServer((socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_MS);
    const name = path === undefined ? `${socket.remoteAddress}:${socket.remotePort}` : `client ${++unnamed} of ${path}`;
    door.knock({ input: socket, output: socket, name });
  });
  const listens = path !== undefined || port !== undefined;
  if (listens) {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      if (path === undefined) server.listen(port, options.host ?? '127.0.0.1', resolve);
      else server.listen(path, resolve);
    });
    if (path !== undefined) chmodSync(path, 0o600);
  }
  const address = server.address();
  return {
    ...(address === null || typeof address === 'string'
      ? { host: '', port: 0 }
      : { host: address.address, port: address.port }),
    settings,
    client: () => door.client,
    attach: (input, output, name) => door.knock({ input, output, name }),
    async close() {
      const closed = listens ? new Promise<void>((resolve) => server.close(() => resolve())) : undefined;
      const left = door.close();
      for (const socket of sockets) socket.destroy();
      await left;
      await closed;
    },
  };
}
