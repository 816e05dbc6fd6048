import { EPT_POOL, EPT_POOL_BYTES } from '../core/layout.js';
import type { HostMemory } from '../memory/host-memory.js';

export const EPT_MEMORY_TYPE = { UC: 0, WC: 1, WT: 4, WP: 5, WB: 6 } as const;

export interface EptPermissions {
  read: boolean;
  write: boolean;
  execute: boolean;
}

const PAGE_4K = 0x1000;
const PAGE_2M = 0x20_0000;
const PAGE_1G = 0x4000_0000;
const ADDRESS = 0x7f_ffff_f000n;
const LEAF = 1n << 7n;

/**
 * Builds the EPT paging structures in host-physical memory, in the processor's own format.
 * @sdm 3C 28.3.2 "EPT Translation Mechanism"
 */
export class EptBuilder {
  readonly root: number;
  #next = EPT_POOL;

  constructor(readonly host: HostMemory) {
    this.root = this.#table();
  }

  /** EPT pointer for the VMCS: write-back structures, page-walk length 4, accessed and dirty flags on. */
  get eptp(): bigint {
    return BigInt(this.root) | 6n | (3n << 3n) | (1n << 6n);
  }

  /** Size of all paging structures; they lie in a row from EPT_POOL on. */
  get bytes(): number {
    return this.#next - EPT_POOL;
  }

  /** Whether saved structures of this size can be taken over. */
  fits(bytes: number): boolean {
    return bytes >= PAGE_4K && bytes <= EPT_POOL_BYTES && bytes % PAGE_4K === 0;
  }

  /** Takes over structures that a machine of the same memory saved. */
  load(structures: Uint8Array): void {
    this.host.u8.set(structures, EPT_POOL);
    this.#next = EPT_POOL + structures.length;
  }

  /** Maps [gpa, gpa + bytes) to hpa with the largest leaves that alignment allows. All in bytes, multiples of 4 KiB. */
  map(gpa: number, hpa: number, bytes: number, permissions: EptPermissions, memoryType: number): void {
    const bits =
      (permissions.read ? 1n : 0n) |
      (permissions.write ? 2n : 0n) |
      (permissions.execute ? 4n : 0n) |
      (BigInt(memoryType) << 3n);
    for (let done = 0; done < bytes; ) {
      const at = gpa + done;
      const to = hpa + done;
      const left = bytes - done;
      const fits = (page: number) => at % page === 0 && to % page === 0 && left >= page;
      const [size, level] = fits(PAGE_1G) ? [PAGE_1G, 3] : fits(PAGE_2M) ? [PAGE_2M, 2] : [PAGE_4K, 1];
      this.host.set64(this.entryAddress(at, level, true)!, BigInt(to) | bits | (level > 1 ? LEAF : 0n));
      done += size;
    }
  }

  /** Maps as `map` does, but with leaves of 4 KiB: mapped and unmapped again and again, they take no further structures. */
  mapPages(gpa: number, hpa: number, bytes: number, permissions: EptPermissions, memoryType: number): void {
    const bits =
      (permissions.read ? 1 : 0) | (permissions.write ? 2 : 0) | (permissions.execute ? 4 : 0) | (memoryType << 3);
    this.#eachLeaf(gpa, bytes, (entry, at) => this.host.setNumber(entry, hpa + at - gpa + bits));
  }

  /** Makes [gpa, gpa + bytes) cause EPT violations. */
  unmap(gpa: number, bytes: number): void {
    this.#eachLeaf(gpa, bytes, (entry) => this.host.setNumber(entry, 0));
  }

  /** All leaves of 4 KiB in a range, with the addresses that they map. */
  #eachLeaf(gpa: number, bytes: number, each: (entry: number, at: number) => void): void {
    let entry = 0;
    for (let at = gpa; at < gpa + bytes; at += PAGE_4K, entry += 8) {
      if (at === gpa || at % PAGE_2M === 0) entry = this.entryAddress(at, 1, true)!;
      each(entry, at);
    }
  }

  /** Host-physical address of a guest-physical one, as these structures map it; undefined where they do not. */
  frameOf(gpa: number): number | undefined {
    const { u32 } = this.host;
    let table = this.root;
    for (let level = 4; level > 0; level--) {
      const size = 2 ** (12 + 9 * (level - 1));
      const at = (table + (Math.floor(gpa / size) % 512) * 8) >>> 2;
      if ((u32[at] & 7) === 0) return undefined;
      const next = (u32[at + 1] & 0x7f) * 2 ** 32 + ((u32[at] & ~0xfff) >>> 0);
      if (level === 1 || (u32[at] & 0x80) !== 0) return next - (next % size) + (gpa % size);
      table = next;
    }
    return undefined;
  }

  /**
   * Host-physical address of the entry of `gpa` at a level (4 = PML4E ... 1 = PTE). With `create`
   * missing tables are added and larger leaves split; otherwise the lowest existing entry is answered.
   */
  entryAddress(gpa: number, level: number, create: boolean): number | undefined {
    let table = this.root;
    for (let at = 4; ; at--) {
      const index = Math.floor(gpa / 2 ** (12 + 9 * (at - 1))) % 512;
      const entryAddress = table + index * 8;
      if (at === level) return entryAddress;
      const entry = this.host.get64(entryAddress);
      if ((entry & 7n) === 0n) {
        if (!create) return undefined;
        table = this.#table();
        this.host.set64(entryAddress, BigInt(table) | 7n);
      } else if ((entry & LEAF) !== 0n) {
        if (!create) return entryAddress;
        table = this.#split(entryAddress, entry, at);
      } else {
        table = Number(entry & ADDRESS);
      }
    }
  }

  #split(entryAddress: number, entry: bigint, level: number): number {
    const table = this.#table();
    const step = 2 ** (12 + 9 * (level - 2));
    const leaf = level - 1 > 1 ? LEAF : 0n;
    for (let i = 0; i < 512; i++) this.host.set64(table + i * 8, (entry & ~LEAF) + BigInt(i * step) + leaf);
    this.host.set64(entryAddress, BigInt(table) | 7n);
    return table;
  }

  #table(): number {
    const table = this.#next;
    if (table + PAGE_4K > EPT_POOL + EPT_POOL_BYTES) throw new Error('EPT: no room for another paging structure');
    this.#next += PAGE_4K;
    this.host.u8.fill(0, table, table + PAGE_4K);
    return table;
  }
}
