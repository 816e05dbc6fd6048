/** ELF executables: headers, loadable segments, notes and symbols; and the plain ELF32/ELF64 guest. */
import { alignUp, checkPlacement, hexRange, ImageReader, occupied, Placement } from './binary.js';
import { flatGdt, GDT_BYTES, identityTables, longModeState, protectedState } from './entry-state.js';
import type { Chunk, GuestSymbol, ImageKind, LoadedImage, LoadOptions } from './image.js';

const ELF_MAGIC = 0x464c457f;
const CLASS_32 = 1;
const CLASS_64 = 2;
const DATA_LITTLE = 1;
const TYPE_EXECUTABLE = 2;
const TYPE_SHARED = 3;
const MACHINE_386 = 3;
const MACHINE_X86_64 = 62;
const SEGMENT_LOAD = 1;
const SEGMENT_INTERPRETER = 3;
const SEGMENT_NOTE = 4;
const SECTION_SYMBOLS = 2;
const SECTION_LOADED = 2;
const FIRST_RESERVED_SECTION = 0xff00;
const SYMBOL_OBJECT = 1;
const SYMBOL_FUNCTION = 2;

/** Names of e_machine values that people feed to a PC by mistake. */
const MACHINES: Record<number, string> = {
  2: 'SPARC',
  4: 'Motorola 68000',
  8: 'MIPS',
  20: 'PowerPC',
  21: 'PowerPC 64',
  22: 'IBM S/390',
  40: 'ARM',
  42: 'SuperH',
  43: 'SPARC V9',
  50: 'Itanium',
  94: 'Xtensa',
  183: 'AArch64',
  243: 'RISC-V',
  247: 'BPF',
  258: 'LoongArch',
};

const STACK_BYTES = 0x4000;

export interface ElfSegment {
  index: number;
  offset: number;
  vaddr: bigint;
  gpa: number;
  fileBytes: number;
  memoryBytes: number;
}

export interface ElfFile {
  bits: 32 | 64;
  entry: bigint;
  segments: ElfSegment[];
  /** Descriptor bytes of each note by owner and type. */
  note(owner: string, type: number): Uint8Array | undefined;
  symbols: GuestSymbol[];
}

interface ProgramHeader {
  type: number;
  offset: bigint;
  vaddr: bigint;
  paddr: bigint;
  fileBytes: bigint;
  memoryBytes: bigint;
  align: bigint;
}

export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === ELF_MAGIC;
}

/** Symbols of an ELF file, whether or not it could be loaded as a guest. @throws ImageError when it is none for x86 */
export function elfSymbols(file: string, bytes: Uint8Array): GuestSymbol[] {
  const image = new ImageReader(file, bytes);
  return readSymbols(image, checkIdentity(image));
}

/** Reads an ELF file without looking at guest memory. @throws ImageError */
export function parseElf(file: string, bytes: Uint8Array): ElfFile {
  const image = new ImageReader(file, bytes);
  const bits = checkIdentity(image);
  const headers = readProgramHeaders(image, bits);
  const segments: ElfSegment[] = [];
  for (const [index, header] of headers.entries()) {
    if (header.type === SEGMENT_INTERPRETER) {
      image.fail('is a dynamically linked program, not a guest image (it asks for a program interpreter)');
    }
    if (header.type === SEGMENT_LOAD && header.memoryBytes > 0n) segments.push(loadable(image, index, header));
  }
  if (segments.length === 0) image.fail('ELF file has no loadable segment');
  const entry = bits === 64 ? image.u64(24, 'ELF header') : BigInt(image.u32(24, 'ELF header'));
  return {
    bits,
    entry,
    segments,
    note: (owner, type) => findNote(image, headers, owner, type),
    symbols: readSymbols(image, bits),
  };
}

