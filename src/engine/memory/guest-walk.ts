import { CR0, CR4, EFER } from '../../spec/masks.js';
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

const ADDRESS_52 = 0xf_ffff_ffff_f000n;

const FLAG_BITS: [bigint, string][] = [
  [1n << 0n, 'P'],
  [1n << 1n, 'W'],
  [1n << 2n, 'U'],
  [1n << 3n, 'PWT'],
  [1n << 4n, 'PCD'],
  [1n << 5n, 'A'],
  [1n << 6n, 'D'],
  [1n << 8n, 'G'],
  [1n << 63n, 'NX'],
];

function decodeFlags(entry: bigint, leaf: boolean, large: boolean): string[] {
  const flags = FLAG_BITS.filter(([bit, name]) => (entry & bit) !== 0n && (leaf || (name !== 'D' && name !== 'G'))).map(
    ([, name]) => name,
  );
  return large ? [...flags, 'PS'] : flags;
}

interface Level {
  table: string;
  shift: bigint;
  bits: bigint;
  /** Whether PS makes this entry a leaf. */
  mayBeLarge: boolean;
}

const LEGACY: Level[] = [
  { table: 'PD', shift: 22n, bits: 10n, mayBeLarge: true },
  { table: 'PT', shift: 12n, bits: 10n, mayBeLarge: false },
];
const PAE: Level[] = [
  { table: 'PDPT', shift: 30n, bits: 2n, mayBeLarge: false },
  { table: 'PD', shift: 21n, bits: 9n, mayBeLarge: true },
  { table: 'PT', shift: 12n, bits: 9n, mayBeLarge: false },
];
const FOUR: Level[] = [
  { table: 'PML4', shift: 39n, bits: 9n, mayBeLarge: false },
  { table: 'PDPT', shift: 30n, bits: 9n, mayBeLarge: true },
  { table: 'PD', shift: 21n, bits: 9n, mayBeLarge: true },
  { table: 'PT', shift: 12n, bits: 9n, mayBeLarge: false },
];
const FIVE: Level[] = [{ table: 'PML5', shift: 48n, bits: 9n, mayBeLarge: false }, ...FOUR];

/** How addresses are translated now, and the paging structures from the top. */
export function pagingMode({ cr0, cr4, efer }: PagingState): {
  mode: PageWalk['mode'];
  levels: Level[];
  entryBytes: 4 | 8;
} {
  if ((cr0 & CR0.PG) === 0n) return { mode: 'none', levels: [], entryBytes: 8 };
  if ((efer & EFER.LMA) !== 0n) {
    return (cr4 & CR4.LA57) !== 0n
      ? { mode: '5-level', levels: FIVE, entryBytes: 8 }
      : { mode: '4-level', levels: FOUR, entryBytes: 8 };
  }
  if ((cr4 & CR4.PAE) !== 0n) return { mode: 'PAE', levels: PAE, entryBytes: 8 };
  return { mode: '32-bit', levels: LEGACY, entryBytes: 4 };
}

/** Where a walk has led: `output` and the bytes of its page, or why there is none. */
type WalkEnd = Pick<PageWalk, 'output' | 'pageBytes' | 'failure'>;

/** An entry that a walk has met. */
interface Met {
  level: Level;
  index: number;
  entryAddress: bigint;
  entry: bigint;
  leaf: boolean;
  large: boolean;
}

/**
 * Walks the guest's page tables for a linear address (GVA -> GPA) without touching A or D bits.
 * @sdm 3A 4.1 "Paging Modes and Control Bits"
 */
export function walkGuest(state: PagingState, gva: bigint, read: PhysicalReader): PageWalk {
  const rows: PageWalkLevel[] = [];
  const end = follow(state, gva, read, ({ level, index, entryAddress, entry, leaf, large }) =>
    rows.push({ table: level.table, index, entryAddress, entry, flags: decodeFlags(entry, leaf, large) }),
  );
  return { mode: pagingMode(state).mode, input: gva, levels: rows, ...end };
}

/** Where such a walk leads; undefined where the address is not mapped. */
export function translateGuest(state: PagingState, gva: bigint, read: PhysicalReader): bigint | undefined {
  return follow(state, gva, read).output;
}

function follow(state: PagingState, gva: bigint, read: PhysicalReader, meet?: (met: Met) => void): WalkEnd {
  const { mode, levels, entryBytes } = pagingMode(state);
  const long = mode === '4-level' || mode === '5-level';
  if (!long && gva >> 32n !== 0n) return { failure: 'address is wider than 32 bits' };
  if (mode === 'none') return { output: gva };
  if (long) {
    const width = mode === '5-level' ? 57 : 48;
    if (BigInt.asUintN(64, BigInt.asIntN(width, gva)) !== gva) return { failure: 'address is not canonical' };
  }
  const pse = mode !== '32-bit' || (state.cr4 & CR4.PSE) !== 0n;
  const last = levels[levels.length - 1];
  let table = mode === 'PAE' ? state.cr3 & 0xffffffe0n : long ? state.cr3 & ADDRESS_52 : state.cr3 & 0xfffff000n;
  for (const level of levels) {
    const index = Number((gva >> level.shift) & ((1n << level.bits) - 1n));
    const entryAddress = table + BigInt(index * entryBytes);
    const entry = read(entryAddress, entryBytes);
    const name = (): string => `${level.table}[${index}]`;
    if (entry === undefined) return { failure: `${name()} at 0x${entryAddress.toString(16)} is not in memory` };
    const large = level.mayBeLarge && pse && (entry & 0x80n) !== 0n;
    const leaf = large || level === last;
    meet?.({ level, index, entryAddress, entry, leaf, large });
    if ((entry & 1n) === 0n) return { failure: `${name()} not present` };
    if (leaf) {
      const size = 1n << level.shift;
      const frame =
        mode === '32-bit' && large
          ? (entry & 0xffc00000n) | (((entry >> 13n) & 0xffn) << 32n)
          : entry & ADDRESS_52 & ~(size - 1n);
      return { output: frame | (gva & (size - 1n)), pageBytes: Number(size) };
    }
    table = mode === '32-bit' ? entry & 0xfffff000n : entry & ADDRESS_52;
  }
  return {};
}
