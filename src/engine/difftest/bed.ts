// The test bed: one memory image and one set of system registers per mode, in which a single
// instruction runs with RFLAGS.TF set. Whatever it does ends in an IDT handler that is one HLT:
// handler n is the byte at HANDLERS + n, so the final RIP tells the vector.
//
//   0x00000 IVT            0x08000 PML4  0x09000 PDPT  0x0a000 PD  0x0b000 PT
//   0x01000 GDT, TSSs      0x10000 code (2 pages)
//   0x02000 IDT, 32-bit    0x20000 data (4 pages)
//   0x03000 IDT, 64-bit    0x24000 not present   0x25000 read-only   0x26000 supervisor   0x27000 no-execute
//   0x05000 handlers       0x28000-0x2ffff not present
//   0x06000 ring-0 stack   0x30000 stack (2 pages)   0x32000-0x3ffff not present
//
// Paging is on in long mode only (linear = physical). The 16-bit modes have CS, DS, ES, SS based at
// the code, data and stack pages; the others are flat, with FS at 0x21000 and GS at 0x20000.
import { Rng } from './rng.js';

export type Mode = 'real' | 'prot16' | 'prot32' | 'compat16' | 'compat32' | 'long';
export const MODES: readonly Mode[] = ['real', 'prot16', 'prot32', 'compat16', 'compat32', 'long'];

export const RAM_BYTES = 0x40000;
export const GDT = 0x1000;
export const GDT_LIMIT = 0x1ff;
export const TSS64 = 0x1400;
export const TSS32 = 0x1500;
export const IDT32 = 0x2000;
export const IDT64 = 0x3000;
export const HANDLERS = 0x5000;
/** Initial stack pointer of ring 0 when a handler is entered from outside it. */
export const RING0_STACK = 0x6ff0;
export const PML4 = 0x8000;
export const PAGE_TABLE = 0xb000;
export const CODE = 0x10000;
export const CODE_BYTES = 0x2000;
export const DATA = 0x20000;
export const DATA_BYTES = 0x4000;
export const READ_ONLY_PAGE = 0x25000;
export const SUPERVISOR_PAGE = 0x26000;
export const NO_EXECUTE_PAGE = 0x27000;
export const STACK = 0x30000;
export const STACK_BYTES = 0x2000;
export const FS_BASE = 0x21000;
export const GS_BASE = 0x20000;
/** Vectors from here on have gates of DPL 0, so that INT n from outside ring 0 faults. */
export const FIRST_PRIVILEGED_VECTOR = 0x90;

export type Ranges = readonly (readonly [start: number, bytes: number])[];

const WRITABLE: Ranges = [
  [GDT, 0x1000],
  [0x6000, 0x1000],
  [CODE, CODE_BYTES],
  [DATA, 0x8000],
  [STACK, STACK_BYTES],
];

const EVERYTHING: Ranges = [[0, RAM_BYTES]];

/** Memory in which an instruction may leave a trace: without paging and limits that is all. */
export const watched = (mode: Mode): Ranges => (mayStray(mode) ? EVERYTHING : WRITABLE);

/** The part of it that what runs next depends on, and that nearly all instructions stay in. */
export const watchedClosely = (mode: Mode): Ranges => (mayStray(mode) ? [[0, CODE], ...WRITABLE.slice(2)] : WRITABLE);

/** The mode lets an instruction write outside the bed's writable pages. */
export const mayStray = (mode: Mode): boolean => mode === 'prot32' || mode === 'real';

// Access bytes of descriptors (type, S, DPL 0, P).
const CODE_ACCESS = 0x9b;
const DATA_ACCESS = 0x93;

/** Descriptors of each ring, by index in the ring's group of eight. */
const GROUP = { code64: 0, code32: 1, code16: 2, flat: 3, ds16: 4, es16: 5, ss16: 6, fs: 7 } as const;

/** GDT index of a ring's descriptor: groups of eight from index 8. */
const selectorOf = (ring: number, kind: keyof typeof GROUP): number => ((8 + ring * 8 + GROUP[kind]) << 3) | ring;

export const HANDLER_CS64 = selectorOf(0, 'code64');
export const HANDLER_CS32 = selectorOf(0, 'code32');
export const TSS64_SELECTOR = 0x10;
export const TSS32_SELECTOR = 0x20;

/** Descriptors that loads of segment registers can meet: selector (RPL 0) and what is special. */
export const SPECIAL_SELECTORS = {
  notPresent: 0x28,
  executeOnly: 0x30,
  readOnly: 0x38,
  unaccessed: 0x140,
  expandDown: 0x148,
  conforming: 0x150,
  callGate: 0x158,
  beyondLimit: 0x200,
} as const;

