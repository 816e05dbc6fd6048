/**
 * A connection to libvirtd: calls with a deadline each over one byte stream. A call that gets no answer in time fails
 * alone; the answer, if it ever comes, is told by `ended`. A peer that breaks the protocol is left.
 */
import type { Duplex } from 'node:stream';
import { ByteStream } from './byte-stream.js';
import {
  AUTH,
  HEADER_BYTES,
  KEEPALIVE,
  KEEPALIVE_PROGRAM,
  MAX_PACKET_BYTES,
  MESSAGE_TYPE,
  PROCEDURE,
  PROTOCOL_VERSION,
  QEMU_PROGRAM,
  REMOTE_PROGRAM,
  readError,
  STATUS,
} from './protocol.js';
import { XdrError, XdrReader, XdrWriter } from './xdr.js';

/** The other side did not answer in time; it may still do so. */
export class DeadlineError extends Error {}

interface Pending {
  procedure: number;
  program: number;
  resolve(body: XdrReader): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout | undefined;
  /** The caller has gone; who waits for the end of the call is told. */
  settled: boolean;
  ended(late?: XdrReader): void;
}

/** A call under way: its answer within the deadline, and its end whenever that is. */
export interface Call {
  answer: Promise<XdrReader>;
  /** The daemon has answered, or the connection is over; with the result, if that came after the deadline. */
  ended: Promise<XdrReader | undefined>;
  serial: number;
}

export class LibvirtConnection {
  readonly closed: Promise<string>;
  readonly #pending = new Map<number, Pending>();
  readonly #streams = new Map<number, ByteStream>();
  #serial = 1;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #over: string | undefined;
  #close: (reason: string) => void = () => {};

  /** Told events, for which somebody has registered. */
  onMessage: (program: number, procedure: number, body: XdrReader) => void = () => {};

