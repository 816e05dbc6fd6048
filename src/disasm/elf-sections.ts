import { createRequire } from 'node:module';
import { inflateSync } from 'node:zlib';

const COMPRESSED = 0x800;
const NOBITS = 8;
/** ELFCOMPRESS_ZLIB and ELFCOMPRESS_ZSTD. @elf gABI "Section Compression" */
const ZLIB = 1;
const ZSTD = 2;
/** Far more than any kernel's; keeps a damaged header from asking for all memory. */
const MAX_INFLATED = 1 << 30;

/** The table of section headers; undefined where it is damaged, or the file is no ELF file. */
function sectionHeaders(bytes: Uint8Array) {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 64 || data.getUint32(0) !== 0x7f454c46 || bytes[5] !== 1) return undefined;
  const wide = bytes[4] === 2;
  const word = (at: number): number => (wide ? Number(data.getBigUint64(at, true)) : data.getUint32(at, true));
  const table = word(wide ? 40 : 32);
  const entry = data.getUint16(wide ? 58 : 46, true);
  const count = data.getUint16(wide ? 60 : 48, true);
  const names = data.getUint16(wide ? 62 : 50, true);
  if (entry < (wide ? 64 : 40) || table + entry * count > bytes.length || names >= count) return undefined;
  return { data, wide, word, table, entry, count, names };
}

/** Contents of an ELF file's sections by name, inflated; a damaged or foreign file has none. */
export function elfSections(bytes: Uint8Array, wanted: readonly string[]): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  const headers = sectionHeaders(bytes);
  if (headers === undefined) return found;
  const { data, wide, word, table, entry, count, names } = headers;
  const header = (index: number) => {
    const at = table + index * entry;
    const fields = wide ? [8, 24, 32] : [8, 16, 20];
    const [flags, offset, size] = fields.map((field) => word(at + field));
    return { name: data.getUint32(at, true), type: data.getUint32(at + 4, true), flags, offset, size };
  };
  const strings = header(names);
  for (let index = 0; index < count; index++) {
    const section = header(index);
    const start = strings.offset + section.name;
    const end = bytes.indexOf(0, start);
    const name = Buffer.from(bytes.subarray(start, end)).toString('latin1');
    if (end < 0 || section.type === NOBITS || !wanted.includes(name)) continue;
    if (section.offset + section.size > bytes.length) continue;
    const contents = bytes.subarray(section.offset, section.offset + section.size);
    const plain = (section.flags & COMPRESSED) === 0 ? contents : inflate(contents, wide);
    if (plain !== undefined) found.set(name, plain);
  }
  return found;
}

/** Where the header of a section of this name stands; undefined where there is none, or the file is none. */
function headerOf(bytes: Uint8Array, wanted: string): number | undefined {
  const headers = sectionHeaders(bytes);
  if (headers === undefined) return undefined;
  const { data, wide, word, table, entry, count, names } = headers;
  const strings = word(table + names * entry + (wide ? 24 : 16));
  for (let index = 0; index < count; index++) {
    const at = table + index * entry;
    const start = strings + data.getUint32(at, true);
    const name = Buffer.from(bytes.subarray(start, start + wanted.length + 1)).toString('latin1');
    if (name === `${wanted}\0`) return at;
  }
  return undefined;
}

export const hasElfSection = (bytes: Uint8Array, name: string): boolean => headerOf(bytes, name) !== undefined;

/** Whether a section has to be unpacked to be read. */
export function isPackedElfSection(bytes: Uint8Array, name: string): boolean {
  const at = headerOf(bytes, name);
  return at !== undefined && ((bytes[at + 9] ?? 0) & (COMPRESSED >> 8)) !== 0;
}

/** Linked address of a section; 0n where there is none of that name. */
export function elfSectionAddress(bytes: Uint8Array, name: string): bigint {
  const at = headerOf(bytes, name);
  if (at === undefined) return 0n;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes[4] === 2 ? data.getBigUint64(at + 16, true) : BigInt(data.getUint32(at + 12, true));
}

/** A compressed section starts with its kind, size and alignment. */
function inflate(contents: Uint8Array, wide: boolean): Uint8Array | undefined {
  const head = wide ? 24 : 12;
  if (contents.length < head) return undefined;
  const data = new DataView(contents.buffer, contents.byteOffset, contents.byteLength);
  const size = wide ? Number(data.getBigUint64(8, true)) : data.getUint32(4, true);
  if (size > MAX_INFLATED) return undefined;
  const compressed = contents.subarray(head);
  try {
    switch (data.getUint32(0, true)) {
      case ZLIB:
        return inflateSync(compressed, { maxOutputLength: MAX_INFLATED });
      case ZSTD:
        return zstd()(compressed, new Uint8Array(size));
      default:
        return undefined;
    }
  } catch {
    return undefined;
  }
}

type Decompress = (bytes: Uint8Array, into: Uint8Array) => Uint8Array;
let decompress: Decompress | undefined;

/** Loaded where a file needs it: Node's own zlib has none before 22.15. */
function zstd(): Decompress {
  decompress ??= (createRequire(import.meta.url)('fzstd') as { decompress: Decompress }).decompress;
  return decompress;
}
