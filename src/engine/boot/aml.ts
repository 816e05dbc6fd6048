/**
 * ACPI machine language, as much of it as a table of fixed devices needs.
 * @acpi 20 "ACPI Machine Language (AML) Specification"
 */
import { asciiBytes } from './binary.js';

export type Aml = readonly number[];

/** A length that counts itself: one byte up to 63, else a nibble and further bytes. */
function packageLength(contentBytes: number): number[] {
  if (contentBytes + 1 < 0x40) return [contentBytes + 1];
  const extra = contentBytes + 2 < 0x1000 ? 1 : contentBytes + 3 < 0x100000 ? 2 : 3;
  const total = contentBytes + 1 + extra;
  const bytes = [(extra << 6) | (total & 0xf)];
  for (let i = 0; i < extra; i++) bytes.push((total >> (4 + 8 * i)) & 0xff);
  return bytes;
}

function withLength(opcode: readonly number[], content: readonly number[]): number[] {
  return [...opcode, ...packageLength(content.length), ...content];
}

/** A name segment or `\` and one: `_SB`, `\_S5`. */
function nameString(name: string): number[] {
  const root = name.startsWith('\\');
  return [...(root ? [0x5c] : []), ...asciiBytes((root ? name.slice(1) : name).padEnd(4, '_'))];
}

export function integer(value: number): Aml {
  if (value === 0 || value === 1) return [value];
  if (value <= 0xff) return [0x0a, value];
  if (value <= 0xffff) return [0x0b, value & 0xff, value >> 8];
  return [0x0c, value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

export function scope(name: string, ...content: Aml[]): Aml {
  return withLength([0x10], [...nameString(name), ...content.flat()]);
}

export function device(name: string, ...content: Aml[]): Aml {
  return withLength([0x5b, 0x82], [...nameString(name), ...content.flat()]);
}

/** Processor object; `id` is what the MADT calls the ACPI processor ID. */
export function processor(name: string, id: number): Aml {
  return withLength([0x5b, 0x83], [...nameString(name), id, 0, 0, 0, 0, 0]);
}

export function named(name: string, value: Aml): Aml {
  return [0x08, ...nameString(name), ...value];
}

const ARG0 = 0x68;

/** A name where a value is wanted: what the object holds. */
export function reference(name: string): Aml {
  return nameString(name);
}

export function method(name: string, args: number, ...body: Aml[]): Aml {
  return withLength([0x14], [...nameString(name), args, ...body.flat()]);
}

export function returns(value: Aml): Aml {
  return [0xa4, ...value];
}

/** Stores the first argument of a method in a named object. */
export function storeArgument(name: string): Aml {
  return [0x70, ARG0, ...nameString(name)];
}

export function ifElse(condition: Aml, then: Aml, otherwise: Aml): Aml {
  return [...withLength([0xa0], [...condition, ...then]), ...withLength([0xa1], otherwise)];
}

export function packageOf(...elements: Aml[]): Aml {
  return withLength([0x12], [elements.length, ...elements.flat()]);
}

function buffer(bytes: readonly number[]): Aml {
  return withLength([0x11], [...integer(bytes.length), ...bytes]);
}

/** A compressed EISA identifier such as `PNP0501`. */
export function eisaId(id: string): Aml {
  const letter = (i: number) => id.charCodeAt(i) - 0x40;
  const vendor = (letter(0) << 10) | (letter(1) << 5) | letter(2);
  const product = Number.parseInt(id.slice(3), 16);
  return [0x0c, vendor >> 8, vendor & 0xff, product >> 8, product & 0xff];
}

/** A resource template from descriptors, with the end tag. */
export function resources(...descriptors: Aml[]): Aml {
  return buffer([...descriptors.flat(), 0x79, 0x00]);
}

/** Fixed I/O ports decoded in 16 bits. */
export function ioPorts(first: number, count: number): Aml {
  return [0x47, 0x01, first & 0xff, first >> 8, first & 0xff, first >> 8, 0x01, count];
}

/** Device memory below 4 GiB, read and write. */
export function memory32(gpa: number, bytes: number): Aml {
  return [0x86, ...le(9, 2), 1, ...le(gpa, 4), ...le(bytes, 4)];
}

/** An ISA interrupt: edge, active high. */
export function isaIrq(irq: number): Aml {
  return [0x22, (1 << irq) & 0xff, (1 << irq) >> 8];
}

/** A channel of the ISA's DMA controller, 8 bits a transfer. @acpi 6.4.2.2 "DMA Descriptor" */
export function isaDma(channel: number): Aml {
  return [0x2a, 1 << channel, 0];
}

const le = (value: number, bytes: number) =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * i)) % 256);

/** What a bridge passes on. Kind 0 memory, 1 I/O, 2 bus numbers; fixed bounds, positive decode. */
export function addressSpace(kind: 0 | 1 | 2, first: number, last: number): Aml {
  const bytes = kind === 0 ? 4 : 2;
  const words = [0, first, last, 0, last - first + 1].flatMap((value) => le(value, bytes));
  const specific = kind === 0 ? 0x01 : kind === 1 ? 0x03 : 0x00;
  return [kind === 0 ? 0x87 : 0x88, ...le(3 + words.length, 2), kind, 0x0c, specific, ...words];
}
