/**
 * The ACPI tables as a BIOS gets them: it puts them where it has room and follows a script that adjusts pointers
 * and checksums. @qemu hw/acpi/bios-linker-loader "Dynamically generated tables"
 */
import { acpiTables, type MachineShape, RSDP_ADDRESS } from './acpi.js';
import { TableWriter } from './binary.js';
import type { Chunk } from './image.js';

export const TABLES_FILE = 'etc/acpi/tables';
export const RSDP_FILE = 'etc/acpi/rsdp';
export const LOADER_FILE = 'etc/table-loader';

const COMMAND_BYTES = 128;
const NAME_BYTES = 56;
const COMMAND = { allocate: 1, addPointer: 2, addChecksum: 3 } as const;
const ZONE = { high: 1, fSegment: 2 } as const;
const TABLE_ALIGNMENT = 64;
const RSDP_ALIGNMENT = 16;

const CHECKSUM_OFFSET = 9;
const HEADER_BYTES = 36;
const FADT_POINTERS: [offset: number, bytes: number][] = [
  [36, 4],
  [40, 4],
  [132, 8],
  [140, 8],
];

/** The files for the firmware configuration device. */
export function acpiFiles(machine: MachineShape): Map<string, Uint8Array> {
  const all = acpiTables(machine);
  const rsdp = all.find(({ gpa }) => gpa === RSDP_ADDRESS)!.bytes.slice();
  const tables = all.filter(({ gpa }) => gpa !== RSDP_ADDRESS);
  const base = Math.min(...tables.map(({ gpa }) => gpa));
  const end = Math.max(...tables.map(({ gpa, bytes }) => gpa + bytes.length));
  const blob = new Uint8Array(end - base);
  for (const { gpa, bytes } of tables) blob.set(bytes, gpa - base);
  const script: Uint8Array[] = [allocate(RSDP_FILE, RSDP_ALIGNMENT, ZONE.fSegment)];
  script.push(allocate(TABLES_FILE, TABLE_ALIGNMENT, ZONE.high));

  /** Makes a pointer relative to the start of the tables and has the script add where they are. */
  const pointer = (file: string, bytes: Uint8Array, offset: number, width: number): void => {
    const view = new DataView(bytes.buffer);
    if (width === 8) view.setBigUint64(offset, view.getBigUint64(offset, true) - BigInt(base), true);
    else view.setUint32(offset, view.getUint32(offset, true) - base, true);
    script.push(addPointer(file, TABLES_FILE, offset, width));
  };
  /** Has the script fill in a checksum. The byte is 0 until then: OVMF sums it too, SeaBIOS subtracts from it. */
  const sum = (file: string, bytes: Uint8Array, offset: number, start: number, length: number): void => {
    bytes[offset] = 0;
    script.push(addChecksum(file, offset, start, length));
  };
  for (const table of tables) {
    const at = table.gpa - base;
    const pointers = pointersOf(table);
    for (const [offset, width] of pointers) pointer(TABLES_FILE, blob, at + offset, width);
    if (pointers.length > 0) sum(TABLES_FILE, blob, at + CHECKSUM_OFFSET, at, table.bytes.length);
  }
  pointer(RSDP_FILE, rsdp, 16, 4);
  pointer(RSDP_FILE, rsdp, 24, 8);
  sum(RSDP_FILE, rsdp, 8, 0, 20);
  sum(RSDP_FILE, rsdp, 32, 0, rsdp.length);
  const loader = new Uint8Array(script.length * COMMAND_BYTES);
  for (const [i, command] of script.entries()) loader.set(command, i * COMMAND_BYTES);
  return new Map([
    [TABLES_FILE, blob],
    [RSDP_FILE, rsdp],
    [LOADER_FILE, loader],
  ]);
}

function pointersOf({ bytes }: Chunk): [offset: number, bytes: number][] {
  const signature = String.fromCharCode(...bytes.subarray(0, 4));
  if (signature === 'FACP') return FADT_POINTERS;
  const width = signature === 'RSDT' ? 4 : signature === 'XSDT' ? 8 : 0;
  const count = width === 0 ? 0 : (bytes.length - HEADER_BYTES) / width;
  return Array.from({ length: count }, (_, i) => [HEADER_BYTES + i * width, width]);
}

function command(kind: number, ...files: string[]): TableWriter {
  const t = new TableWriter(COMMAND_BYTES).u32(0, kind);
  for (const [i, file] of files.entries()) t.text(4 + i * NAME_BYTES, file);
  return t;
}

function allocate(file: string, alignment: number, zone: number): Uint8Array {
  return command(COMMAND.allocate, file)
    .u32(4 + NAME_BYTES, alignment)
    .u8(8 + NAME_BYTES, zone).bytes;
}

function addPointer(file: string, to: string, offset: number, width: number): Uint8Array {
  return command(COMMAND.addPointer, file, to)
    .u32(4 + 2 * NAME_BYTES, offset)
    .u8(8 + 2 * NAME_BYTES, width).bytes;
}

function addChecksum(file: string, offset: number, start: number, length: number): Uint8Array {
  return command(COMMAND.addChecksum, file)
    .u32(4 + NAME_BYTES, offset)
    .u32(8 + NAME_BYTES, start)
    .u32(12 + NAME_BYTES, length).bytes;
}
