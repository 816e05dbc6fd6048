/** Writes a guest's screen to a file: PNG, or PPM as `screendump` of QEMU does by default. */
import { statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { deflateSync, crc32 as zlibCrc32 } from 'node:zlib';
import type { Picture } from '../debugger.js';
import { outputCause } from './file-cause.js';

export type PictureFormat = 'png' | 'ppm';

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const DEPTH = 8;
const TRUE_COLOUR = 2;
const POLYNOMIAL = 0xedb88320;

/** @png 5.5 "CRC algorithm"; Node has it from 20.15 on */
const crc32: (bytes: Uint8Array) => number = zlibCrc32 ?? slowCrc32;

function slowCrc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function chunk(type: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(data.length + 12);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length);
  return bytes;
}

/** @png 5 "Datastream structure": true colour, lines unfiltered. */
export function encodePng({ width, height, rgb }: Picture): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = DEPTH;
  header[9] = TRUE_COLOUR;
  const lines = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y++) lines.set(rgb.subarray(y * width * 3, (y + 1) * width * 3), y * (width * 3 + 1) + 1);
  return Buffer.concat([
    Buffer.from(PNG_SIGNATURE),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(lines)),
    chunk('IEND', new Uint8Array()),
  ]);
}

export function encodePpm({ width, height, rgb }: Picture): Buffer {
  return Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), rgb]);
}

/** By its name: PPM where it ends so, else PNG. */
export function formatOf(path: string): PictureFormat {
  return /\.ppm$/i.test(path) ? 'ppm' : 'png';
}

/** Answers the full path. @throws Error naming the file and the cause */
export function writePicture(path: string, picture: Picture, format: PictureFormat = formatOf(path)): string {
  const file = resolve(path);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat && !stat.isFile())
    throw new Error(`${file}: ${stat.isDirectory() ? 'is a folder' : 'is not an ordinary file'}`);
  try {
    writeFileSync(file, format === 'ppm' ? encodePpm(picture) : encodePng(picture));
  } catch (error) {
    throw new Error(`${file}: ${outputCause(error)}`);
  }
  return file;
}
