import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { fileCause } from '../engine/host/file-cause.js';
import { F_GETFL, F_SETFL, libc, O_NONBLOCK } from '../engine/host/kvm/libc.js';

/** A full pipe is tried again after so long. */
const RETRY_MS = 5;
/** What waits for the reader: from so much on the writer is to hold back, and may go on below the other. */
export const HIGH_BYTES = 2 ** 20;
const LOW_BYTES = 2 ** 18;

/**
 * Bytes to a file descriptor, in order, without loss and without waiting for its reader: what that leaves stays here, and
 * `onHold` tells the writer to stop and go on. A failure is kept for the end of the run.
 */
export class Output {
  /** Why writing failed, once it did: a full disk, a closed pipe. */
  failure: NodeJS.ErrnoException | undefined;
  readonly #fd: number;
  readonly #waiting: Uint8Array[] = [];
  #bytes = 0;
  #held = false;
  #timer: NodeJS.Timeout | undefined;
  #drained: (() => void)[] = [];

  constructor(
    fd: number,
    readonly name: string,
    readonly onFailure: () => void,
    readonly onHold: (held: boolean) => void,
  ) {
    this.#fd = withoutWaiting(fd);
  }

  /** Bytes that the reader has not taken. */
  get unread(): number {
    return this.failure ? 0 : this.#bytes;
  }

  write(bytes: Uint8Array): void {
    if (this.failure) return;
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    if (this.#timer === undefined) this.#flush();
  }

  /** Resolves when all is written, or nothing more can be. */
  drained(): Promise<void> {
    if (this.unread === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /** Gives up what is left. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #flush(): void {
    this.#timer = undefined;
    try {
      while (this.#waiting.length > 0) this.#writeFirst();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') this.#timer = setTimeout(() => this.#flush(), RETRY_MS);
      else {
        this.failure = error as NodeJS.ErrnoException;
        this.#waiting.length = 0;
        this.onFailure();
      }
    }
    const held = this.#held ? this.unread > LOW_BYTES : this.unread > HIGH_BYTES;
    if (held !== this.#held) this.onHold(held);
    this.#held = held;
    if (this.unread > 0) return;
    const told = this.#drained;
    this.#drained = [];
    for (const resolve of told) resolve();
  }

  /** @throws the host's error, EAGAIN for a full pipe */
  #writeFirst(): void {
    const [first] = this.#waiting;
    const written = writeSync(this.#fd, first);
    this.#bytes -= written;
    if (written === first.length) this.#waiting.shift();
    else this.#waiting[0] = first.subarray(written);
  }

  /** One line about the failure. */
  message(): string | undefined {
    if (!this.failure) return undefined;
    return `${this.name}: ${fileCause(this.failure)}`;
  }
}

/**
 * A descriptor whose writes do not wait. A pipe or terminal is opened anew, since the others who have it open would find
 * it changed; a socket cannot be, and is changed until this process ends.
 */
function withoutWaiting(fd: number): number {
  let opened: number | undefined;
  try {
    const stat = fstatSync(fd);
    if (stat.isSocket()) setNonBlocking(fd);
    if (!stat.isFIFO() && !stat.isCharacterDevice()) return fd;
    opened = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    writeSync(opened, '');
    return opened;
  } catch {
    // another user's terminal, or no /proc: such a reader is waited for
    if (opened !== undefined) closeSync(opened);
    return fd;
  }
}

/** @throws KvmError where the C library cannot be called */
function setNonBlocking(fd: number): void {
  const { fcntl } = libc();
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL, 0) | O_NONBLOCK);
}
