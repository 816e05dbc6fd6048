/** PVH entry: an ELF kernel that names a 32-bit entry point in a Xen note. @xen "x86/HVM direct boot ABI" */

import { counted } from '../counted.js';
import { e820 } from '../memory/memory-map.js';
import { RSDP_ADDRESS } from './acpi.js';
import { occupied, roomBeside, TableWriter, zeroTerminated } from './binary.js';
import { type ElfFile, placeSegments } from './elf.js';
import { flatGdt, GDT_BYTES, protectedState } from './entry-state.js';
import { type Chunk, ImageError, type LoadedImage, type LoadOptions, mapRoom, modulesOf } from './image.js';
import { initrdDoesNotFit } from './multiboot-image.js';

const NOTE_OWNER = 'Xen';
/** XEN_ELFNOTE_PHYS32_ENTRY */
const NOTE_PHYS32_ENTRY = 18;
const START_MAGIC = 0x336ec578;
const START_BYTES = 56;
const MODULE_BYTES = 32;
const MAP_ENTRY_BYTES = 24;

/** The entry point that the note names; undefined when the kernel has none. */
export function pvhEntry(file: string, elf: ElfFile): bigint | undefined {
  const note = elf.note(NOTE_OWNER, NOTE_PHYS32_ENTRY);
  if (note === undefined) return undefined;
  if (note.length < 4) throw new ImageError(file, `PVH entry note has ${counted(note.length, 'byte')}, not 4 or 8`);
  const view = new DataView(note.buffer, note.byteOffset, note.length);
  return BigInt(view.getUint32(0, true));
}

/** @throws ImageError */
export function loadPvh(
  file: string,
  bytes: Uint8Array,
  elf: ElfFile,
  entry: bigint,
  options: LoadOptions,
): LoadedImage {
  const { chunks, zero } = placeSegments(file, bytes, elf, options.memoryBytes);
  const room = roomBeside(file, options, occupied(chunks, zero));
  const added: Chunk[] = [];
  const place = (contents: Uint8Array, label: string): number => {
    const gpa = room.structure(label, contents.length);
    added.push({ gpa, bytes: contents, label });
    return gpa;
  };
  const gdt = flatGdt(room.structure('the boot GDT', GDT_BYTES), false);
  const start = new TableWriter(START_BYTES).u32(0, START_MAGIC).u32(4, 1);
  // a BIOS puts its tables where the guest finds them by itself
  if (!options.underBios) start.u64(32, RSDP_ADDRESS);
  start.u64(24, place(zeroTerminated(options.append ?? ''), 'PVH command line'));

  const map = e820(options.memoryBytes);
  const entries = new TableWriter(MAP_ENTRY_BYTES * mapRoom(options, map.length));
  for (const [i, range] of map.entries()) {
    entries
      .u64(MAP_ENTRY_BYTES * i, range.gpa)
      .u64(MAP_ENTRY_BYTES * i + 8, range.bytes)
      .u32(MAP_ENTRY_BYTES * i + 16, range.type);
  }
  const mapGpa = place(entries.bytes, 'PVH memory map');
  start.u64(40, mapGpa).u32(48, map.length);

  const modules = modulesOf(options);
  if (modules.length > 0) {
    const list = new TableWriter(MODULE_BYTES * modules.length);
    for (const [i, { name, bytes: contents, args }] of modules.entries()) {
      const gpa = room.tryHighest('initrd', contents.length, 0x100000, 0x1_0000_0000);
      if (gpa === undefined) throw initrdDoesNotFit(name, contents.length, options.memoryBytes);
      added.push({ gpa, bytes: contents, label: 'initrd' });
      const at = MODULE_BYTES * i;
      list.u64(at, gpa).u64(at + 8, contents.length);
      if (args !== undefined) list.u64(at + 16, place(zeroTerminated(args), 'module command line'));
    }
    start.u32(12, modules.length).u64(16, place(list.bytes, 'PVH module list'));
  }
  const info = place(start.bytes, 'PVH start information');
  return {
    kind: 'pvh',
    chunks: [gdt, ...chunks, ...added],
    zero,
    initial: protectedState(entry, gdt, { rbx: BigInt(info) }),
    symbols: elf.symbols,
    map: {
      ...{ gpa: mapGpa, most: entries.bytes.length / MAP_ENTRY_BYTES },
      ...{ rangeAt: 0, otherAt: 20, other: 0, countAt: info + 48, unit: 1 },
    },
  };
}
