/** An RFB client for tests: raw, zlib and ZRLE, written from the protocol's text alone. */
import { connect, type Socket } from 'node:net';
import { createInflate, type Inflate, constants as zlib } from 'node:zlib';

export interface Format {
  bits: 8 | 16 | 32;
  bigEndian?: boolean;
  max: [number, number, number];
  shift: [number, number, number];
}
export const RGB888: Format = { bits: 32, max: [255, 255, 255], shift: [16, 8, 0] };

class Inflater {
  readonly #inflate: Inflate = createInflate();
  #out: Buffer[] = [];

  constructor() {
    this.#inflate.on('data', (bytes: Buffer) => this.#out.push(bytes));
  }

  take(bytes: Buffer): Promise<Buffer> {
    return new Promise((resolve) => {
      this.#inflate.write(bytes);
      this.#inflate.flush(zlib.Z_SYNC_FLUSH, () => {
        const all = Buffer.concat(this.#out);
        this.#out = [];
        resolve(all);
      });
    });
  }
}

export class RfbClient {
  readonly socket: Socket;
  width = 0;
  height = 0;
  name = '';
  format = RGB888;
  /** As 0xRRGGBB, scaled to eight bits. */
  pixels = new Uint32Array(0);
  /** Encodings of the rectangles so far. */
  readonly seen: number[] = [];
  readonly closed: Promise<void>;
  #waiting: (() => void) | undefined;
  #bytes = Buffer.alloc(0);
  #ended = false;
  readonly #streams = new Map<number, Inflater>();

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (bytes) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.#waiting?.();
    });
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) =>
      this.socket.once('close', () => {
        this.#ended = true;
        this.#waiting?.();
        resolve();
      }),
    );
  }

  async read(count: number): Promise<Buffer> {
    while (this.#bytes.length < count) {
      if (this.#ended) throw new Error(`hung up after ${this.#bytes.length} of ${count} bytes`);
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }

  send(...bytes: number[]): void {
    this.socket.write(Buffer.from(bytes));
  }

  /** Answers the version and the kinds of security on offer. */
  async greet(version = 'RFB 003.008\n'): Promise<number[]> {
    await this.read(12);
    this.socket.write(version);
    if (/00[0-6]\n$/.test(version)) return [(await this.read(4)).readUInt32BE()];
    const [count] = await this.read(1);
    return [...(await this.read(count))];
  }

  async begin(): Promise<void> {
    this.send(1);
    const head = await this.read(24);
    this.width = head.readUInt16BE(0);
    this.height = head.readUInt16BE(2);
    this.name = (await this.read(head.readUInt32BE(20))).toString();
    this.pixels = new Uint32Array(this.width * this.height);
  }

  /** Comes in where no password is asked for. */
  static async open(port: number): Promise<RfbClient> {
    const client = new RfbClient(port);
    await client.greet();
    client.send(1);
    await client.read(4);
    await client.begin();
    return client;
  }

  setFormat(format: Format): void {
    const { bits, bigEndian, max, shift } = format;
    this.format = format;
    const message = Buffer.alloc(20);
    message.set([0, 0, 0, 0, bits, bits === 32 ? 24 : bits, bigEndian ? 1 : 0, 1]);
    for (const [i, value] of max.entries()) message.writeUInt16BE(value, 8 + 2 * i);
    message.set(shift, 14);
    this.socket.write(message);
  }

  setEncodings(...encodings: number[]): void {
    const message = Buffer.alloc(4 + 4 * encodings.length);
    message[0] = 2;
    message.writeUInt16BE(encodings.length, 2);
    for (const [i, encoding] of encodings.entries()) message.writeInt32BE(encoding, 4 + 4 * i);
    this.socket.write(message);
  }

  request(incremental = false): void {
    const message = Buffer.alloc(10);
    message.set([3, incremental ? 1 : 0]);
    message.writeUInt16BE(this.width, 6);
    message.writeUInt16BE(this.height, 8);
    this.socket.write(message);
  }

  key(keysym: number, down: boolean): void {
    const message = Buffer.from([4, down ? 1 : 0, 0, 0, 0, 0, 0, 0]);
    message.writeUInt32BE(keysym, 4);
    this.socket.write(message);
  }

  pointer(x: number, y: number, buttons: number): void {
    this.send(5, buttons, x >> 8, x & 255, y >> 8, y & 255);
  }

  /** The next picture, whose rectangles are drawn. */
  async update(): Promise<void> {
    const [type, , high, low] = await this.read(4);
    if (type !== 0) throw new Error(`a message of type ${type}`);
    for (let i = (high << 8) | low; i > 0; i--) await this.#rectangle();
  }

  async #rectangle(): Promise<void> {
    const head = await this.read(12);
    const [x, y, width, height] = [0, 2, 4, 6].map((at) => head.readUInt16BE(at));
    const encoding = head.readInt32BE(8);
    this.seen.push(encoding);
    if (encoding === -223) {
      this.width = width;
      this.height = height;
      this.pixels = new Uint32Array(width * height);
    }
    if (encoding < 0) return;
    const bytes = this.format.bits / 8;
    const put = (column: number, row: number, value: number): void => {
      this.pixels[(y + row) * this.width + x + column] = value;
    };
    if (encoding === 0 || encoding === 6) {
      const data = encoding === 0 ? await this.read(width * height * bytes) : await this.#inflated(6);
      for (let i = 0; i < width * height; i++)
        put(i % width, Math.floor(i / width), this.#pixel(data, i * bytes, bytes));
      return;
    }
    if (encoding !== 16) throw new Error(`encoding ${encoding}`);
    const data = await this.#inflated(16);
    const short = this.format.bits === 32 ? 3 : bytes;
    let at = 0;
    const next = (): number => {
      at += short;
      return this.#pixel(data, at - short, short);
    };
    for (let top = 0; top < height; top += 64) {
      for (let left = 0; left < width; left += 64) {
        const [rows, columns] = [Math.min(64, height - top), Math.min(64, width - left)];
        const kind = data[at++];
        const colours = Array.from({ length: kind }, next);
        const bits = kind <= 2 ? 1 : kind <= 4 ? 2 : 4;
        for (let row = 0; row < rows; row++) {
          for (let column = 0; column < columns; column++) {
            const colour = (): number => {
              const bit = column * bits;
              return colours[(data[at + (bit >> 3)] >> (8 - bits - (bit & 7))) & ((1 << bits) - 1)];
            };
            put(left + column, top + row, kind === 0 ? next() : kind === 1 ? colours[0] : colour());
          }
          if (kind > 1) at += Math.ceil((columns * bits) / 8);
        }
      }
    }
    if (at !== data.length) throw new Error(`${data.length - at} bytes too many`);
  }

  async #inflated(encoding: number): Promise<Buffer> {
    const length = (await this.read(4)).readUInt32BE();
    let stream = this.#streams.get(encoding);
    if (!stream) this.#streams.set(encoding, (stream = new Inflater()));
    return stream.take(await this.read(length));
  }

  #pixel(data: Buffer, at: number, bytes: number): number {
    const { bits, bigEndian, max, shift } = this.format;
    let value = 0;
    for (let i = 0; i < bytes; i++) value += data[at + i] * 2 ** (8 * (bigEndian ? bytes - 1 - i : i));
    // three bytes of a pixel of four are its lowest
    if (bits === 32 && bytes === 3 && shift.some((bit) => bit > 16)) value *= 256;
    return max.reduce((rgb, most, i) => rgb * 256 + Math.round((((value / 2 ** shift[i]) & most) * 255) / most), 0);
  }
}
