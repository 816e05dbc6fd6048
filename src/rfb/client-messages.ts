/** What clients say, of which nothing is believed. @rfb 7.5 "Client-to-Server Messages" */
import { decodePixelFormat, type PixelFormat } from './pixel-format.js';
import type { Area } from './screen.js';

export type ClientMessage =
  | { kind: 'pixel-format'; format: PixelFormat }
  | { kind: 'encodings'; encodings: number[] }
  | { kind: 'request'; incremental: boolean; area: Area }
  /** `place`: the key's scan code of set 1, with bit 7 for those behind e0; 0: not told. */
  | { kind: 'key'; down: boolean; keysym: number; place: number }
  | { kind: 'pointer'; buttons: number; x: number; y: number }
  /** Text of the client's clipboard, of which so many bytes follow: a machine has no place for it. */
  | { kind: 'text'; bytes: number };

const TYPE = { format: 0, encodings: 2, request: 3, key: 4, pointer: 5, text: 6, qemu: 255 } as const;
/** Bytes without those that a count in them says. */
const LENGTHS: Readonly<Record<number, number>> = {
  ...{ [TYPE.format]: 20, [TYPE.encodings]: 4, [TYPE.request]: 10, [TYPE.key]: 8 },
  ...{ [TYPE.pointer]: 6, [TYPE.text]: 8, [TYPE.qemu]: 12 },
};
const QEMU_KEY = 0;
/** More than any client knows. */
const MOST_ENCODINGS = 1024;
const MOST_TEXT = 1 << 20;

/**
 * The message at the start of what has come, and its length; undefined while it is not whole.
 * @throws Error when it is none
 */
export function clientMessage(bytes: Buffer): { message: ClientMessage; length: number } | undefined {
  if (bytes.length === 0) return undefined;
  const [type] = bytes;
  const length = LENGTHS[type];
  if (length === undefined) throw new Error(`a message of type ${type}`);
  if (bytes.length < length) return undefined;
  switch (type) {
    case TYPE.format:
      return { length, message: { kind: 'pixel-format', format: decodePixelFormat(bytes.subarray(4, length)) } };
    case TYPE.encodings: {
      const count = bytes.readUInt16BE(2);
      if (count > MOST_ENCODINGS) throw new Error(`${count} encodings`);
      const whole = length + 4 * count;
      if (bytes.length < whole) return undefined;
      const encodings = Array.from({ length: count }, (_, i) => bytes.readInt32BE(length + 4 * i));
      return { length: whole, message: { kind: 'encodings', encodings } };
    }
    case TYPE.request: {
      const [x, y, width, height] = [2, 4, 6, 8].map((at) => bytes.readUInt16BE(at));
      return { length, message: { kind: 'request', incremental: bytes[1] !== 0, area: { x, y, width, height } } };
    }
    case TYPE.key:
      return { length, message: { kind: 'key', down: bytes[1] !== 0, keysym: bytes.readUInt32BE(4), place: 0 } };
    case TYPE.pointer:
      return {
        length,
        message: { kind: 'pointer', buttons: bytes[1], x: bytes.readUInt16BE(2), y: bytes.readUInt16BE(4) },
      };
    case TYPE.text: {
      const count = bytes.readUInt32BE(4);
      if (count > MOST_TEXT) throw new Error(`${count} bytes of text`);
      return { length, message: { kind: 'text', bytes: count } };
    }
    default: {
      if (bytes[1] !== QEMU_KEY) throw new Error(`a message of type 255.${bytes[1]}`);
      const [keysym, place] = [bytes.readUInt32BE(4), bytes.readUInt32BE(8)];
      return { length, message: { kind: 'key', down: bytes.readUInt16BE(2) !== 0, keysym, place: place & 0xff } };
    }
  }
}
