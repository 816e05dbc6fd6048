/** An image turned into memory contents and the vCPU's first state. */

/** Segment as the VMCS keeps it: access rights in the VMCS format (bit 16 unusable). */
export interface InitialSegment {
  selector: number;
  base: bigint;
  limit: number;
  accessRights: number;
}

export interface InitialState {
  rip: bigint;
  rsp?: bigint;
  rflags?: bigint;
  cr0?: bigint;
  cr3?: bigint;
  cr4?: bigint;
  efer?: bigint;
  registers?: Partial<Record<'rax' | 'rbx' | 'rcx' | 'rdx' | 'rsi' | 'rdi' | 'rbp', bigint>>;
  segments?: Partial<Record<'cs' | 'ss' | 'ds' | 'es' | 'fs' | 'gs' | 'ldtr' | 'tr', InitialSegment>>;
  gdtr?: { base: bigint; limit: number };
  idtr?: { base: bigint; limit: number };
}

export interface Chunk {
  gpa: number;
  bytes: Uint8Array;
  /** What it is, for error messages and the memory map: `segment 1`, `kernel`, `initrd`, `acpi`. */
  label: string;
}

export interface GuestSymbol {
  name: string;
  address: bigint;
  size: bigint;
  /** Bytes that one without a size covers at most: to the end of its section, 1 at that end. */
  reach?: bigint;
  kind: 'function' | 'object' | 'other';
}

export type ImageKind = 'multiboot' | 'multiboot2' | 'elf64' | 'elf32' | 'pvh' | 'linux' | 'flat' | 'bios';

/** Where a boot protocol has the memory map, which the BIOS knows when one runs before; addresses of guest memory. */
export interface MapPlace {
  /** Entries of 24 bytes. */
  gpa: number;
  /** Entries that there is room for. */
  most: number;
  /** Offset of base, length and type in an entry, and of the dword that is left, with what it holds. */
  rangeAt: number;
  otherAt: number;
  other: number;
  /** Where the map's length is told, in units of which an entry has so many. */
  countAt: number;
  unit: number;
  /** Where the KiB from 1 MiB on are told. */
  upperAt?: number;
}

/** Entries that a BIOS's map may have. */
const BIOS_MAP_ENTRIES = 64;

/** Entries to leave room for in the memory map, of which the machine's own are so many. */
export function mapRoom({ underBios }: LoadOptions, own: number): number {
  return underBios ? BIOS_MAP_ENTRIES : own;
}

export interface LoadedImage {
  kind: ImageKind;
  chunks: Chunk[];
  /** Ranges above chunk data that must be zero (ELF bss). */
  zero: { gpa: number; bytes: number }[];
  initial: InitialState;
  symbols: GuestSymbol[];
  /** Where a BIOS's memory map goes; absent: the protocol has none that a BIOS could fill in. */
  map?: MapPlace;
}

/** A file that a kernel finds in memory. */
export interface Module {
  name: string;
  bytes: Uint8Array;
  /** What its command line has behind its name. */
  args?: string;
}

/** All of them, the initrd first. */
export function modulesOf({ initrd, modules = [] }: LoadOptions): Module[] {
  return initrd ? [initrd, ...modules] : [];
}

export interface LoadOptions {
  /** Guest RAM in bytes. */
  memoryBytes: number;
  /** Kernel command line. */
  append?: string;
  initrd?: Module;
  /** Further modules, of multiboot and PVH kernels. */
  modules?: readonly Module[];
  /** Flat binaries: load address and entry (default 0x7c00 in real mode, as a boot sector). */
  at?: number;
  vcpus: number;
  /** A BIOS runs before: it has the memory map, and memory of its own. */
  underBios?: true;
  /** The machine has a floppy controller. */
  floppy?: boolean;
}

/** The one error for an image that cannot be used: `message` names the file and the cause in one line. */
export class ImageError extends Error {
  constructor(
    readonly file: string,
    readonly reason: string,
  ) {
    super(`${file}: ${reason}`);
    this.name = 'ImageError';
  }
}