/** A segment register with its hidden part, fields as in kvm_segment and the VMCS. */
export interface Segment {
  selector: number;
  base: number;
  /** In bytes. */
  limit: number;
  /** Descriptor bits 8-15 (type, S, DPL, P) in bits 0-7 and 20-23 (AVL, L, D/B, G) in bits 12-15: the VMCS format. */
  access: number;
}

/** System state at the start of a case. */
export interface BedState {
  cr0: number;
  cr3: number;
  cr4: number;
  efer: number;
  es: Segment;
  cs: Segment;
  ss: Segment;
  ds: Segment;
  fs: Segment;
  gs: Segment;
  tr: Segment;
  ldtr: Segment;
  gdtr: { base: number; limit: number };
  idtr: { base: number; limit: number };
}

export const isReal = (mode: Mode): boolean => mode === 'real';
export const is16 = (mode: Mode): boolean => mode === 'real' || mode === 'prot16' || mode === 'compat16';
/** EFER.LMA: 64-bit and compatibility mode. */
export const isIa32e = (mode: Mode): boolean => mode === 'long' || mode === 'compat16' || mode === 'compat32';
/** Based segments: offsets are relative to CODE, DATA and STACK. */
export const isSegmented = (mode: Mode): boolean => is16(mode);

const descriptor = (base: number, limit: number, access: number, flags: number): bigint => {
  const pages = limit > 0xfffff;
  const field = BigInt(pages ? Math.floor(limit / 4096) : limit);
  const b = BigInt(base);
  return (
    (field & 0xffffn) |
    ((b & 0xffffffn) << 16n) |
    (BigInt(access) << 40n) |
    ((field >> 16n) << 48n) |
    (BigInt(flags | (pages ? 8 : 0)) << 52n) |
    ((b >> 24n) << 56n)
  );
};

const FLAT_LIMIT = 0xffff_ffff;
const L = 2;
const DB = 4;

/** base, limit, access without DPL, flags (AVL L D/B G) of each kind. */
const KINDS: Record<keyof typeof GROUP, readonly [base: number, limit: number, access: number, flags: number]> = {
  code64: [0, FLAT_LIMIT, CODE_ACCESS, L],
  code32: [0, FLAT_LIMIT, CODE_ACCESS, DB],
  code16: [CODE, 0xffff, CODE_ACCESS, 0],
  flat: [0, FLAT_LIMIT, DATA_ACCESS, DB],
  ds16: [DATA, 0x7fff, DATA_ACCESS, 0],
  es16: [DATA + 0x2000, 0x1fff, DATA_ACCESS, 0],
  ss16: [STACK, 0x1fff, DATA_ACCESS, 0],
  fs: [FS_BASE, 0xfff, DATA_ACCESS, DB],
};

function segment(ring: number, kind: keyof typeof GROUP): Segment {
  const [base, limit, access, flags] = KINDS[kind];
  const granular = limit > 0xfffff ? 8 : 0;
  return { selector: selectorOf(ring, kind), base, limit, access: access | (ring << 5) | ((flags | granular) << 12) };
}

const realSegment = (base: number, access: number): Segment => ({
  selector: base >> 4,
  base,
  limit: 0xffff,
  access,
});

/** System registers of a mode at a privilege level (0 for real mode). */
export function bedState(mode: Mode, cpl: number): BedState {
  const ia32e = isIa32e(mode);
  const tables = {
    gdtr: { base: GDT, limit: GDT_LIMIT },
    idtr: ia32e
      ? { base: IDT64, limit: 0xfff }
      : mode === 'real'
        ? { base: 0, limit: 0x3ff }
        : { base: IDT32, limit: 0x7ff },
    ldtr: { selector: 0, base: 0, limit: 0, access: 0x10000 },
    tr: ia32e
      ? { selector: TSS64_SELECTOR, base: TSS64, limit: 0x67, access: 0x8b }
      : { selector: TSS32_SELECTOR, base: TSS32, limit: 0x67, access: 0x8b },
    cr3: PML4,
  };
  if (mode === 'real') {
    return {
      ...tables,
      cr0: 0x30,
      cr4: 0,
      efer: 0,
      es: realSegment(DATA + 0x2000, DATA_ACCESS),
      cs: realSegment(CODE, CODE_ACCESS),
      ss: realSegment(STACK, DATA_ACCESS),
      ds: realSegment(DATA, DATA_ACCESS),
      fs: realSegment(FS_BASE, DATA_ACCESS),
      gs: realSegment(GS_BASE, DATA_ACCESS),
    };
  }
  const small = is16(mode);
  const gs: Segment = { ...segment(cpl, small ? 'ds16' : 'flat') };
  if (mode === 'long') gs.base = GS_BASE;
  return {
    ...tables,
    cr0: ia32e ? 0x8001_0031 : 0x31,
    cr4: ia32e ? 0x620 : 0x600,
    efer: ia32e ? 0xd01 : 0,
    es: segment(cpl, small ? 'es16' : 'flat'),
    cs: segment(cpl, mode === 'long' ? 'code64' : small ? 'code16' : 'code32'),
    ss: segment(cpl, small ? 'ss16' : 'flat'),
    ds: segment(cpl, small ? 'ds16' : 'flat'),
    fs: segment(cpl, 'fs'),
    gs,
  };
}

