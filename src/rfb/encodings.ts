/** Rectangles of pixels as they are sent. @rfb 7.7 "Encodings" */
import { createDeflate, type Deflate, constants as zlib } from 'node:zlib';
import type { PixelWriter } from './pixel-format.js';
import type { Area, Look } from './screen.js';

export const ENCODING = {
  raw: 0,
  zlib: 6,
  zrle: 16,
  /** The screen has another size. */
  desktopSize: -223,
  /** The pointer moves by distances. @qemu ui/vnc.h VNC_ENCODING_POINTER_TYPE_CHANGE */
  pointerType: -257,
  /** Keys are sent with their places. @qemu ui/vnc.h VNC_ENCODING_EXT_KEY_EVENT */
  extendedKeys: -258,
} as const;

/** Ways to send pixels, the best for a client that takes several and prefers none: as it lists them. */
export const PIXEL_ENCODINGS: readonly number[] = [ENCODING.zrle, ENCODING.zlib, ENCODING.raw];

/** Fast rather than small: clients are near. */
const LEVEL = 1;
const TILE = 64;
/** More colours of a tile than this are sent pixel by pixel. */
const MOST_COLOURS = 16;

/** One zlib stream, which lasts as long as the client. */
export class ZlibStream {
  readonly #deflate: Deflate = createDeflate({ level: LEVEL });
  #out: Buffer[] = [];

  constructor() {
    this.#deflate.on('data', (bytes: Buffer) => this.#out.push(bytes));
  }

  /** What the client needs to have these bytes; another thread compresses. One call at a time. */
  compress(bytes: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#deflate.once('error', reject);
      this.#deflate.write(bytes);
      this.#deflate.flush(zlib.Z_SYNC_FLUSH, () => {
        this.#deflate.off('error', reject);
        const out = Buffer.concat(this.#out);
        this.#out = [];
        resolve(out);
      });
    });
  }

  close(): void {
    this.#deflate.destroy();
  }
}

export function header({ x, y, width, height }: Area, encoding: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16BE(x, 0);
  bytes.writeUInt16BE(y, 2);
  bytes.writeUInt16BE(width, 4);
  bytes.writeUInt16BE(height, 6);
  bytes.writeInt32BE(encoding, 8);
  return bytes;
}

/** Pixels in an area of the screen, before a stream compresses them. */
export function pixelsOf(look: Look, area: Area, writer: PixelWriter, encoding: number): Buffer {
  const values = writer.values(look, area);
  return encoding === ENCODING.zrle ? zrle(values, area, writer) : writer.pack(values);
}

/** Behind its length. */
export function withLength(bytes: Buffer): Buffer[] {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return [length, bytes];
}

/** @rfb 7.7.6 "ZRLE": tiles of one colour, of up to 16, and of many. */
function zrle(values: Uint32Array, { width, height }: Area, { short }: PixelWriter): Buffer {
  const tiles = Math.ceil(width / TILE) * Math.ceil(height / TILE);
  const out = Buffer.allocUnsafe(values.length * short.bytes + tiles * (1 + MOST_COLOURS * 4) + height * tiles);
  let at = 0;
  const pixel = (value: number): void => {
    for (let i = short.first; i < short.first + short.bytes; i++) out[at++] = value >>> (8 * i);
  };
  const colours = new Uint32Array(MOST_COLOURS);
  for (let top = 0; top < height; top += TILE) {
    const rows = Math.min(TILE, height - top);
    for (let left = 0; left < width; left += TILE) {
      const columns = Math.min(TILE, width - left);
      const count = coloursOf(values, top * width + left, width, columns, rows, colours);
      out[at++] = count > MOST_COLOURS ? 0 : count;
      if (count <= MOST_COLOURS) for (let i = 0; i < count; i++) pixel(colours[i]);
      if (count === 1) continue;
      const bits = count <= 2 ? 1 : count <= 4 ? 2 : 4;
      for (let row = 0; row < rows; row++) {
        const from = (top + row) * width + left;
        if (count > MOST_COLOURS) {
          for (let i = from; i < from + columns; i++) pixel(values[i]);
          continue;
        }
        let byte = 0;
        let free = 8;
        for (let i = from; i < from + columns; i++) {
          free -= bits;
          byte |= colours.indexOf(values[i]) << free;
          if (free > 0) continue;
          out[at++] = byte;
          byte = 0;
          free = 8;
        }
        if (free < 8) out[at++] = byte;
      }
    }
  }
  return out.subarray(0, at);
}

/** Collects a tile's colours. @returns how many they are, or more than fit */
function coloursOf(
  values: Uint32Array,
  first: number,
  pitch: number,
  columns: number,
  rows: number,
  colours: Uint32Array,
): number {
  let count = 0;
  let last = -1;
  for (let row = 0; row < rows; row++) {
    const from = first + row * pitch;
    for (let i = from; i < from + columns; i++) {
      const value = values[i];
      if (value === last) continue;
      last = value;
      const known = colours.indexOf(value);
      if (known >= 0 && known < count) continue;
      if (count === MOST_COLOURS) return MOST_COLOURS + 1;
      colours[count++] = value;
    }
  }
  return count;
}
