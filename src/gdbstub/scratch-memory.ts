/**
 * Memory of the client's own in the guest, for LLDB, which puts code there to call functions. It is a piece of
 * guest-physical memory that no system uses; with paging on, an entry of the current tables that was empty leads to it.
 * What was there, memory and entry, comes back when the client gives its last piece back or leaves. All of it are writes
 * as any debugger's: the history knows them.
 * @sdm 3A 4.3 "32-Bit Paging", 4.4 "PAE Paging", 4.5 "4-Level Paging and 5-Level Paging"
 */
import { CR0, CR4, EFER } from '../spec/masks.js';
import type { Target } from './target.js';

const PAGE = 4096;
const PAGE_BITS = 12n;
/** Present, writable, accessed; of a page, dirty too. */
const TABLE = 0x23n;
const LEAF = 0x63n;
const USER = 4n;
const ADDRESS = 0x000f_ffff_ffff_f000n;
const MODE = ['cr0', 'cr3', 'cr4', 'efer', 'cs', 'rip'];

/**
 * Where a client's addresses without memory are while paging is off: LLDB asks for more room than it ever writes to.
 * PCI's; with paging they are behind the memory, under the same entry.
 */
const BARE_ADDRESSES = { from: 0xf800_0000n, bytes: 0x200_0000n };

/** Where the current tables have room: an empty entry, and the tables below it that lead to the pages. */
interface Place {
  /** Guest-physical address of the entry. */
  entry: bigint;
  entryBytes: 4 | 8;
  /** Linear address of the first page. */
  linear: bigint;
  /** Tables that are missing below it. */
  tables: number;
  /** Linear bytes under the entry. */
  bytes: bigint;
}

interface Mapping extends Place {
  root: bigint;
  value: bigint;
}

interface Mode {
  paging: boolean;
  /** CR3's bits of the address. */
  root: bigint;
  levels: number;
  pae: boolean;
  user: boolean;
}

const littleEndian = (value: bigint, bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, at) => Number((value >> BigInt(8 * at)) & 0xffn));
const fromLittleEndian = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);

export class ScratchMemory {
  /** What the memory held before; undefined: it is not in use. */
  private before: Uint8Array | undefined;
  private mapping: Mapping | undefined;
  private linear = 0n;
  /** First page of each piece, and how many it has. */
  private readonly pieces = new Map<number, number>();
  /** The same of addresses without memory, by linear address, and where these are. */
  private readonly bare = new Map<bigint, bigint>();
  private bareArea = BARE_ADDRESSES;
  /** Pages at the end that hold tables. */
  private tablePages = 0;

  constructor(private readonly target: Target) {}

  private get area(): NonNullable<Target['scratch']> {
    const { scratch } = this.target;
    if (scratch === undefined) throw new Error('this guest has no memory that is free for a client');
    return scratch;
  }

  private get pages(): number {
    return this.area.bytes / PAGE - this.tablePages;
  }

  /**
   * @param code whether it is to be run. What is not, and more than there is, is addresses alone, which nothing is behind.
   * @returns the linear address. @throws Error saying why there is none
   */
  async allocate(bytes: number, code: boolean, thread: number): Promise<bigint> {
    if (this.before === undefined) await this.begin(thread);
    if (bytes > this.pages * PAGE && !code) return this.reserve(BigInt(bytes));
    const wanted = Math.max(1, Math.ceil(bytes / PAGE));
    const used = new Set(
      [...this.pieces].flatMap(([from, count]) => Array.from({ length: count }, (_, at) => from + at)),
    );
    for (let from = 0; from + wanted <= this.pages; from++) {
      let free = 0;
      while (free < wanted && !used.has(from + free)) free++;
      if (free < wanted) continue;
      this.pieces.set(from, wanted);
      return this.linear + BigInt(from * PAGE);
    }
    const free = this.pages - used.size;
    await this.releaseUnused();
    throw new Error(`no room for ${bytes} bytes: ${free} pages of 4 KiB are free for a client`);
  }

  /** @throws Error when nothing was allocated there */
  async free(address: bigint): Promise<void> {
    const page = address % BigInt(PAGE) === 0n ? Number((address - this.linear) / BigInt(PAGE)) : -1;
    if (this.before === undefined || !(this.bare.delete(address) || this.pieces.delete(page)))
      throw new Error(`no memory was allocated at 0x${address.toString(16)}`);
    await this.releaseUnused();
  }

