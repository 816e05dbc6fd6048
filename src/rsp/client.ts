/**
 * The client's side of the remote protocol: one question at a time over a byte stream, acknowledged and sent again as
 * the protocol has it, each within its time. A stop of the target may come at any moment while it runs.
 * @gdb "Overview" of appendix "GDB Remote Serial Protocol"
 */
import { bytesToLatin1, decodeHex, encodeHexText } from './hex.js';
import { encodePacket, expandRuns, PacketParser, unescapePayload } from './packet.js';

/** Where the bytes go; `fed` takes what comes. */
export interface RspWire {
  write(bytes: Uint8Array): void;
  close(): void;
}

/** No stub's reply is longer: QEMU's packets hold 4 KiB. */
const MAX_PACKET = 1 << 20;
const MAX_RESENDS = 3;
const STOP = /^[TSWX][0-9a-fA-F]{2}/;

/** The stub said no: `E22`, `E.reason`, or an empty reply for what it does not know. */
export class RspError extends Error {
  constructor(
    readonly reply: string,
    question: string,
  ) {
    const what = question.length > 40 ? `${question.slice(0, 40)}...` : question;
    super(
      reply === ''
        ? `the stub does not know ${what}`
        : reply.startsWith('E.')
          ? reply.slice(2)
          : `the stub refuses ${what} (${reply.slice(0, 20)})`,
    );
  }
}

interface Question {
  payload: string;
  resolve(reply: string): void;
  reject(error: Error): void;
  timer: ReturnType<typeof setTimeout> | undefined;
  resends: number;
}

export class RspClient {
  readonly closed: Promise<string>;
  readonly #parser = new PacketParser(MAX_PACKET);
  #waiting: Question | undefined;
  readonly #queue: Question[] = [];
  #over: string | undefined;
  #end: (reason: string) => void = () => {};
  /** After `c`, `s` or `vCont`: nothing more is asked, and the next packet is a stop. */
  #running = false;
  /** The packet that lets the target run, until the questions before it are answered. */
  #toRun: string | undefined;
  #interruptAfter = false;
  /** Of the monitor command that is under way. */
  #output = '';
  /** Told each stop reply of a target that ran. */
  onStop: (reply: string) => void = () => {};

