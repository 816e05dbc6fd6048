import { decodeBits } from '../../spec/flags.js';
import {
  LARGE_PAGE_ENTRY,
  MAX_PHYSICAL_BITS,
  PAGE_ENTRY,
  PAGING_LEVELS,
  type PagingLevel,
  TABLE_ENTRY,
} from '../../spec/paging.js';
import type { PageWalk, PageWalkLevel } from '../debugger.js';

/** State that decides how linear addresses are translated. */
export interface PagingState {
  cr0: bigint;
  cr3: bigint;
  cr4: bigint;
  efer: bigint;
}

/** Reads `bytes` (4 or 8) at a physical address without side effects; undefined where there is no memory. */
export type PhysicalReader = (address: bigint, bytes: 4 | 8) => bigint | undefined;

const CR0_PG = 1n << 31n;
const CR4_PSE = 1n << 4n;
const CR4_PAE = 1n << 5n;
const CR4_LA57 = 1n << 12n;
const EFER_LMA = 1n << 10n;
const EFER_NXE = 1n << 11n;
const ADDRESS_52 = 0xf_ffff_ffff_f000n;

/** Address bits beyond the CPU's physical width; PAE reserves bits 62:52 as well. */
const HIGH_BITS = ((1n << 52n) - 1n) & ~((1n << BigInt(MAX_PHYSICAL_BITS)) - 1n);
const PAE_HIGH_BITS = HIGH_BITS | (0x7ffn << 52n);
const NX = 1n << 63n;
const PS = 0x80n;

/** Reserved bits that are set in a present entry. */
function reservedBits({ efer, cr4 }: PagingState, mode: PageWalk['mode'], level: PagingLevel, entry: bigint): bigint {
  const page = (entry & PS) !== 0n && level.mayBePage;
  if (mode === '32-bit') {
    if (!page || (cr4 & CR4_PSE) === 0n) return 0n;
    // bits 20:13 carry address bits 39:32, as far as the physical width goes
    const width = BigInt(MAX_PHYSICAL_BITS - 32);
    return entry & (0x200000n | (0x1fe000n & ~(((1n << width) - 1n) << 13n)));
  }
  let mask = mode === 'PAE' ? PAE_HIGH_BITS : HIGH_BITS;
  if (mode === 'PAE' && level.table === 'PDPT') return entry & (mask | NX | 0x1e6n);
  if ((efer & EFER_NXE) === 0n) mask |= NX;
  if (page) mask |= ((1n << BigInt(level.shift)) - 1n) & ~0x1fffn;
  else if (level.shift > 30) mask |= PS;
  return entry & mask;
}

/** The paging mode that the control registers select. @sdm 3A 4.1.1 "Four Paging Modes" */
export function pagingMode({ cr0, cr4, efer }: PagingState): PageWalk['mode'] {
  if ((cr0 & CR0_PG) === 0n) return 'none';
  if ((efer & EFER_LMA) !== 0n) return (cr4 & CR4_LA57) !== 0n ? '5-level' : '4-level';
  return (cr4 & CR4_PAE) !== 0n ? 'PAE' : '32-bit';
}

/**
 * Walks the guest's page tables for a linear address (GVA -> GPA) without touching A or D bits.
 * @sdm 3A 4.1 "Paging Modes and Control Bits"
 */
export function walkGuest(state: PagingState, gva: bigint, read: PhysicalReader): PageWalk {
  const mode = pagingMode(state);
  const levels = PAGING_LEVELS[mode];
  const entryBytes = mode === '32-bit' ? 4 : 8;
  const walk: PageWalk = { mode, input: gva, levels: [] };
  if (mode === 'none') return { ...walk, output: gva & 0xffffffffn };
  const long = mode === '4-level' || mode === '5-level';
  if (long) {
    const width = mode === '5-level' ? 57 : 48;
    if (BigInt.asUintN(64, BigInt.asIntN(width, gva)) !== gva) return { ...walk, failure: 'address is not canonical' };
  } else gva &= 0xffffffffn;
  let table = mode === 'PAE' ? state.cr3 & 0xffffffe0n : long ? state.cr3 & ADDRESS_52 : state.cr3 & 0xfffff000n;
  for (const [i, level] of levels.entries()) {
    const shift = BigInt(level.shift);
    const index = Number((gva >> shift) & ((1n << BigInt(level.bits)) - 1n));
    const entryAddress = table + BigInt(index * entryBytes);
    const entry = read(entryAddress, entryBytes);
    const name = `${level.table}[${index}]`;
    if (entry === undefined) return { ...walk, failure: `${name} at 0x${entryAddress.toString(16)} is not in memory` };
    const pse = mode !== '32-bit' || (state.cr4 & CR4_PSE) !== 0n;
    const large = level.mayBePage && pse && (entry & PS) !== 0n && !(mode === 'PAE' && level.table === 'PDPT');
    const leaf = large || i === levels.length - 1;
    const row: PageWalkLevel = {
      table: level.table,
      index,
      entryAddress,
      entry,
      flags: decodeBits(entry, large ? LARGE_PAGE_ENTRY : leaf ? PAGE_ENTRY : TABLE_ENTRY),
    };
    walk.levels.push(row);
    if ((entry & 1n) === 0n) return { ...walk, failure: `${name} not present` };
    const reserved = reservedBits(state, mode, level, entry);
    if (reserved !== 0n) return { ...walk, failure: `${name} has reserved bits set: 0x${reserved.toString(16)}` };
    if (leaf) {
      const size = 1n << shift;
      const frame =
        mode === '32-bit' && large
          ? (entry & 0xffc00000n) | (((entry >> 13n) & 0xffn) << 32n)
          : entry & ADDRESS_52 & ~(size - 1n);
      return { ...walk, output: frame | (gva & (size - 1n)), pageBytes: Number(size) };
    }
    table = mode === '32-bit' ? entry & 0xfffff000n : entry & ADDRESS_52;
  }
  return walk;
}
