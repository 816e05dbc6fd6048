/** A kernel of the command line that a BIOS starts, as QEMU's -kernel has it: what firmware is told of it. */
import type { FirmwareFile } from '../../devices/fw-cfg.js';
import { checkPlacement, occupied, TableWriter } from '../binary.js';
import { biosRanges } from '../bios-memory.js';
import { loadContents } from '../detect.js';
import { type GuestSymbol, ImageError, type LoadOptions } from '../image.js';
import { isLinux } from '../linux.js';
import { type LinuxParts, linuxParts } from './linux.js';
import { kernelRom, type Transfer } from './rom.js';

export interface BiosKernel {
  files: FirmwareFile[];
  /** How firmware names it among what it boots. */
  path: string;
  symbols: GuestSymbol[];
}

const ROM_FILE = 'genroms/kernel.bin';
/** QEMU's numbers; UEFI looks for them too, and starts the kernel by its EFI stub. @qemu docs/specs/fw_cfg */
const KEY = {
  ...{ kernelAddress: 0x07, kernelSize: 0x08, kernelData: 0x11 },
  ...{ initrdAddress: 0x0a, initrdSize: 0x0b, initrdData: 0x12 },
  ...{ lineAddress: 0x13, lineSize: 0x14, lineData: 0x15 },
  ...{ setupAddress: 0x16, setupSize: 0x17, setupData: 0x18 },
};
/** Pieces of other kernels, where an architecture has numbers of its own. */
const PIECE = 0x8100;
/** Reads as zeros. */
const NO_ITEM = 0xbfff;

/** @throws ImageError when a BIOS cannot start it */
export function biosKernel(name: string, bytes: Uint8Array, options: LoadOptions): BiosKernel {
  if (isLinux(bytes)) return linux(name, linuxParts(name, bytes, options));
  const { kind, chunks, zero, initial, map, symbols } = loadContents(name, bytes, { ...options, underBios: true });
  if (map === undefined)
    throw new ImageError(
      name,
      `${KINDS[kind] ?? kind}: a BIOS starts Linux, multiboot (version 1) and PVH kernels; without --bios it runs`,
    );
  checkPlacement(name, options.memoryBytes, [...occupied(chunks, zero), ...biosRanges(options.memoryBytes)]);
  const transfers: Transfer[] = zero.map((range) => ({ key: NO_ITEM, ...range }));
  transfers.push(...chunks.map(({ gpa, bytes: contents }, i) => ({ key: PIECE + i, gpa, bytes: contents.length })));
  const rom = kernelRom(name, transfers, { initial, map });
  const pieces = chunks.map(({ bytes: contents, label }, i) => ({ name: label, key: PIECE + i, bytes: contents }));
  return { files: [...pieces, { name: ROM_FILE, bytes: rom }], path: `/rom@${ROM_FILE}`, symbols };
}

const KINDS: Readonly<Record<string, string>> = {
  ...{ multiboot2: 'is a multiboot 2 kernel', elf32: 'is a plain ELF file', elf64: 'is a plain ELF file' },
  flat: 'is a flat binary',
};

function linux(name: string, { setup, kernel, commandLine, initrd, stack }: LinuxParts): BiosKernel {
  const files: FirmwareFile[] = [];
  const transfers: Transfer[] = [];
  const part = (what: LinuxParts['setup'], address: number, size: number, data: number): void => {
    const number = (key: number, value: number): void => {
      files.push({ name: '', key, bytes: new TableWriter(4).u32(0, value).bytes });
    };
    number(address, what.gpa);
    number(size, what.bytes.length);
    files.push({ name: '', key: data, bytes: what.bytes });
    transfers.push({ key: data, gpa: what.gpa, bytes: what.bytes.length });
  };
  part(setup, KEY.setupAddress, KEY.setupSize, KEY.setupData);
  part(commandLine, KEY.lineAddress, KEY.lineSize, KEY.lineData);
  part(kernel, KEY.kernelAddress, KEY.kernelSize, KEY.kernelData);
  if (initrd) part(initrd, KEY.initrdAddress, KEY.initrdSize, KEY.initrdData);
  files.push({ name: ROM_FILE, bytes: kernelRom(name, transfers, { segment: setup.gpa >> 4, stack }) });
  return { files, path: `/rom@${ROM_FILE}`, symbols: [] };
}
