/**
 * Linux boot protocol 2.06 and newer: bzImage, entered at its 64-bit or 32-bit entry with boot_params ready.
 * @linux Documentation/arch/x86/boot.rst
 */
import { e820, isRam, lowRamEnd } from '../memory/memory-map.js';
import { RSDP_ADDRESS } from './acpi.js';
import { alignUp, checkPlacement, ImageReader, Placement, sizeText, TableWriter, zeroTerminated } from './binary.js';
import { flatGdt, GDT_BYTES, identityTables, longModeState, protectedState } from './entry-state.js';
import { type Chunk, ImageError, type LoadedImage, type LoadOptions, modulesOf } from './image.js';
import { initrdDoesNotFit } from './multiboot-image.js';

const HEADER_START = 0x1f1;
export const SETUP_SECTS = 0x1f1;
export const VID_MODE = 0x1fa;
const BOOT_FLAG = 0x1fe;
const HEADER_MAGIC = 0x202;
export const VERSION = 0x206;
export const TYPE_OF_LOADER = 0x210;
export const LOADFLAGS = 0x211;
export const CODE32_START = 0x214;
export const RAMDISK_IMAGE = 0x218;
export const RAMDISK_SIZE = 0x21c;
export const HEAP_END_PTR = 0x224;
export const CMD_LINE_PTR = 0x228;
export const INITRD_ADDR_MAX = 0x22c;
const KERNEL_ALIGNMENT = 0x230;
const RELOCATABLE_KERNEL = 0x234;
const XLOADFLAGS = 0x236;
export const CMDLINE_SIZE = 0x238;
const PREF_ADDRESS = 0x258;
const INIT_SIZE = 0x260;
/** `HdrS` */
const MAGIC = 0x53726448;
export const LOADED_HIGH = 0x01;
export const CAN_USE_HEAP = 0x80;
const XLF_KERNEL_64 = 0x01;
const OLDEST_PROTOCOL = 0x206;

const BOOT_PARAMS_BYTES = 0x1000;
const SCREEN_INFO = 0x000;
const RSDP_FIELD = 0x070;
const ALT_MEM_K = 0x1e0;
const E820_ENTRIES = 0x1e8;
const E820_TABLE = 0x2d0;
const E820_ENTRY_BYTES = 20;

const HIGH_LOAD = 0x100000;
const ENTRY_64 = 0x200;
const STACK_BYTES = 0x1000;

export function isLinux(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_MAGIC + 4) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.getUint16(BOOT_FLAG, true) === 0xaa55 && view.getUint32(HEADER_MAGIC, true) === MAGIC;
}

interface Kernel {
  header: Uint8Array;
  payload: Uint8Array;
  /** Where the payload goes. */
  load: number;
  /** End of the memory that the kernel uses before it reads the memory map. */
  end: number;
  commandLineMax: number;
  initrdMax: number;
  is64: boolean;
}

/** @throws ImageError */
export function loadLinux(file: string, bytes: Uint8Array, options: LoadOptions): LoadedImage {
  const kernel = readKernel(file, bytes, options);
  checkPlacement(file, options.memoryBytes, [{ gpa: kernel.load, bytes: kernel.end - kernel.load, label: 'kernel' }]);
  const room = new Placement(file, options.memoryBytes, [
    { gpa: kernel.load, bytes: kernel.end - kernel.load, label: 'kernel' },
  ]);
  const chunks: Chunk[] = [{ gpa: kernel.load, bytes: kernel.payload, label: 'kernel' }];
  const params = new TableWriter(BOOT_PARAMS_BYTES);
  fillBootParams(params, kernel, options);

  const commandLine = zeroTerminated(options.append ?? '');
  if (commandLine.length - 1 > kernel.commandLineMax) {
    const reader = new ImageReader(file, bytes);
    reader.fail(`kernel takes a command line of at most ${kernel.commandLineMax} bytes, not ${commandLine.length - 1}`);
  }
  const commandLineGpa = room.structure('the command line', commandLine.length);
  chunks.push({ gpa: commandLineGpa, bytes: commandLine, label: 'command line' });
  params.u32(CMD_LINE_PTR, commandLineGpa);

  const [, second] = modulesOf(options);
  if (second)
    throw new ImageError(second.name, 'a Linux kernel takes one initrd; several are modules of a multiboot kernel');
  if (options.initrd) {
    const { name, bytes: contents } = options.initrd;
    const gpa = room.tryHighest('initrd', contents.length, kernel.end, kernel.initrdMax + 1);
    if (gpa === undefined) throw initrdDoesNotFit(name, contents.length, options.memoryBytes);
    chunks.push({ gpa, bytes: contents, label: 'initrd' });
    params.u32(RAMDISK_IMAGE, gpa).u32(RAMDISK_SIZE, contents.length);
  }

  const gdt = flatGdt(room.structure('the boot GDT', GDT_BYTES), kernel.is64);
  const stackTop = BigInt(room.structure('the boot stack', STACK_BYTES) + STACK_BYTES);
  const paramsGpa = room.structure('boot_params', BOOT_PARAMS_BYTES);
  chunks.push(gdt, { gpa: paramsGpa, bytes: params.bytes, label: 'boot_params' });
  const registers = { rsi: BigInt(paramsGpa), rbx: 0n, rdi: 0n, rbp: 0n };
  if (!kernel.is64) {
    const initial = protectedState(BigInt(kernel.load), gdt, registers, stackTop);
    return { kind: 'linux', chunks, zero: [], initial, symbols: [] };
  }
  const tables = identityTables(room.structure('the boot page tables', identityTables.bytes));
  chunks.push(tables);
  const initial = longModeState(BigInt(kernel.load + ENTRY_64), gdt, tables, registers, stackTop);
  return { kind: 'linux', chunks, zero: [], initial, symbols: [] };
}

