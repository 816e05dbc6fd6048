/** Ranges of addresses, and location lists, of DWARF 4 and 5. @dwarf 5, 2.17.3 "Non-Contiguous Address Ranges", 2.6.2 "Location Lists" */
import { type Entry, indexedAddress } from './entry.js';
import { AT } from './numbers.js';
import { Reader } from './reader.js';
import type { Unit } from './units.js';

/** Linked addresses in [low, high). */
export interface Range {
  low: bigint;
  high: bigint;
}

export interface ListedLocation extends Range {
  expression: Uint8Array;
}

/** Of one list: those of compilers have some tens. */
const MAX_ITEMS = 1 << 16;

const LIST = {
  ...{ end: 0, baseIndex: 1, startEndIndex: 2, startLengthIndex: 3, offsetPair: 4 },
} as const;
const RANGE_LIST = { base: 5, startEnd: 6, startLength: 7 };
const LOCATION_LIST = { default: 5, base: 6, startEnd: 7, startLength: 8, viewPair: 9 };

/** Which addresses an entry is of. */
export function rangesOf(entry: Entry): Range[] {
  const low = entry.address(AT.lowPc);
  if (low !== undefined) {
    // an address where its form is one, else a length
    const high = entry.address(AT.highPc);
    const length = high === undefined ? entry.big(AT.highPc) : undefined;
    if (high !== undefined) return high > low ? [{ low, high }] : [];
    if (length !== undefined) return length > 0n ? [{ low, high: low + length }] : [];
  }
  const list = entry.list(AT.ranges);
  if (list === undefined) return [];
  const { unit } = entry;
  const { sections } = unit;
  const found: Range[] = [];
  try {
    if (unit.version < 5) {
      if (!('offset' in list)) return [];
      for (const range of oldList(sections.get('ranges'), list.offset, unit, false)) found.push(range);
    } else {
      const bytes = sections.get('rnglists');
      const at = 'offset' in list ? list.offset : indexed(bytes, unit, unit.rnglistsBase, list.index);
      for (const range of newList(bytes, at, unit, RANGE_LIST, false)) found.push(range);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return found;
}

/** The expression of a location list that holds at a linked address; undefined where none does. */
export function locationAt(entry: Entry, at: number, pc: bigint): Uint8Array | undefined {
  const list = entry.list(at);
  if (list === undefined) return undefined;
  const { unit } = entry;
  const { sections } = unit;
  try {
    let items: Iterable<ListedLocation>;
    if (unit.version < 5) {
      if (!('offset' in list)) return undefined;
      items = oldList(sections.get('loc'), list.offset, unit, true);
    } else {
      const bytes = sections.get('loclists');
      const offset = 'offset' in list ? list.offset : indexed(bytes, unit, unit.loclistsBase, list.index);
      items = newList(bytes, offset, unit, LOCATION_LIST, true);
    }
    for (const { low, high, expression } of items) if (pc >= low && pc < high) return expression;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return undefined;
}

/** A table of offsets, which count from where it begins. */
function indexed(bytes: Uint8Array, unit: Unit, base: number, index: number): number {
  return base + new Reader(bytes, base + index * unit.offsetBytes, unit.offsetBytes).offset();
}

function* oldList(bytes: Uint8Array, at: number, unit: Unit, located: boolean): Generator<ListedLocation> {
  const reader = new Reader(bytes, at);
  const word = (): bigint => (unit.addressBytes === 8 ? reader.u64() : BigInt(reader.u32()));
  const all = unit.addressBytes === 8 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
  let base = unit.low;
  for (let count = 0; count < MAX_ITEMS; count++) {
    const low = word();
    const high = word();
    if (low === 0n && high === 0n) return;
    if (low === all) {
      base = high;
      continue;
    }
    const expression = located ? reader.block(reader.u16()) : bytes;
    yield { low: base + low, high: base + high, expression };
  }
}

function* newList(
  bytes: Uint8Array,
  at: number,
  unit: Unit,
  kinds: { base: number; startEnd: number; startLength: number; default?: number; viewPair?: number },
  located: boolean,
): Generator<ListedLocation> {
  const reader = new Reader(bytes, at);
  const address = (): bigint => (unit.addressBytes === 8 ? reader.u64() : BigInt(reader.u32()));
  const byIndex = (): bigint => indexedAddress(unit, reader.uleb()) ?? 0n;
  let base = unit.low;
  for (let count = 0; count < MAX_ITEMS; count++) {
    const kind = reader.u8();
    let low = 0n;
    let high = 0n;
    if (kind === LIST.end) return;
    if (kind === LIST.baseIndex) {
      base = byIndex();
      continue;
    }
    if (kind === kinds.base) {
      base = address();
      continue;
    }
    if (kind === kinds.viewPair) {
      reader.uleb();
      reader.uleb();
      continue;
    }
    if (kind === LIST.startEndIndex) [low, high] = [byIndex(), byIndex()];
    else if (kind === LIST.startLengthIndex) {
      low = byIndex();
      high = low + reader.leb(false);
    } else if (kind === LIST.offsetPair) [low, high] = [base + reader.leb(false), base + reader.leb(false)];
    else if (kind === kinds.startEnd) [low, high] = [address(), address()];
    else if (kind === kinds.startLength) {
      low = address();
      high = low + reader.leb(false);
    } else if (kind === kinds.default) [low, high] = [0n, 1n << 64n];
    else return;
    yield { low, high, expression: located ? reader.block(reader.uleb()) : bytes };
  }
}