function checkIdentity(image: ImageReader): 32 | 64 {
  const elfClass = image.u8(4, 'ELF header');
  if (elfClass !== CLASS_32 && elfClass !== CLASS_64) image.fail(`ELF class ${elfClass} is neither 32 nor 64 bits`);
  const bits = elfClass === CLASS_64 ? 64 : 32;
  if (image.u8(5, 'ELF header') !== DATA_LITTLE) image.fail('ELF file is big-endian, a PC is little-endian');
  image.need(0, bits === 64 ? 64 : 52, 'ELF header');
  const machine = image.u16(18, 'ELF header');
  if (machine !== MACHINE_386 && machine !== MACHINE_X86_64) {
    image.fail(`ELF file is for ${MACHINES[machine] ?? `machine ${machine}`}, not for x86`);
  }
  if (machine === MACHINE_386 && bits === 64) image.fail('64-bit ELF file is marked as i386 code');
  if (machine === MACHINE_X86_64 && bits === 32) image.fail('32-bit ELF file is marked as x86-64 code (x32)');
  const type = image.u16(16, 'ELF header');
  if (type !== TYPE_EXECUTABLE && type !== TYPE_SHARED) {
    image.fail(type === 1 ? 'ELF file is a relocatable object: link it first' : `ELF type ${type} is not executable`);
  }
  return bits;
}

function readProgramHeaders(image: ImageReader, bits: 32 | 64): ProgramHeader[] {
  const what = 'program header table';
  const offset = bits === 64 ? Number(image.u64(32, what)) : image.u32(28, what);
  const entryBytes = image.u16(bits === 64 ? 54 : 42, what);
  const count = image.u16(bits === 64 ? 56 : 44, what);
  if (count === 0) image.fail('ELF file has no program headers');
  if (entryBytes < (bits === 64 ? 56 : 32)) image.fail(`ELF program headers of ${entryBytes} bytes are too small`);
  image.need(offset, count * entryBytes, what);
  return Array.from({ length: count }, (_, i) => {
    const at = offset + i * entryBytes;
    if (bits === 64) {
      const u64 = (field: number) => image.u64(at + field, what);
      const [fileOffset, vaddr, paddr, fileBytes, memoryBytes, align] = [8, 16, 24, 32, 40, 48].map(u64);
      return { type: image.u32(at, what), offset: fileOffset, vaddr, paddr, fileBytes, memoryBytes, align };
    }
    const u32 = (field: number) => BigInt(image.u32(at + field, what));
    const [fileOffset, vaddr, paddr, fileBytes, memoryBytes, align] = [4, 8, 12, 16, 20, 28].map(u32);
    return { type: image.u32(at, what), offset: fileOffset, vaddr, paddr, fileBytes, memoryBytes, align };
  });
}

function loadable(image: ImageReader, index: number, header: ProgramHeader): ElfSegment {
  const name = `segment ${index}`;
  if (header.fileBytes > header.memoryBytes) {
    image.fail(`${name} is larger in the file (0x${header.fileBytes.toString(16)}) than in memory`);
  }
  // Above 2^52 numbers are no longer exact, and no PC has such addresses.
  if (header.paddr + header.memoryBytes > 1n << 52n) {
    image.fail(`${name} at ${hexRange(header.paddr, header.memoryBytes)} is outside the physical address space`);
  }
  if (header.offset + header.fileBytes > BigInt(image.bytes.length)) {
    image.need(Number(header.offset), Number(header.fileBytes), name);
  }
  return {
    index,
    offset: Number(header.offset),
    vaddr: header.vaddr,
    gpa: Number(header.paddr),
    fileBytes: Number(header.fileBytes),
    memoryBytes: Number(header.memoryBytes),
  };
}

