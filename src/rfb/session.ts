/** One client of the RFB server, from its first byte on. @rfb 7.1 "Handshaking Messages" */
import { CHALLENGE_BYTES, isRight, newChallenge } from './authentication.js';
import { type ClientMessage, clientMessage } from './client-messages.js';
import { Damage } from './damage.js';
import { ENCODING, header, PIXEL_ENCODINGS, pixelsOf, withLength, ZlibStream } from './encodings.js';
import { colourTable, encodePixelFormat, PixelWriter, SERVER_FORMAT } from './pixel-format.js';
import type { Area, Look, Seat } from './screen.js';
import { Typist } from './typist.js';

const VERSION = 'RFB 003.008\n';
const VERSION_BYTES = 12;
const SECURITY = { none: 1, password: 2 } as const;
const WHEEL_UP = 0x08;
const WHEEL_DOWN = 0x10;
/** Where a pointer that moves by distances stands still. */
const MIDDLE = 0x7fff;

/** Undefined: anybody may. `word` undefined: nobody may until one is set. */
export interface Password {
  word: string | undefined;
}

export interface Wire {
  /** `sent` is called once the bytes have left for the client. */
  write(bytes: Buffer, sent?: () => void): void;
  /** After the bytes that were written. */
  end(): void;
}

type State = 'version' | 'security' | 'response' | 'share' | 'open' | 'over';

export class Session {
  #state: State = 'version';
  #input: Buffer = Buffer.alloc(0);
  /** Bytes that are to come and are nobody's. */
  #skip = 0;
  #minor = 8;
  #challenge: Buffer = Buffer.alloc(0);
  #writer = new PixelWriter(SERVER_FORMAT);
  #encoding: number = ENCODING.raw;
  readonly #streams = new Map<number, ZlibStream>();
  #takesSizes = false;
  #takesDistances = false;
  #saysDistances = false;
  #news: Buffer[] = [];
  #wants: 'nothing' | 'changes' | 'all' = 'nothing';
  #sending = false;
  #damage: Damage;
  readonly #typist: Typist;
  #pointer: { x: number; y: number } | undefined;
  #buttons = 0;

  constructor(
    private readonly seat: Seat,
    private readonly password: Password | undefined,
    private readonly wire: Wire,
    /** It wants to see the screen. */
    private readonly wants: () => void,
  ) {
    this.#typist = new Typist(seat.keyboard);
    this.#damage = new Damage(0, 0);
    wire.write(Buffer.from(VERSION));
  }

  /** It has passed the door. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** It waits for a picture, and has taken all that was sent before. */
  get waits(): boolean {
    return this.isOpen && this.#wants !== 'nothing' && !this.#sending;
  }

  /** @throws Error that says what was wrong with it; the client is to be dropped */
  feed(bytes: Buffer): void {
    let rest = this.#input.length === 0 ? bytes : Buffer.concat([this.#input, bytes]);
    this.#motion = undefined;
    while (this.#state !== 'over') {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, rest.length);
        this.#skip -= skipped;
        rest = rest.subarray(skipped);
        if (this.#skip > 0) break;
      }
      const taken = this.#state === 'open' ? this.#message(rest) : this.#greet(rest);
      if (taken === 0) break;
      rest = rest.subarray(taken);
    }
    this.#flushMotion();
    this.#input = this.#state === 'over' ? Buffer.alloc(0) : Buffer.from(rest);
  }

