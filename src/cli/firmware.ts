/** SeaBIOS, its video BIOS, OVMF and iPXE's ROMs, where Debian, Fedora, Arch and Homebrew put them. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { NetModel } from '../engine/vmm/cards.js';
import { UsageError } from './options.js';

/** QEMU's own folders: Arch and Homebrew (on Apple silicon, Intel and Linux) have all firmware there. */
const QEMU_FOLDERS = [
  ...['/usr/share/qemu', '/usr/share/qemu-kvm', '/usr/local/share/qemu'],
  ...['/opt/homebrew/share/qemu', '/home/linuxbrew/.linuxbrew/share/qemu'],
];
const FOLDERS = ['/usr/share/seabios', ...QEMU_FOLDERS];
/** Fedora has the video BIOS apart. */
const VGA_FOLDERS = ['/usr/share/seavgabios', ...FOLDERS];
const ROM_FOLDERS = ['/usr/lib/ipxe/qemu', '/usr/share/ipxe/qemu', '/usr/share/ipxe', ...FOLDERS];
const ROM_NAMES: Readonly<Record<NetModel, string>> = { virtio: 'virtio', e1000: 'e1000', rtl8139: 'rtl8139' };
const BIOS = ['bios-256k.bin', 'bios.bin'];
const VGA_BIOS = ['vgabios-stdvga.bin', 'vgabios-isavga.bin', 'vgabios.bin'];
/** With variables in the same file, or code alone, whose variables are then gone with the guest. */
const OVMF_FOLDERS = [
  ...['/usr/share/ovmf', '/usr/share/OVMF', '/usr/share/edk2/ovmf', '/usr/share/edk2/x64', '/usr/share/edk2-ovmf/x64'],
  ...['/usr/share/ovmf/x64', ...QEMU_FOLDERS],
];
const OVMF = [
  ...['OVMF.fd', 'OVMF.4m.fd', 'OVMF_CODE_4M.fd', 'OVMF_CODE.4m.fd', 'OVMF_CODE.fd', 'edk2-x86_64-code.fd'],
];

/** What looking for firmware asks of the host. */
export interface FirmwareHost {
  exists(path: string): boolean;
  platform: string;
  /** Text of /etc/os-release; empty where there is none. */
  osRelease(): string;
}

const HOST: FirmwareHost = {
  exists: existsSync,
  platform: process.platform,
  osRelease() {
    try {
      return readFileSync('/etc/os-release', 'utf8');
    } catch {
      return '';
    }
  },
};

export type Firmware = 'SeaBIOS' | 'its video BIOS' | 'OVMF' | 'iPXE';
type System = 'Debian' | 'Fedora' | 'Arch' | 'Homebrew';

const PACKAGES: Readonly<Record<Firmware, Record<System, string>>> = {
  SeaBIOS: { Debian: 'seabios', Fedora: 'seabios-bin', Arch: 'seabios', Homebrew: 'qemu' },
  'its video BIOS': { Debian: 'seabios', Fedora: 'seavgabios-bin', Arch: 'seabios', Homebrew: 'qemu' },
  OVMF: { Debian: 'ovmf', Fedora: 'edk2-ovmf', Arch: 'edk2-ovmf', Homebrew: 'qemu' },
  iPXE: { Debian: 'ipxe-qemu', Fedora: 'ipxe-roms-qemu', Arch: 'qemu-common', Homebrew: 'qemu' },
};
const COMMANDS: Readonly<Record<System, string>> = {
  ...{ Debian: 'apt install', Fedora: 'dnf install', Arch: 'pacman -S', Homebrew: 'brew install' },
};
/** Words of ID and ID_LIKE in /etc/os-release. */
const SYSTEM_OF: Readonly<Record<string, System>> = {
  ...{ debian: 'Debian', ubuntu: 'Debian', fedora: 'Fedora', rhel: 'Fedora', centos: 'Fedora', arch: 'Arch' },
};

/** How firmware that is missing is had on this system; on one that is not known, what it is called on those that are. */
export function howToInstall(what: Firmware, host: FirmwareHost = HOST): string {
  const system = systemOf(host);
  if (system !== undefined) return `${COMMANDS[system]} ${PACKAGES[what][system]}`;
  const names = Object.entries(PACKAGES[what]).map(([where, name]) => `${name} (${where})`);
  return `install ${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

function systemOf({ platform, osRelease }: FirmwareHost): System | undefined {
  if (platform === 'darwin') return 'Homebrew';
  const words = [...osRelease().matchAll(/^ID(?:_LIKE)?=["']?([^"'\n]*)/gm)].flatMap(([, ids]) => ids.split(/\s+/));
  const known = words.find((word) => Object.hasOwn(SYSTEM_OF, word));
  return known === undefined ? undefined : SYSTEM_OF[known];
}

export interface FirmwarePaths {
  bios: string;
  /** Absent: the guest has no video BIOS, so INT 10h shows nothing. */
  vgaBios?: string;
}

/**
 * The BIOS of --bios or SeaBIOS where it is installed, and the video BIOS that belongs to it. A name without a folder is looked
 * for as QEMU does: in the current folder, then where firmware is.
 * @param why what needs it, for the message of a missing one
 * @throws UsageError
 */
export function findFirmware(bios: string | undefined, why: string, host: FirmwareHost = HOST): FirmwarePaths {
  const found = bios === undefined ? first(host, FOLDERS, BIOS) : named(bios, host);
  if (found === undefined)
    throw new UsageError(`${why}: SeaBIOS is not installed (${howToInstall('SeaBIOS', host)}); --bios names another`);
  const vgaBios = first(host, [dirname(found), ...VGA_FOLDERS], VGA_BIOS);
  return { bios: found, ...(vgaBios === undefined ? {} : { vgaBios }) };
}

function named(bios: string, host: FirmwareHost): string {
  if (bios.includes('/') || host.exists(bios)) return bios;
  return first(host, [...FOLDERS, ...OVMF_FOLDERS], [bios]) ?? bios;
}

/** OVMF where it is installed: what --bios takes for UEFI. */
export function findOvmf(host: FirmwareHost = HOST): string | undefined {
  for (const name of OVMF) {
    const found = first(host, OVMF_FOLDERS, [name]);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** iPXE's ROM for a network card where it is installed: for a BIOS and for UEFI, or for a BIOS alone. */
export function findNetRom(model: NetModel = 'virtio', host: FirmwareHost = HOST): string | undefined {
  const card = ROM_NAMES[model];
  return first(host, ROM_FOLDERS, [`efi-${card}.rom`, `pxe-${card}.rom`]);
}

/** A video BIOS where it is installed: what has its font. */
export function findVgaBios(host: FirmwareHost = HOST): string | undefined {
  return first(host, VGA_FOLDERS, VGA_BIOS);
}

/** SeaBIOS is where distributions put it. */
export function isFirmwareInstalled(host: FirmwareHost = HOST): boolean {
  return first(host, FOLDERS, BIOS) !== undefined;
}

function first(host: FirmwareHost, folders: readonly string[], names: readonly string[]): string | undefined {
  for (const folder of folders) {
    for (const name of names) if (host.exists(join(folder, name))) return join(folder, name);
  }
  return undefined;
}