function findNote(image: ImageReader, headers: ProgramHeader[], owner: string, type: number): Uint8Array | undefined {
  for (const header of headers) {
    if (header.type !== SEGMENT_NOTE) continue;
    const notes = image.slice(Number(header.offset), Number(header.fileBytes), 'notes');
    // Linux lays its notes out in 4-byte units also where the segment says otherwise; 8 is the GNU property form.
    const unit = header.align === 8n ? 8 : 4;
    const view = new DataView(notes.buffer, notes.byteOffset, notes.length);
    for (let at = 0; at + 12 <= notes.length; ) {
      const nameBytes = view.getUint32(at, true);
      const descriptorBytes = view.getUint32(at + 4, true);
      const descriptor = at + alignUp(12 + nameBytes, unit);
      const end = descriptor + descriptorBytes;
      if (end > notes.length) break;
      const name = notes.subarray(at + 12, at + 12 + Math.max(0, nameBytes - 1));
      if (view.getUint32(at + 8, true) === type && String.fromCharCode(...name.subarray(0, 64)) === owner) {
        return notes.subarray(descriptor, end);
      }
      at = alignUp(end, unit);
    }
  }
  return undefined;
}

/** Symbols with a name and an address, by address. A file without or with a broken symbol table has none. */
function readSymbols(image: ImageReader, bits: 32 | 64): GuestSymbol[] {
  const { bytes } = image;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const inside = (offset: number, length: number) => offset + length <= bytes.length;
  const word = (at: number) => (bits === 64 ? Number(view.getBigUint64(at, true)) : view.getUint32(at, true));
  const sections = word(bits === 64 ? 40 : 32);
  const sectionBytes = view.getUint16(bits === 64 ? 58 : 46, true);
  const count = view.getUint16(bits === 64 ? 60 : 48, true);
  if (sections === 0 || sectionBytes < (bits === 64 ? 64 : 40) || !inside(sections, count * sectionBytes)) return [];
  const section = (index: number) => {
    const at = sections + index * sectionBytes;
    return bits === 64
      ? {
          type: view.getUint32(at + 4, true),
          loaded: (view.getUint32(at + 8, true) & SECTION_LOADED) !== 0,
          address: view.getBigUint64(at + 16, true),
          offset: word(at + 24),
          bytes: word(at + 32),
          link: view.getUint32(at + 40, true),
        }
      : {
          type: view.getUint32(at + 4, true),
          loaded: (view.getUint32(at + 8, true) & SECTION_LOADED) !== 0,
          address: BigInt(view.getUint32(at + 12, true)),
          offset: word(at + 16),
          bytes: word(at + 20),
          link: view.getUint32(at + 24, true),
        };
  };
  // an absolute symbol is the name of a place, such as an end
  const reach = (home: number, address: bigint): bigint | undefined => {
    if (home >= FIRST_RESERVED_SECTION) return 1n;
    const own = home < count ? section(home) : undefined;
    if (!own?.loaded) return undefined;
    const left = own.address + BigInt(own.bytes) - address;
    return left < 1n ? 1n : left;
  };
  const symbols: GuestSymbol[] = [];
  const decoder = new TextDecoder();
  const entryBytes = bits === 64 ? 24 : 16;
  // Names share tails, but not much: past this the table is damaged and each name may be as long as the file.
  let nameBudget = 4 * bytes.length;
  for (let i = 0; i < count; i++) {
    const table = section(i);
    if (table.type !== SECTION_SYMBOLS || table.link >= count || !inside(table.offset, table.bytes)) continue;
    const names = section(table.link);
    if (!inside(names.offset, names.bytes)) continue;
    const strings = bytes.subarray(names.offset, names.offset + names.bytes);
    for (let at = table.offset; at + entryBytes <= table.offset + table.bytes; at += entryBytes) {
      const nameOffset = view.getUint32(at, true);
      const info = view.getUint8(at + (bits === 64 ? 4 : 12));
      const home = view.getUint16(at + (bits === 64 ? 6 : 14), true);
      const type = info & 0xf;
      // Undefined symbols, section and file names are no places in the guest.
      if (nameOffset === 0 || nameOffset >= strings.length || home === 0 || type > SYMBOL_FUNCTION) continue;
      let end = nameOffset;
      while (end < strings.length && strings[end] !== 0) end++;
      nameBudget -= end - nameOffset;
      if (nameBudget < 0) return [];
      const address = bits === 64 ? view.getBigUint64(at + 8, true) : BigInt(view.getUint32(at + 4, true));
      const size = bits === 64 ? view.getBigUint64(at + 16, true) : BigInt(view.getUint32(at + 8, true));
      const atMost = size === 0n ? reach(home, address) : undefined;
      symbols.push({
        name: decoder.decode(strings.subarray(nameOffset, end)),
        address,
        size,
        ...(atMost === undefined ? {} : { reach: atMost }),
        kind: type === SYMBOL_FUNCTION ? 'function' : type === SYMBOL_OBJECT ? 'object' : 'other',
      });
    }
    // A file has one symbol table.
    break;
  }
  return symbols.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
}

