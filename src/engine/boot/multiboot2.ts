/**
 * Multiboot 2 kernels: 32-bit protected mode, with what the loader knows as tags.
 * Source: the Multiboot2 Specification version 2.0, chapters 3.1 (header), 3.3 (machine state), 3.6 (boot information).
 */

import { counted } from '../counted.js';
import { EBDA_BASE, e820, lowRamEnd } from '../memory/memory-map.js';
import { acpiTables, RSDP_ADDRESS } from './acpi.js';
import { alignUp, ImageReader, occupied, type Placement, roomBeside, TableWriter, zeroTerminated } from './binary.js';
import { flatGdt, GDT_BYTES, protectedState } from './entry-state.js';
import { type Chunk, ImageError, type LoadedImage, type LoadOptions, modulesOf } from './image.js';
import {
  baseName,
  type Contents,
  type LoadAddresses,
  loadByAddresses,
  loadByElf,
  MULTIBOOT2_MAGIC,
  moduleText,
  placeModule,
  SEARCH,
  sumsToZero,
} from './multiboot-image.js';

const BOOT_MAGIC = 0x36d76289n;
const ARCHITECTURE_I386 = 0;
const HEADER_BYTES = 16;
const STACK_BYTES = 0x1000;

/** Tags of the header. */
const HEADER_TAG = {
  end: 0,
  informationRequest: 1,
  address: 2,
  entry: 3,
  console: 4,
  framebuffer: 5,
  moduleAlignment: 6,
  efiBootServices: 7,
  efiEntry32: 8,
  efiEntry64: 9,
  relocatable: 10,
} as const;
const OPTIONAL = 1;

/** Tags of the boot information. */
const TAG = {
  end: 0,
  commandLine: 1,
  loaderName: 2,
  module: 3,
  memory: 4,
  memoryMap: 6,
  framebuffer: 8,
  elfSections: 9,
  rsdpOld: 14,
  rsdp: 15,
  loadBase: 21,
} as const;
/** The last that version 2.0 has: whoever asks for one that is there at times is not refused, as with GRUB. */
const LAST_TAG = 21;

const RSDP_OLD_BYTES = 20;
const RSDP_REVISION = 15;
const MAP_ENTRY_BYTES = 24;
const EGA_TEXT = 2;
const SECTION_SYMBOLS = 2;
const SECTION_STRINGS = 3;
const MAX_LOADED_SECTIONS = 8;

export interface Multiboot2Header {
  offset: number;
  architecture: number;
  bytes: number;
}

/** Finds the header by magic and checksum. */
export function findMultiboot2Header(bytes: Uint8Array): Multiboot2Header | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = Math.min(bytes.length, SEARCH[2].bytes) - HEADER_BYTES;
  for (let offset = 0; offset <= end; offset += SEARCH[2].alignment) {
    if (view.getUint32(offset, true) !== MULTIBOOT2_MAGIC || !sumsToZero(view, offset, 4)) continue;
    return { offset, architecture: view.getUint32(offset + 4, true), bytes: view.getUint32(offset + 8, true) };
  }
  return undefined;
}

/** What the tags of a header ask for. */
interface Wishes {
  addresses?: Omit<LoadAddresses, 'headerOffset' | 'entry'>;
  entry?: number;
  relocatable?: { min: number; max: number };
}

/** @throws ImageError */
export function loadMultiboot2(
  file: string,
  bytes: Uint8Array,
  header: Multiboot2Header,
  options: LoadOptions,
): LoadedImage {
  const wishes = readWishes(file, bytes, header);
  const contents = loadContents(file, bytes, header, wishes, options);
  const { chunks, zero, entry, symbols } = contents;
  const base = Math.min(...chunks.map(({ gpa }) => gpa), ...zero.map(({ gpa }) => gpa));
  const { relocatable } = wishes;
  if (relocatable && (base < relocatable.min || base > relocatable.max)) {
    const range = `0x${relocatable.min.toString(16)} to 0x${relocatable.max.toString(16)}`;
    throw new ImageError(file, `multiboot 2 header wants to be moved to ${range}, which is not done: link it there`);
  }
  const room = roomBeside(file, options, occupied(chunks, zero));
  const gdt = flatGdt(room.structure('the boot GDT', GDT_BYTES), false);
  const stackTop = BigInt(room.structure('the boot stack', STACK_BYTES) + STACK_BYTES);
  const info = buildInfo(file, bytes, contents, base, options, room);
  const registers = { rax: BOOT_MAGIC, rbx: BigInt(info.gpa) };
  return {
    kind: 'multiboot2',
    chunks: [gdt, ...chunks, ...info.chunks],
    zero,
    initial: protectedState(entry, gdt, registers, stackTop),
    symbols,
  };
}

