/**
 * Linux's own symbol table, found in guest memory. The names are compressed by a table of 256 tokens; that of each
 * digit and letter is itself, which gives the table away. Around it stand, each aligned to 8 bytes:
 *
 *     before 6.5   offsets  relative_base  num_syms  names  markers  [seqs_of_names]  token_table  token_index
 *     since  6.5   num_syms  names  markers  token_table  token_index  offsets  relative_base  seqs_of_names
 *
 * Kernels without relative addresses hold 8-byte addresses in the place of offsets and have no base.
 * @linux scripts/kallsyms.c
 */
import { dataView, findBytes, type PhysicalMemory, type Search } from './physical.js';

export interface KernelSymbol {
  name: string;
  /** As nm prints it: `T`, `t`, `D`, `A`, ... */
  type: string;
  address: bigint;
}

export interface Kallsyms {
  /** Guest-physical address of the token table, which the kernel's image holds. */
  tokenTable: number;
  /** Sorted by address. */
  symbols: KernelSymbol[];
}

const DIGITS = Buffer.from([...'0123456789'].flatMap((digit) => [digit.charCodeAt(0), 0]));
const TOKENS = 256;
/** A marker gives the place of every 256th name. */
const NAMES_PER_MARKER = 256;
/** How far markers may lie before the token table: 3 bytes of seqs_of_names a symbol, and themselves. */
const MARKERS_WITHIN = 4 << 20;
const MIN_MARKERS = 16;
const MIN_STRIDE = NAMES_PER_MARKER * 3;
const MAX_STRIDE = NAMES_PER_MARKER * 128;
const KERNEL_HALF = 0xffff_8000_0000_0000n;

const align8 = (value: number): number => Math.ceil(value / 8) * 8;

interface Tokens {
  table: number;
  index: number;
  text: string[];
}

/** The first token table in memory whose index confirms it, from `from` on. */
function* findTokens(memory: PhysicalMemory, from: number): Search<Tokens | undefined> {
  const all = memory.view(0, memory.bytes);
  const buffer = Buffer.from(all.buffer, all.byteOffset, all.byteLength);
  const data = dataView(all);
  for (let at = yield* findBytes(memory, DIGITS, from); at >= 0; at = yield* findBytes(memory, DIGITS, at + 1)) {
    let end = at;
    for (let token = 0x30; token < TOKENS && end >= 0; token++) end = buffer.indexOf(0, end) + 1 || -1;
    if (end < 0) continue;
    const index = align8(end);
    if (index + TOKENS * 2 > memory.bytes) continue;
    const offset = (token: number): number => data.getUint16(index + token * 2, true);
    const table = at - offset(0x30);
    if (table < 0 || offset(0) !== 0 || offset(0x31) !== offset(0x30) + 2) continue;
    const text: string[] = [];
    for (let token = 0; token < TOKENS; token++) {
      const start = table + offset(token);
      const stop = buffer.indexOf(0, start);
      text.push(stop < 0 || stop > end ? '' : buffer.toString('latin1', start, stop));
    }
    const consistent = text.every((_token, at) => at === 0 || offset(at) === offset(at - 1) + text[at - 1].length + 1);
    if (consistent) return { table, index, text };
  }
  return undefined;
}

/** Where markers stand and how many there are at most. */
function findMarkers(data: DataView, table: number): { at: number; count: number } | undefined {
  const u32 = (at: number): number => data.getUint32(at, true);
  const lowest = Math.max(0, table - MARKERS_WITHIN);
  for (let at = (table & ~7) - MIN_MARKERS * 4; at >= lowest; at -= 4) {
    if (u32(at) !== 0) continue;
    let count = 1;
    for (; at + count * 4 + 4 <= table; count++) {
      const stride = u32(at + count * 4) - u32(at + count * 4 - 4);
      if (stride < MIN_STRIDE || stride > MAX_STRIDE) break;
    }
    if (count >= MIN_MARKERS) return { at, count };
  }
  return undefined;
}

