/**
 * What two processes say to each other while a guest moves from one to the other.
 *
 *   | "VMSCOPE MIGRATION\n" 18 | version u16 | record ...           big-endian
 *   record: | kind u8 | bytes u32 | check u32 | body |
 *
 * From the source: HELLO, then PAGES and ZEROS while the guest runs there; it stops, the last PAGES, TREE, END with the
 * digest of all before it. The receiver answers each of HELLO and END by YES or by NO and a cause. The source gives its
 * disks up and says GO; from then on the guest is the receiver's, which says STARTED once it runs.
 */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';

export const MAGIC = Buffer.from('VMSCOPE MIGRATION\n', 'latin1');
export const VERSION = 3;
export const HEAD_BYTES = MAGIC.length + 2;
const RECORD_HEAD_BYTES = 9;

export const KIND = {
  /** JSON: see `Hello`. */
  hello: 0x48,
  /** | count u16 | hpa u64 ... | 4096 bytes ... | */
  pages: 0x50,
  /** | count u16 | hpa u64 ... |: they hold zeros only. */
  zeros: 0x5a,
  tree: 0x54,
  end: 0x45,
  go: 0x47,
  yes: 0x59,
  /** A cause, as text. */
  no: 0x4e,
  started: 0x53,
} as const;

/** More than any record has. */
const MAX_BODY_BYTES = 1 << 26;
const MAX_CAUSE_BYTES = 2000;
const MAX_HELD_BYTES = 1 << 22;

/** The source says what it is; the receiver compares. */
export interface Hello {
  readonly name: string;
  readonly identity: unknown;
  readonly formats: unknown;
  readonly drives: unknown;
}

export interface Message {
  readonly kind: number;
  readonly body: Buffer;
}

/** The other end has closed or broken the connection, or says nothing any more. */
export class PeerGone extends Error {
  constructor(
    message: string,
    /** It is known to be gone; otherwise it may only be out of reach. */
    readonly closed: boolean,
  ) {
    super(message);
  }
}

/** A wrong length would be waited for. */
const checkOf = (kind: number, length: number): number => ~(length ^ Math.imul(kind, 0x01010101)) >>> 0;

/** One end of the connection. */
export class MigrationStream {
  readonly #sent = createHash('sha256');
  readonly #received = createHash('sha256');
  #failure: PeerGone | undefined;
  /** Bytes sent so far. */
  sentBytes = 0;
  #pieces: Buffer[] = [];
  #held = 0;
  /** Called when something came, there is room, or the connection is no more. */
  #changed: () => void = () => {};

