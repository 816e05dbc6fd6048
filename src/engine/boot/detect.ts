/** Tells an image by its content and loads it together with the firmware's tables. */

import { MIN_MEMORY_BYTES } from '../memory/memory-map.js';
import { acpiTables } from './acpi.js';
import { sizeText } from './binary.js';
import { biosData } from './bios-data.js';
import { isElf, loadPlainElf, parseElf } from './elf.js';
import { isBootSector, loadFlat } from './flat.js';
import { ImageError, type LoadedImage, type LoadOptions } from './image.js';
import { isLinux, loadLinux } from './linux.js';
import { mpTable } from './mp-table.js';
import { findMultibootHeader, loadMultiboot } from './multiboot.js';
import { multibootFault } from './multiboot-image.js';
import { findMultiboot2Header, loadMultiboot2 } from './multiboot2.js';
import { loadPvh, pvhEntry } from './pvh.js';
import { smbiosTables } from './smbios.js';

/** First bytes of files that people try and that are not guests. */
const NOT_GUESTS: [number[], string][] = [
  [[0x1f, 0x8b], 'is gzip-compressed: unpack it first'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'is xz-compressed: unpack it first'],
  [[0x28, 0xb5, 0x2f, 0xfd], 'is zstd-compressed: unpack it first'],
  [[0x51, 0x46, 0x49, 0xfb], 'is a qcow2 disk image, not a kernel or boot sector'],
  [[0x50, 0x4b, 0x03, 0x04], 'is a zip archive, not a guest image'],
  [[0x23, 0x21], 'is a script, not a guest image'],
];

/**
 * The guest in `bytes`: memory contents (the firmware's tables first, then the image) and the first state.
 * `name` is used in messages and, without its folders, as the kernel's name in a multiboot command line.
 * @throws ImageError, and nothing else, whatever the bytes are.
 */
export function loadImage(name: string, bytes: Uint8Array, options: LoadOptions): LoadedImage {
  if (options.memoryBytes < MIN_MEMORY_BYTES) {
    throw new ImageError(name, `needs at least 1 MiB of memory, not ${sizeText(options.memoryBytes)}`);
  }
  const image = loadContents(name, bytes, options);
  return { ...image, chunks: [...firmware(options), ...image.chunks] };
}

function firmware(options: LoadOptions): LoadedImage['chunks'] {
  return [...biosData(), ...acpiTables(options), ...mpTable(options), ...smbiosTables(options)];
}

/** The image alone, without the tables that stand for a firmware's. @throws ImageError */
export function loadContents(name: string, bytes: Uint8Array, options: LoadOptions): LoadedImage {
  if (bytes.length === 0) throw new ImageError(name, 'file is empty');
  const multiboot = findMultibootHeader(bytes);
  const multiboot2 = findMultiboot2Header(bytes);
  if (options.at !== undefined && (isElf(bytes) || isLinux(bytes) || multiboot || multiboot2)) {
    throw new ImageError(name, 'names its own addresses: --at is for flat binaries');
  }
  if (isElf(bytes)) {
    const elf = parseElf(name, bytes);
    if (multiboot) return loadMultiboot(name, bytes, multiboot, options);
    if (multiboot2) return loadMultiboot2(name, bytes, multiboot2, options);
    const entry = pvhEntry(name, elf);
    if (entry !== undefined) return loadPvh(name, bytes, elf, entry, options);
    const fault = multibootFault(bytes);
    if (fault !== undefined) throw new ImageError(name, fault);
    noInitrd(options);
    return loadPlainElf(name, bytes, elf, options);
  }
  if (isLinux(bytes)) return loadLinux(name, bytes, options);
  if (multiboot) return loadMultiboot(name, bytes, multiboot, options);
  if (multiboot2) return loadMultiboot2(name, bytes, multiboot2, options);
  noInitrd(options);
  if (options.at === undefined && !isBootSector(bytes)) {
    const known = NOT_GUESTS.find(([magic]) => magic.every((byte, i) => bytes[i] === byte));
    throw new ImageError(
      name,
      known?.[1] ??
        multibootFault(bytes) ??
        'is not an ELF, multiboot, Linux or boot sector image; --at ADDRESS loads it as a flat binary',
    );
  }
  return loadFlat(name, bytes, options);
}

function noInitrd({ initrd }: LoadOptions): void {
  if (initrd) throw new ImageError(initrd.name, 'an initrd needs a Linux, multiboot or PVH kernel');
}