/** Length of a compressed name and of the bytes that say it; two of them since 6.1 for long names. */
function nameLength(bytes: Uint8Array, at: number): { length: number; head: number } {
  const low = bytes[at];
  return (low & 0x80) === 0 ? { length: low, head: 1 } : { length: (low & 0x7f) | (bytes[at + 1] << 7), head: 2 };
}

/** Where names stand, told by the markers: after each 256 names the next marker is right. */
function findNames(bytes: Uint8Array, data: DataView, markers: { at: number; count: number }) {
  const marker = (index: number): number => data.getUint32(markers.at + index * 4, true);
  const isNames = (names: number): boolean => {
    for (let index = 1; index < 4; index++) {
      let at = names + marker(index - 1);
      for (let name = 0; name < NAMES_PER_MARKER; name++) {
        const { length, head } = nameLength(bytes, at);
        at += head + length;
      }
      if (at !== names + marker(index)) return false;
    }
    return true;
  };
  for (const count of [markers.count, markers.count - 1]) {
    const last = marker(count - 1);
    for (let names = (markers.at - last) & ~7; names > 8 && names > markers.at - last - MAX_STRIDE; names -= 8) {
      const symbols = data.getUint32(names - 8, true);
      if (Math.ceil(symbols / NAMES_PER_MARKER) === count && isNames(names)) return { names, count: symbols };
    }
  }
  return undefined;
}

/** Reads the address of the symbol of a number. */
function addresses(data: DataView, names: number, count: number, tokenIndex: number) {
  const offsetsBytes = align8(count * 4);
  const behind = align8(tokenIndex + TOKENS * 2);
  for (const [offsets, baseAt] of [
    [names - 16 - offsetsBytes, names - 16],
    [behind, behind + offsetsBytes],
  ]) {
    if (offsets < 0 || baseAt + 8 > data.byteLength) continue;
    const base = data.getBigUint64(baseAt, true);
    if (base < KERNEL_HALF || (base & 0xfffn) !== 0n) continue;
    let negative = 0;
    for (let symbol = 0; symbol < count; symbol++) if (data.getInt32(offsets + symbol * 4, true) < 0) negative++;
    // Per-CPU symbols are absolute where all others are stored as -1 - offset.
    const absolutePerCpu = negative > count / 2;
    return (symbol: number): bigint => {
      const offset = data.getInt32(offsets + symbol * 4, true);
      if (!absolutePerCpu) return base + BigInt(offset >>> 0);
      return offset < 0 ? base - 1n - BigInt(offset) : BigInt(offset);
    };
  }
  const plain = names - 8 - count * 8;
  if (plain < 0 || data.getBigUint64(plain + (count - 1) * 8, true) < KERNEL_HALF) return undefined;
  return (symbol: number): bigint => data.getBigUint64(plain + symbol * 8, true);
}

/** Names that are read before the search pauses. */
const NAMES_AT_ONCE = 4096;

/** Finds and reads the table; undefined when memory holds none. Takes some 0.1 s for each 100 MB searched. */
export function* searchKallsyms(memory: PhysicalMemory): Search<Kallsyms | undefined> {
  const bytes = memory.view(0, memory.bytes);
  const data = dataView(bytes);
  for (let from = 0; ; ) {
    const tokens = yield* findTokens(memory, from);
    if (tokens === undefined) return undefined;
    from = tokens.index;
    const markers = findMarkers(data, tokens.table);
    const found = markers && findNames(bytes, data, markers);
    const address = found && addresses(data, found.names, found.count, tokens.index);
    if (address === undefined) continue;
    const symbols: KernelSymbol[] = [];
    for (let symbol = 0, at = found!.names; symbol < found!.count; symbol++) {
      const { length, head } = nameLength(bytes, at);
      let text = '';
      for (let i = 0; i < length; i++) text += tokens.text[bytes[at + head + i]];
      at += head + length;
      symbols.push({ name: text.slice(1), type: text[0] ?? '?', address: address(symbol) });
      if (symbol % NAMES_AT_ONCE === 0) yield at / memory.bytes;
    }
    symbols.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
    return { tokenTable: tokens.table, symbols };
  }
}