  close(): void {
    this.#state = 'over';
    this.#typist.releaseAll();
    if (this.#buttons !== 0) this.seat.pointer.move(0, 0, 0, 0);
    this.#buttons = 0;
    for (const stream of this.#streams.values()) stream.close();
  }

  // --- the door ----------------------------------------------------------------------------------------------

  /** @returns how many bytes it took */
  #greet(bytes: Buffer): number {
    const length = this.#state === 'version' ? VERSION_BYTES : this.#state === 'response' ? CHALLENGE_BYTES : 1;
    if (bytes.length < length) {
      if (this.#state === 'version' && !VERSION.startsWith(bytes.toString('latin1', 0, Math.min(4, bytes.length))))
        throw new Error('it does not speak RFB');
      return 0;
    }
    if (this.#state === 'version') this.#versionIs(bytes.toString('latin1', 0, length));
    else if (this.#state === 'security') this.#securityIs(bytes[0]);
    else if (this.#state === 'response') this.#answerIs(bytes.subarray(0, length));
    else this.#begin();
    return length;
  }

  #versionIs(text: string): void {
    const match = /^RFB (\d{3})\.(\d{3})\n$/.exec(text);
    if (!match) throw new Error('it does not speak RFB');
    const [major, minor] = [Number(match[1]), Number(match[2])];
    if (major < 3) throw new Error(`it speaks RFB ${major}.${minor}`);
    // what is not 3.7 or 3.8 counts as 3.3
    this.#minor = major > 3 || minor >= 8 ? 8 : minor === 7 ? 7 : 3;
    const type = this.password ? SECURITY.password : SECURITY.none;
    if (this.#minor === 3) {
      this.wire.write(Buffer.from([0, 0, 0, type]));
      this.#securityIs(type);
    } else {
      this.wire.write(Buffer.from([1, type]));
      this.#state = 'security';
    }
  }

  #securityIs(type: number): void {
    if (type !== (this.password ? SECURITY.password : SECURITY.none)) {
      this.#refuse('that kind of security is not offered');
      return;
    }
    if (this.password) {
      this.#challenge = newChallenge();
      this.wire.write(this.#challenge);
      this.#state = 'response';
    } else {
      if (this.#minor === 8) this.wire.write(Buffer.alloc(4));
      this.#state = 'share';
    }
  }

  #answerIs(response: Buffer): void {
    const { word } = this.password ?? { word: undefined };
    if (word === undefined) this.#refuse('no password is set: set_password vnc WORD in the monitor sets one');
    else if (!isRight(response, this.#challenge, word)) this.#refuse('wrong password');
    else {
      this.wire.write(Buffer.alloc(4));
      this.#state = 'share';
    }
  }

  #refuse(reason: string): void {
    const why = this.#minor === 8 ? withLength(Buffer.from(reason)) : [];
    this.wire.write(Buffer.concat([Buffer.from([0, 0, 0, 1]), ...why]));
    this.wire.end();
    this.#state = 'over';
  }

  /** All clients share the screen, whatever they ask for. @rfb 7.3.2 "ServerInit" */
  #begin(): void {
    const { screen } = this.seat;
    const { width, height } = screen.look();
    this.#resize(width, height);
    const size = Buffer.alloc(4);
    size.writeUInt16BE(width, 0);
    size.writeUInt16BE(height, 2);
    this.wire.write(Buffer.concat([size, encodePixelFormat(SERVER_FORMAT), ...withLength(Buffer.from(screen.name))]));
    this.#state = 'open';
  }

  // --- what it says ------------------------------------------------------------------------------------------

  #message(bytes: Buffer): number {
    const found = clientMessage(bytes);
    if (found === undefined) return 0;
    const { message, length } = found;
    if (message.kind !== 'pointer') this.#flushMotion();
    this.#obey(message);
    return length;
  }

  #obey(message: ClientMessage): void {
    switch (message.kind) {
      case 'pixel-format':
        this.#writer = new PixelWriter(message.format);
        if (!message.format.trueColour) this.#news = [colourTable()];
        break;
      case 'encodings':
        this.#encodingsAre(message.encodings);
        break;
      case 'request':
        if (!message.incremental) {
          this.#damage.add(message.area);
          this.#wants = 'all';
        } else if (this.#wants === 'nothing') this.#wants = 'changes';
        this.wants();
        break;
      case 'key':
        this.#typist.key(message.keysym, message.place, message.down);
        break;
      case 'pointer':
        this.#point(message);
        break;
      case 'text':
        this.#skip = message.bytes;
        break;
    }
  }

  #encodingsAre(encodings: readonly number[]): void {
    const has = (encoding: number): boolean => encodings.includes(encoding);
    this.#encoding = encodings.find((encoding) => PIXEL_ENCODINGS.includes(encoding)) ?? ENCODING.raw;
    this.#takesSizes = has(ENCODING.desktopSize);
    this.#takesDistances = has(ENCODING.pointerType);
    this.#saysDistances = false;
    this.#announced = has(ENCODING.extendedKeys) ? [ENCODING.extendedKeys] : [];
  }

  /** Abilities that its next picture tells it of. */
  #announced: number[] = [];

  // --- the pointer -------------------------------------------------------------------------------------------

  /** Where the pointer has come since the last message of another kind: a machine sees the sum. */
  #motion: { dx: number; dy: number } | undefined;

  #point({ x, y, buttons }: { x: number; y: number; buttons: number }): void {
    const from = this.#saysDistances ? { x: MIDDLE, y: MIDDLE } : (this.#pointer ?? { x, y });
    this.#pointer = { x, y };
    // the protocol's second button is the middle one
    const held = (buttons & 1) | ((buttons & 4) >> 1) | ((buttons & 2) << 1);
    const wheel = (buttons & WHEEL_DOWN ? 1 : 0) - (buttons & WHEEL_UP ? 1 : 0);
    const { dx, dy } = this.#motion ?? { dx: 0, dy: 0 };
    this.#motion = { dx: dx + x - from.x, dy: dy + y - from.y };
    if (held === this.#buttons && wheel === 0) return;
    const motion = this.#motion;
    this.#motion = undefined;
    this.#buttons = held;
    this.seat.pointer.move(motion.dx, motion.dy, wheel, held);
  }

  #flushMotion(): void {
    const motion = this.#motion;
    this.#motion = undefined;
    if (motion && (motion.dx !== 0 || motion.dy !== 0)) this.seat.pointer.move(motion.dx, motion.dy, 0, this.#buttons);
  }

  // --- pictures ----------------------------------------------------------------------------------------------

  /** What has changed on the screen, for the next picture. */
  saw({ resized, width, height, changed }: Look): void {
    if (!this.isOpen) return;
    if (resized) {
      if (this.#takesSizes) this.#resize(width, height);
      else this.#damage.add({ x: 0, y: 0, width: this.#damage.width, height: this.#damage.height });
    } else for (const area of changed) this.#damage.add(area);
  }

  #sizeIsNews = false;

  #resize(width: number, height: number): void {
    this.#sizeIsNews = this.isOpen;
    this.#damage = new Damage(width, height);
    this.#damage.add({ x: 0, y: 0, width, height });
  }

  /** Sends what it waits for, where there is something. @returns when that has left, or at once */
  async send(look: Look): Promise<void> {
    if (!this.waits || (this.#wants === 'changes' && this.#damage.none && !this.#sizeIsNews)) return;
    this.#wants = 'nothing';
    this.#sending = true;
    try {
      const rectangles = this.#sizeIsNews ? this.#sizes() : await this.#pixels(look);
      if (this.#state !== 'open') return;
      await this.#sent(Buffer.concat([...this.#news.splice(0), ...rectangles]));
    } finally {
      this.#sending = false;
    }
    if (this.waits) this.wants();
  }

  #sizes(): Buffer[] {
    this.#sizeIsNews = false;
    const { width, height } = this.#damage;
    return update([[header({ x: 0, y: 0, width, height }, ENCODING.desktopSize)]]);
  }

  async #pixels(look: Look): Promise<Buffer[]> {
    const { width, height } = this.#damage;
    const told = this.#announced.splice(0).map((encoding) => [header({ x: 0, y: 0, width, height }, encoding)]);
    if (this.#takesDistances && !this.#saysDistances) {
      this.#saysDistances = true;
      told.push([header({ x: 0, y: 0, width, height }, ENCODING.pointerType)]);
    }
    const [encoding, writer] = [this.#encoding, this.#writer];
    const areas = this.#damage.take();
    // all pixels are taken before anything waits: they change with the next look
    const pixels = areas.map((area) => pixelsOf(look, area, writer, encoding));
    for (const [i, area] of areas.entries()) told.push(await this.#rectangle(area, encoding, pixels[i]));
    return update(told);
  }

  async #rectangle(area: Area, encoding: number, pixels: Buffer): Promise<Buffer[]> {
    const head = header(area, encoding);
    if (encoding === ENCODING.raw) return [head, pixels];
    let stream = this.#streams.get(encoding);
    if (stream === undefined) this.#streams.set(encoding, (stream = new ZlibStream()));
    return [head, ...withLength(await stream.compress(pixels))];
  }

  #sent(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => this.wire.write(bytes, resolve));
  }
}

/** @rfb 7.6.1 "FramebufferUpdate" */
function update(rectangles: Buffer[][]): Buffer[] {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(rectangles.length, 2);
  return [head, ...rectangles.flat()];
}
