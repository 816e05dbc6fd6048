/** What both versions of multiboot say of an image: where it is loaded, and what is wrong with a header. */
import { checkPlacement, hexRange, ImageReader, type Placement, sizeText } from './binary.js';
import { type ElfFile, isElf, parseElf, physicalEntry, placeSegments } from './elf.js';
import { type Chunk, ImageError, type LoadedImage, type LoadOptions, type Module } from './image.js';

export const MULTIBOOT_MAGIC = 0x1badb002;
export const MULTIBOOT2_MAGIC = 0xe85250d6;
/** A header lies in this much of the file, at a multiple of the alignment. */
export const SEARCH = { 1: { bytes: 8192, alignment: 4 }, 2: { bytes: 32768, alignment: 8 } } as const;
/** Flags of version 1 that a header may have: another word behind the magic number is no header. */
const PLAUSIBLE_FLAGS = 0x1ffff;
const ARCHITECTURES = [0, 4];
const MAX_LATE_BYTES = 2 ** 20;

export type Contents = Pick<LoadedImage, 'chunks' | 'zero' | 'symbols'> & { entry: bigint; elf?: ElfFile };

/** Where a header that is no part of ELF has an image loaded; 0 for an end means as far as the file goes. */
export interface LoadAddresses {
  headerOffset: number;
  header: number;
  load: number;
  loadEnd: number;
  bssEnd: number;
  entry: number;
}

/** @param entry where the header says to begin, instead of at ELF's entry point. @throws ImageError */
export function loadByElf(file: string, bytes: Uint8Array, options: LoadOptions, entry?: number): Contents {
  if (!isElf(bytes)) throw new ImageError(file, 'multiboot header gives no addresses and the file is not ELF');
  const elf = parseElf(file, bytes);
  const start = entry === undefined ? physicalEntry(elf) : BigInt(entry);
  if (start > 0xffffffffn)
    throw new ImageError(file, `multiboot entry 0x${start.toString(16)} is not a 32-bit address`);
  return { ...placeSegments(file, bytes, elf, options.memoryBytes), entry: start, symbols: elf.symbols, elf };
}

/** @throws ImageError */
export function loadByAddresses(
  file: string,
  bytes: Uint8Array,
  { headerOffset, header, load, loadEnd: loadEndField, bssEnd: bssEndField, entry }: LoadAddresses,
  options: LoadOptions,
): Contents {
  const image = new ImageReader(file, bytes);
  const start = headerOffset - (header - load);
  if (header < load || start < 0) image.fail('multiboot header lies before the load address it gives');
  const loadEnd = loadEndField === 0 ? load + bytes.length - start : loadEndField;
  const bssEnd = bssEndField === 0 ? loadEnd : bssEndField;
  if (loadEnd < load || bssEnd < loadEnd) image.fail('multiboot header gives an end before its start');
  const contents = image.slice(start, loadEnd - load, `multiboot image for ${hexRange(load, loadEnd - load)}`);
  checkPlacement(file, options.memoryBytes, [{ gpa: load, bytes: bssEnd - load, label: 'multiboot image' }]);
  if (entry < load || entry >= bssEnd) image.fail(`multiboot entry 0x${entry.toString(16)} is outside the image`);
  return {
    chunks: [{ gpa: load, bytes: contents, label: 'multiboot image' }],
    zero: bssEnd > loadEnd ? [{ gpa: loadEnd, bytes: bssEnd - loadEnd }] : [],
    entry: BigInt(entry),
    symbols: symbolsOf(file, bytes),
  };
}

/** An ELF file may ask to be loaded by the header's addresses; its symbols count all the same. */
function symbolsOf(file: string, bytes: Uint8Array): LoadedImage['symbols'] {
  if (!isElf(bytes)) return [];
  try {
    return parseElf(file, bytes).symbols;
  } catch (error) {
    if (error instanceof ImageError) return [];
    throw error;
  }
}