/** Memory contents of the loadable segments. @throws ImageError when they are not in RAM or overlap. */
export function placeSegments(
  file: string,
  bytes: Uint8Array,
  elf: ElfFile,
  memoryBytes: number,
): { chunks: Chunk[]; zero: { gpa: number; bytes: number }[] } {
  checkPlacement(
    file,
    memoryBytes,
    elf.segments.map((s) => ({ gpa: s.gpa, bytes: s.memoryBytes, label: `segment ${s.index}` })),
  );
  const chunks: Chunk[] = [];
  const zero: { gpa: number; bytes: number }[] = [];
  for (const s of elf.segments) {
    if (s.fileBytes > 0) {
      const contents = bytes.subarray(s.offset, s.offset + s.fileBytes);
      chunks.push({ gpa: s.gpa, bytes: contents, label: `segment ${s.index}` });
    }
    if (s.memoryBytes > s.fileBytes) zero.push({ gpa: s.gpa + s.fileBytes, bytes: s.memoryBytes - s.fileBytes });
  }
  return { chunks, zero };
}

/** The entry point as a physical address: kernels linked high and loaded low give a virtual one. */
export function physicalEntry(elf: ElfFile): bigint {
  if (elf.segments.some((s) => elf.entry >= s.gpa && elf.entry < BigInt(s.gpa + s.memoryBytes))) return elf.entry;
  const home = elf.segments.find((s) => elf.entry >= s.vaddr && elf.entry < s.vaddr + BigInt(s.memoryBytes));
  return home === undefined ? elf.entry : elf.entry - home.vaddr + BigInt(home.gpa);
}

/**
 * A guest without a boot protocol. ELF32 starts in flat protected mode, ELF64 in 64-bit mode with the first 4 GiB
 * mapped onto themselves; both with a stack of 16 KiB, a flat GDT and interrupts off.
 * @throws ImageError
 */
export function loadPlainElf(file: string, bytes: Uint8Array, elf: ElfFile, options: LoadOptions): LoadedImage {
  const { chunks, zero } = placeSegments(file, bytes, elf, options.memoryBytes);
  const room = new Placement(file, options.memoryBytes, occupied(chunks, zero));
  const entry = physicalEntry(elf);
  const kind: ImageKind = elf.bits === 64 ? 'elf64' : 'elf32';
  const gdt = flatGdt(room.structure('the boot GDT', GDT_BYTES), elf.bits === 64);
  const stackTop = BigInt(room.structure('the boot stack', STACK_BYTES) + STACK_BYTES);
  if (elf.bits === 32) {
    // The return address of a C entry function would lie at [esp]: 16-byte alignment holds before that call.
    return {
      kind,
      chunks: [gdt, ...chunks],
      zero,
      initial: protectedState(entry, gdt, {}, stackTop),
      symbols: elf.symbols,
    };
  }
  const tables = identityTables(room.structure('the boot page tables', identityTables.bytes));
  const initial = longModeState(entry, gdt, tables, {}, stackTop);
  return { kind, chunks: [gdt, tables, ...chunks], zero, initial, symbols: elf.symbols };
}
