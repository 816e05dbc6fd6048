/** First states of the boot vCPU: real mode, flat protected mode, long mode; with the GDT and tables they need. */
import { ALWAYS_ONE, CR0, CR4, EFER } from '../../spec/masks.js';
import { TableWriter } from './binary.js';
import type { Chunk, InitialSegment, InitialState } from './image.js';

const EFER_LME_LMA = EFER.LME | EFER.LMA;

/** Access rights in the VMCS format. @sdm 3C 24.4.1 "Guest Register State" */
const CODE16 = 0x009b;
const DATA16 = 0x0093;
const CODE32 = 0xc09b;
const CODE64 = 0xa09b;
const DATA32 = 0xc093;
const TSS_BUSY = 0x008b;
const LDT_UNUSABLE = 0x1_0082;

/** Selectors of the flat GDT that `flatGdt` builds, in the places where Linux's boot protocol wants them. */
export const BOOT_CS = 0x10;
export const BOOT_DS = 0x18;
export const GDT_BYTES = 0x30;

const LONG_TABLE_BYTES = 6 * 0x1000;

function segment(selector: number, accessRights: number, limit: number, base = 0): InitialSegment {
  return { selector, base: BigInt(base), limit, accessRights };
}

const SYSTEM_SEGMENTS = {
  ldtr: segment(0, LDT_UNUSABLE, 0xffff),
  tr: segment(0, TSS_BUSY, 0xffff),
};

/** A GDT with flat code at 0x08 and 0x10 and flat data at 0x18 and 0x20; `long` sets the L bit of the code. */
export function flatGdt(gpa: number, long: boolean): Chunk {
  const code = long ? 0x00af_9b00_0000_ffffn : 0x00cf_9b00_0000_ffffn;
  const data = 0x00cf_9300_0000_ffffn;
  const table = new TableWriter(GDT_BYTES).u64(0x08, code).u64(0x10, code).u64(0x18, data).u64(0x20, data);
  return { gpa, bytes: table.bytes, label: 'boot GDT' };
}

/** Real mode at cs:ip, all data segments `dataBase >> 4`, interrupts off. */
export function realModeState(cs: number, ip: number, registers: InitialState['registers'], sp: number): InitialState {
  const data = segment(0, DATA16, 0xffff);
  return {
    rip: BigInt(ip),
    rsp: BigInt(sp),
    rflags: ALWAYS_ONE.RFLAGS,
    cr0: CR0.ET,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
    registers,
    segments: {
      cs: segment(cs, CODE16, 0xffff, cs << 4),
      ...{ ss: data, ds: data, es: data, fs: data, gs: data },
      ...SYSTEM_SEGMENTS,
    },
    gdtr: { base: 0n, limit: 0xffff },
    idtr: { base: 0n, limit: 0x3ff },
  };
}

/** 32-bit protected mode, flat segments, paging off, interrupts off. */
export function protectedState(
  rip: bigint,
  gdt: Chunk,
  registers: InitialState['registers'] = {},
  rsp: bigint = 0n,
): InitialState {
  const data = segment(BOOT_DS, DATA32, 0xffffffff);
  return {
    rip,
    rsp,
    rflags: ALWAYS_ONE.RFLAGS,
    cr0: CR0.PE | CR0.ET,
    cr3: 0n,
    cr4: 0n,
    efer: 0n,
    registers,
    segments: {
      cs: segment(BOOT_CS, CODE32, 0xffffffff),
      ...{ ss: data, ds: data, es: data, fs: data, gs: data },
      ...SYSTEM_SEGMENTS,
    },
    gdtr: { base: BigInt(gdt.gpa), limit: GDT_BYTES - 1 },
    idtr: { base: 0n, limit: 0 },
  };
}

/** Page tables that map the first 4 GiB onto themselves with 2 MiB pages: PML4, PDPT, four page directories. */
export function identityTables(gpa: number): Chunk {
  const present = 0x3;
  const table = new TableWriter(LONG_TABLE_BYTES).u64(0, gpa + 0x1000 + present);
  for (let i = 0; i < 4; i++) table.u64(0x1000 + 8 * i, gpa + 0x2000 + 0x1000 * i + present);
  const largePage = 0x80;
  for (let i = 0; i < 2048; i++) table.u64(0x2000 + 8 * i, i * 0x200000 + largePage + present);
  return { gpa, bytes: table.bytes, label: 'boot page tables' };
}
identityTables.bytes = LONG_TABLE_BYTES;

/** 64-bit mode on the tables of `identityTables`, interrupts off. */
export function longModeState(
  rip: bigint,
  gdt: Chunk,
  tables: Chunk,
  registers: InitialState['registers'],
  rsp: bigint,
): InitialState {
  const state = protectedState(rip, gdt, registers, rsp);
  return {
    ...state,
    cr0: CR0.PE | CR0.ET | CR0.PG,
    cr3: BigInt(tables.gpa),
    cr4: CR4.PAE,
    efer: EFER_LME_LMA,
    segments: { ...state.segments, cs: segment(BOOT_CS, CODE64, 0xffffffff) },
  };
}
