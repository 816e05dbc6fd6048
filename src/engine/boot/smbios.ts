/**
 * What the machine is, for guests that ask the firmware: Linux logs it and keys workarounds on it, dmidecode lists it.
 * @smbios 5 "Accessing SMBIOS Information", 7 "Structure Definitions" (DMTF DSP0134, 2.8)
 */
import { checksum, type MachineShape } from './acpi.js';
import { TableWriter, zeroTerminated } from './binary.js';
import type { Chunk } from './image.js';

const ENTRY_ADDRESS = 0xf4000;
const TABLE_ADDRESS = 0xf4020;
const ENTRY_BYTES = 31;
export const SMBIOS_ENTRY_FILE = 'etc/smbios/smbios-anchor';
export const SMBIOS_TABLE_FILE = 'etc/smbios/smbios-tables';

const VENDOR = 'vmscope';
const PRODUCT = 'PC (i440FX + PIIX)';
const BIOS_VERSION = '1.0';
/** The day that the clock of scripted runs starts at. */
const BIOS_DATE = '01/01/2026';
const PROCESSOR_MHZ = 1000;

const NO_CHARACTERISTICS = 1 << 3;
const VIRTUAL_MACHINE = 1 << 4;
const WAKE_POWER_SWITCH = 6;
const STATE_SAFE = 3;
const OTHER = 1;
const UNKNOWN = 2;
const NONE = 3;
const CENTRAL_PROCESSOR = 3;
const POPULATED_ENABLED = 0x41;
const NO_HANDLE = 0xffff;
const NO_ERROR_HANDLE = 0xfffe;
const SYSTEM_MEMORY = 3;
const FORM_DIMM = 9;
const TYPE_RAM = 7;

const HANDLE = { chassis: 0x300, processor: 0x400, array: 0x1000, device: 0x1100, range: 0x1300 } as const;

/** The entry point and the structures at fixed places in the firmware area. */
export function smbiosTables(machine: MachineShape): Chunk[] {
  const { entry, table } = smbios(machine, TABLE_ADDRESS);
  return [
    { gpa: ENTRY_ADDRESS, bytes: entry, label: 'SMBIOS entry' },
    { gpa: TABLE_ADDRESS, bytes: table, label: 'SMBIOS' },
  ];
}

/** The same as files for a BIOS, which places them and puts the address into the entry point. */
export function smbiosFiles(machine: MachineShape): Map<string, Uint8Array> {
  const { entry, table } = smbios(machine, 0);
  return new Map([
    [SMBIOS_ENTRY_FILE, entry],
    [SMBIOS_TABLE_FILE, table],
  ]);
}

function smbios({ vcpus, memoryBytes }: MachineShape, address: number): { entry: Uint8Array; table: Uint8Array } {
  const structures = [
    bios(),
    system(),
    chassis(),
    ...Array.from({ length: vcpus }, (_, id) => processor(id)),
    ...memory(memoryBytes),
    structure(32, 0x2000, new TableWriter(11)),
    structure(127, 0x7f00, new TableWriter(4)),
  ];
  const table = new Uint8Array(structures.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const bytes of structures) {
    table.set(bytes, at);
    at += bytes.length;
  }
  const entry = new TableWriter(ENTRY_BYTES).text(0, '_SM_').u8(5, ENTRY_BYTES).u8(6, 2).u8(7, 8);
  entry.u16(8, Math.max(...structures.map(({ length }) => length))).text(16, '_DMI_');
  entry.u16(22, table.length).u32(24, address).u16(28, structures.length).u8(30, 0x28);
  entry.u8(21, checksum(entry.bytes.subarray(16)));
  entry.u8(4, checksum(entry.bytes));
  return { entry: entry.bytes, table };
}

/** Header, the formatted part with string numbers from 1 on, then the strings and one more zero. */
function structure(type: number, handle: number, formatted: TableWriter, ...strings: string[]): Uint8Array {
  formatted.u8(0, type).u8(1, formatted.bytes.length).u16(2, handle);
  const texts = strings.length === 0 ? [Uint8Array.of(0)] : strings.map(zeroTerminated);
  return Uint8Array.from([...formatted.bytes, ...texts.flatMap((text) => [...text]), 0]);
}

function bios(): Uint8Array {
  const t = new TableWriter(24).u8(4, 1).u8(5, 2).u16(6, 0xf000).u8(8, 3);
  t.u64(10, NO_CHARACTERISTICS).u8(19, VIRTUAL_MACHINE).u8(20, 1).u8(21, 0).u8(22, 0xff).u8(23, 0xff);
  return structure(0, 0, t, VENDOR, BIOS_VERSION, BIOS_DATE);
}

function system(): Uint8Array {
  return structure(1, 0x100, new TableWriter(27).u8(4, 1).u8(5, 2).u8(24, WAKE_POWER_SWITCH), VENDOR, PRODUCT);
}

function chassis(): Uint8Array {
  const t = new TableWriter(22).u8(4, 1).u8(5, OTHER);
  return structure(3, HANDLE.chassis, t.u8(9, STATE_SAFE).u8(10, STATE_SAFE).u8(11, STATE_SAFE).u8(12, NONE), VENDOR);
}

function processor(id: number): Uint8Array {
  const t = new TableWriter(42).u8(4, 1).u8(5, CENTRAL_PROCESSOR).u8(6, OTHER).u8(7, 2);
  t.u16(20, PROCESSOR_MHZ).u16(22, PROCESSOR_MHZ).u8(24, POPULATED_ENABLED).u8(25, OTHER);
  for (const cache of [26, 28, 30]) t.u16(cache, NO_HANDLE);
  t.u8(35, 1)
    .u8(36, 1)
    .u8(37, 1)
    .u16(38, 1 << 2)
    .u16(40, OTHER);
  return structure(4, HANDLE.processor + id, t, `CPU ${id}`, VENDOR);
}

function memory(bytes: number): Uint8Array[] {
  const array = new TableWriter(23).u8(4, OTHER).u8(5, SYSTEM_MEMORY).u8(6, NONE);
  array
    .u32(7, Math.ceil(bytes / 1024))
    .u16(11, NO_ERROR_HANDLE)
    .u16(13, 1);
  const device = new TableWriter(40).u16(4, HANDLE.array).u16(6, NO_ERROR_HANDLE).u16(8, 0xffff).u16(10, 0xffff);
  // in MiB below 32 GiB
  device
    .u16(12, Math.ceil(bytes / 2 ** 20))
    .u8(14, FORM_DIMM)
    .u8(16, 1)
    .u8(18, TYPE_RAM)
    .u16(19, 1 << UNKNOWN);
  const range = new TableWriter(31)
    .u32(8, Math.ceil(bytes / 1024) - 1)
    .u16(12, HANDLE.array)
    .u8(14, 1);
  return [
    structure(16, HANDLE.array, array),
    structure(17, HANDLE.device, device, 'DIMM 0'),
    structure(19, HANDLE.range, range),
  ];
}
