/** A BIOS image: its place at the top of 4 GiB, the state after reset, and what the machine tells it. */
import type { Drive } from '../devices/block.js';
import { driveSlots } from '../devices/drive-cards.js';
import type { FirmwareFile } from '../devices/fw-cfg.js';
import { idePlaces } from '../devices/ide/controller.js';
import { e820Ram } from '../memory/memory-map.js';
import { acpiFiles } from './acpi-loader.js';
import { sizeText, TableWriter, zeroTerminated } from './binary.js';
import { realModeState } from './entry-state.js';
import { ImageError, type LoadedImage } from './image.js';
import { smbiosFiles } from './smbios.js';

const UNIT = 0x10000;
const MAX_BYTES = 16 * 1024 * 1024;
const RESET_SEGMENT = 0xf000;
const RESET_BASE = 0xffff0000n;
const RESET_IP = 0xfff0;
/** CR0 after reset: caches off. @sdm 3A 9.1.1 "Processor State After Reset" */
const RESET_CR0 = 0x6000_0010n;
const CPU_SIGNATURE = 0x306c3n;

const COM1 = 0x3f8;
/** @pci-firmware 5.1 "PCI Expansion ROM Header Contents" */
const PCI_DATA_POINTER = 0x18;
const PCI_DATA_SIGNATURE = 0x52494350;

export interface BiosOptions {
  memoryBytes: number;
  vcpus: number;
  /** Video BIOS, run from C0000h. */
  vgaBios?: Uint8Array;
  /** In the order in which the BIOS tries them. */
  drives?: readonly Drive[];
  /** There is a network card, before the disks' cards. */
  network?: boolean;
  /** The BIOS also talks on COM1. */
  serialConsole?: boolean;
}

/** @throws ImageError when the file cannot be a BIOS. */
export function loadBios(name: string, bytes: Uint8Array): LoadedImage {
  if (bytes.length === 0) throw new ImageError(name, 'file is empty');
  if (bytes.length % UNIT !== 0 || bytes.length > MAX_BYTES) {
    throw new ImageError(name, `a BIOS has a multiple of 64 KiB up to 16 MiB, not ${sizeText(bytes.length)}`);
  }
  const state = realModeState(RESET_SEGMENT, RESET_IP, { rdx: CPU_SIGNATURE }, 0);
  return {
    kind: 'bios',
    chunks: [],
    zero: [],
    symbols: [],
    initial: {
      ...state,
      cr0: RESET_CR0,
      segments: { ...state.segments, cs: { ...state.segments!.cs!, base: RESET_BASE } },
    },
  };
}

/** What the BIOS finds by name in the firmware configuration device, in order of names as QEMU has them. */
export function biosFiles(options: BiosOptions): FirmwareFile[] {
  const { memoryBytes, vcpus, vgaBios, serialConsole, drives = [], network = false } = options;
  const files = new Map([...acpiFiles({ memoryBytes, vcpus, floppy: true }), ...smbiosFiles({ memoryBytes, vcpus })]);
  files.set('etc/e820', e820File(memoryBytes));
  const order = bootPaths(drives, network).join('\n');
  if (order !== '') files.set('bootorder', zeroTerminated(order));
  // with nothing to boot it says so and waits, rather than start again each minute
  files.set('etc/boot-fail-wait', new TableWriter(4).u32(0, 0xffff_ffff).bytes);
  if (vgaBios) files.set(videoRomName(vgaBios), vgaBios);
  if (serialConsole) files.set('etc/sercon-port', new TableWriter(2).u16(0, COM1).bytes);
  return [...files].map(([name, bytes]) => ({ name, bytes })).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** SeaBIOS runs the ROM of a PCI card by the card's name, with its place on the bus. */
function videoRomName(rom: Uint8Array): string {
  const view = new DataView(rom.buffer, rom.byteOffset, rom.byteLength);
  const at = rom.length > PCI_DATA_POINTER + 2 ? view.getUint16(PCI_DATA_POINTER, true) : rom.length;
  if (at + 8 > rom.length || view.getUint32(at, true) !== PCI_DATA_SIGNATURE) return 'vgaroms/vgabios.bin';
  const digits = (offset: number) =>
    view
      .getUint16(at + offset, true)
      .toString(16)
      .padStart(4, '0');
  return `pci${digits(4)},${digits(6)}.rom`;
}

/** Places of the drives as Open Firmware names them, which is how SeaBIOS wants its boot order. */
function bootPaths(drives: readonly Drive[], network: boolean): string[] {
  const ide = drives.filter(({ bus }) => bus === 'ide');
  const places = new Map([...idePlaces(ide)].map(([place, drive]) => [drive, place]));
  const floppies = drives.filter(({ bus }) => bus === 'floppy');
  const slots = driveSlots(drives, network);
  return drives.map((drive) => {
    if (drive.bus === 'floppy') return `/pci@i0cf8/isa@1/fdc@03f0/floppy@${floppies.indexOf(drive)}`;
    const place = places.get(drive);
    if (place !== undefined) return `/pci@i0cf8/ide@1,1/drive@${place >> 1}/disk@${place & 1}`;
    const slot = slots.get(drive)!;
    const card = slot.device.toString(16);
    if (drive.bus === 'sata') return `/pci@i0cf8/pci8086,2922@${card}/drive@${slot.place}/disk@0`;
    if (drive.bus === 'nvme') return `/pci@i0cf8/pci1b36,10@${card}/namespace@1,0`;
    return `/pci@i0cf8/scsi@${card}/disk@0,0`;
  });
}

function e820File(memoryBytes: number): Uint8Array {
  const entries = e820Ram(memoryBytes);
  const table = new TableWriter(entries.length * 20);
  for (const [i, { gpa, bytes, type }] of entries.entries()) {
    table
      .u64(i * 20, gpa)
      .u64(i * 20 + 8, bytes)
      .u32(i * 20 + 16, type);
  }
  return table.bytes;
}
