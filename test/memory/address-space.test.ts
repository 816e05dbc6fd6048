/** All pages of an address space, against walks of single addresses. */
import { describe, expect, it } from 'vitest';
import { kernelRegions, regionOf } from '../../src/engine/debug/linux/regions.js';
import { type Mapping, merged, pages } from '../../src/engine/memory/address-space.js';
import { type PagingState, walkGuest } from '../../src/engine/memory/guest-walk.js';

/** Physical memory of some pages; entries are set by number. */
class Memory {
  readonly bytes = Buffer.alloc(0x40000);

  set(table: number, index: number, entry: bigint, entryBytes: 4 | 8 = 8): void {
    if (entryBytes === 8) this.bytes.writeBigUInt64LE(entry, table + index * 8);
    else this.bytes.writeUInt32LE(Number(entry), table + index * 4);
  }

  read = async (gpa: bigint, length: number): Promise<Uint8Array> =>
    gpa < BigInt(this.bytes.length) ? this.bytes.subarray(Number(gpa), Number(gpa) + length) : new Uint8Array(0);

  entry = (address: bigint, bytes: 4 | 8): bigint | undefined => {
    if (address + BigInt(bytes) > BigInt(this.bytes.length)) return undefined;
    const at = Number(address);
    return bytes === 8 ? this.bytes.readBigUInt64LE(at) : BigInt(this.bytes.readUInt32LE(at));
  };
}

const PG = 0x8000_0001n;
const LONG: PagingState = { cr0: PG, cr3: 0x1000n, cr4: 0x20n, efer: 0xd00n };
const NX = 1n << 63n;

async function all<T extends Mapping>(list: AsyncIterable<T | T[]>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of list) found.push(...([one].flat() as T[]));
  return found;
}

/** Each page is what a walk of its first and last byte says. */
function agree(state: PagingState, memory: Memory, list: readonly Mapping[]): void {
  for (const { gva, gpa, bytes, pageBytes, write, user, execute } of list)
    for (const offset of [0n, bytes - 1n]) {
      const walk = walkGuest(state, gva + offset, memory.entry);
      expect([walk.output, walk.pageBytes]).toEqual([gpa + offset, pageBytes]);
      const rows = walk.levels.filter(({ table }) => !(walk.mode === 'PAE' && table === 'PDPT'));
      const every = (flag: string) => rows.every(({ flags }) => flags.includes(flag));
      expect([write, user, execute]).toEqual([every('W'), every('U'), !rows.some(({ flags }) => flags.includes('NX'))]);
    }
}