  /** Whether it is one of the addresses without memory. */
  isBare(address: bigint): boolean {
    for (const [from, bytes] of this.bare) if (address >= from && address < from + bytes) return true;
    return false;
  }

  private async reserve(bytes: bigint): Promise<bigint> {
    const { from, bytes: room } = this.bareArea;
    const size = (bytes + BigInt(PAGE) - 1n) & ~BigInt(PAGE - 1);
    let at = from;
    for (const [start, length] of [...this.bare].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (start - at >= size) break;
      at = start + length;
    }
    if (at + size > from + room) {
      await this.releaseUnused();
      throw new Error(`no room for ${bytes} bytes`);
    }
    this.bare.set(at, size);
    return at;
  }

  private async releaseUnused(): Promise<void> {
    if (this.pieces.size === 0 && this.bare.size === 0) await this.release();
  }

  /** Guest-physical address of the client's memory at a linear one, whatever the tables are now. */
  physical(address: bigint): bigint | undefined {
    if (this.before === undefined) return undefined;
    const offset = address - this.linear;
    return offset >= 0n && offset < BigInt(this.pages * PAGE) ? this.area.gpa + offset : undefined;
  }

  /** The client has code here that threads run. */
  get mapped(): boolean {
    return this.mapping !== undefined;
  }

  /** Before the guest runs: a thread that is to run code here has it in its tables. @throws Error when that cannot be */
  async prepare(): Promise<void> {
    if (this.mapping === undefined) return;
    for (let thread = 0; thread < this.target.threads; thread++) {
      const registers = await this.target.readRegisters(thread, MODE);
      const at = BigInt.asUintN(64, (registers.values.rip ?? 0n) + registers.csBase);
      if (this.physical(at) === undefined) continue;
      const mode = await this.modeOf(thread);
      if (mode.root === this.mapping.root) return;
      await this.unmap();
      await this.map(thread, mode, this.linear);
      return;
    }
  }

  /** All is as it was. */
  async release(): Promise<void> {
    const { before } = this;
    if (before === undefined) return;
    this.before = undefined;
    this.pieces.clear();
    this.bare.clear();
    this.bareArea = BARE_ADDRESSES;
    await this.unmap();
    this.tablePages = 0;
    await this.target.writeMemory('physical', this.area.gpa, before, 0);
  }

