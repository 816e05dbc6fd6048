import { createRequire } from 'node:module';

const AF_INET = 2;
const SOCK_STREAM = 1;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
/** struct sockaddr_in: family u16, port and address in network order, 8 bytes of nothing. */
const ADDRESS_BYTES = 16;
const BUFFER_BYTES = 1 << 20;
const HASH = 0x23;
const DOLLAR = 0x24;

interface Sockets {
  socket(family: number, type: number, protocol: number): number;
  connect(fd: number, address: Uint8Array, bytes: number): number;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array, bytes: number): number;
  send(fd: number, bytes: Uint8Array, count: number, flags: number): number;
  recv(fd: number, into: Uint8Array, count: number, flags: number): number;
  close(fd: number): number;
}

let loaded: Sockets | undefined;

/** @throws Error without koffi */
function sockets(): Sockets {
  if (loaded) return loaded;
  const koffi = createRequire(import.meta.url)('koffi') as {
    load(path: null): { func(name: string, result: string, parameters: string[]): never };
  };
  const lib = koffi.load(null);
  loaded = {
    socket: lib.func('socket', 'int', ['int', 'int', 'int']),
    connect: lib.func('connect', 'int', ['int', 'void *', 'int']),
    setsockopt: lib.func('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'int']),
    send: lib.func('send', 'long', ['int', 'void *', 'size_t', 'int']),
    recv: lib.func('recv', 'long', ['int', 'void *', 'size_t', 'int']),
    close: lib.func('close', 'int', ['int']),
  };
  return loaded;
}

/**
 * As much of GDB's side of the remote protocol as the benchmark needs: one request at a time, without
 * acknowledgements once the stub agrees. Its socket blocks, as gdb's does: the event loop of Node would take a client longer than
 * most stubs take for an answer.
 * @gdb "Remote Protocol"
 */
export class GdbClient {
  readonly #buffer = Buffer.alloc(BUFFER_BYTES);
  #count = 0;
  #acknowledge = false;

  private constructor(
    private readonly fd: number,
    private readonly sockets: Sockets,
  ) {}

  /** Connects, trying until the stub listens. @throws Error after `patienceMs`. */
  static async connect(port: number, patienceMs = 10_000): Promise<GdbClient> {
    const until = performance.now() + patienceMs;
    for (;;) {
      const client = GdbClient.#open(port);
      if (client) return client;
      if (performance.now() > until) throw new Error(`nobody listens on port ${port}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  static #open(port: number): GdbClient | undefined {
    const calls = sockets();
    const fd = calls.socket(AF_INET, SOCK_STREAM, 0);
    const address = Buffer.alloc(ADDRESS_BYTES);
    address.writeUInt16LE(AF_INET, 0);
    address.writeUInt16BE(port, 2);
    address.set([127, 0, 0, 1], 4);
    if (calls.connect(fd, address, ADDRESS_BYTES) !== 0) {
      calls.close(fd);
      return undefined;
    }
    const on = Buffer.alloc(4);
    on.writeInt32LE(1);
    calls.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, on, on.length);
    return new GdbClient(fd, calls);
  }

  /** Says what gdb says first. */
  greet(): void {
    this.#acknowledge = true;
    this.request('qSupported:swbreak+;hwbreak+');
    this.#acknowledge = this.request('QStartNoAckMode') !== 'OK';
  }

  /** Sends a packet and answers the reply's payload. Console output of the stub (`O` packets) is passed over. */
  request(payload: string): string {
    this.send(payload);
    return this.answer();
  }

  /** As request, for packets that must be answered by OK. @throws Error with the answer otherwise. */
  must(payload: string): void {
    const answer = this.request(payload);
    if (answer !== 'OK') throw new Error(`${payload} was answered by '${answer}'`);
  }

  send(payload: string): void {
    let sum = 0;
    for (let i = 0; i < payload.length; i++) sum += payload.charCodeAt(i);
    this.bytes(`$${payload}#${(sum & 0xff).toString(16).padStart(2, '0')}`);
  }

  /** Bytes outside of packets, as they are. */
  bytes(text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    if (this.sockets.send(this.fd, bytes, bytes.length, 0) !== bytes.length) throw new Error('the stub takes nothing');
  }

  /** The next packet. @throws Error when the stub hangs up */
  answer(): string {
    for (;;) {
      const payload = this.#next();
      if (payload !== undefined) return payload;
      if (this.#count === BUFFER_BYTES) throw new Error('an answer of a megabyte');
      const room = this.#buffer.subarray(this.#count);
      const count = this.sockets.recv(this.fd, room, room.length, 0);
      if (count <= 0) throw new Error('the stub closed the connection');
      this.#count += count;
    }
  }

  close(): void {
    this.sockets.close(this.fd);
  }

  #next(): string | undefined {
    for (;;) {
      const received = this.#buffer.subarray(0, this.#count);
      const start = received.indexOf(DOLLAR);
      const end = start < 0 ? -1 : received.indexOf(HASH, start);
      if (end < 0 || received.length < end + 3) return undefined;
      const payload = received.toString('latin1', start + 1, end);
      received.copyWithin(0, end + 3);
      this.#count -= end + 3;
      if (this.#acknowledge) this.bytes('+');
      if (!/^O[0-9a-f]{2}/.test(payload)) return payload;
    }
  }
}