function readKernel(file: string, bytes: Uint8Array, options: LoadOptions): Kernel {
  const image = new ImageReader(file, bytes);
  const what = 'Linux setup header';
  const version = image.u16(VERSION, what);
  if (version < OLDEST_PROTOCOL) {
    image.fail(`kernel is too old: boot protocol ${version >> 8}.${version & 0xff}, 2.6 or newer is needed`);
  }
  if (!(image.u8(LOADFLAGS, what) & LOADED_HIGH)) image.fail('kernel is a zImage (loaded low), a bzImage is needed');
  const sectors = image.u8(SETUP_SECTS, what) || 4;
  const payloadStart = (sectors + 1) * 512;
  image.need(payloadStart, 1, 'kernel after its setup sectors');
  // The jump over the header at 0x200 says where it ends.
  const headerEnd = Math.min(0x202 + image.u8(0x201, what), SETUP_SECTS + 0x7f);
  const header = image.slice(HEADER_START, headerEnd - HEADER_START, what);
  const has = (from: number) => version >= from;
  const payload = bytes.subarray(payloadStart);
  const is64 = has(0x20c) && (image.u16(XLOADFLAGS, what) & XLF_KERNEL_64) !== 0;
  if (is64) image.need(payloadStart + ENTRY_64, 1, 'kernel up to its 64-bit entry');

  const relocatable = image.u8(RELOCATABLE_KERNEL, what) !== 0;
  const preferred = has(0x20a) ? Number(image.u64(PREF_ADDRESS, what)) : HIGH_LOAD;
  const initBytes = Math.max(has(0x20a) ? image.u32(INIT_SIZE, what) : 0, payload.length);
  const alignment = image.u32(KERNEL_ALIGNMENT, what) || 1;
  let load = HIGH_LOAD;
  // A kernel that cannot be moved copies itself from 1 MiB to its address; the memory there must exist too.
  let start = relocatable ? alignUp(HIGH_LOAD, alignment) : preferred;
  if (relocatable && preferred >= HIGH_LOAD && isRam(options.memoryBytes, preferred, initBytes)) start = preferred;
  if (relocatable) load = start;
  const end = Math.max(load + payload.length, start + initBytes);
  if (!(end <= lowRamEnd(options.memoryBytes))) {
    image.fail(`kernel needs memory up to 0x${end.toString(16)}, the guest has ${sizeText(options.memoryBytes)}`);
  }
  return {
    header,
    payload,
    load,
    end,
    commandLineMax: image.u32(CMDLINE_SIZE, what),
    initrdMax: image.u32(INITRD_ADDR_MAX, what),
    is64,
  };
}

/** boot_params: the setup header copied from the image, and what a BIOS would have been asked for. */
function fillBootParams(params: TableWriter, kernel: Kernel, options: LoadOptions): void {
  params.bytes.set(kernel.header, HEADER_START);
  const undefinedLoader = 0xff;
  params.u8(TYPE_OF_LOADER, undefinedLoader).u8(LOADFLAGS, params.bytes[LOADFLAGS] | CAN_USE_HEAP);
  params.u16(VID_MODE, 0xffff).u16(HEAP_END_PTR, 0xfe00).u32(CODE32_START, kernel.load);
  // Mode 3: cursor at 0,0 of an 80x25 VGA text screen with 16-line characters.
  params
    .u8(SCREEN_INFO + 0x06, 3)
    .u8(SCREEN_INFO + 0x07, 80)
    .u8(SCREEN_INFO + 0x0e, 25)
    .u8(SCREEN_INFO + 0x0f, 1);
  params.u16(SCREEN_INFO + 0x10, 16);
  const extendedKib = (lowRamEnd(options.memoryBytes) - HIGH_LOAD) >>> 10;
  params.u16(SCREEN_INFO + 0x02, Math.min(extendedKib, 0xffff)).u32(ALT_MEM_K, extendedKib);
  params.u64(RSDP_FIELD, RSDP_ADDRESS);
  const map = e820(options.memoryBytes);
  params.u8(E820_ENTRIES, map.length);
  for (const [i, { gpa, bytes, type }] of map.entries()) {
    const at = E820_TABLE + E820_ENTRY_BYTES * i;
    params
      .u64(at, gpa)
      .u64(at + 8, bytes)
      .u32(at + 16, type);
  }
}
