/**
 * Linux's own symbol table, found in guest memory. The names are compressed by a table of 256 tokens; that of each
 * digit and letter is itself, which gives the table away. Around it stand, each aligned to the size of a pointer (since
 * 7.0 to 4 bytes):
 *
 *     before 6.5   offsets  relative_base  num_syms  names  markers  [seqs_of_names]  token_table  token_index
 *     since  6.5   num_syms  names  markers  token_table  token_index  offsets  relative_base  seqs_of_names
 *     since  7.0   the same without relative_base: each offset counts from its own place
 *
 * Kernels without relative addresses hold addresses in the place of offsets and have no base. Whatever the form, the
 * table is in the order of addresses, which tells the forms apart.
 * @linux scripts/kallsyms.c
 */

import { findNames, type Names, readNames } from './kallsyms-names.js';
import { KERNEL_HALF, KERNEL_HALF_32 } from './kernel-half.js';
import { dataView, findBytes, type PhysicalMemory, type Search } from './physical.js';

export interface KernelSymbol {
  name: string;
  /** As nm prints it: `T`, `t`, `D`, `A`, ... */
  type: string;
  address: bigint;
  /** Bytes, where the table says. */
  size?: bigint;
}

export interface Kallsyms {
  /** Guest-physical address of the token table, which the kernel's image holds. */
  tokenTable: number;
  /** Sorted by address. */
  symbols: KernelSymbol[];
  /** The addresses are guest-physical: where the image lies in RAM is all that the table tells. */
  physical: boolean;
}

const DIGITS = Buffer.from([...'0123456789'].flatMap((digit) => [digit.charCodeAt(0), 0]));
const TOKENS = 256;
/** Places that look like a token table, and token tables, that are looked at: memory may be full of them. */
const MAX_PLACES = 4096;
const MAX_TABLES = 16;
/** Neighbours of a table in the order of addresses that may be out of it: one in so many. */
const DISORDER = 64;

interface Tokens {
  table: number;
  /** End of the index: what follows is aligned from here. */
  end: number;
  text: string[];
}

export const alignTo = (value: number, align: number): number => Math.ceil(value / align) * align;

/** The token table whose digits stand at `at`, if its index confirms it. */
function tokensAt(memory: PhysicalMemory, at: number): Tokens | undefined {
  // the index counts bytes by 16 bits
  const { buffer, byteOffset, length } = memory.view(at, Math.min(0x1_0000 + 1024, memory.bytes - at));
  const bytes = Buffer.from(buffer, byteOffset, length);
  let end = 0;
  for (let token = 0x30; token < TOKENS; token++) {
    end = bytes.indexOf(0, end) + 1;
    if (end === 0) return undefined;
  }
  for (const align of [8, 4] as const) {
    const index = alignTo(at + end, align);
    if (index + TOKENS * 2 > memory.bytes) continue;
    const data = dataView(memory.view(index, TOKENS * 2));
    const offset = (token: number): number => data.getUint16(token * 2, true);
    const table = at - offset(0x30);
    if (table < 0 || offset(0) !== 0 || offset(0x31) !== offset(0x30) + 2) continue;
    const whole = memory.view(table, at + end - table);
    const all = Buffer.from(whole.buffer, whole.byteOffset, whole.byteLength);
    const text: string[] = [];
    for (let token = 0, start = 0; token < TOKENS && offset(token) === start; token++) {
      const stop = all.indexOf(0, start);
      if (stop < 0) break;
      text.push(all.toString('latin1', start, stop));
      start = stop + 1;
    }
    if (text.length === TOKENS) return { table, end: index + TOKENS * 2, text };
  }
  return undefined;
}

/** Reads the address of the symbol of a number. */
type Addresses = (symbol: number) => bigint;

/** Whether a table is in the order of addresses, as all of them are. */
function inOrder(address: Addresses, count: number): boolean {
  let wrong = 0;
  let last = address(0);
  for (let symbol = 1; symbol < count; symbol++) {
    const next = address(symbol);
    if (next < last && ++wrong > count / DISORDER) return false;
    last = next;
  }
  return true;
}

