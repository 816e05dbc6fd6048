/** Where SeaBIOS, its video BIOS, OVMF and iPXE's ROMs are found, and how they are had where they are not. */
import { describe, expect, it } from 'vitest';
import {
  type Firmware,
  type FirmwareHost,
  findFirmware,
  findNetRom,
  findOvmf,
  findVgaBios,
  howToInstall,
  isFirmwareInstalled,
} from '../../src/cli/firmware.js';

function host(files: readonly string[], osRelease = '', platform = 'linux'): FirmwareHost {
  return { platform, exists: (path) => files.includes(path), osRelease: () => osRelease };
}

/** Files of the packages, as `dpkg -L`, `rpm -ql`, `pacman -Ql` and `brew list` name them. */
const SYSTEMS: readonly { name: string; bios: string; vga: string; ovmf: string; rom: string }[] = [
  {
    name: 'Debian',
    bios: '/usr/share/seabios/bios-256k.bin',
    vga: '/usr/share/seabios/vgabios-stdvga.bin',
    ovmf: '/usr/share/ovmf/OVMF.fd',
    rom: '/usr/lib/ipxe/qemu/efi-e1000.rom',
  },
  {
    name: 'Fedora',
    bios: '/usr/share/seabios/bios-256k.bin',
    vga: '/usr/share/seavgabios/vgabios-stdvga.bin',
    ovmf: '/usr/share/edk2/ovmf/OVMF_CODE.fd',
    rom: '/usr/share/ipxe/qemu/efi-e1000.rom',
  },
  {
    name: 'Arch',
    bios: '/usr/share/qemu/bios-256k.bin',
    vga: '/usr/share/qemu/vgabios-stdvga.bin',
    ovmf: '/usr/share/edk2/x64/OVMF.4m.fd',
    rom: '/usr/share/qemu/efi-e1000.rom',
  },
  {
    name: 'Homebrew',
    bios: '/opt/homebrew/share/qemu/bios-256k.bin',
    vga: '/opt/homebrew/share/qemu/vgabios-stdvga.bin',
    ovmf: '/opt/homebrew/share/qemu/edk2-x86_64-code.fd',
    rom: '/opt/homebrew/share/qemu/efi-e1000.rom',
  },
  {
    name: 'Homebrew on Intel',
    bios: '/usr/local/share/qemu/bios-256k.bin',
    vga: '/usr/local/share/qemu/vgabios-stdvga.bin',
    ovmf: '/usr/local/share/qemu/edk2-x86_64-code.fd',
    rom: '/usr/local/share/qemu/efi-e1000.rom',
  },
];

describe.each(SYSTEMS)('on $name', ({ bios, vga, ovmf, rom }) => {
  const there = host([bios, vga, ovmf, rom]);

  it('all of it is found', () => {
    expect(findFirmware(undefined, 'x', there)).toEqual({ bios, vgaBios: vga });
    expect([findVgaBios(there), findOvmf(there), findNetRom('e1000', there)]).toEqual([vga, ovmf, rom]);
    expect(isFirmwareInstalled(there)).toBe(true);
  });

  it('--bios takes its names alone, as QEMU does', () => {
    const name = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
    expect(findFirmware(name(bios), 'x', there).bios).toBe(bios);
    expect(findFirmware(name(ovmf), 'x', there).bios).toBe(ovmf);
    // a file of that name here comes first, and a path is a path
    expect(findFirmware('bios.bin', 'x', host(['bios.bin', '/usr/share/seabios/bios.bin'])).bios).toBe('bios.bin');
    expect(findFirmware(`./${name(bios)}`, 'x', there).bios).toBe(`./${name(bios)}`);
    expect(findFirmware('none.bin', 'x', there).bios).toBe('none.bin');
  });
});

it.each([
  ['Debian', 'PRETTY_NAME="Debian"\nID=debian\n', 'linux', 'apt install', ['seabios', 'seabios', 'ovmf', 'ipxe-qemu']],
  [
    'Mint',
    'ID=linuxmint\nID_LIKE="ubuntu debian"\n',
    'linux',
    'apt install',
    ['seabios', 'seabios', 'ovmf', 'ipxe-qemu'],
  ],
  ['Fedora', 'ID=fedora\n', 'linux', 'dnf install', ['seabios-bin', 'seavgabios-bin', 'edk2-ovmf', 'ipxe-roms-qemu']],
  [
    'Rocky',
    'ID="rocky"\nID_LIKE="rhel centos fedora"\n',
    'linux',
    'dnf install',
    ['seabios-bin', 'seavgabios-bin', 'edk2-ovmf', 'ipxe-roms-qemu'],
  ],
  ['Arch', 'ID=arch\n', 'linux', 'pacman -S', ['seabios', 'seabios', 'edk2-ovmf', 'qemu-common']],
  ['macOS', '', 'darwin', 'brew install', ['qemu', 'qemu', 'qemu', 'qemu']],
])('what is missing on %s is named as it is called there', (_name, osRelease, platform, command, packages) => {
  const empty = host([], osRelease, platform);
  const all: Firmware[] = ['SeaBIOS', 'its video BIOS', 'OVMF', 'iPXE'];
  expect(all.map((what) => howToInstall(what, empty))).toEqual(packages.map((name) => `${command} ${name}`));
  expect(() => findFirmware(undefined, 'booting from a disk needs a BIOS', empty)).toThrow(
    `booting from a disk needs a BIOS: SeaBIOS is not installed (${command} ${packages[0]}); --bios names another`,
  );
});

it('what is missing on a system that nobody knows is named as on those that are known', () => {
  expect(howToInstall('OVMF', host([], 'ID=nixos\n'))).toBe(
    'install ovmf (Debian), edk2-ovmf (Fedora), edk2-ovmf (Arch) or qemu (Homebrew)',
  );
});
