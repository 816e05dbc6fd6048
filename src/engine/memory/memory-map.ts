/** Where guest RAM lies in guest-physical space, and what the firmware tells the guest about it. */

const MIB = 1 << 20;
const GIB = 1 << 30;
const FOUR_GIB = 4 * GIB;

/** Conventional memory ends here: the extended BIOS data area begins. */
export const EBDA_BASE = 0x9fc00;
export const EBDA_BYTES = 0x400;
/** Host memory between guest RAM and what lies behind it; its first frame is the APIC-access page. */
export const FRAMES_BEHIND_RAM = 0x10000;
/** Tables and the few routines that stand where a BIOS would. */
export const FIRMWARE_BASE = 0xe0000;
export const FIRMWARE_BYTES = 0x20000;
/** Devices of the PCI bus may be placed from the end of low RAM up to here. */
export const PCI_HOLE_END = 0xfec00000;
export const IOAPIC_BASE = 0xfec00000;
export const LAPIC_BASE = 0xfee00000;

/** A piece of guest RAM; `offset` is where it starts in the block that backs all RAM. */
export interface RamRange {
  gpa: number;
  bytes: number;
  offset: number;
}

/** Types of the BIOS's system address map. @acpi 15.1 "INT 15H, E820H - Query System Address Map" */
export type E820Type = 1 | 2 | 3;
export const E820_RAM = 1;
export const E820_RESERVED = 2;

export interface E820Entry {
  gpa: number;
  bytes: number;
  type: E820Type;
}

/** End of the RAM that lies below 4 GiB: what does not fit under the PCI hole continues at 4 GiB. */
export function lowRamEnd(memoryBytes: number): number {
  return memoryBytes <= 3.5 * GIB ? memoryBytes : 3 * GIB;
}

/** RAM of a machine as a PC places it. */
export function ramRanges(memoryBytes: number): RamRange[] {
  const low = lowRamEnd(memoryBytes);
  const ranges = [{ gpa: 0, bytes: low, offset: 0 }];
  if (memoryBytes > low) ranges.push({ gpa: FOUR_GIB, bytes: memoryBytes - low, offset: low });
  return ranges;
}

/** True when all of [gpa, gpa + bytes) is RAM. */
export function isRam(memoryBytes: number, gpa: number, bytes: number): boolean {
  return ramRanges(memoryBytes).some((range) => gpa >= range.gpa && gpa + bytes <= range.gpa + range.bytes);
}

/** Offset of `gpa` in the block that backs RAM; undefined when it is not RAM. */
export function ramOffset(memoryBytes: number, gpa: number): number | undefined {
  const low = lowRamEnd(memoryBytes);
  if (gpa >= 0 && gpa < low) return gpa;
  const offset = gpa - FOUR_GIB + low;
  return gpa >= FOUR_GIB && offset < memoryBytes ? offset : undefined;
}

/** The map that boot protocols hand to the guest: sorted, no overlaps. */
export function e820(memoryBytes: number): E820Entry[] {
  const low = lowRamEnd(memoryBytes);
  const map: E820Entry[] = [{ gpa: 0, bytes: Math.min(low, EBDA_BASE), type: E820_RAM }];
  map.push({ gpa: EBDA_BASE, bytes: EBDA_BYTES, type: E820_RESERVED });
  map.push({ gpa: FIRMWARE_BASE, bytes: FIRMWARE_BYTES, type: E820_RESERVED });
  if (low > MIB) map.push({ gpa: MIB, bytes: low - MIB, type: E820_RAM });
  map.push({ gpa: IOAPIC_BASE, bytes: 0x1000, type: E820_RESERVED });
  map.push({ gpa: LAPIC_BASE, bytes: 0x1000, type: E820_RESERVED });
  if (memoryBytes > low) map.push({ gpa: FOUR_GIB, bytes: memoryBytes - low, type: E820_RAM });
  return map;
}

/** RAM alone, as a BIOS gets it: what is reserved is the BIOS's to say. */
export function e820Ram(memoryBytes: number): E820Entry[] {
  return ramRanges(memoryBytes).map(({ gpa, bytes }) => ({ gpa, bytes, type: E820_RAM }));
}

/** Smallest RAM a PC of this kind can have: the firmware tables end at 1 MiB. */
export const MIN_MEMORY_BYTES = MIB;