  private async begin(thread: number): Promise<void> {
    const { gpa, bytes } = this.area;
    const before = await this.target.readMemory('physical', gpa, bytes, thread);
    if (before.length < bytes || (await this.target.writeMemory('physical', gpa, before, thread)) < bytes)
      throw new Error(`no memory is at 0x${gpa.toString(16)}, where a client's would be`);
    this.before = before;
    try {
      const mode = await this.modeOf(thread);
      this.linear = gpa;
      if (mode.paging) await this.map(thread, mode);
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  private async modeOf(thread: number): Promise<Mode> {
    const { values, architecture, csBase } = await this.target.readRegisters(thread, MODE);
    const extra = async (name: string): Promise<bigint> =>
      values[name] ?? (await this.target.extraRegisters?.read(thread, name)) ?? 0n;
    const [cr0, cr3, cr4, efer] = [await extra('cr0'), await extra('cr3'), await extra('cr4'), await extra('efer')];
    if (architecture === 'i8086' || csBase !== 0n)
      throw new Error('memory for a client needs flat segments, and no 16-bit code');
    const long = (efer & EFER.LMA) !== 0n;
    const pae = long || (cr4 & CR4.PAE) !== 0n;
    return {
      ...{ paging: (cr0 & CR0.PG) !== 0n, pae, user: ((values.cs ?? 0n) & 3n) === 3n },
      levels: long ? (cr4 & CR4.LA57 ? 5 : 4) : pae ? 3 : 2,
      root: cr3 & (long ? ADDRESS : pae ? 0xffff_ffe0n : 0xffff_f000n),
    };
  }

  /** An empty entry of the tables; `linear`: the one that leads to it. */
  private async place(mode: Mode, thread: number, linear?: bigint): Promise<Place> {
    const { levels, root, pae } = mode;
    const entryBytes = pae ? 8 : 4;
    const read = async (at: bigint): Promise<bigint> => {
      const bytes = await this.target.readMemory('physical', at, entryBytes, thread);
      return bytes.length === entryBytes ? fromLittleEndian(bytes) : -1n;
    };
    const tryTable = async (table: bigint, order: readonly number[], shift: bigint, above: bigint, tables: number) => {
      for (const index of order) {
        const at = above | (BigInt(index) << shift);
        const entry = table + BigInt(index * entryBytes);
        if ((linear === undefined || linear === at) && (await read(entry)) === 0n)
          return { entry, entryBytes, linear: at, tables, bytes: 1n << shift } as const;
      }
      return undefined;
    };
    // the lower half: what kernels keep there belongs to the process, and goes with it
    if (levels >= 4) {
      const found = await tryTable(root, downwards(253, 1), BigInt(12 + 9 * (levels - 1)), 0n, levels - 1);
      if (found) return found;
    } else if (levels === 2) {
      const found = await tryTable(root, [...downwards(0x2ff, 1), ...downwards(0x3fe, 0x300)], 22n, 0n, 1);
      if (found) return found;
    } else {
      for (const index of [2, 1, 0, 3]) {
        const pointer = await read(root + BigInt(index * 8));
        if (pointer < 0n || (pointer & 1n) === 0n) continue;
        const found = await tryTable(pointer & ADDRESS, downwards(511, 1), 21n, BigInt(index) << 30n, 1);
        if (found) return found;
      }
    }
    throw new Error('the current page tables have no empty entry for the memory of a client');
  }

  private async map(thread: number, mode: Mode, linear?: bigint): Promise<void> {
    const { gpa, bytes } = this.area;
    const place = await this.place(mode, thread, linear);
    const { entryBytes, tables } = place;
    const user = mode.user ? USER : 0n;
    this.tablePages = tables;
    // the last of the pages are the tables, the one that leads to the pages first
    const tableAt = (level: number): bigint => gpa + BigInt(bytes - (level + 1) * PAGE);
    const leaves = new Uint8Array(PAGE);
    for (let page = 0; page < this.pages; page++) {
      const leaf = (gpa + (BigInt(page) << PAGE_BITS)) | LEAF | user;
      leaves.set(littleEndian(leaf, entryBytes), page * entryBytes);
    }
    await this.write(tableAt(0), leaves, thread);
    for (let level = 1; level < tables; level++) {
      const table = new Uint8Array(PAGE);
      table.set(littleEndian(tableAt(level - 1) | TABLE | user, entryBytes));
      await this.write(tableAt(level), table, thread);
    }
    const value = tableAt(tables - 1) | TABLE | user;
    await this.write(place.entry, littleEndian(value, entryBytes), thread);
    this.linear = place.linear;
    this.bareArea = { from: place.linear + BigInt(bytes), bytes: place.bytes - BigInt(bytes) };
    this.mapping = { ...place, root: mode.root, value };
  }

  private async unmap(): Promise<void> {
    const { mapping } = this;
    if (mapping === undefined) return;
    this.mapping = undefined;
    const { entry, entryBytes, value } = mapping;
    // flags may be the processor's; another entry is the guest's
    const now = fromLittleEndian(await this.target.readMemory('physical', entry, entryBytes, 0));
    if ((now & ~0x60n) === (value & ~0x60n)) await this.write(entry, new Uint8Array(entryBytes), 0);
    // as a system that removes a page does; what a translation of it is kept in goes with CR3 written
    for (let thread = 0; thread < this.target.threads; thread++) {
      const cr3 = await this.target.extraRegisters?.read(thread, 'cr3');
      if (cr3 !== undefined) await this.target.extraRegisters?.write(thread, 'cr3', cr3);
    }
  }

  private async write(gpa: bigint, bytes: Uint8Array, thread: number): Promise<void> {
    if ((await this.target.writeMemory('physical', gpa, bytes, thread)) < bytes.length)
      throw new Error(`the page table at 0x${gpa.toString(16)} cannot be written`);
  }
}

const downwards = (from: number, to: number): number[] => Array.from({ length: from - to + 1 }, (_, at) => from - at);
