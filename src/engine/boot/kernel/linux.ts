/**
 * A kernel of Linux's boot protocol, of any version, as a boot loader of a PC starts it: its real-mode part runs first and asks
 * the BIOS. So do programs that only borrow the format: iPXE's ipxe.lkrn, syslinux' memdisk.
 * @linux Documentation/arch/x86/boot.rst
 */
import { lowRamEnd } from '../../memory/memory-map.js';
import { alignUp, ImageReader, sizeText, TableWriter, zeroTerminated } from '../binary.js';
import { BIOS_DATA_START, BIOS_KEEPS_AT_END } from '../bios-memory.js';
import { ImageError, type LoadOptions, modulesOf } from '../image.js';
import {
  CAN_USE_HEAP,
  CMD_LINE_PTR,
  CMDLINE_SIZE,
  CODE32_START,
  HEAP_END_PTR,
  INITRD_ADDR_MAX,
  isLinux,
  LOADED_HIGH,
  LOADFLAGS,
  RAMDISK_IMAGE,
  RAMDISK_SIZE,
  SETUP_SECTS,
  TYPE_OF_LOADER,
  VERSION,
  VID_MODE,
} from '../linux.js';
import { initrdDoesNotFit } from '../multiboot-image.js';

/** Where the parts go; addresses of guest memory. */
export interface LinuxParts {
  setup: { gpa: number; bytes: Uint8Array };
  kernel: { gpa: number; bytes: Uint8Array };
  commandLine: { gpa: number; bytes: Uint8Array };
  initrd?: { gpa: number; bytes: Uint8Array };
  /** Offset in the real-mode part's segment. */
  stack: number;
}

const SECTOR = 512;
const SETUP_SECTORS_OF_OLD = 4;
/** QEMU's places. A zImage is moved down by its own real-mode part, which is at 90000h then. */
const LOW = { setup: 0x90000, kernel: 0x10000, commandLineEnd: 0x9a000 };
const HIGH = { setup: 0x10000, kernel: 0x100000, commandLine: 0x20000 };
/** Of protocols before 2.03. */
const OLD_INITRD_MAX = 0x37ff_ffff;
const PAGE = 0x1000;
/** Of protocols before 2.06. */
const OLD_COMMAND_LINE_MAX = 255;
const UNDEFINED_LOADER = 0xff;
/** Where the command line is said to be before protocol 2.02. */
const OLD_CL_MAGIC = { at: 0x20, value: 0xa33f, offsetAt: 0x22 };
const NORMAL_VIDEO = 0xffff;
/** Words of vga= beside numbers; "current" is SYSLINUX's. */
const VIDEO_MODES = new Map([
  ['normal', NORMAL_VIDEO],
  ['ext', 0xfffe],
  ['ask', 0xfffd],
  ['current', 0x0f04],
]);

/** What `needsRealMode` looks at. */
export const LINUX_HEADER_BYTES = 0x240;

/** What vga= says; the last one counts. */
const videoWord = (commandLine: string): string =>
  commandLine
    .split(/\s/)
    .findLast((word) => word.startsWith('vga='))
    ?.slice(4) ?? 'normal';

/** vid_mode, which the real-mode part obeys before it reads the command line; undefined: no mode has this name. */
function videoMode(word: string): number | undefined {
  const named = VIDEO_MODES.get(word);
  if (named !== undefined) return named;
  if (!/^(0x[\da-f]+|0[0-7]*|[1-9]\d*)$/i.test(word)) return undefined;
  // C's notation
  const mode = /^0[0-7]+$/.test(word) ? Number.parseInt(word, 8) : Number(word);
  return mode > 0xffff ? undefined : mode;
}

/** A kernel that calls the BIOS: without another entry than its real-mode part, or told by vga= which mode that is to set. */
export function needsRealMode(bytes: Uint8Array, commandLine = ''): boolean {
  if (!isLinux(bytes) || bytes.length < CODE32_START + 4) return false;
  if (videoMode(videoWord(commandLine)) !== NORMAL_VIDEO) return true;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const hasEntry = (view.getUint8(LOADFLAGS) & LOADED_HIGH) !== 0 && view.getUint32(CODE32_START, true) !== 0;
  return !hasEntry || view.getUint16(VERSION, true) < 0x206;
}

