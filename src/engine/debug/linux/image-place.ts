/**
 * Where the image of a kernel lies, linear and guest-physical. Its symbol table tells one of the two; the other is
 * found by what the kernel tells of itself (VMCOREINFO), by its banner, by its page tables, or by those in use.
 */
import type { Kallsyms, KernelSymbol } from './kallsyms.js';
import { KERNEL_HALF, KERNEL_HALF_32 } from './kernel-half.js';
import { dataView, occurrences, type PhysicalMemory, type Search } from './physical.js';
import { Vmcoreinfo } from './vmcoreinfo.js';

/** The image is loaded at a multiple of CONFIG_PHYSICAL_ALIGN, which is at least this. */
const IMAGE_ALIGN = { 64: 0x20_0000, 32: 0x2000 };
/** No image is larger; the rest of memory need not be searched. */
const IMAGE_LIMIT = 0x2000_0000;
const BANNER = Buffer.from('Linux version ');
const MAX_BANNERS = 4096;
/** Where 32-bit kernels map memory one to one: CONFIG_PAGE_OFFSET by split of the address space. */
const PAGE_OFFSETS = [0xc000_0000n, 0xb000_0000n, 0x8000_0000n, 0x7800_0000n, 0x4000_0000n];
/** Where the image is mapped: __START_KERNEL_map and the most that can be behind it. */
const KERNEL_MAP = 0xffff_ffff_8000_0000n;
const KERNEL_MAP_BYTES = 1 << 30;
const ENTRY = { present: 1n, large: 1n << 7n, frame: 0x000f_ffff_ffff_f000n };

export interface ImagePlace {
  /** With linear addresses, sorted by them. */
  symbols: KernelSymbol[];
  text: bigint;
  textGpa: number;
  vmcoreinfo?: Vmcoreinfo;
}

type Walk = (address: bigint) => number | undefined;

/** Places the image; undefined while nothing tells where it is. */
export function* placeImage(memory: PhysicalMemory, kallsyms: Kallsyms, walk: Walk): Search<ImagePlace | undefined> {
  const { symbols, tokenTable, physical } = kallsyms;
  const find = (name: string): bigint | undefined => symbols.find((symbol) => symbol.name === name)?.address;
  const start = find('_text') ?? find('_stext');
  if (start === undefined) return undefined;
  // distance from guest-physical to linear addresses of the image
  const tellsIt = (noted: Vmcoreinfo): boolean => {
    const table = noted.symbol('kallsyms_token_table');
    if (table !== undefined) return isDistance(memory, kallsyms, start, table - BigInt(tokenTable));
    const stext = find('_stext');
    return physical === false && stext !== undefined && noted.symbol('_stext') === stext;
  };
  // kernels whose table has their data point at the note themselves
  const vmcoreinfo = find('vmcoreinfo_data') === undefined ? yield* Vmcoreinfo.search(memory, tellsIt) : undefined;
  const noted = vmcoreinfo?.symbol('kallsyms_token_table');
  const distance =
    noted !== undefined
      ? noted - BigInt(tokenTable)
      : physical
        ? (distanceInUse(start, walk) ?? linearDistance(memory, start, find))
        : yield* physicalDistance(memory, kallsyms, start, find('linux_banner'), walk);
  if (distance === undefined || !isDistance(memory, kallsyms, start, distance)) return undefined;
  const moved = physical ? symbols.map((symbol) => ({ ...symbol, address: symbol.address + distance })) : symbols;
  const text = physical ? start + distance : start;
  return {
    symbols: moved,
    text,
    textGpa: Number(text - distance),
    ...(vmcoreinfo === undefined ? {} : { vmcoreinfo }),
  };
}

/** Whether a distance puts the image into RAM at a place where one may be, around its own symbol table. */
function isDistance(memory: PhysicalMemory, kallsyms: Kallsyms, start: bigint, distance: bigint): boolean {
  const text = kallsyms.physical ? start + distance : start;
  const gpa = Number(text - distance);
  if (text < KERNEL_HALF_32 || (text >= 1n << 32n && text < KERNEL_HALF)) return false;
  const align = text >= KERNEL_HALF ? IMAGE_ALIGN[64] : IMAGE_ALIGN[32];
  const { tokenTable } = kallsyms;
  return gpa >= 0 && gpa % align === 0 && tokenTable >= gpa && tokenTable - gpa < IMAGE_LIMIT && gpa < memory.bytes;
}

/** For linear symbols. */
function* physicalDistance(
  memory: PhysicalMemory,
  kallsyms: Kallsyms,
  start: bigint,
  banner: bigint | undefined,
  walk: Walk,
): Search<bigint | undefined> {
  let distance: bigint | undefined;
  const take = (candidate: bigint): boolean => {
    if (!isDistance(memory, kallsyms, start, candidate)) return false;
    distance = candidate;
    return true;
  };
  if (banner !== undefined) {
    // The log and /proc/version have copies of the banner; the right one puts the image at an aligned place.
    const from = Math.max(0, kallsyms.tokenTable - IMAGE_LIMIT);
    yield* occurrences(memory, BANNER, from, MAX_BANNERS, (at) => take(banner - BigInt(at)));
    if (distance !== undefined) return distance;
  }
  if (start < KERNEL_HALF && PAGE_OFFSETS.some(take)) return distance;
  const gpa = walk(start);
  if (gpa !== undefined) take(start - BigInt(gpa));
  return distance;
}

/** For guest-physical symbols: by the page tables in use, which a kernel that has just begun has set right first. */
function distanceInUse(start: bigint, walk: Walk): bigint | undefined {
  const places = [
    ...Array.from({ length: KERNEL_MAP_BYTES / IMAGE_ALIGN[64] }, (_, n) => KERNEL_MAP + BigInt(n * IMAGE_ALIGN[64])),
    ...PAGE_OFFSETS.map((offset) => offset + start),
  ];
  const linear = places.find((gva) => walk(gva) === Number(start));
  return linear === undefined ? undefined : linear - start;
}

/** For guest-physical symbols: by the kernel's page tables, whose upper end maps the image. */
function linearDistance(
  memory: PhysicalMemory,
  start: bigint,
  find: (name: string) => bigint | undefined,
): bigint | undefined {
  const top = find('init_top_pgt');
  if (top === undefined) {
    const table = find('swapper_pg_dir');
    return table === undefined ? undefined : PAGE_OFFSETS[0];
  }
  const entry = (table: number, index: number): bigint => {
    const at = table + index * 8;
    return at >= 0 && at + 8 <= memory.bytes ? dataView(memory.view(at, 8)).getBigUint64(0, true) : 0n;
  };
  const next = (table: number, index: number): number | undefined => {
    const value = entry(table, index);
    return (value & ENTRY.present) !== 0n && (value & ENTRY.large) === 0n ? Number(value & ENTRY.frame) : undefined;
  };
  const upper = next(Number(top), 511);
  // with LA57 there is one level more
  const tables = upper === undefined ? [] : [upper, next(upper, 511)];
  for (const table of tables) {
    if (table === undefined) continue;
    const directory = next(table, 510);
    for (let index = 0; directory !== undefined && index < 512; index++) {
      const value = entry(directory, index);
      if ((value & ENTRY.present) === 0n) continue;
      const linear = KERNEL_MAP + (BigInt(index) << 21n);
      const first = (value & ENTRY.large) === 0n ? entry(Number(value & ENTRY.frame), 0) : value;
      if ((first & ENTRY.present) !== 0n && (first & ENTRY.frame & ~0x1fffffn) === (start & ~0x1fffffn))
        return linear - (start & ~0x1fffffn);
    }
  }
  return undefined;
}
