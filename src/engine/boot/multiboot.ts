/** Multiboot 1 kernels: 32-bit protected mode with a memory map, a command line and modules. */
import { EBDA_BASE, e820, lowRamEnd } from '../memory/memory-map.js';
import { ImageReader, occupied, type Placement, roomBeside, TableWriter, zeroTerminated } from './binary.js';
import { flatGdt, GDT_BYTES, protectedState } from './entry-state.js';
import {
  type Chunk,
  ImageError,
  type LoadedImage,
  type LoadOptions,
  type MapPlace,
  mapRoom,
  modulesOf,
} from './image.js';
import {
  baseName,
  type Contents,
  loadByAddresses,
  loadByElf,
  MULTIBOOT_MAGIC,
  moduleText,
  placeModule,
  SEARCH,
  sumsToZero,
} from './multiboot-image.js';

const BOOT_MAGIC = 0x2badb002n;

const WANTS_PAGE_ALIGNED_MODULES = 1 << 0;
const WANTS_MEMORY = 1 << 1;
const WANTS_VIDEO = 1 << 2;
const HAS_ADDRESSES = 1 << 16;
/** A loader must refuse a kernel that needs one of these and that it does not know. */
const REQUIRED = 0xffff;

const INFO_MEMORY = 1 << 0;
const INFO_COMMAND_LINE = 1 << 2;
const INFO_MODULES = 1 << 3;
const INFO_MEMORY_MAP = 1 << 6;
const INFO_LOADER_NAME = 1 << 9;
const INFO_FRAMEBUFFER = 1 << 12;
const INFO_BYTES = 116;
const MAP_ENTRY_BYTES = 24;
const MODULE_BYTES = 16;
const STACK_BYTES = 0x1000;

interface Header {
  offset: number;
  flags: number;
}

/** Finds the header by magic and checksum. */
export function findMultibootHeader(bytes: Uint8Array): Header | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = Math.min(bytes.length, SEARCH[1].bytes) - 12;
  for (let offset = 0; offset <= end; offset += SEARCH[1].alignment) {
    if (view.getUint32(offset, true) !== MULTIBOOT_MAGIC || !sumsToZero(view, offset, 3)) continue;
    return { offset, flags: view.getUint32(offset + 4, true) };
  }
  return undefined;
}

/** @throws ImageError */
export function loadMultiboot(file: string, bytes: Uint8Array, header: Header, options: LoadOptions): LoadedImage {
  const known = WANTS_PAGE_ALIGNED_MODULES | WANTS_MEMORY | WANTS_VIDEO;
  const unknown = header.flags & REQUIRED & ~known;
  if (unknown) throw new ImageError(file, `multiboot header needs unknown features 0x${unknown.toString(16)}`);
  const contents =
    header.flags & HAS_ADDRESSES ? byAddresses(file, bytes, header, options) : loadByElf(file, bytes, options);
  const { chunks, zero, entry, symbols } = contents;
  const room = roomBeside(file, options, occupied(chunks, zero));
  const gdt = flatGdt(room.structure('the boot GDT', GDT_BYTES), false);
  const stackTop = BigInt(room.structure('the boot stack', STACK_BYTES) + STACK_BYTES);
  const info = buildInfo(file, header, options, room);
  const registers = { rax: BOOT_MAGIC, rbx: BigInt(info.gpa) };
  return {
    kind: 'multiboot',
    chunks: [gdt, ...chunks, ...info.chunks],
    zero,
    initial: protectedState(entry, gdt, registers, stackTop),
    symbols,
    map: info.map,
  };
}

function byAddresses(file: string, bytes: Uint8Array, { offset }: Header, options: LoadOptions): Contents {
  const image = new ImageReader(file, bytes);
  const [header, load, loadEnd, bssEnd, entry] = [0, 1, 2, 3, 4].map((index) =>
    image.u32(offset + 12 + 4 * index, 'multiboot header'),
  );
  return loadByAddresses(file, bytes, { headerOffset: offset, header, load, loadEnd, bssEnd, entry }, options);
}

function buildInfo(
  file: string,
  header: Header,
  options: LoadOptions,
  room: Placement,
): { gpa: number; chunks: Chunk[]; map: MapPlace } {
  const chunks: Chunk[] = [];
  const place = (bytes: Uint8Array, label: string): number => {
    const gpa = room.structure(label, bytes.length);
    chunks.push({ gpa, bytes, label });
    return gpa;
  };
  const info = new TableWriter(INFO_BYTES);
  let flags = INFO_MEMORY | INFO_COMMAND_LINE | INFO_MEMORY_MAP | INFO_LOADER_NAME;
  info.u32(4, EBDA_BASE >> 10).u32(8, (lowRamEnd(options.memoryBytes) - 0x100000) >>> 10);

  // The first word is the kernel's name, as boot loaders give it.
  const name = baseName(file);
  info.u32(16, place(zeroTerminated(options.append ? `${name} ${options.append}` : name), 'multiboot command line'));
  info.u32(64, place(zeroTerminated('vmscope'), 'boot loader name'));

  const map = e820(options.memoryBytes);
  const entries = new TableWriter(MAP_ENTRY_BYTES * mapRoom(options, map.length));
  for (const [i, { gpa, bytes, type }] of map.entries()) {
    // `size` does not count itself.
    entries
      .u32(MAP_ENTRY_BYTES * i, MAP_ENTRY_BYTES - 4)
      .u64(MAP_ENTRY_BYTES * i + 4, gpa)
      .u64(MAP_ENTRY_BYTES * i + 12, bytes)
      .u32(MAP_ENTRY_BYTES * i + 20, type);
  }
  const mapGpa = place(entries.bytes, 'multiboot memory map');
  info.u32(44, MAP_ENTRY_BYTES * map.length).u32(48, mapGpa);

  const modules = modulesOf(options);
  if (modules.length > 0) {
    const list = new TableWriter(MODULE_BYTES * modules.length);
    for (const [i, module] of modules.entries()) {
      const gpa = placeModule(room, chunks, module, options.memoryBytes);
      const at = MODULE_BYTES * i;
      list.u32(at, gpa).u32(at + 4, gpa + module.bytes.length);
      list.u32(at + 8, place(zeroTerminated(moduleText(module)), 'module name'));
    }
    info.u32(20, modules.length).u32(24, place(list.bytes, 'module list'));
    flags |= INFO_MODULES;
  }
  if (header.flags & WANTS_VIDEO) {
    const egaText = 2;
    info.u64(88, 0xb8000).u32(96, 160).u32(100, 80).u32(104, 25).u8(108, 16).u8(109, egaText);
    flags |= INFO_FRAMEBUFFER;
  }
  info.u32(0, flags);
  const gpa = place(info.bytes, 'multiboot information');
  const most = entries.bytes.length / MAP_ENTRY_BYTES;
  const form = { rangeAt: 4, otherAt: 0, other: MAP_ENTRY_BYTES - 4, unit: MAP_ENTRY_BYTES };
  return { gpa, chunks, map: { gpa: mapGpa, most, ...form, countAt: gpa + 44, upperAt: gpa + 8 } };
}