  constructor(
    private readonly socket: Socket,
    /** The other end, for messages: `the receiver`. */
    private readonly peer: string,
  ) {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 10_000);
    socket.on('error', () => {});
    const gone = (): void => {
      this.#failure ??= new PeerGone(`${peer} has gone`, true);
      this.#changed();
    };
    socket.on('close', gone);
    socket.on('end', gone);
    socket.on('drain', () => this.#changed());
    socket.on('data', (bytes: Buffer) => {
      this.#pieces.push(bytes);
      this.#held += bytes.length;
      // what nobody has asked for yet stays with the sender
      if (this.#held > MAX_HELD_BYTES) socket.pause();
      this.#changed();
    });
  }

  async sendHead(version = VERSION): Promise<void> {
    const head = Buffer.alloc(HEAD_BYTES);
    MAGIC.copy(head);
    head.writeUInt16BE(version, MAGIC.length);
    await this.#write(head);
  }

  /** Resolves when there is room for more. @throws PeerGone */
  async send(kind: number, body: Uint8Array = Buffer.alloc(0)): Promise<void> {
    const head = Buffer.alloc(RECORD_HEAD_BYTES);
    head[0] = kind;
    head.writeUInt32BE(body.length, 1);
    head.writeUInt32BE(checkOf(kind, body.length), 5);
    await this.#write(head);
    if (body.length > 0) await this.#write(body);
  }

  async sendNo(cause: string): Promise<void> {
    await this.send(KIND.no, Buffer.from(cause).subarray(0, MAX_CAUSE_BYTES)).catch(() => {});
  }

  /** Digest of all that was sent. */
  sentDigest(): Buffer {
    return this.#sent.copy().digest();
  }

  /** Digest of all that was received. */
  receivedDigest(): Buffer {
    return this.#received.copy().digest();
  }

  /** @throws PeerGone; Error when it is no such stream at all */
  async receiveHead(timeoutMs: number): Promise<number> {
    const head = await this.#read(HEAD_BYTES, timeoutMs);
    if (!head.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('what came is not a guest of vmscope');
    this.#received.update(head);
    return head.readUInt16BE(MAGIC.length);
  }

  /** The next record. END is not part of the digest that it brings. @throws PeerGone; Error when it is none */
  async receive(timeoutMs: number): Promise<Message> {
    const head = await this.#read(RECORD_HEAD_BYTES, timeoutMs);
    const [kind] = head;
    const length = head.readUInt32BE(1);
    if (length > MAX_BODY_BYTES || head.readUInt32BE(5) !== checkOf(kind, length))
      throw new Error(`the stream is damaged: a record of ${length} bytes`);
    const body = length === 0 ? Buffer.alloc(0) : await this.#read(length, timeoutMs);
    if (kind !== KIND.end) this.#received.update(head).update(body);
    return { kind, body };
  }

  /** Waits for YES or STARTED. @throws Error with the cause that came with NO; PeerGone */
  async expect(kind: number, timeoutMs: number): Promise<void> {
    const answer = await this.receive(timeoutMs);
    if (answer.kind === KIND.no) throw this.#refusal(answer.body);
    if (answer.kind !== kind) throw new Error(`${this.peer} answers something else`);
  }

  close(): void {
    this.#failure ??= new PeerGone('the connection is closed', true);
    this.socket.destroy();
  }

  /** Closes once what was written has left. */
  finish(): void {
    this.socket.end();
  }

  /** Why the other end has gone: it may have said so before. */
  #lost(): Error {
    const all = Buffer.concat(this.#pieces);
    const refusal = all.length >= RECORD_HEAD_BYTES && all[0] === KIND.no;
    return refusal ? this.#refusal(all.subarray(RECORD_HEAD_BYTES)) : this.#failure!;
  }

  #refusal(cause: Buffer): Error {
    return new Error(`${this.peer} refuses: ${oneLine(cause.toString())}`);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#failure) throw this.#lost();
    this.#sent.update(bytes);
    this.sentBytes += bytes.length;
    if (this.socket.write(bytes)) return;
    while (this.socket.writableNeedDrain) {
      await this.#change(STALL_MS, 'takes nothing more');
      if (this.#failure) throw this.#lost();
    }
  }

  async #read(bytes: number, timeoutMs: number): Promise<Buffer> {
    while (this.#held < bytes) {
      if (this.#failure) throw this.#failure;
      this.socket.resume();
      await this.#change(timeoutMs, 'says nothing');
    }
    const all = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces);
    this.#held = all.length - bytes;
    this.#pieces = this.#held > 0 ? [all.subarray(bytes)] : [];
    return all.subarray(0, bytes);
  }

  /** @throws PeerGone when nothing happens in time */
  #change(timeoutMs: number, otherwise: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#changed = () => {};
        reject(new PeerGone(`${this.peer} ${otherwise} for ${timeoutMs / 1000} s`, false));
      }, timeoutMs);
      this.#changed = () => {
        clearTimeout(timer);
        this.#changed = () => {};
        resolve();
      };
    });
  }
}

/** A peer that takes no bytes for so long counts as lost. */
const STALL_MS = 30_000;

/** What a peer says, fit for a terminal. */
export function oneLine(text: string): string {
  return text.slice(0, MAX_CAUSE_BYTES).replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}