/** The words of a header sum to zero. */
export function sumsToZero(view: DataView, offset: number, words: number): boolean {
  let sum = 0;
  for (let i = 0; i < words; i++) sum = (sum + view.getUint32(offset + 4 * i, true)) >>> 0;
  return sum === 0;
}

/**
 * Why a file that has no multiboot header that counts has one all the same: its checksum is wrong, it is not aligned, or
 * it lies where no boot loader looks. Such a kernel would start as if it had none, in a state that it does not expect.
 */
export function multibootFault(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = Math.min(bytes.length, MAX_LATE_BYTES) - 16;
  for (let offset = 0; offset <= end; offset++) {
    const magic = view.getUint32(offset, true);
    const fault =
      magic === MULTIBOOT_MAGIC ? fault1(view, offset) : magic === MULTIBOOT2_MAGIC ? fault2(view, offset) : '';
    if (fault) return fault;
  }
  return undefined;
}

function fault1(view: DataView, offset: number): string | undefined {
  const flags = view.getUint32(offset + 4, true);
  if (sumsToZero(view, offset, 3)) return misplaced(1, offset);
  if (flags > PLAUSIBLE_FLAGS || offset % SEARCH[1].alignment !== 0 || offset > SEARCH[1].bytes - 12) return undefined;
  return wrongChecksum(1, offset, view.getUint32(offset + 8, true), -(MULTIBOOT_MAGIC + flags) >>> 0);
}

function fault2(view: DataView, offset: number): string | undefined {
  const architecture = view.getUint32(offset + 4, true);
  const bytes = view.getUint32(offset + 8, true);
  if (sumsToZero(view, offset, 4)) return misplaced(2, offset);
  const plausible = ARCHITECTURES.includes(architecture) && bytes >= 16 && bytes <= SEARCH[2].bytes;
  if (!plausible || offset % SEARCH[2].alignment !== 0 || offset > SEARCH[2].bytes - 16) return undefined;
  const right = -(MULTIBOOT2_MAGIC + architecture + bytes) >>> 0;
  return wrongChecksum(2, offset, view.getUint32(offset + 12, true), right);
}

function misplaced(version: 1 | 2, offset: number): string | undefined {
  const { bytes, alignment } = SEARCH[version];
  const at = `${nameOf(version)} header at offset 0x${offset.toString(16)}`;
  if (offset % alignment !== 0) return `${at} is not at a multiple of ${alignment} bytes: align its section`;
  return `${at} is past the first ${bytes} bytes, where no boot loader looks: link its section first`;
}

function wrongChecksum(version: 1 | 2, offset: number, is: number, right: number): string {
  const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;
  const at = `${nameOf(version)} header at offset 0x${offset.toString(16)}`;
  return `${at} has the checksum ${hex(is)} and needs ${hex(right)}`;
}

function nameOf(version: 1 | 2): string {
  return version === 1 ? 'multiboot' : 'multiboot 2';
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** A module's command line: its name as it was given, and what belongs to it, as QEMU has them. */
export function moduleText({ name, args }: Module): string {
  return args === undefined ? name : `${name} ${args}`;
}

/** Finds room for a module from 1 MiB on. Answers its place. @throws ImageError */
export function placeModule(room: Placement, chunks: Chunk[], module: Module, memoryBytes: number): number {
  const gpa = room.tryLowest('initrd', module.bytes.length, 0x100000, 0x1_0000_0000);
  if (gpa === undefined) throw initrdDoesNotFit(module.name, module.bytes.length, memoryBytes);
  chunks.push({ gpa, bytes: module.bytes, label: 'initrd' });
  return gpa;
}

export function initrdDoesNotFit(name: string, bytes: number, memoryBytes: number): ImageError {
  return new ImageError(
    name,
    `initrd of ${bytes} bytes does not fit in ${sizeText(memoryBytes)} of memory beside the kernel`,
  );
}
