/** The compressed names of kallsyms: found by their markers, and spelt out. */
import type { Search } from './physical.js';

export interface Names {
  /** Guest-physical address of the first name. */
  at: number;
  count: number;
}

/** A marker gives the place of every 256th name. */
const NAMES_PER_MARKER = 256;
/** How far markers may lie before the token table: 3 bytes of seqs_of_names a symbol, and themselves. */
const MARKERS_WITHIN = 4 << 20;
const MIN_MARKERS = 16;
const MIN_STRIDE = NAMES_PER_MARKER * 3;
const MAX_STRIDE = NAMES_PER_MARKER * 128;
/** No kernel has more symbols. */
const MAX_SYMBOLS = 1 << 21;
/** KSYM_NAME_LEN is 512. */
const MAX_NAME = 1024;
/** Names that are read before the search pauses. */
const NAMES_AT_ONCE = 4096;

/** Where markers stand and how many there are at most. */
function findMarkers(data: DataView, table: number): { at: number; count: number } | undefined {
  const u32 = (at: number): number => data.getUint32(at, true);
  const lowest = Math.max(0, table - MARKERS_WITHIN);
  for (let at = (table & ~3) - MIN_MARKERS * 4; at >= lowest; at -= 4) {
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

/**
 * Where names stand, told by the markers before the token table: after each 256 names the next marker is right. Their
 * count stands before them.
 * @param align alignment of the tables
 */
export function findNames(bytes: Uint8Array, data: DataView, table: number, align: 4 | 8): Names | undefined {
  const markers = findMarkers(data, table);
  if (markers === undefined) return undefined;
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
    const first = Math.floor((markers.at - last) / align) * align;
    for (let at = first; at > align && at > markers.at - last - MAX_STRIDE; at -= align) {
      const symbols = data.getUint32(at - align, true);
      if (Math.ceil(symbols / NAMES_PER_MARKER) === count && symbols <= MAX_SYMBOLS && isNames(at))
        return { at, count: symbols };
    }
  }
  return undefined;
}

/** Spells the names out, each behind its type's letter; undefined when one is longer than any name is. */
export function* readNames(bytes: Uint8Array, names: Names, tokens: readonly string[]): Search<string[] | undefined> {
  const all: string[] = [];
  for (let symbol = 0, at = names.at; symbol < names.count; symbol++) {
    const { length, head } = nameLength(bytes, at);
    if (length > MAX_NAME || at + head + length > bytes.length) return undefined;
    let text = '';
    for (let i = 0; i < length; i++) text += tokens[bytes[at + head + i]];
    if (text.length > MAX_NAME) return undefined;
    all.push(text);
    at += head + length;
    if (symbol % NAMES_AT_ONCE === 0) yield at / bytes.length;
  }
  return all;
}
