/** What a Linux guest uses of its memory, by its kernel's counters. */
import { describe, expect, it } from 'vitest';
import { memoryUse, pageCounters } from '../../src/engine/debug/linux/memory-use.js';
import { findKernel, linuxImage, PAGE_COUNTERS, PAGE_COUNTERS_GPA } from './linux-image.js';

const PAGE = 4096;

describe('the memory that a Linux uses', () => {
  const { memory, bytes } = linuxImage('since 6.5');
  const data = new DataView(bytes.buffer);
  const at = (name: string): number => PAGE_COUNTERS_GPA + PAGE_COUNTERS.indexOf(name) * 0x100;
  const words = (name: string, ...values: number[]): void => {
    for (const [n, value] of values.entries()) data.setBigInt64(at(name) + 8 * n, BigInt(value), true);
  };
  const counters = pageCounters(findKernel(memory)!);
  const view = (gpa: number, length: number): Uint8Array => memory.view(gpa, length);

  it('is none before it has counted', () => {
    expect(memoryUse(counters, view)).toBeUndefined();
  });

  it('is what is neither free nor freed without swapping, as /proc/meminfo has it', () => {
    words('_totalram_pages', 55_000);
    words('vm_zone_stat', 40_000);
    // inactive and active pages of programs and files, unevictable, reclaimable slab
    words('vm_node_stat', 1000, 500, 600, 400, 0, 300);
    words('totalreserve_pages', 2000);
    data.setUint32(at('min_free_kbytes'), 800, true);
    // The low watermark is 200 pages and a quarter of them.
    expect(memoryUse(counters, view)).toEqual({
      totalBytes: 55_000 * PAGE,
      availableBytes: (40_000 - 2000 + (1000 - 250) + (300 - 150)) * PAGE,
      freeBytes: 40_000 * PAGE,
      cacheBytes: 1000 * PAGE,
    });
    words('vm_node_stat', 0, 0, -5, 0, 0, 0);
    expect(memoryUse(counters, view)!.cacheBytes).toBe(0);
  });

  it('is none where the numbers make no sense, and where another kernel is there', () => {
    words('vm_zone_stat', 60_000);
    expect(memoryUse(counters, view)).toBeUndefined();
    words('vm_zone_stat', 100);
    expect(memoryUse(counters, view)).toBeDefined();
    bytes.set(Buffer.from('Linux version 9'), counters.mark.gpa);
    expect(memoryUse(counters, view)).toBeUndefined();
  });
});
