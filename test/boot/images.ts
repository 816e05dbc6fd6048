/** Small images made byte by byte, so that a test can say exactly what is wrong with one. */
import { alignUp, asciiBytes, TableWriter } from '../../src/engine/boot/binary.js';
import type { Chunk, LoadedImage } from '../../src/engine/boot/image.js';

export interface SegmentSpec {
  paddr: number;
  vaddr?: number | bigint;
  bytes: Uint8Array;
  memoryBytes?: number;
  type?: number;
}

/** ELF with the given segments, file offsets one after another. */
export function elf(
  bits: 32 | 64,
  entry: number | bigint,
  segments: SegmentSpec[],
  symbols: [string, number][] = [],
): Uint8Array {
  const wide = bits === 64;
  const headerBytes = wide ? 64 : 52;
  const phBytes = wide ? 56 : 32;
  const shBytes = wide ? 64 : 40;
  const symBytes = wide ? 24 : 16;
  const strings = asciiBytes(`\0${symbols.map(([name]) => `${name}\0`).join('')}`);
  let offset = headerBytes + phBytes * segments.length;
  const offsets = segments.map((segment) => {
    const at = offset;
    offset += segment.bytes.length;
    return at;
  });
  const symtab = offset;
  const strtab = symtab + symBytes * (symbols.length + 1);
  const sections = symbols.length > 0 ? strtab + strings.length : 0;
  const t = new TableWriter(sections ? sections + 3 * shBytes : offset);
  const word = (at: number, value: number | bigint) => (wide ? t.u64(at, value) : t.u32(at, Number(value)));
  t.u32(0, 0x464c457f)
    .u8(4, wide ? 2 : 1)
    .u8(5, 1)
    .u8(6, 1)
    .u16(16, 2)
    .u16(18, wide ? 62 : 3)
    .u32(20, 1);
  word(24, entry);
  word(wide ? 32 : 28, headerBytes);
  word(wide ? 40 : 32, sections);
  t.u16(wide ? 54 : 42, phBytes).u16(wide ? 56 : 44, segments.length);
  t.u16(wide ? 58 : 46, shBytes).u16(wide ? 60 : 48, sections ? 3 : 0);
  for (const [i, segment] of segments.entries()) {
    const at = headerBytes + i * phBytes;
    const fields = [offsets[i], segment.vaddr ?? segment.paddr, segment.paddr, segment.bytes.length];
    t.u32(at, segment.type ?? 1);
    for (const [n, field] of [...fields, segment.memoryBytes ?? segment.bytes.length].entries()) {
      word(at + (wide ? 8 + 8 * n : 4 + 4 * n), field);
    }
    t.bytes.set(segment.bytes, offsets[i]);
  }
  if (sections) {
    let name = 1;
    for (const [i, [text, value]] of symbols.entries()) {
      const at = symtab + symBytes * (i + 1);
      t.u32(at, name);
      if (wide)
        t.u8(at + 4, 0x12)
          .u16(at + 6, 1)
          .u64(at + 8, value)
          .u64(at + 16, 16);
      else
        t.u32(at + 4, value)
          .u32(at + 8, 16)
          .u8(at + 12, 0x12)
          .u16(at + 14, 1);
      name += text.length + 1;
    }
    t.bytes.set(strings, strtab);
    const header = (index: number, type: number, at: number, bytes: number, link: number) => {
      const base = sections + index * shBytes;
      t.u32(base + 4, type);
      word(base + (wide ? 24 : 16), at);
      word(base + (wide ? 32 : 20), bytes);
      t.u32(base + (wide ? 40 : 24), link);
    };
    header(1, 2, symtab, symBytes * (symbols.length + 1), 2);
    header(2, 3, strtab, strings.length, 0);
  }
  return t.bytes;
}

/** A multiboot header, with addresses when given. */
export function multibootHeader(flags: number, addresses: number[] = []): Uint8Array {
  const t = new TableWriter(32)
    .u32(0, 0x1badb002)
    .u32(4, flags)
    .u32(8, -(0x1badb002 + flags) >>> 0);
  for (const [i, address] of addresses.entries()) t.u32(12 + 4 * i, address);
  return t.bytes;
}

/** A tag of a multiboot 2 header: type, flags, and its words. */
export type HeaderTag = [type: number, flags: number, ...words: number[]];

/** A multiboot 2 header with these tags and the end tag. */
export function multiboot2Header(tags: HeaderTag[] = [], architecture = 0): Uint8Array {
  const all: HeaderTag[] = [...tags, [0, 0]];
  const sizes = all.map((tag) => 8 + 4 * (tag.length - 2));
  const bytes = 16 + sizes.reduce((sum, size) => sum + alignUp(size, 8), 0);
  const t = new TableWriter(bytes).u32(0, 0xe85250d6).u32(4, architecture).u32(8, bytes);
  t.u32(12, -(0xe85250d6 + architecture + bytes) >>> 0);
  let at = 16;
  for (const [i, [type, flags, ...words]] of all.entries()) {
    t.u16(at, type)
      .u16(at + 2, flags)
      .u32(at + 4, sizes[i]);
    for (const [n, word] of words.entries()) t.u32(at + 8 + 4 * n, word);
    at += alignUp(sizes[i], 8);
  }
  return t.bytes;
}

export interface KernelSpec {
  version?: number;
  is64?: boolean;
  relocatable?: boolean;
  preferred?: number;
  initBytes?: number;
  initrdMax?: number;
  payloadBytes?: number;
}

/** A bzImage header with two setup sectors and a payload. */
export function bzImage(spec: KernelSpec = {}): Uint8Array {
  const payload = spec.payloadBytes ?? 0x1000;
  const t = new TableWriter(3 * 512 + payload);
  t.u8(0x1f1, 2).u16(0x1fe, 0xaa55).u8(0x200, 0xeb).u8(0x201, 0x66).text(0x202, 'HdrS');
  t.u16(0x206, spec.version ?? 0x20f)
    .u8(0x211, 1)
    .u32(0x214, 0x100000)
    .u32(0x22c, spec.initrdMax ?? 0x7fffffff);
  t.u32(0x230, 0x200000)
    .u8(0x234, spec.relocatable ? 1 : 0)
    .u16(0x236, spec.is64 === false ? 0 : 1)
    .u32(0x238, 255);
  t.u64(0x258, spec.preferred ?? 0x100000).u32(0x260, spec.initBytes ?? 0x8000);
  t.bytes.fill(0x90, 3 * 512);
  return t.bytes;
}

/** Guest memory as the loader describes it. */
export function memoryOf(image: LoadedImage, bytes = 4 << 20): DataView {
  const memory = new Uint8Array(bytes).fill(0xee);
  for (const chunk of image.chunks) {
    if (chunk.gpa + chunk.bytes.length <= bytes) memory.set(chunk.bytes, chunk.gpa);
  }
  for (const range of image.zero) memory.fill(0, range.gpa, range.gpa + range.bytes);
  return new DataView(memory.buffer);
}

export function chunkNamed(image: LoadedImage, label: string): Chunk {
  const chunk = image.chunks.find((candidate) => candidate.label === label);
  if (!chunk) throw new Error(`no chunk ${label} among ${image.chunks.map((c) => c.label).join(', ')}`);
  return chunk;
}

export function textAt(memory: DataView, gpa: number): string {
  let text = '';
  for (let at = gpa; memory.getUint8(at) !== 0; at++) text += String.fromCharCode(memory.getUint8(at));
  return text;
}
