/** Flat binaries: a boot sector and what follows it, or bytes for an address that the user names. */
import { EBDA_BASE } from '../memory/memory-map.js';
import { checkPlacement, occupied, Placement, sizeText } from './binary.js';
import { flatGdt, GDT_BYTES, protectedState, realModeState } from './entry-state.js';
import { type Chunk, ImageError, type LoadedImage, type LoadOptions } from './image.js';

/** Where a BIOS loads the boot sector. */
const BOOT_SECTOR = 0x7c00;
const REAL_MODE_END = 0x100000;
/** The first hard disk, which a BIOS hands over in dl. */
const BOOT_DRIVE = 0x80n;
const STACK_BYTES = 0x1000;

export function isBootSector(bytes: Uint8Array): boolean {
  return bytes.length >= 512 && bytes[510] === 0x55 && bytes[511] === 0xaa;
}

/**
 * Loads the whole file at `options.at` (default 0x7c00) and starts at its first byte: below 1 MiB in real mode
 * (cs 0 in the first 64 KiB, else cs = at >> 4), from 1 MiB on in flat 32-bit protected mode.
 * @throws ImageError
 */
export function loadFlat(file: string, bytes: Uint8Array, options: LoadOptions): LoadedImage {
  const at = options.at ?? BOOT_SECTOR;
  if (!Number.isSafeInteger(at) || at < 0) throw new ImageError(file, `load address ${at} is not an address`);
  const chunk: Chunk = { gpa: at, bytes, label: 'flat binary' };
  if (at < EBDA_BASE && at + bytes.length > EBDA_BASE) {
    const room = EBDA_BASE - at;
    throw new ImageError(
      file,
      `flat binary of ${sizeText(bytes.length)} does not fit in the ${sizeText(room)} from 0x${at.toString(16)} up`,
    );
  }
  checkPlacement(file, options.memoryBytes, occupied([chunk]));
  if (at < REAL_MODE_END) {
    const cs = at < 0x10000 ? 0 : at >> 4;
    const initial = realModeState(cs, at - (cs << 4), { rdx: BOOT_DRIVE }, BOOT_SECTOR);
    return { kind: 'flat', chunks: [chunk], zero: [], initial, symbols: [] };
  }
  if (at > 0xffffffff) throw new ImageError(file, `load address 0x${at.toString(16)} is above 4 GiB`);
  const room = new Placement(file, options.memoryBytes, occupied([chunk]));
  const gdt = flatGdt(room.structure('the boot GDT', GDT_BYTES), false);
  const stackTop = BigInt(room.structure('the boot stack', STACK_BYTES) + STACK_BYTES);
  const initial = protectedState(BigInt(at), gdt, {}, stackTop);
  return { kind: 'flat', chunks: [gdt, chunk], zero: [], initial, symbols: [] };
}
