import type { Socket } from 'node:net';
import { deserialize, serialize } from 'node:v8';
import type { Channel } from './rpc.js';

const HEAD_BYTES = 4;
/** A message or a backlog above this is no sane peer's. */
const MAX_BYTES = 64 * 2 ** 20;

/** Messages over a stream socket: a little-endian 32-bit length, then the value as the structured clone writes it. */
export class SocketChannel implements Channel {
  readonly #listeners = new Set<(message: unknown) => void>();
  #pending: Buffer[] = [];
  #bytes = 0;
  /** Bytes with which the next message may be whole. */
  #needed = HEAD_BYTES;
  #corked = false;

  constructor(readonly socket: Socket) {
    socket.on('data', (data) => this.#take(data));
    // What is wrong with the socket ends it; its 'close' tells.
    socket.on('error', () => undefined);
  }

  /** What is posted in one turn goes out together. */
  postMessage(message: unknown): void {
    const { socket } = this;
    if (socket.destroyed) return;
    const body = serialize(message);
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32LE(body.length);
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      queueMicrotask(() => {
        this.#corked = false;
        socket.uncork();
      });
    }
    socket.write(head);
    socket.write(body);
    // A peer that does not read must not fill the guest's process.
    if (socket.writableLength > MAX_BYTES) socket.destroy();
  }

  // biome-ignore lint/suspicious/noExplicitAny: as the ports of node:worker_threads type it
  on(_event: 'message', listener: (message: any) => void): this {
    this.#listeners.add(listener);
    return this;
  }

  #take(data: Buffer): void {
    this.#pending.push(data);
    this.#bytes += data.length;
    while (this.#bytes >= this.#needed && !this.socket.destroyed) {
      const all = this.#pending.length === 1 ? this.#pending[0] : Buffer.concat(this.#pending);
      const length = all.readUInt32LE(0);
      if (length > MAX_BYTES) {
        this.socket.destroy();
        return;
      }
      // joined once it is whole: a long message comes in a thousand pieces
      if (all.length < HEAD_BYTES + length) {
        this.#pending = [all];
        this.#needed = HEAD_BYTES + length;
        return;
      }
      const rest = all.subarray(HEAD_BYTES + length);
      this.#pending = rest.length ? [rest] : [];
      this.#bytes = rest.length;
      this.#needed = HEAD_BYTES;
      this.#deliver(all.subarray(HEAD_BYTES, HEAD_BYTES + length));
    }
  }

  #deliver(body: Buffer): void {
    let message: unknown;
    try {
      message = deserialize(body);
    } catch {
      this.socket.destroy();
      return;
    }
    for (const listener of [...this.#listeners]) listener(message);
  }
}
