/** A BIOS image: its place at the top of 4 GiB, the state after reset, and what the machine tells it. */
import { CR0 } from '../../spec/masks.js';
import type { Drive } from '../devices/block.js';
import type { FirmwareFile } from '../devices/fw-cfg.js';
import { e820Ram } from '../memory/memory-map.js';
import { acpiFiles } from './acpi-loader.js';
import { sizeText, TableWriter, zeroTerminated } from './binary.js';
import { bootPaths } from './boot-order.js';
import { realModeState } from './entry-state.js';
import { ImageError, type LoadedImage } from './image.js';
import type { BiosKernel } from './kernel/index.js';
import { smbiosFiles } from './smbios.js';

/** Pages: OVMF's code without its variables ends no 64 KiB. */
const UNIT = 0x1000;
const MIN_BYTES = 0x10000;
const MAX_BYTES = 16 * 1024 * 1024;
const RESET_SEGMENT = 0xf000;
const RESET_BASE = 0xffff0000n;
const RESET_IP = 0xfff0;
/** CR0 after reset: caches off. @sdm 3A 9.1.1 "Processor State After Reset" */
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
  /** In the order in which the BIOS tries them, but for what `bootOrder` says. */
  drives?: readonly Drive[];
  /** QEMU's letters for what is tried first: a floppy, c disk, d CD-ROM, n network. */
  bootOrder?: string;
  /** There is a network card, before the disks' cards. */
  network?: boolean;
  /** A kernel that it starts before it looks elsewhere. */
  kernel?: BiosKernel | undefined;
  /** The BIOS also talks on COM1. */
  serialConsole?: boolean;
}

/** @throws ImageError when the file cannot be a BIOS. */
export function loadBios(name: string, bytes: Uint8Array): LoadedImage {
  if (bytes.length === 0) throw new ImageError(name, 'file is empty');
  if (bytes.length % UNIT !== 0 || bytes.length < MIN_BYTES || bytes.length > MAX_BYTES) {
    throw new ImageError(name, `a BIOS has a multiple of 4 KiB from 64 KiB to 16 MiB, not ${sizeText(bytes.length)}`);
  }
  const state = realModeState(RESET_SEGMENT, RESET_IP, { rdx: CPU_SIGNATURE }, 0);
  return {
    kind: 'bios',
    chunks: [],
    zero: [],
    symbols: [],
    initial: {
      ...state,
      cr0: CR0.CD | CR0.NW | CR0.ET,
      segments: { ...state.segments, cs: { ...state.segments!.cs!, base: RESET_BASE } },
    },
  };
}

/** What the BIOS finds by name in the firmware configuration device, in order of names as QEMU has them. */
export function biosFiles(options: BiosOptions): FirmwareFile[] {
  const { memoryBytes, vcpus, vgaBios, serialConsole, drives = [], network = false, bootOrder, kernel } = options;
  const files = new Map([...acpiFiles({ memoryBytes, vcpus, floppy: true }), ...smbiosFiles({ memoryBytes, vcpus })]);
  files.set('etc/e820', e820File(memoryBytes));
  const paths = bootPaths({ drives, network, order: bootOrder });
  const order = [...(kernel ? [kernel.path] : []), ...paths].join('\n');
  if (order !== '') files.set('bootorder', zeroTerminated(order));
  // with nothing to boot it says so and waits, rather than start again each minute
  files.set('etc/boot-fail-wait', new TableWriter(4).u32(0, 0xffff_ffff).bytes);
  if (vgaBios) files.set(videoRomName(vgaBios), vgaBios);
  if (serialConsole) files.set('etc/sercon-port', new TableWriter(2).u16(0, COM1).bytes);
  const all: FirmwareFile[] = [...files].map(([name, bytes]) => ({ name, bytes }));
  return [...all, ...(kernel?.files ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
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
