/**
 * The socket of a client that asks again as soon as it has its answer, as debuggers do while they step. Turns of the
 * event loop are most of what that costs it, so its bytes are taken and given by calls of the socket itself for as long as
 * they come at once. Needs Linux and koffi; elsewhere, and for clients that take their time, bytes come by the event loop.
 */
import type { Socket } from 'node:net';
import { cLibrary } from '../native/c-library.js';

/** How long a client's next bytes are waited for: less than turns of the event loop cost. */
const PROMPT_MS = 0.1;
/** A client whose bytes have come by the event loop was as quick if they came within this. */
const PROMPT_TURN_MS = 0.25;
const PIECE = 0x10000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** recv(2) and send(2), which answer -1 where nothing can be had or given now. */
interface SocketCalls {
  recv(fd: number, into: Uint8Array, bytes: number, flags: number): number;
  send(fd: number, from: Uint8Array, bytes: number, flags: number): number;
}

let loaded: SocketCalls | 'none' | undefined;

function load(): SocketCalls | 'none' {
  if (process.platform !== 'linux') return 'none';
  try {
    const { func } = cLibrary();
    const parameters = ['int', 'void *', 'size_t', 'int'];
    return { recv: func('recv', 'long', ...parameters), send: func('send', 'long', ...parameters) };
  } catch {
    return 'none';
  }
}

export class PromptSocket {
  private readonly piece = Buffer.alloc(PIECE);
  /** The client has answered at once what it was given last. */
  private prompt = false;
  private lastGiven = Number.NEGATIVE_INFINITY;
  private ended = false;

  private constructor(
    private readonly socket: Socket,
    private readonly calls: SocketCalls,
    private readonly now: () => number,
  ) {
    socket.on('data', () => {
      this.prompt = this.now() - this.lastGiven < PROMPT_TURN_MS;
    });
  }

  /** Undefined where the host has no such calls. @param now the host's clock in ms */
  static of(socket: Socket, now = () => performance.now()): PromptSocket | undefined {
    loaded ??= load();
    return loaded === 'none' ? undefined : new PromptSocket(socket, loaded, now);
  }

  /** Node tells it of its handle, and of none once the socket is closed. */
  private get fd(): number | undefined {
    const { _handle } = this.socket as unknown as { _handle?: { fd?: unknown } | null };
    const fd = _handle?.fd;
    return typeof fd === 'number' && fd >= 0 ? fd : undefined;
  }

  /** What a prompt client sends now, waiting for it up to PROMPT_MS. Valid until the next call. */
  take(): Uint8Array | undefined {
    const { fd, socket } = this;
    // what the event loop has read already comes first
    if (!this.prompt || this.ended || fd === undefined || socket.isPaused() || socket.readableLength > 0)
      return undefined;
    const until = this.now() + PROMPT_MS;
    do {
      const count = this.calls.recv(fd, this.piece, PIECE, MSG_DONTWAIT);
      if (count > 0) return this.piece.subarray(0, count);
      // the event loop finds the end too
      this.ended = count === 0;
    } while (!this.ended && this.now() < until);
    this.prompt = false;
    return undefined;
  }

  /** Gives a client bytes, as many as it takes now behind what waits for it. @returns how many */
  give(bytes: Uint8Array): number {
    const { fd, socket } = this;
    if (fd === undefined || !socket.writable || socket.writableLength > 0) return 0;
    this.lastGiven = this.now();
    return Math.max(0, this.calls.send(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL));
  }
}