function loadContents(
  file: string,
  bytes: Uint8Array,
  header: Multiboot2Header,
  { addresses, entry }: Wishes,
  options: LoadOptions,
): Contents {
  if (!addresses) return loadByElf(file, bytes, options, entry);
  if (entry === undefined) throw new ImageError(file, 'multiboot 2 header gives addresses and no entry address');
  return loadByAddresses(file, bytes, { ...addresses, headerOffset: header.offset, entry }, options);
}

/** @throws ImageError for what a loader must not ignore, and this one does not know */
function readWishes(file: string, bytes: Uint8Array, header: Multiboot2Header): Wishes {
  const image = new ImageReader(file, bytes);
  const what = 'multiboot 2 header';
  if (header.architecture !== ARCHITECTURE_I386) {
    image.fail(
      `${what} is for architecture ${header.architecture}${header.architecture === 4 ? ' (MIPS)' : ''}, not for a PC`,
    );
  }
  image.need(header.offset, header.bytes, what);
  const end = header.offset + header.bytes;
  const wishes: Wishes = {};
  for (let at = header.offset + HEADER_BYTES; ; ) {
    if (at + 8 > end) image.fail(`${what} has no end tag`);
    const type = image.u16(at, what);
    const required = (image.u16(at + 2, what) & OPTIONAL) === 0;
    const size = image.u32(at + 4, what);
    if (type === HEADER_TAG.end) return wishes;
    if (size < 8 || at + size > end) image.fail(`${what} has a tag of type ${type} that leaves it`);
    const field = (index: number): number => {
      if (8 + 4 * index + 4 > size)
        image.fail(`${what} has a tag of type ${type} with ${counted(size, 'byte')}, too few`);
      return image.u32(at + 8 + 4 * index, what);
    };
    switch (type) {
      case HEADER_TAG.informationRequest:
        for (let i = 0; required && 8 + 4 * i < size; i++) {
          const wanted = field(i);
          if (wanted > LAST_TAG) image.fail(`${what} needs boot information of type ${wanted}, which is not known`);
        }
        break;
      case HEADER_TAG.address: {
        const [address, load, loadEnd, bssEnd] = [0, 1, 2, 3].map(field);
        // all ones: the file begins with what is to be loaded
        const start = load === 0xffff_ffff ? address - header.offset : load;
        wishes.addresses = { header: address, load: start, loadEnd, bssEnd };
        break;
      }
      case HEADER_TAG.entry:
        wishes.entry = field(0);
        break;
      case HEADER_TAG.relocatable:
        wishes.relocatable = { min: field(0), max: field(1) };
        break;
      case HEADER_TAG.console:
      case HEADER_TAG.framebuffer:
      case HEADER_TAG.moduleAlignment:
      // there is no EFI here: the entries for it are not used
      case HEADER_TAG.efiBootServices:
      case HEADER_TAG.efiEntry32:
      case HEADER_TAG.efiEntry64:
        break;
      default:
        if (required) image.fail(`${what} needs something of type ${type}, which is not known`);
    }
    at = alignUp(at + size, 8);
  }
}

