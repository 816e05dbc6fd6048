/** How a client wants its pixels. @rfb 7.4 "Pixel Format Data Structure" */
import type { Area, Look } from './screen.js';

export const PIXEL_FORMAT_BYTES = 16;

export interface PixelFormat {
  bitsPerPixel: 8 | 16 | 32;
  depth: number;
  bigEndian: boolean;
  /** False: pixels are places in a table of colours, which the server makes. */
  trueColour: boolean;
  /** Largest value and lowest bit of red, green and blue. */
  max: readonly [number, number, number];
  shift: readonly [number, number, number];
}

/** The one that the server has without being asked: 00RRGGBB, little-endian. */
export const SERVER_FORMAT: PixelFormat = {
  ...{ bitsPerPixel: 32, depth: 24, bigEndian: false, trueColour: true },
  ...{ max: [255, 255, 255], shift: [16, 8, 0] },
};
/** What pixels of a table of colours are here: three bits of red, three of green, two of blue. */
const TABLE_FORMAT = { max: [7, 7, 3], shift: [0, 3, 6] } as const;

export function encodePixelFormat(format: PixelFormat): Buffer {
  const { bitsPerPixel, depth, bigEndian, trueColour, max, shift } = format;
  const bytes = Buffer.alloc(PIXEL_FORMAT_BYTES);
  bytes.set([bitsPerPixel, depth, bigEndian ? 1 : 0, trueColour ? 1 : 0]);
  for (const [i, value] of max.entries()) bytes.writeUInt16BE(value, 4 + 2 * i);
  bytes.set(shift, 10);
  return bytes;
}

/** @throws Error when pixels cannot be so */
export function decodePixelFormat(bytes: Buffer): PixelFormat {
  const [bitsPerPixel, depth, bigEndian, trueColour] = bytes;
  if (bitsPerPixel !== 8 && bitsPerPixel !== 16 && bitsPerPixel !== 32)
    throw new Error(`pixels of ${bitsPerPixel} bits`);
  const common = { bitsPerPixel, depth, bigEndian: bigEndian !== 0 } as const;
  if (trueColour === 0) {
    if (bitsPerPixel !== 8) throw new Error(`a table of colours for pixels of ${bitsPerPixel} bits`);
    return { ...common, trueColour: false, ...TABLE_FORMAT };
  }
  const max = [4, 6, 8].map((at) => bytes.readUInt16BE(at)) as [number, number, number];
  const shift = [10, 11, 12].map((at) => bytes[at]) as [number, number, number];
  if (shift.some((bits) => bits >= bitsPerPixel)) throw new Error('colours beyond the pixel');
  return { ...common, trueColour: true, max, shift };
}

/** @rfb 7.6.2 "SetColorMapEntries": colours of all 256 pixels. */
export function colourTable(): Buffer {
  const message = Buffer.alloc(6 + 256 * 6);
  message[0] = 1;
  message.writeUInt16BE(256, 4);
  for (let pixel = 0; pixel < 256; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      const max = TABLE_FORMAT.max[channel];
      const value = (pixel >> TABLE_FORMAT.shift[channel]) & max;
      message.writeUInt16BE(Math.round((value * 0xffff) / max), 6 + pixel * 6 + channel * 2);
    }
  }
  return message;
}

const swap = (value: number, bits: number): number => {
  if (bits === 8) return value;
  if (bits === 16) return ((value & 0xff) << 8) | ((value >>> 8) & 0xff);
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
};

/** Makes a client's pixels from the screen's. */
export class PixelWriter {
  readonly bytes: number;
  /** Bytes of a pixel where zeros are left out, and the first of them. @rfb 7.7.6 "ZRLE": CPIXEL */
  readonly short: { bytes: number; first: number };
  /** A client's pixel is the sum of these, in the order of bytes that it is sent in. */
  readonly #parts: readonly [Uint32Array, Uint32Array, Uint32Array];

  constructor(readonly format: PixelFormat) {
    const { bitsPerPixel, bigEndian, max, shift, trueColour, depth } = format;
    this.bytes = bitsPerPixel / 8;
    const mask = bitsPerPixel === 32 ? 0xffffffff : (1 << bitsPerPixel) - 1;
    const part = (channel: number): Uint32Array =>
      Uint32Array.from({ length: 256 }, (_, value) => {
        const shifted = ((Math.round((value * max[channel]) / 255) << shift[channel]) & mask) >>> 0;
        return bigEndian ? swap(shifted, bitsPerPixel) : shifted;
      });
    this.#parts = [part(0), part(1), part(2)];
    const used = max.reduce((bits, most, channel) => bits | (most << shift[channel]), 0) >>> 0;
    const three = bitsPerPixel === 32 && trueColour && depth <= 24;
    const low = three && used <= 0xffffff;
    const high = three && !low && (used & 0xff) === 0;
    this.short = low || high ? { bytes: 3, first: low === bigEndian ? 1 : 0 } : { bytes: this.bytes, first: 0 };
  }

  /** The pixels of an area as numbers whose little-endian bytes are what is sent. What lies outside the screen is black. */
  values({ width, height, rgb }: Look, area: Area): Uint32Array {
    const [red, green, blue] = this.#parts;
    const out = new Uint32Array(area.width * area.height);
    const columns = Math.max(0, Math.min(area.width, width - area.x));
    const rows = Math.max(0, Math.min(area.height, height - area.y));
    for (let row = 0; row < rows; row++) {
      let from = ((area.y + row) * width + area.x) * 3;
      const at = row * area.width;
      for (let i = at; i < at + columns; i++, from += 3)
        out[i] = red[rgb[from]] | green[rgb[from + 1]] | blue[rgb[from + 2]];
    }
    return out;
  }

  /** The bytes of such numbers. */
  pack(values: Uint32Array): Buffer {
    const packed = this.bytes === 4 ? values : this.bytes === 2 ? Uint16Array.from(values) : Uint8Array.from(values);
    return Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  }
}
