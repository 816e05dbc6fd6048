/** The option ROM from which a BIOS boots a kernel of the command line: code of ours (`rom.S`) with its parameters. */
import { TableWriter } from '../binary.js';
import { BOOT_CS, BOOT_DS } from '../entry-state.js';
import { ImageError, type InitialState, type MapPlace } from '../image.js';
import { ROM, ROM_CODE } from './code.js';

const UNIT = 512;
const MAX_BYTES = 0x8000;
const TRANSFER_BYTES = 16;
export const MAX_TRANSFERS = Math.floor((MAX_BYTES - ROM_CODE.length - 1) / TRANSFER_BYTES);
/** fw_cfg's DMA: the item is chosen and read. @qemu docs/specs/fw_cfg */
const READ_AND_SELECT = 0x0a;
/** Nobody reads here once the kernel runs; where a field goes that the kernel does not ask for. */
const SCRATCH = 0x7c00;

/** An item of the firmware configuration device that goes to memory. */
export interface Transfer {
  key: number;
  gpa: number;
  bytes: number;
}

/** How the kernel is entered when all is in memory. */
export type RomEntry =
  /** In real mode, 20h paragraphs behind its segment. */
  | { segment: number; stack: number }
  /** In flat protected mode, with the BIOS's memory map. */
  | { initial: InitialState; map: MapPlace };

/** @throws ImageError naming `file` */
export function kernelRom(file: string, transfers: readonly Transfer[], entry: RomEntry): Uint8Array {
  if (transfers.length > MAX_TRANSFERS)
    throw new ImageError(
      file,
      `has ${transfers.length} pieces with its modules; a BIOS loads at most ${MAX_TRANSFERS}`,
    );
  const used = ROM_CODE.length + transfers.length * TRANSFER_BYTES;
  // one byte more is the checksum
  const units = Math.ceil((used + 1) / UNIT);
  const rom = new TableWriter(units * UNIT);
  rom.bytes.set(ROM_CODE);
  rom.u8(ROM.units, units).u16(ROM.transfers, transfers.length);
  const view = new DataView(rom.bytes.buffer, ROM_CODE.length);
  for (const [i, { key, gpa, bytes }] of transfers.entries()) {
    const at = i * TRANSFER_BYTES;
    view.setUint16(at, key);
    view.setUint16(at + 2, READ_AND_SELECT);
    view.setUint32(at + 4, bytes);
    view.setBigUint64(at + 8, BigInt(gpa));
  }
  if ('segment' in entry) rom.u16(ROM.realSegment, entry.segment).u16(ROM.realStack, entry.stack);
  else protectedEntry(rom, entry.initial, entry.map);
  sumToZero(rom.bytes, ROM.plugAndPlay, ROM.plugAndPlayBytes, ROM.plugAndPlayChecksum);
  sumToZero(rom.bytes, 0, rom.bytes.length, rom.bytes.length - 1);
  return rom.bytes;
}

function protectedEntry(rom: TableWriter, { rip, rsp = 0n, registers = {}, gdtr }: InitialState, map: MapPlace): void {
  const register = (value = 0n): number => Number(value);
  rom.u16(ROM.isProtected, 1);
  rom.u16(ROM.mapSegment, map.gpa >> 4).u16(ROM.mapMost, map.most);
  rom.u16(ROM.mapRangeAt, map.rangeAt).u16(ROM.mapOtherAt, map.otherAt).u32(ROM.mapOther, map.other);
  rom.u32(ROM.mapCountAt, farPointer(map.countAt)).u32(ROM.mapUnit, map.unit);
  rom.u32(ROM.upperAt, farPointer(map.upperAt ?? SCRATCH));
  rom.u16(ROM.gdtLimit, gdtr?.limit ?? 0).u32(ROM.gdtBase, register(gdtr?.base));
  rom.u16(ROM.codeSelector, BOOT_CS).u16(ROM.dataSelector, BOOT_DS);
  rom.u32(ROM.esp, register(rsp)).u32(ROM.eax, register(registers.rax)).u32(ROM.ebx, register(registers.rbx));
  rom.u32(ROM.eip, register(rip));
}

/** Offset and segment of an address below 1 MiB. */
function farPointer(gpa: number): number {
  return (((gpa >> 4) << 16) | (gpa & 0xf)) >>> 0;
}

function sumToZero(bytes: Uint8Array, from: number, length: number, at: number): void {
  bytes[at] = 0;
  bytes[at] = -bytes.subarray(from, from + length).reduce((sum, byte) => sum + byte, 0);
}
