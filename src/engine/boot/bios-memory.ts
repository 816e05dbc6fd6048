/** Memory that a BIOS keeps for itself while what it boots runs: nothing may be loaded there before the boot. */
import { lowRamEnd } from '../memory/memory-map.js';
import type { Range } from './binary.js';

/** Interrupt vectors, the BIOS's data, its stacks and those of what it starts end here. */
export const BIOS_DATA_END = 0x8000;
/** Its extended data grow down from A0000h; option ROMs follow, and the BIOS itself. */
export const BIOS_DATA_START = 0x9c000;
const FIRST_MIB = 0x100000;
/** At the end of low memory: ACPI's tables and what drivers of disks keep. SeaBIOS takes no more. */
export const BIOS_KEEPS_AT_END = 0x40000;

export function biosRanges(memoryBytes: number): Range[] {
  const end = lowRamEnd(memoryBytes);
  return [
    { gpa: 0, bytes: BIOS_DATA_END, label: "the BIOS's data" },
    { gpa: BIOS_DATA_START, bytes: FIRST_MIB - BIOS_DATA_START, label: 'the BIOS' },
    { gpa: end - BIOS_KEEPS_AT_END, bytes: BIOS_KEEPS_AT_END, label: "the BIOS's tables" },
  ];
}