function buildInfo(
  file: string,
  bytes: Uint8Array,
  { elf }: Contents,
  base: number,
  options: LoadOptions,
  room: Placement,
): { gpa: number; chunks: Chunk[] } {
  const chunks: Chunk[] = [];
  const tags: Uint8Array[] = [];
  const tag = (type: number, contents: Uint8Array): void => {
    const t = new TableWriter(alignUp(8 + contents.length, 8)).u32(0, type).u32(4, 8 + contents.length);
    t.bytes.set(contents, 8);
    tags.push(t.bytes);
  };
  const { memoryBytes, append } = options;
  const name = baseName(file);
  // the first word is the kernel's name, as boot loaders give it
  tag(TAG.commandLine, zeroTerminated(append ? `${name} ${append}` : name));
  tag(TAG.loaderName, zeroTerminated('vmscope'));
  for (const module of modulesOf(options)) {
    const gpa = placeModule(room, chunks, module, memoryBytes);
    const text = zeroTerminated(moduleText(module));
    const contents = new TableWriter(8 + text.length).u32(0, gpa).u32(4, gpa + module.bytes.length);
    contents.bytes.set(text, 8);
    tag(TAG.module, contents.bytes);
  }
  tag(TAG.memory, new TableWriter(8).u32(0, EBDA_BASE >> 10).u32(4, (lowRamEnd(memoryBytes) - 0x100000) >>> 10).bytes);
  const map = e820(memoryBytes);
  const entries = new TableWriter(8 + MAP_ENTRY_BYTES * map.length).u32(0, MAP_ENTRY_BYTES);
  for (const [i, { gpa, bytes: length, type }] of map.entries()) {
    const at = 8 + MAP_ENTRY_BYTES * i;
    entries
      .u64(at, gpa)
      .u64(at + 8, length)
      .u32(at + 16, type);
  }
  tag(TAG.memoryMap, entries.bytes);
  const text = new TableWriter(24).u64(0, 0xb8000).u32(8, 160).u32(12, 80).u32(16, 25).u8(20, 16).u8(21, EGA_TEXT);
  tag(TAG.framebuffer, text.bytes);
  const sections = elf && elfSections(bytes, elf.bits, room, chunks);
  if (sections) tag(TAG.elfSections, sections);
  const rsdp = acpiTables(options).find(({ gpa }) => gpa === RSDP_ADDRESS)?.bytes;
  if (rsdp) {
    tag(TAG.rsdpOld, rsdp.subarray(0, RSDP_OLD_BYTES));
    if (rsdp[RSDP_REVISION] >= 2) tag(TAG.rsdp, rsdp);
  }
  tag(TAG.loadBase, new TableWriter(4).u32(0, base).bytes);
  tag(TAG.end, new Uint8Array(0));

  const total = 8 + tags.reduce((sum, { length }) => sum + length, 0);
  const info = new TableWriter(total).u32(0, total);
  let at = 8;
  for (const piece of tags) {
    info.bytes.set(piece, at);
    at += piece.length;
  }
  const gpa = room.structure('multiboot 2 information', total);
  chunks.push({ gpa, bytes: info.bytes, label: 'multiboot 2 information' });
  return { gpa, chunks };
}

/**
 * The section headers, by which kernels find their own extent. Symbols and their names, which no segment holds, are
 * loaded too, and their headers say where. Undefined where the file has no sections, or they do not fit.
 */
function elfSections(bytes: Uint8Array, bits: 32 | 64, room: Placement, chunks: Chunk[]): Uint8Array | undefined {
  const wide = bits === 64;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const from = wide ? Number(view.getBigUint64(40, true)) : view.getUint32(32, true);
  const entryBytes = view.getUint16(wide ? 58 : 46, true);
  const count = view.getUint16(wide ? 60 : 48, true);
  const names = view.getUint16(wide ? 62 : 50, true);
  if (from === 0 || entryBytes !== (wide ? 64 : 40) || from + count * entryBytes > bytes.length) return undefined;
  const tag = new TableWriter(12 + count * entryBytes).u32(0, count).u32(4, entryBytes).u32(8, names);
  tag.bytes.set(bytes.subarray(from, from + count * entryBytes), 12);
  const headers = new DataView(tag.bytes.buffer, tag.bytes.byteOffset + 12);
  const word = (at: number): number => (wide ? Number(headers.getBigUint64(at, true)) : headers.getUint32(at, true));
  for (let i = 0, loaded = 0; i < count && loaded < MAX_LOADED_SECTIONS; i++) {
    const at = i * entryBytes;
    const type = headers.getUint32(at + 4, true);
    const [addressAt, offsetAt, sizeAt] = wide ? [at + 16, at + 24, at + 32] : [at + 12, at + 16, at + 20];
    const size = word(sizeAt);
    const wanted = (type === SECTION_SYMBOLS || type === SECTION_STRINGS) && word(addressAt) === 0 && size > 0;
    if (!wanted || word(offsetAt) + size > bytes.length) continue;
    const gpa = room.tryLowest('symbols', size, 0x100000, 0x1_0000_0000);
    if (gpa === undefined) continue;
    loaded++;
    chunks.push({ gpa, bytes: bytes.subarray(word(offsetAt), word(offsetAt) + size), label: 'symbols' });
    if (wide) headers.setBigUint64(addressAt, BigInt(gpa), true);
    else headers.setUint32(addressAt, gpa, true);
  }
  return tag.bytes;
}