describe('pages of an address space', () => {
  it('are those of 4 levels, in both halves, with rights of all levels and pages of three sizes', async () => {
    const memory = new Memory();
    memory.set(0x1000, 0, 0x2007n);
    memory.set(0x1000, 511, 0x2003n);
    memory.set(0x2000, 1, 0x3007n | NX);
    memory.set(0x2000, 3, 0x4000_0083n);
    memory.set(0x3000, 0, 0x4005n);
    memory.set(0x3000, 1, 0x20_0087n);
    memory.set(0x4000, 0, 0x9007n);
    memory.set(0x4000, 1, 0xa007n);
    memory.set(0x4000, 2, 0xf007n);
    memory.set(0x4000, 3, 0x10001n);
    const walked = { whole: true };
    const list = await all(pages(LONG, memory.read, walked));
    expect(walked.whole).toBe(true);
    expect(list).toHaveLength(12);
    expect(list.at(-1)!.gva).toBe(0xffff_ff80_c000_0000n);
    agree(LONG, memory, list);
    const rows = await all(merged(pages(LONG, memory.read, walked), () => undefined));
    expect(rows.slice(0, 4).map(({ gva, bytes, contiguous, user }) => [gva, bytes, contiguous, user])).toEqual([
      [0x4000_0000n, 0x3000n, false, true],
      [0x4000_3000n, 0x1000n, true, false],
      [0x4020_0000n, 0x20_0000n, true, true],
      [0xc000_0000n, 0x4000_0000n, true, false],
    ]);
    // never one with what has another name
    const named = await all(
      merged(pages(LONG, memory.read, walked), (gva) => (gva === 0x4000_1000n ? 'x' : undefined)),
    );
    expect(named).toHaveLength(rows.length + 2);
    // nor with what has other rights: 5 pages, of which the second alone is writable and the fourth alone is no code
    const other = new Memory();
    other.set(0x1000, 0, 0x2007n);
    other.set(0x2000, 0, 0x3007n);
    other.set(0x3000, 0, 0x4007n);
    for (const n of [0, 1, 2, 3, 4])
      other.set(0x4000, n, (0x9000n + 0x1000n * BigInt(n)) | (n === 1 ? 7n : 5n) | (n === 3 ? NX : 0n));
    const apart = await all(merged(pages(LONG, other.read, walked), () => undefined));
    expect(apart.map(({ gva, write, execute }) => [gva, write, execute])).toEqual([
      [0n, false, true],
      [0x1000n, true, true],
      [0x2000n, false, true],
      [0x3000n, false, false],
      [0x4000n, false, true],
    ]);
    const part = await all(pages(LONG, memory.read, walked, 0x4000_1800n, 0x4000_2000n));
    expect(part.map(({ gva }) => gva)).toEqual([0x4000_1000n, 0x4000_2000n]);
  });

  it('are those of PAE and of 32 bits, and none without paging', async () => {
    const memory = new Memory();
    memory.set(0x1000, 3, 0x2001n);
    memory.set(0x2000, 511, 0x3003n);
    memory.set(0x3000, 511, 0x7001n | NX);
    memory.set(0x2000, 0, 0x60_0083n);
    const pae: PagingState = { ...LONG, efer: 0x800n };
    const found = await all(pages(pae, memory.read, { whole: true }));
    expect(found.map(({ gva }) => gva)).toEqual([0xc000_0000n, 0xffff_f000n]);
    agree(pae, memory, found);
    memory.set(0x8000, 1, 0x40_0083n, 4);
    memory.set(0x8000, 1023, 0x9007n, 4);
    memory.set(0x9000, 1023, 0xa005n, 4);
    const legacy: PagingState = { cr0: PG, cr3: 0x8000n, cr4: 0x10n, efer: 0n };
    const old = await all(pages(legacy, memory.read, { whole: true }));
    expect(old.map(({ gva, pageBytes }) => [gva, pageBytes])).toEqual([
      [0x40_0000n, 0x40_0000],
      [0xffff_f000n, 0x1000],
    ]);
    agree(legacy, memory, old);
    expect(await all(pages({ ...legacy, cr0: 1n }, memory.read, { whole: true }))).toEqual([]);
  });

  it('end where tables lead to each other or out of memory, and say so', async () => {
    const memory = new Memory();
    for (let index = 0; index < 512; index++) memory.set(0x1000, index, 0x1007n);
    const walked = { whole: true, most: 5000 };
    let count = 0;
    for await (const _ of merged(pages(LONG, memory.read, walked), () => undefined)) count++;
    expect(walked.whole).toBe(false);
    expect(count).toBeLessThanOrEqual(5000);
    memory.bytes.fill(0);
    memory.set(0x1000, 0, 0xf_ffff_ffff_f007n);
    expect(await all(pages(LONG, memory.read, walked))).toEqual([]);
  });
});

it("Linux's regions are where the kernel's own variables say, the closest first", async () => {
  const symbols: Record<string, bigint> = {
    _text: 0xffff_ffff_9000_0000n,
    _etext: 0xffff_ffff_9100_0000n,
    _end: 0xffff_ffff_9300_0000n,
  };
  const regions = await kernelRegions({
    symbol: (name) => symbols[name],
    variable: async (name) => (name === 'page_offset_base' ? 0xffff_9000_0000_0000n : undefined),
    modules: [{ name: 'virtio', address: 0xffff_ffff_c010_0000n, bytes: 0x5000 }],
  });
  const of = (gva: bigint) => regionOf(regions, gva);
  expect(of(0xffff_ffff_9000_1000n)).toBe('kernel text');
  expect(of(0xffff_ffff_9200_0000n)).toBe('kernel image');
  expect(of(0xffff_9000_0000_1000n)).toBe('direct map');
  expect(of(0xffff_ffff_c010_4fffn)).toBe('module virtio');
  expect(of(0xffff_ffff_c010_5000n)).toBe('modules');
  expect(of(0x40_0000n)).toBe('user');
  expect(of(0x1_0000_0000_0000_0n)).toBeUndefined();
});