  constructor(
    private readonly wire: RspWire,
    private readonly deadlineMs: number,
  ) {
    this.closed = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get running(): boolean {
    return this.#running;
  }

  /** The reply to a packet. @throws Error when the target runs, since any packet would stop it, or nothing comes in time */
  ask(payload: string): Promise<string> {
    if (this.#running)
      return Promise.reject(new Error('the guest is running: its stub answers only while it is stopped'));
    return new Promise((resolve, reject) => {
      if (this.#over !== undefined) return reject(new Error(this.#over));
      this.#queue.push({ payload, resolve, reject, timer: undefined, resends: 0 });
      this.#next();
    });
  }

  /** As ask(). @throws RspError on E replies and empty ones */
  async must(payload: string): Promise<string> {
    const reply = await this.ask(payload);
    if (reply === '' || /^E([0-9a-fA-F]{2}|\.)/.test(reply)) throw new RspError(reply, payload);
    return reply;
  }

  /** A monitor command of the stub: its output. */
  async monitor(line: string): Promise<string> {
    const reply = await this.must(`qRcmd,${encodeHexText(line)}`);
    const output = this.#output;
    this.#output = '';
    return output + (reply === 'OK' ? '' : bytesToLatin1(decodeHex(reply) ?? new Uint8Array()));
  }

  /** An object of qXfer, whole. @param most bytes at most */
  async transfer(object: string, annex: string, most: number): Promise<string> {
    let all = '';
    for (;;) {
      const reply = await this.must(`qXfer:${object}:read:${annex}:${all.length.toString(16)},ffb`);
      all += unescapePayload(reply.slice(1));
      if (all.length > most) throw new Error(`the stub's ${annex} is longer than ${most} bytes`);
      if (reply[0] !== 'm' || reply.length === 1) return all;
    }
  }

  /** Lets the target run by `c`, `s` or a `vCont`; its stop comes by onStop. */
  run(payload: string): void {
    if (this.#over !== undefined || this.#running) return;
    this.#running = true;
    // A packet behind it would stop the target again, and the answer to one before it be taken for nothing.
    this.#toRun = payload;
    this.#next();
  }

  /** Stops a running target; the stop comes by onStop. */
  interrupt(): void {
    if (this.#over !== undefined || !this.#running) return;
    if (this.#toRun === undefined) this.wire.write(Uint8Array.of(3));
    else this.#interruptAfter = true;
  }

  /** Another client let it run or stopped it. */
  set running(running: boolean) {
    this.#running = running;
    this.#toRun = undefined;
    this.#interruptAfter = false;
  }

  feed(bytes: Uint8Array): void {
    for (const event of this.#parser.push(bytes)) {
      if (this.#over !== undefined) return;
      if (event.kind === 'packet') this.#packet(event.payload);
      else if (event.kind === 'nak') this.#resend();
      else if (event.kind === 'corrupt') this.wire.write(Uint8Array.of(0x2d));
      else if (event.kind === 'oversized') this.close('the stub sends a packet without an end');
    }
  }

  close(reason = 'closed'): void {
    if (this.#over !== undefined) return;
    this.#over = reason;
    this.#running = false;
    for (const question of [this.#waiting, ...this.#queue.splice(0)]) {
      clearTimeout(question?.timer);
      question?.reject(new Error(reason));
    }
    this.#waiting = undefined;
    this.wire.close();
    this.#end(reason);
  }

  #packet(raw: string): void {
    this.wire.write(Uint8Array.of(0x2b));
    // Console output of the target; that of a monitor command comes so too, before its OK.
    if (/^O[0-9a-fA-F]/.test(raw) && raw !== 'OK') {
      const text = expandRuns(raw.slice(1));
      if (this.#waiting?.payload.startsWith('qRcmd') && text !== undefined && this.#output.length < MAX_PACKET)
        this.#output += bytesToLatin1(decodeHex(text) ?? new Uint8Array());
      return;
    }
    if (this.#running && this.#toRun === undefined) {
      if (!/^[TSWXN]/.test(raw)) return;
      this.#running = false;
      this.onStop(expandRuns(raw) ?? raw);
      return;
    }
    const question = this.#waiting;
    if (question === undefined || (question.payload !== '?' && STOP.test(raw))) {
      // A stop that nobody waited for: the connection itself stopped the guest, or somebody else did. No answer but
      // that to `?` looks like one.
      if (STOP.test(raw)) this.onStop(expandRuns(raw) ?? raw);
      return;
    }
    this.#waiting = undefined;
    clearTimeout(question.timer);
    const binary = question.payload.startsWith('qXfer');
    const text = binary ? raw : expandRuns(raw);
    if (text === undefined) question.reject(new Error('the stub sends a run length with nothing before it'));
    else question.resolve(text);
    this.#next();
  }

  #next(): void {
    if (this.#waiting || this.#over !== undefined) return;
    const question = this.#queue.shift();
    if (!question) {
      this.#run();
      return;
    }
    this.#waiting = question;
    question.timer = setTimeout(() => {
      this.close(`the stub does not answer in ${this.deadlineMs} ms`);
    }, this.deadlineMs);
    this.wire.write(encodePacket(question.payload));
  }

  #run(): void {
    if (this.#toRun === undefined) return;
    this.wire.write(encodePacket(this.#toRun));
    this.#toRun = undefined;
    if (this.#interruptAfter) this.wire.write(Uint8Array.of(3));
    this.#interruptAfter = false;
  }

  #resend(): void {
    const question = this.#waiting;
    if (!question) return;
    if (++question.resends > MAX_RESENDS) this.close('the stub refuses every packet');
    else this.wire.write(encodePacket(question.payload));
  }
}
