/** Little-endian fields in byte arrays, bounds checked, and room in low memory for boot structures. */

import { counted } from '../counted.js';
import { EBDA_BASE, isRam, lowRamEnd, MIN_MEMORY_BYTES } from '../memory/memory-map.js';
import { biosRanges } from './bios-memory.js';
import { type Chunk, ImageError, type LoadOptions } from './image.js';

/** Reads an image's fields; every read outside it is an ImageError that names what is cut off. */
export class ImageReader {
  private readonly view: DataView;

  constructor(
    readonly file: string,
    readonly bytes: Uint8Array,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(reason: string): never {
    throw new ImageError(this.file, reason);
  }

  /** @throws ImageError when [offset, offset + length) is not all in the file. */
  need(offset: number, length: number, what: string): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.bytes.length)) {
      this.fail(
        `truncated: ${what} needs bytes ${hexRange(offset, length)}, the file has 0x${this.bytes.length.toString(16)}`,
      );
    }
  }

  u8(offset: number, what: string): number {
    this.need(offset, 1, what);
    return this.view.getUint8(offset);
  }

  u16(offset: number, what: string): number {
    this.need(offset, 2, what);
    return this.view.getUint16(offset, true);
  }

  u32(offset: number, what: string): number {
    this.need(offset, 4, what);
    return this.view.getUint32(offset, true);
  }

  u64(offset: number, what: string): bigint {
    this.need(offset, 8, what);
    return this.view.getBigUint64(offset, true);
  }

  /** A view of the file, not a copy. */
  slice(offset: number, length: number, what: string): Uint8Array {
    this.need(offset, length, what);
    return this.bytes.subarray(offset, offset + length);
  }
}

/** A growing little-endian byte array for tables handed to the guest. */
export class TableWriter {
  readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
  }

  u8(offset: number, value: number): this {
    this.view.setUint8(offset, value);
    return this;
  }

  u16(offset: number, value: number): this {
    this.view.setUint16(offset, value, true);
    return this;
  }

  u32(offset: number, value: number): this {
    this.view.setUint32(offset, value, true);
    return this;
  }

  u64(offset: number, value: number | bigint): this {
    this.view.setBigUint64(offset, BigInt(value), true);
    return this;
  }

  text(offset: number, value: string): this {
    this.bytes.set(asciiBytes(value), offset);
    return this;
  }
}

/** Bytes of a text of code points up to 255, without a terminator. */
export function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
}

/** UTF-8 bytes with a terminating zero, as command lines and names are handed over. */
export function zeroTerminated(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  const out = new Uint8Array(bytes.length + 1);
  out.set(bytes);
  return out;
}

export function hexRange(start: number | bigint, length: number | bigint): string {
  return `0x${start.toString(16)}-0x${(BigInt(start) + BigInt(length)).toString(16)}`;
}

export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** Size in the unit that a person would use. */
export function sizeText(bytes: number): string {
  if (bytes >= 1 << 30 && bytes % (1 << 30) === 0) return `${bytes / (1 << 30)} GiB`;
  if (bytes >= 1 << 20 && bytes % (1 << 20) === 0) return `${bytes / (1 << 20)} MiB`;
  if (bytes >= 1 << 10 && bytes % (1 << 10) === 0) return `${bytes / (1 << 10)} KiB`;
  return counted(bytes, 'byte');
}

export interface Range {
  gpa: number;
  bytes: number;
  label: string;
}

/**
 * Checks that an image's parts lie in RAM and apart from each other.
 * @throws ImageError naming the part, its range and the size of RAM.
 */