/** The whole memory at the start of every case of a seed: tables, handlers, and pages of random bytes. */
export function bedImage(seed: number): Uint8Array {
  const image = new Uint8Array(RAM_BYTES);
  const view = new DataView(image.buffer);
  const put64 = (at: number, value: bigint): void => view.setBigUint64(at, value, true);

  for (let vector = 0; vector < 256; vector++) {
    view.setUint16(vector * 4, vector, true);
    view.setUint16(vector * 4 + 2, HANDLERS >> 4, true);
    const dpl = vector < FIRST_PRIVILEGED_VECTOR ? 3 : 0;
    const target = HANDLERS + vector;
    const gate = BigInt(target) | (BigInt(0x8e | (dpl << 5)) << 40n);
    put64(IDT32 + vector * 8, gate | (BigInt(HANDLER_CS32) << 16n));
    put64(IDT64 + vector * 16, gate | (BigInt(HANDLER_CS64) << 16n));
  }
  image.fill(0xf4, HANDLERS, HANDLERS + 256);

  for (let ring = 0; ring < 4; ring++) {
    for (const kind of Object.keys(GROUP) as (keyof typeof GROUP)[]) {
      const [base, limit, access, flags] = KINDS[kind];
      const at = GDT + (selectorOf(ring, kind) & ~7);
      put64(at, descriptor(base, limit, access | (ring << 5), flags));
    }
  }
  put64(GDT + TSS64_SELECTOR, descriptor(TSS64, 0x67, 0x8b, 0));
  put64(GDT + TSS32_SELECTOR, descriptor(TSS32, 0x67, 0x8b, 0));
  put64(GDT + SPECIAL_SELECTORS.notPresent, descriptor(DATA, 0xffff, 0x73, DB));
  put64(GDT + SPECIAL_SELECTORS.executeOnly, descriptor(0, FLAT_LIMIT, 0xf9, DB));
  put64(GDT + SPECIAL_SELECTORS.readOnly, descriptor(DATA, 0xfff, 0xf1, DB));
  put64(GDT + SPECIAL_SELECTORS.unaccessed, descriptor(DATA, 0xffff, 0xf2, DB));
  put64(GDT + SPECIAL_SELECTORS.expandDown, descriptor(DATA, 0xfff, 0xf7, DB));
  put64(GDT + SPECIAL_SELECTORS.conforming, descriptor(0, FLAT_LIMIT, 0xff, DB));
  put64(GDT + SPECIAL_SELECTORS.callGate, BigInt(HANDLERS + 0x80) | (BigInt(HANDLER_CS32) << 16n) | (0xecn << 40n));

  put64(TSS64 + 4, BigInt(RING0_STACK));
  view.setUint16(TSS64 + 0x66, 0x68, true);
  view.setUint32(TSS32 + 4, RING0_STACK, true);
  view.setUint32(TSS32 + 8, selectorOf(0, 'flat'), true);
  view.setUint16(TSS32 + 0x66, 0x68, true);

  put64(PML4, 0x9000n | 0x67n);
  put64(0x9000, 0xa000n | 0x67n);
  put64(0xa000, BigInt(PAGE_TABLE) | 0x67n);
  const map = (page: number, bits: bigint): void => put64(PAGE_TABLE + (page >> 12) * 8, BigInt(page) | bits);
  for (let page = 0; page < 0x10000; page += 0x1000) map(page, page === GDT || page === 0x6000 ? 0x63n : 0x61n);
  for (const [start, bytes] of [
    [CODE, CODE_BYTES],
    [DATA, DATA_BYTES],
    [STACK, STACK_BYTES],
  ]) {
    for (let page = start; page < start + bytes; page += 0x1000) map(page, 0x67n);
  }
  map(READ_ONLY_PAGE, 0x65n);
  map(SUPERVISOR_PAGE, 0x63n);
  map(NO_EXECUTE_PAGE, 0x67n | (1n << 63n));

  const rng = new Rng(seed);
  for (let at = DATA; at < DATA + 0x8000; at += 8) put64(at, rng.edgeOrRandom());
  for (let at = STACK; at < STACK + STACK_BYTES; at += 8) put64(at, rng.edgeOrRandom());
  image.fill(0xcc, CODE, CODE + CODE_BYTES);
  return image;
}