  constructor(private readonly stream: Duplex) {
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
    stream.on('data', (bytes: Buffer) => this.#feed(bytes));
    stream.on('error', (error: Error) => this.close(error.message));
    stream.on('end', () => this.close('the connection was closed by the other side'));
    stream.on('close', () => this.close('the connection was closed by the other side'));
  }

  /** Calls under way, those that are over their deadline among them. */
  get underWay(): number {
    return this.#pending.size;
  }

  /** Authenticates where nothing need be typed, and opens. @throws Error */
  async open(uri: string, readOnly: boolean, deadlineMs: number): Promise<void> {
    const types = (await this.call(PROCEDURE.authList, undefined, deadlineMs)).array(20, 4, (from) => from.int());
    if (!types.includes(AUTH.none) && types.length > 0) {
      if (!types.includes(AUTH.polkit))
        throw new Error('needs a SASL login, which vmscope does not have; use the -ro socket or ssh');
      await this.call(PROCEDURE.authPolkit, undefined, deadlineMs);
    }
    const body = new XdrWriter().optional(uri, (writer, text) => writer.string(text)).uint(readOnly ? 1 : 0);
    await this.call(PROCEDURE.open, body, deadlineMs);
  }

  call(
    procedure: number,
    body: XdrWriter | undefined,
    deadlineMs: number,
    program = REMOTE_PROGRAM,
  ): Promise<XdrReader> {
    return this.begin(procedure, body, deadlineMs, program).answer;
  }

  qemu(procedure: number, body: XdrWriter, deadlineMs: number): Promise<XdrReader> {
    return this.call(procedure, body, deadlineMs, QEMU_PROGRAM);
  }

  begin(procedure: number, body: XdrWriter | undefined, deadlineMs: number, program = REMOTE_PROGRAM): Call {
    let ended: (late?: XdrReader) => void = () => {};
    const end = new Promise<XdrReader | undefined>((resolve) => {
      ended = resolve;
    });
    const serial = this.#serial;
    const answer = new Promise<XdrReader>((resolve, reject) => {
      if (this.#over !== undefined) {
        ended();
        reject(new Error(this.#over));
        return;
      }
      this.#serial = (this.#serial + 1) >>> 0 || 1;
      const pending: Pending = { procedure, program, resolve, reject, timer: undefined, settled: false, ended };
      pending.timer = setTimeout(() => {
        pending.settled = true;
        reject(new DeadlineError(`no answer in ${deadlineMs} ms`));
      }, deadlineMs);
      this.#pending.set(serial, pending);
      this.#send(program, procedure, MESSAGE_TYPE.call, serial, body?.bytes());
    });
    return { answer, ended: end, serial };
  }

  /** A call that opens a stream of bytes, on this connection. */
  async openStream(procedure: number, body: XdrWriter, deadlineMs: number): Promise<ByteStream> {
    const { answer, serial } = this.begin(procedure, body, deadlineMs);
    const stream = new ByteStream((status, bytes) =>
      this.#send(REMOTE_PROGRAM, procedure, MESSAGE_TYPE.stream, serial, Buffer.from(bytes), status),
    );
    // Its first bytes may come with the answer.
    this.#streams.set(serial, stream);
    void stream.closed.then(() => this.#streams.delete(serial));
    try {
      await answer;
      return stream;
    } catch (error) {
      this.#streams.delete(serial);
      throw error;
    }
  }

  close(reason = 'closed'): void {
    if (this.#over !== undefined) return;
    this.#over = reason;
    this.stream.destroy();
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      if (!pending.settled) pending.reject(new Error(reason));
      pending.ended();
    }
    this.#pending.clear();
    for (const stream of this.#streams.values()) stream.end(reason);
    this.#held = [];
    this.#close(reason);
  }

  #send(
    program: number,
    procedure: number,
    type: number,
    serial: number,
    body: Buffer = Buffer.alloc(0),
    status: number = STATUS.ok,
  ): void {
    if (this.#over !== undefined) return;
    const header = new XdrWriter()
      .uint(HEADER_BYTES + body.length)
      .uint(program)
      .uint(PROTOCOL_VERSION)
      .int(procedure)
      .int(type)
      .uint(serial)
      .int(status);
    this.stream.write(Buffer.concat([header.bytes(), body]));
  }

  #feed(bytes: Buffer): void {
    if (this.#over !== undefined) return;
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    try {
      for (let packet = this.#packet(); packet; packet = this.#packet()) this.#take(packet);
    } catch (error) {
      this.close(`libvirtd sends what is not an answer: ${(error as Error).message}`);
    }
  }

  /** The next whole packet without its length. @throws XdrError on an absurd length */
  #packet(): Buffer | undefined {
    if (this.#over !== undefined || this.#heldBytes < 4) return undefined;
    if (this.#held[0]!.length < 4) this.#held = [Buffer.concat(this.#held)];
    const length = this.#held[0]!.readUInt32BE(0);
    if (length < HEADER_BYTES || length > MAX_PACKET_BYTES) throw new XdrError(`a packet of ${length} bytes`);
    if (this.#heldBytes < length) return undefined;
    const all = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held);
    const rest = all.subarray(length);
    this.#held = rest.length ? [rest] : [];
    this.#heldBytes = rest.length;
    return all.subarray(4, length);
  }

  #take(packet: Buffer): void {
    const reader = new XdrReader(packet);
    const program = reader.uint();
    const version = reader.uint();
    const procedure = reader.int();
    const type = reader.int();
    const serial = reader.uint();
    const status = reader.int();
    if (program === KEEPALIVE_PROGRAM) {
      if (procedure === KEEPALIVE.ping) this.#send(KEEPALIVE_PROGRAM, KEEPALIVE.pong, MESSAGE_TYPE.message, 0);
      return;
    }
    if (version !== PROTOCOL_VERSION) throw new XdrError(`version ${version} of program ${program.toString(16)}`);
    if (type === MESSAGE_TYPE.message) this.onMessage(program, procedure, reader);
    if (type === MESSAGE_TYPE.stream) {
      const bytes = packet.subarray(packet.length - reader.left);
      this.#streams.get(serial)?.take(status, bytes, () => readError(reader).message);
    }
    if (type !== MESSAGE_TYPE.reply) return;
    const pending = this.#pending.get(serial);
    if (!pending) throw new XdrError(`an answer to a question that was not asked (serial ${serial})`);
    if (pending.procedure !== procedure || pending.program !== program)
      throw new XdrError(`an answer of procedure ${procedure} to ${pending.procedure}`);
    // Read before the question is taken for answered: one that is damaged ends with the connection, as all others.
    const failure = status === STATUS.ok ? undefined : readError(reader);
    this.#pending.delete(serial);
    clearTimeout(pending.timer);
    pending.ended(pending.settled && status === STATUS.ok ? reader : undefined);
    if (pending.settled) return;
    if (failure) pending.reject(failure);
    else pending.resolve(reader);
  }
}