export function checkPlacement(file: string, memoryBytes: number, parts: readonly Range[]): void {
  if (memoryBytes < MIN_MEMORY_BYTES) {
    throw new ImageError(file, `needs at least ${sizeText(MIN_MEMORY_BYTES)} of memory, not ${sizeText(memoryBytes)}`);
  }
  const used = parts.filter((part) => part.bytes > 0);
  for (const part of used) {
    if (!isRam(memoryBytes, part.gpa, part.bytes)) {
      throw new ImageError(
        file,
        `${part.label} at ${hexRange(part.gpa, part.bytes)} is outside the guest's ${sizeText(memoryBytes)} of memory`,
      );
    }
  }
  const sorted = used.slice().sort((a, b) => a.gpa - b.gpa);
  for (let i = 1; i < sorted.length; i++) {
    const [below, above] = [sorted[i - 1], sorted[i]];
    if (below.gpa + below.bytes > above.gpa) {
      throw new ImageError(
        file,
        `${below.label} at ${hexRange(below.gpa, below.bytes)} overlaps ${above.label} at ` +
          hexRange(above.gpa, above.bytes),
      );
    }
  }
}

/** Finds room for what the loader adds, around what the image occupies. */
export class Placement {
  private readonly taken: Range[];

  constructor(
    private readonly file: string,
    private readonly memoryBytes: number,
    taken: readonly Range[],
  ) {
    this.taken = taken.filter((range) => range.bytes > 0);
  }

  /** The lowest free place in [from, to), or undefined. It is taken from then on. */
  tryLowest(label: string, bytes: number, from: number, to: number, alignment = 0x1000): number | undefined {
    const end = Math.min(to, lowRamEnd(this.memoryBytes));
    let gpa = alignUp(from, alignment);
    for (let moved = true; moved && gpa + bytes <= end; ) {
      moved = false;
      for (const range of this.taken) {
        if (gpa < range.gpa + range.bytes && range.gpa < gpa + bytes) {
          gpa = alignUp(range.gpa + range.bytes, alignment);
          moved = true;
        }
      }
    }
    if (gpa + bytes > end) return undefined;
    this.taken.push({ gpa, bytes, label });
    return gpa;
  }

  /** The highest free place in [from, to), or undefined. It is taken from then on. */
  tryHighest(label: string, bytes: number, from: number, to: number, alignment = 0x1000): number | undefined {
    const down = (value: number) => Math.floor(value / alignment) * alignment;
    let gpa = down(Math.min(to, lowRamEnd(this.memoryBytes)) - bytes);
    for (let moved = true; moved && gpa >= from; ) {
      moved = false;
      for (const range of this.taken) {
        if (gpa < range.gpa + range.bytes && range.gpa < gpa + bytes) {
          gpa = down(range.gpa - bytes);
          moved = true;
        }
      }
    }
    if (gpa < from) return undefined;
    this.taken.push({ gpa, bytes, label });
    return gpa;
  }

  /**
   * Room for a boot structure: conventional memory above the BIOS data, else above 1 MiB.
   * @throws ImageError when there is none.
   */
  structure(label: string, bytes: number): number {
    const gpa =
      this.tryLowest(label, bytes, 0x1000, EBDA_BASE) ?? this.tryLowest(label, bytes, 0x100000, 0x1_0000_0000);
    if (gpa === undefined) {
      throw new ImageError(this.file, `no room for ${label} (${counted(bytes, 'byte')}) beside the image`);
    }
    return gpa;
  }
}

/** Room beside an image, and beside a BIOS that runs before it. */
export function roomBeside(file: string, { memoryBytes, underBios }: LoadOptions, taken: readonly Range[]): Placement {
  return new Placement(file, memoryBytes, underBios ? [...taken, ...biosRanges(memoryBytes)] : taken);
}

/** Ranges that an image's chunks and zero areas occupy. */
export function occupied(chunks: readonly Chunk[], zero: readonly { gpa: number; bytes: number }[] = []): Range[] {
  return [
    ...chunks.map((chunk) => ({ gpa: chunk.gpa, bytes: chunk.bytes.length, label: chunk.label })),
    ...zero.map((range) => ({ ...range, label: 'zeroed memory' })),
  ];
}