/** @throws ImageError */
export function linuxParts(file: string, image: Uint8Array, options: LoadOptions): LinuxParts {
  const reader = new ImageReader(file, image);
  const what = 'Linux setup header';
  const version = reader.u16(VERSION, what);
  const has = (from: number): boolean => version >= from;
  const isHigh = has(0x200) && (reader.u8(LOADFLAGS, what) & LOADED_HIGH) !== 0;
  const isRecent = isHigh && has(0x202);
  const setupBytes = ((reader.u8(SETUP_SECTS, what) || SETUP_SECTORS_OF_OLD) + 1) * SECTOR;
  reader.need(setupBytes, 1, 'kernel after its setup sectors');

  const commandLine = zeroTerminated(options.append ?? '');
  const most = has(0x206) ? reader.u32(CMDLINE_SIZE, what) : OLD_COMMAND_LINE_MAX;
  if (commandLine.length - 1 > most)
    reader.fail(`kernel takes a command line of at most ${most} bytes, not ${commandLine.length - 1}`);
  const setupGpa = isRecent ? HIGH.setup : LOW.setup;
  const commandLineGpa = isRecent ? HIGH.commandLine : LOW.commandLineEnd - alignUp(commandLine.length, 16);
  if (commandLineGpa + commandLine.length > BIOS_DATA_START)
    reader.fail(`the command line has ${commandLine.length - 1} bytes: there is no room for it below the BIOS's data`);

  const setup = new TableWriter(setupBytes);
  setup.bytes.set(image.subarray(0, setupBytes));
  const word = videoWord(options.append ?? '');
  const named = [...VIDEO_MODES.keys()].join(', ');
  const mode =
    videoMode(word) ?? reader.fail(`vga=${word} is not a video mode: a number up to 0xffff as 0x344, or ${named}`);
  setup.u16(VID_MODE, mode);
  if (has(0x200)) setup.u8(TYPE_OF_LOADER, UNDEFINED_LOADER);
  const stack = commandLineGpa - setupGpa - 16;
  if (has(0x201)) {
    setup.u8(LOADFLAGS, setup.bytes[LOADFLAGS] | CAN_USE_HEAP);
    setup.u16(HEAP_END_PTR, commandLineGpa - setupGpa - 0x200);
  }
  if (has(0x202)) setup.u32(CMD_LINE_PTR, commandLineGpa);
  else setup.u16(OLD_CL_MAGIC.at, OLD_CL_MAGIC.value).u16(OLD_CL_MAGIC.offsetAt, commandLineGpa - setupGpa);

  const kernel = { gpa: isHigh ? HIGH.kernel : LOW.kernel, bytes: image.subarray(setupBytes) };
  const end = kernel.gpa + kernel.bytes.length;
  const limit = isHigh ? lowRamEnd(options.memoryBytes) : LOW.setup;
  if (end > limit)
    reader.fail(
      isHigh
        ? `kernel needs memory up to 0x${end.toString(16)}, the guest has ${sizeText(options.memoryBytes)}`
        : `kernel of ${kernel.bytes.length} bytes is to be loaded low, where ${limit - kernel.gpa} fit`,
    );
  const initrd = placeInitrd(options, end, has(0x203) ? reader.u32(INITRD_ADDR_MAX, what) : OLD_INITRD_MAX);
  if (initrd) setup.u32(RAMDISK_IMAGE, initrd.gpa).u32(RAMDISK_SIZE, initrd.bytes.length);
  return {
    ...{ kernel, stack, setup: { gpa: setupGpa, bytes: setup.bytes } },
    commandLine: { gpa: commandLineGpa, bytes: commandLine },
    ...(initrd ? { initrd } : {}),
  };
}

/** As high as the kernel and the BIOS let it. @throws ImageError */
function placeInitrd(options: LoadOptions, kernelEnd: number, max: number): LinuxParts['initrd'] {
  const [initrd, second] = modulesOf(options);
  if (second)
    throw new ImageError(second.name, 'a Linux kernel takes one initrd; several are modules of a multiboot kernel');
  if (!initrd) return undefined;
  const end = Math.min(max + 1, lowRamEnd(options.memoryBytes) - BIOS_KEEPS_AT_END);
  const gpa = Math.floor((end - initrd.bytes.length) / PAGE) * PAGE;
  if (gpa < Math.max(kernelEnd, HIGH.kernel))
    throw initrdDoesNotFit(initrd.name, initrd.bytes.length, options.memoryBytes);
  return { gpa, bytes: initrd.bytes };
}
