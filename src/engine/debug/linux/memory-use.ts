/** How much of its memory a Linux kernel says it uses, from the counters that its /proc/meminfo is made of. */
import type { LinuxKernel } from './kernel.js';
import { dataView } from './physical.js';

const PAGE = 4096;
const MARK_BYTES = 64;
/** Of `enum node_stat_item`, as it has been since 4.8: pages in all these. @linux include/linux/mmzone.h */
const NODE = { inactiveFile: 2, activeFile: 3, slabReclaimable: 5 } as const;
const NODE_ITEMS = 6;

/** Guest-physical addresses of the counters: they stay for as long as the kernel does. */
export interface PageCounters {
  /** Bytes of the kernel that tell it from another one. */
  mark: { gpa: number; bytes: Uint8Array };
  /** Of a counter: an `unsigned long`. */
  wordBytes: 4 | 8;
  totalPages: number;
  zone: number;
  node: number;
  reservePages?: number;
  /** `int`s. */
  minFreeKib?: number;
  watermarkScale?: number;
}

/** As /proc/meminfo has them: MemTotal, MemAvailable, MemFree, and pages of files. */
export interface MemoryUse {
  totalBytes: number;
  availableBytes: number;
  freeBytes: number;
  cacheBytes: number;
}

/** @throws Error naming what this kernel does not have: one before 4.8, or without data in its symbol table */
export function pageCounters(kernel: LinuxKernel): PageCounters {
  const at = (name: string): number => kernel.textGpa + Number(kernel.address(name) - kernel.text);
  const optional = (name: string): number | undefined => (kernel.has(name) ? at(name) : undefined);
  const gpa = optional('linux_banner') ?? kernel.textGpa;
  return {
    mark: { gpa, bytes: kernel.memory.view(gpa, MARK_BYTES).slice() },
    wordBytes: kernel.pointerBytes,
    // An atomic since 5.0.
    totalPages: optional('_totalram_pages') ?? at('totalram_pages'),
    zone: at('vm_zone_stat'),
    node: at('vm_node_stat'),
    reservePages: optional('totalreserve_pages'),
    minFreeKib: optional('min_free_kbytes'),
    watermarkScale: optional('watermark_scale_factor'),
  };
}

/**
 * The counters now; undefined when another kernel is there, or they make no sense yet.
 * @param view guest-physical memory
 */
export function memoryUse(
  counters: PageCounters,
  view: (gpa: number, length: number) => Uint8Array,
): MemoryUse | undefined {
  const { mark, wordBytes } = counters;
  if (Buffer.compare(view(mark.gpa, mark.bytes.length), mark.bytes) !== 0) return undefined;
  const words = (gpa: number, count: number): number[] => {
    const data = dataView(view(gpa, count * wordBytes));
    const word = (n: number) => (wordBytes === 8 ? Number(data.getBigInt64(n * 8, true)) : data.getInt32(n * 4, true));
    // A sum of what CPUs have counted apart may be below zero for a moment.
    return Array.from({ length: count }, (_, n) => Math.max(0, word(n)));
  };
  const int = (gpa: number | undefined): number => (gpa === undefined ? 0 : dataView(view(gpa, 4)).getUint32(0, true));
  const [total = 0] = words(counters.totalPages, 1);
  const [free = 0] = words(counters.zone, 1);
  const node = words(counters.node, NODE_ITEMS);
  if (total === 0 || free > total || !Number.isSafeInteger(total * PAGE)) return undefined;
  const files = node[NODE.inactiveFile]! + node[NODE.activeFile]!;
  const reserve = counters.reservePages === undefined ? 0 : words(counters.reservePages, 1)[0]!;
  // As si_mem_available() has it, with the low watermark as it is set from these two.
  const lowest = int(counters.minFreeKib) / (PAGE / 1024);
  const low = lowest + Math.max(lowest / 4, (total * int(counters.watermarkScale)) / 10_000);
  const half = (pages: number): number => pages - Math.min(pages / 2, low);
  const available = free - reserve + half(files) + half(node[NODE.slabReclaimable]!);
  return {
    totalBytes: total * PAGE,
    availableBytes: Math.round(Math.max(0, Math.min(total, available))) * PAGE,
    freeBytes: free * PAGE,
    cacheBytes: files * PAGE,
  };
}
