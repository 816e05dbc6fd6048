import type { EptRange, PageWalk } from '../debugger.js';
import type { PhysicalReader } from './guest-walk.js';

const TABLES = ['PML4', 'PDPT', 'PD', 'PT'];
const SHIFTS = [39n, 30n, 21n, 12n];
const ADDRESS = 0xf_ffff_ffff_f000n;
const LEAF = 0x80n;
const TYPES = ['UC', 'WC', 'reserved 2', 'reserved 3', 'WT', 'WP', 'WB', 'reserved 7'];

/** Memory type of an EPT leaf as the SDM abbreviates it. */
export const eptMemoryType = (entry: bigint): string => TYPES[Number((entry >> 3n) & 7n)];

function flagsOf(entry: bigint, leaf: boolean): string[] {
  const flags = [
    (entry & 1n) !== 0n && 'R',
    (entry & 2n) !== 0n && 'W',
    (entry & 4n) !== 0n && 'X',
    (entry & 0x100n) !== 0n && 'A',
    leaf && (entry & 0x200n) !== 0n && 'D',
    leaf && eptMemoryType(entry),
    leaf && (entry & 0x40n) !== 0n && 'IPAT',
  ];
  return flags.filter((flag): flag is string => typeof flag === 'string');
}

/**
 * Walks the EPT for a guest-physical address (GPA -> HPA) without touching A or D bits.
 * @param eptp EPT pointer; the walk has 4 levels
 * @sdm 3C 28.3.2 "EPT Translation Mechanism"
 */
export function walkEpt(eptp: bigint, gpa: bigint, read: PhysicalReader): PageWalk {
  const walk: PageWalk = { mode: 'EPT', input: gpa, levels: [] };
  if (gpa >> 48n !== 0n) return { ...walk, failure: 'address is wider than 48 bits' };
  let table = eptp & ADDRESS;
  for (let i = 0; i < 4; i++) {
    const index = Number((gpa >> SHIFTS[i]) & 511n);
    const entryAddress = table + BigInt(index * 8);
    const entry = read(entryAddress, 8);
    const name = `${TABLES[i]}[${index}]`;
    if (entry === undefined) return { ...walk, failure: `${name} at 0x${entryAddress.toString(16)} is not in memory` };
    const leaf = i === 3 || ((i === 1 || i === 2) && (entry & LEAF) !== 0n);
    walk.levels.push({ table: TABLES[i], index, entryAddress, entry, flags: flagsOf(entry, leaf) });
    if ((entry & 7n) === 0n) return { ...walk, failure: `${name} not present` };
    if ((entry & 3n) === 2n) return { ...walk, failure: `${name} misconfigured: writable but not readable` };
    if (leaf) {
      const size = 1n << SHIFTS[i];
      return { ...walk, output: (entry & ADDRESS & ~(size - 1n)) | (gpa & (size - 1n)), pageBytes: Number(size) };
    }
    table = entry & ADDRESS;
  }
  return walk;
}

/** All EPT mappings, neighbours with the same rights, type and page size merged; by ascending GPA. */
export function eptRanges(eptp: bigint, read: PhysicalReader, label: (gpa: bigint) => string): EptRange[] {
  const ranges: EptRange[] = [];
  const add = (gpa: bigint, entry: bigint, bytes: bigint) => {
    const hpa = entry & ADDRESS & ~(bytes - 1n);
    const next: EptRange = {
      gpa,
      hpa,
      bytes,
      read: (entry & 1n) !== 0n,
      write: (entry & 2n) !== 0n,
      execute: (entry & 4n) !== 0n,
      memoryType: eptMemoryType(entry),
      pageBytes: Number(bytes),
      label: label(gpa),
    };
    const last = ranges.at(-1);
    const joins =
      last &&
      last.gpa + last.bytes === gpa &&
      last.hpa + last.bytes === hpa &&
      last.read === next.read &&
      last.write === next.write &&
      last.execute === next.execute &&
      last.memoryType === next.memoryType &&
      last.pageBytes === next.pageBytes &&
      last.label === next.label;
    if (joins) last.bytes += bytes;
    else ranges.push(next);
  };
  const visit = (table: bigint, level: number, base: bigint) => {
    for (let index = 0n; index < 512n; index++) {
      const entry = read(table + index * 8n, 8);
      if (entry === undefined || (entry & 7n) === 0n) continue;
      const gpa = base + (index << SHIFTS[level]);
      const leaf = level === 3 || ((level === 1 || level === 2) && (entry & LEAF) !== 0n);
      if (leaf) add(gpa, entry, 1n << SHIFTS[level]);
      else visit(entry & ADDRESS, level + 1, gpa);
    }
  };
  visit(eptp & ADDRESS, 0, 0n);
  return ranges;
}
