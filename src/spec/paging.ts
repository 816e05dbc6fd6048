// Paging-structure entries of the guest's page tables and of EPT, and the shape of each paging mode.
import type { BitField } from './flags.js';

const bit = (at: number, name: string, title: string): BitField => ({ name, hi: at, lo: at, title });
const field = (hi: number, lo: number, name: string, title: string): BitField => ({ name, hi, lo, title });

/** Bits of any entry. @sdm 3A 4.5.4 "Linear-Address Translation with 4-Level Paging and 5-Level Paging" */
const COMMON: readonly BitField[] = [
  bit(0, 'P', 'present'),
  bit(1, 'W', 'writes allowed'),
  bit(2, 'U', 'user-mode accesses allowed'),
  bit(3, 'PWT', 'page-level write-through'),
  bit(4, 'PCD', 'page-level cache disable'),
  bit(5, 'A', 'accessed'),
];
const EXECUTE_DISABLE = bit(63, 'NX', 'instruction fetches not allowed');

/** An entry that refers to another table. */
export const TABLE_ENTRY: readonly BitField[] = [...COMMON, EXECUTE_DISABLE];
/** An entry that maps a 4-KByte page. */
export const PAGE_ENTRY: readonly BitField[] = [
  ...COMMON,
  bit(6, 'D', 'dirty'),
  bit(7, 'PAT', 'memory type from the PAT'),
  bit(8, 'G', 'global'),
  field(62, 59, 'key', 'protection key'),
  EXECUTE_DISABLE,
];
/** An entry that maps a large page. */
export const LARGE_PAGE_ENTRY: readonly BitField[] = [
  ...COMMON,
  bit(6, 'D', 'dirty'),
  bit(7, 'PS', 'maps a page'),
  bit(8, 'G', 'global'),
  bit(12, 'PAT', 'memory type from the PAT'),
  field(62, 59, 'key', 'protection key'),
  EXECUTE_DISABLE,
];

/** @sdm 3C 29.3.2 "EPT Translation Mechanism" */
export const EPT_TABLE_ENTRY: readonly BitField[] = [
  bit(0, 'R', 'reads allowed'),
  bit(1, 'W', 'writes allowed'),
  bit(2, 'X', 'instruction fetches allowed'),
  bit(8, 'A', 'accessed'),
];
export const EPT_PAGE_ENTRY: readonly BitField[] = [
  ...EPT_TABLE_ENTRY,
  field(5, 3, 'MT', 'memory type: 0 UC, 1 WC, 4 WT, 5 WP, 6 WB'),
  bit(6, 'IPAT', "ignore the guest's PAT"),
  bit(7, 'PS', 'maps a large page'),
  bit(9, 'D', 'dirty'),
  bit(63, 'SVE', 'violations do not become #VE'),
];

/** EPT memory types by their code; undefined: reserved. @sdm 3C 29.3.7 "EPT and Memory Typing" */
export const MEMORY_TYPES: readonly (string | undefined)[] = [
  'UC',
  'WC',
  undefined,
  undefined,
  'WT',
  'WP',
  'WB',
  undefined,
];

/** One level of paging structures. */
export interface PagingLevel {
  readonly table: string;
  /** The index is bits shift + bits - 1 : shift of the address. */
  readonly shift: number;
  readonly bits: number;
  /** PS makes an entry of this level a page. */
  readonly mayBePage: boolean;
}

export type PagingModeName = 'none' | '32-bit' | 'PAE' | '4-level' | '5-level' | 'EPT';

const PT: PagingLevel = { table: 'PT', shift: 12, bits: 9, mayBePage: false };
const PD: PagingLevel = { table: 'PD', shift: 21, bits: 9, mayBePage: true };
const PDPT: PagingLevel = { table: 'PDPT', shift: 30, bits: 9, mayBePage: true };
const PML4: PagingLevel = { table: 'PML4', shift: 39, bits: 9, mayBePage: false };
const PML5: PagingLevel = { table: 'PML5', shift: 48, bits: 9, mayBePage: false };

/** Levels of each mode, top first. @sdm 3A 4.2 "Hierarchical Paging Structures: an Overview" */
export const PAGING_LEVELS: Record<PagingModeName, readonly PagingLevel[]> = {
  none: [],
  '32-bit': [
    { table: 'PD', shift: 22, bits: 10, mayBePage: true },
    { table: 'PT', shift: 12, bits: 10, mayBePage: false },
  ],
  PAE: [{ table: 'PDPT', shift: 30, bits: 2, mayBePage: false }, PD, PT],
  '4-level': [PML4, PDPT, PD, PT],
  '5-level': [PML5, PML4, PDPT, PD, PT],
  EPT: [PML4, PDPT, PD, PT],
};

/** Width of physical addresses of this CPU: higher address bits of an entry are reserved. */
export const MAX_PHYSICAL_BITS = 39;