/** Offsets from a base, which stands behind them. */
function fromBase(data: DataView, offsets: number, count: number, align: 4 | 8): Addresses | undefined {
  const baseAt = alignTo(offsets + count * 4, align);
  if (offsets < 0 || baseAt + 8 > data.byteLength) return undefined;
  const base = align === 8 ? data.getBigUint64(baseAt, true) : BigInt(data.getUint32(baseAt, true));
  if (base < (align === 8 ? KERNEL_HALF : KERNEL_HALF_32) || (base & 0xfffn) !== 0n) return undefined;
  let negative = 0;
  for (let symbol = 0; symbol < count; symbol++) if (data.getInt32(offsets + symbol * 4, true) < 0) negative++;
  // Per-CPU symbols are absolute where all others are stored as -1 - offset.
  const absolutePerCpu = negative > count / 2;
  return (symbol) => {
    const offset = data.getInt32(offsets + symbol * 4, true);
    if (!absolutePerCpu) return base + BigInt(offset >>> 0);
    return offset < 0 ? base - 1n - BigInt(offset) : BigInt(offset);
  };
}

/** Offsets from where each stands, as guest-physical addresses: the image lies in one piece. */
function fromSelf(data: DataView, offsets: number, count: number): Addresses | undefined {
  if (offsets < 0 || offsets + count * 4 > data.byteLength) return undefined;
  // the image's code lies before the table
  if (data.getInt32(offsets, true) >= 0 || offsets + data.getInt32(offsets, true) < 0) return undefined;
  return (symbol) => {
    const at = offsets + symbol * 4;
    return BigInt(at + data.getInt32(at, true));
  };
}

function plain(data: DataView, addresses: number, count: number, align: 4 | 8): Addresses | undefined {
  if (addresses < 0 || addresses + count * align > data.byteLength) return undefined;
  const read: Addresses =
    align === 8
      ? (symbol) => data.getBigUint64(addresses + symbol * 8, true)
      : (symbol) => BigInt(data.getUint32(addresses + symbol * 4, true));
  return read(count - 1) < (align === 8 ? KERNEL_HALF : KERNEL_HALF_32) ? undefined : read;
}

/** The form in which the table is in order; `self`: guest-physical addresses. */
function addresses(
  data: DataView,
  names: Names,
  tokens: Tokens,
  align: 4 | 8,
): { read: Addresses; self: boolean } | undefined {
  const { count } = names;
  const behind = alignTo(tokens.end, align);
  const before = names.at - align;
  const offsetsBytes = alignTo(count * 4, align);
  const forms: [read: Addresses | undefined, self: boolean][] = [
    [fromBase(data, before - align - offsetsBytes, count, align), false],
    [fromBase(data, behind, count, align), false],
    [plain(data, before - alignTo(count * align, align), count, align), false],
    [plain(data, behind, count, align), false],
    [fromSelf(data, behind, count), true],
  ];
  for (const [read, self] of forms) if (read && inOrder(read, count)) return { read, self };
  return undefined;
}

/** Finds and reads the table; undefined when memory holds none. Takes some 0.1 s for each 100 MB searched. */
export function* searchKallsyms(memory: PhysicalMemory): Search<Kallsyms | undefined> {
  const bytes = memory.view(0, memory.bytes);
  const data = dataView(bytes);
  let tables = 0;
  let at = yield* findBytes(memory, DIGITS, 0);
  for (let place = 0; at >= 0 && place < MAX_PLACES && tables < MAX_TABLES; place++) {
    const tokens = tokensAt(memory, at);
    if (tokens !== undefined) {
      tables++;
      for (const align of [8, 4] as const) {
        const names = findNames(bytes, data, tokens.table, align);
        const found = names && addresses(data, names, tokens, align);
        const symbols = found && (yield* readSymbols(bytes, names, tokens, found.read));
        if (symbols) return { tokenTable: tokens.table, symbols, physical: found.self };
      }
    }
    if (place % 16 === 15) yield at / memory.bytes;
    at = yield* findBytes(memory, DIGITS, tokens === undefined ? at + 1 : tokens.end);
  }
  return undefined;
}

function* readSymbols(
  bytes: Uint8Array,
  names: Names,
  { text }: Tokens,
  address: Addresses,
): Search<KernelSymbol[] | undefined> {
  const symbols: KernelSymbol[] = [];
  const all = yield* readNames(bytes, names, text);
  all?.forEach((name, symbol) => {
    symbols.push({ name: name.slice(1), type: name[0] ?? '?', address: address(symbol) });
  });
  symbols.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  return all && symbols;
}
