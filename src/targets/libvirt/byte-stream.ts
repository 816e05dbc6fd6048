/** A stream of bytes beside the calls of a connection, such as a guest's console. @see libvirt, docs/kbase/internals/rpc.rst */
import type { SerialLine } from '../serial-line.js';
import { STATUS } from './protocol.js';

/** Bytes of one packet: libvirt's own limit is four times that. */
const PIECE = 65_536;

export class ByteStream implements SerialLine {
  onData: (bytes: Uint8Array) => void = () => {};
  readonly closed: Promise<string>;
  #over = false;
  #end: (reason: string) => void = () => {};

  /** @param send a packet of this stream with a status */
  constructor(private readonly send: (status: number, bytes: Uint8Array) => void) {
    this.closed = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** A packet of the other side. @param reason of an error */
  take(status: number, bytes: Uint8Array, reason: () => string): void {
    if (this.#over) return;
    if (status === STATUS.continue && bytes.length > 0) this.onData(bytes);
    // An empty piece, or the end that the protocol has for it.
    else this.end(status === STATUS.error ? reason() : 'the console was closed by the other side');
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += PIECE) {
      if (this.#over) throw new Error('the console is closed');
      this.send(STATUS.continue, bytes.subarray(at, at + PIECE));
    }
  }

  close(): void {
    if (this.#over) return;
    this.send(STATUS.ok, new Uint8Array(0));
    this.end('closed');
  }

  end(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#end(reason);
  }
}
