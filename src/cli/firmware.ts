import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { NetModel } from '../engine/vmm/cards.js';
import { UsageError } from './options.js';

/** Where distributions and Homebrew put SeaBIOS. */
const FOLDERS = [
  ...['/usr/share/seabios', '/usr/share/qemu', '/usr/share/qemu-kvm'],
  ...['/usr/local/share/qemu', '/opt/homebrew/share/qemu'],
];
/** Where they put the ROMs of network cards, which are iPXE: Debian's package ipxe-qemu, Fedora's ipxe-roms-qemu. */
const ROM_FOLDERS = ['/usr/lib/ipxe/qemu', '/usr/share/ipxe/qemu', '/usr/share/ipxe', ...FOLDERS];
const ROM_NAMES: Readonly<Record<NetModel, string>> = { virtio: 'virtio', e1000: 'e1000', rtl8139: 'rtl8139' };
const BIOS = ['bios-256k.bin', 'bios.bin'];
const VGA_BIOS = ['vgabios-stdvga.bin', 'vgabios-isavga.bin', 'vgabios.bin'];

export interface FirmwarePaths {
  bios: string;
  /** Absent: the guest has no video BIOS, so INT 10h shows nothing. */
  vgaBios?: string;
}

/** The BIOS of --bios or SeaBIOS where it is installed, and the video BIOS that belongs to it. @throws UsageError */
export function findFirmware(bios: string | undefined): FirmwarePaths {
  const found = bios ?? first(FOLDERS, BIOS);
  if (found === undefined) {
    throw new UsageError('booting from a disk needs a BIOS: install seabios or name one with --bios');
  }
  const vgaBios = first([dirname(found), ...FOLDERS], VGA_BIOS);
  return { bios: found, ...(vgaBios === undefined ? {} : { vgaBios }) };
}

/** iPXE's ROM for a network card where it is installed: for a BIOS and for UEFI, or for a BIOS alone. */
export function findNetRom(model: NetModel = 'virtio'): string | undefined {
  const card = ROM_NAMES[model];
  return first(ROM_FOLDERS, [`efi-${card}.rom`, `pxe-${card}.rom`]);
}

/** A video BIOS where it is installed: what has its font. */
export function findVgaBios(): string | undefined {
  return first(FOLDERS, VGA_BIOS);
}

/** SeaBIOS is where distributions put it. */
export function isFirmwareInstalled(): boolean {
  return first(FOLDERS, BIOS) !== undefined;
}

function first(folders: readonly string[], names: readonly string[]): string | undefined {
  for (const folder of folders) {
    for (const name of names) if (existsSync(join(folder, name))) return join(folder, name);
  }
  return undefined;
}
