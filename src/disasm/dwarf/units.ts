/** Units of .debug_info and the entries in them. @dwarf 5, 7.5.1 "Unit Headers" */
import { type Abbreviation, type Abbreviations, readAbbreviations } from './abbreviations.js';
import { Entry, skipAttributes } from './entry.js';
import { AT, TAG } from './numbers.js';
import { Reader } from './reader.js';
import { DwarfSections, SHARED } from './sections.js';

export interface Unit {
  /** Of its file. */
  readonly sections: DwarfSections;
  /** What its offsets are larger by than those in its file. */
  readonly behind: number;
  /** In .debug_info, with that. */
  readonly offset: number;
  readonly end: number;
  readonly version: number;
  readonly offsetBytes: number;
  readonly addressBytes: number;
  /** Offset of its first entry, and of its abbreviations. */
  readonly first: number;
  readonly abbreviations: number;
  /** Of a type unit: what it is known by, and where its type stands. */
  readonly signature?: bigint;
  readonly type?: number;
  /** Of the unit's first entry. */
  strOffsetsBase: number;
  addrBase: number;
  rnglistsBase: number;
  loclistsBase: number;
  /** What ranges and location lists count from. */
  low: bigint;
}

const UNIT_TYPE = { compile: 1, type: 2, partial: 3, skeleton: 4, splitCompile: 5, splitType: 6 };
/** A kernel has some thousands. */
const MAX_UNITS = 1 << 18;
const MAX_DEPTH = 256;

/** Of its file's .debug_info, up to the unit's end. */
const readerOf = (unit: Unit, offset: number): Reader =>
  new Reader(unit.sections.get('info').subarray(0, unit.end - unit.behind), offset - unit.behind, unit.offsetBytes);

export class DwarfUnits {
  readonly list: readonly Unit[];
  /** Of a file whose types are in others. */
  #skeleton: Unit | undefined;
  readonly #bySignature = new Map<bigint, Unit>();
  readonly #abbreviations = new Map<string, Abbreviations>();
  readonly #roots = new WeakMap<Unit, Entry | null>();

  /** @param shared a file that has what several files share, by dwz */
  constructor(elf: Uint8Array, shared?: Uint8Array) {
    const others = shared && new DwarfSections(shared);
    this.list = [...this.#headers(new DwarfSections(elf, others), 0), ...(others ? this.#headers(others, SHARED) : [])];
    for (const unit of this.list) if (unit.signature !== undefined) this.#bySignature.set(unit.signature, unit);
  }

  /** A file beside this one that has the types (-gsplit-dwarf); undefined where they are here. */
  get split(): string | undefined {
    const unit = this.#skeleton ?? this.list[0];
    const root = unit && this.root(unit);
    return root?.text(AT.dwoName) ?? root?.text(AT.gnuDwoName);
  }

  #headers(sections: DwarfSections, behind: number): Unit[] {
    const units: Unit[] = [];
    const info = sections.get('info');
    for (let at = 0; at + 11 <= info.length && units.length < MAX_UNITS; ) {
      const reader = new Reader(info, at);
      let length = reader.u32();
      if (length === 0xffffffff) {
        if (at + 23 > info.length) break;
        length = Number(reader.u64());
        reader.offsetBytes = 8;
      }
      const end = reader.at + length;
      if (length < 7 || !(end <= info.length)) break;
      const unit = this.#header(reader, at, end, sections, behind);
      if (unit === 'skeleton') this.#skeleton ??= this.#skeletonOf(reader, at, end, sections);
      else if (unit) units.push(unit);
      at = end;
    }
    return units;
  }

  /** Undefined for one of another version or kind. */
  #header(
    reader: Reader,
    offset: number,
    end: number,
    sections: DwarfSections,
    behind: number,
  ): Unit | 'skeleton' | undefined {
    const version = reader.u16();
    if (version < 2 || version > 5) return undefined;
    const { offsetBytes } = reader;
    const kind = version === 5 ? reader.u8() : UNIT_TYPE.compile;
    let addressBytes = version === 5 ? reader.u8() : 0;
    const abbreviations = reader.offset();
    if (version < 5) addressBytes = reader.u8();
    if (addressBytes !== 4 && addressBytes !== 8) return undefined;
    if (kind === UNIT_TYPE.skeleton) return 'skeleton';
    const isType = kind === UNIT_TYPE.type;
    if (!isType && kind !== UNIT_TYPE.compile && kind !== UNIT_TYPE.partial) return undefined;
    if (reader.at + (isType ? 8 + offsetBytes : 0) > end) return undefined;
    const typed = isType ? { signature: reader.u64(), type: behind + offset + reader.offset() } : {};
    const header = 8 + (offsetBytes === 8 ? 8 : 0);
    const bases = { strOffsetsBase: header, addrBase: header, rnglistsBase: 0, loclistsBase: 0, low: 0n };
    const places = { sections, behind, offset: behind + offset, end: behind + end, first: behind + reader.at };
    return { ...places, version, offsetBytes, addressBytes, abbreviations, ...typed, ...bases };
  }

  /** Its header goes on with what the other file is known by. */
  #skeletonOf(reader: Reader, offset: number, end: number, sections: DwarfSections): Unit {
    const head = new Reader(sections.get('info'), reader.at - 1 - reader.offsetBytes, reader.offsetBytes);
    const addressBytes = head.u8();
    const abbreviations = head.offset();
    const bases = { strOffsetsBase: 8, addrBase: 8, rnglistsBase: 0, loclistsBase: 0, low: 0n };
    const { offsetBytes } = reader;
    const places = { sections, behind: 0, offset, end, first: head.at + 8 };
    return { ...places, version: 5, offsetBytes, addressBytes, abbreviations, ...bases };
  }

  unitOf(offset: number): Unit | undefined {
    let [low, high] = [0, this.list.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.list[middle]!.offset <= offset) low = middle + 1;
      else high = middle;
    }
    const unit = this.list[low - 1];
    return unit && offset >= unit.first && offset < unit.end ? unit : undefined;
  }

  typeOf(signature: bigint): number | undefined {
    return this.#bySignature.get(signature)?.type;
  }

  abbreviationsOf(unit: Unit): Abbreviations {
    const key = `${unit.behind} ${unit.abbreviations} ${unit.addressBytes} ${unit.offsetBytes} ${unit.version < 3}`;
    let table = this.#abbreviations.get(key);
    if (table === undefined) {
      const { addressBytes, offsetBytes, version } = unit;
      try {
        const bytes = unit.sections.get('abbrev');
        table = readAbbreviations(bytes, unit.abbreviations, addressBytes, offsetBytes, version);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        table = new Map();
      }
      this.#abbreviations.set(key, table);
    }
    return table;
  }

  /** The unit's own entry, which tells what its others count from; undefined where it is damaged. */
  root(unit: Unit): Entry | undefined {
    let root = this.#roots.get(unit);
    if (root === undefined) {
      root = this.#read(unit, unit.first) ?? null;
      const base = (at: number): number | undefined => {
        const list = root?.list(at);
        return list && 'offset' in list ? list.offset : undefined;
      };
      unit.strOffsetsBase = base(AT.strOffsetsBase) ?? unit.strOffsetsBase;
      unit.addrBase = base(AT.addrBase) ?? unit.addrBase;
      unit.rnglistsBase = base(AT.rnglistsBase) ?? unit.rnglistsBase;
      unit.loclistsBase = base(AT.loclistsBase) ?? unit.loclistsBase;
      unit.low = root?.address(AT.lowPc) ?? 0n;
      this.#roots.set(unit, root);
    }
    return root ?? undefined;
  }

  /** The entry at an offset; undefined where there is none, or it is damaged. */
  entry(offset: number): Entry | undefined {
    const unit = this.unitOf(offset);
    if (unit === undefined || this.root(unit) === undefined) return undefined;
    return this.#read(unit, offset);
  }

  #read(unit: Unit, offset: number): Entry | undefined {
    try {
      const reader = readerOf(unit, offset);
      const abbreviation = this.abbreviationsOf(unit).get(reader.uleb());
      return abbreviation && new Entry(unit, offset, abbreviation, reader);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return undefined;
    }
  }

  /** What stands in an entry, in order. A damaged one ends the list. */
  *children(parent: Entry): Generator<Entry> {
    if (!parent.abbreviation.children) return;
    for (let at = parent.next; at < parent.unit.end; ) {
      const child = this.#read(parent.unit, at);
      if (child === undefined) return;
      yield child;
      const behind = this.behind(child);
      if (behind === undefined || behind <= at) return;
      at = behind;
    }
  }

  /** Offset of the entry behind one and all that stands in it. */
  behind(entry: Entry): number | undefined {
    if (!entry.abbreviation.children) return entry.next;
    return entry.sibling(AT.sibling) ?? this.#over(entry.unit, entry.next);
  }

  /** Goes over entries up to the end of the list that begins here. */
  #over(unit: Unit, from: number): number | undefined {
    try {
      const reader = readerOf(unit, from);
      const table = this.abbreviationsOf(unit);
      for (let depth = 1; depth > 0 && depth < MAX_DEPTH; ) {
        const code = reader.uleb();
        if (code === 0) {
          depth--;
          continue;
        }
        const abbreviation = table.get(code);
        if (abbreviation === undefined) return undefined;
        skipAttributes(reader, unit, abbreviation);
        if (abbreviation.children) depth++;
      }
      return reader.at + unit.behind;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return undefined;
    }
  }

  /**
   * The entries of a unit that stand in no other, with their names, as fast as that goes.
   * @param visit its tag, where its name stands (in .debug_info, by form) and whether it only declares something
   */
  scan(unit: Unit, visit: (offset: number, abbreviation: Abbreviation, nameAt: number) => void): void {
    const root = this.root(unit);
    if (root === undefined || !root.abbreviation.children) return;
    const table = this.abbreviationsOf(unit);
    const reader = readerOf(unit, root.next);
    const sibling = readerOf(unit, unit.behind);
    const [start, end] = [unit.offset - unit.behind, unit.end - unit.behind];
    try {
      while (reader.at < end) {
        const offset = reader.at + unit.behind;
        const code = reader.uleb();
        if (code === 0) return;
        const abbreviation = table.get(code);
        if (abbreviation === undefined) return;
        const attributes = reader.at;
        visit(offset, abbreviation, abbreviation.name < 0 ? -1 : attributes + abbreviation.name);
        if (abbreviation.children && abbreviation.sibling >= 0) {
          sibling.at = attributes + abbreviation.sibling;
          const form = abbreviation.siblingForm;
          const behind =
            start + (form === 0x13 ? sibling.u32() : form === 0x12 ? sibling.u16() : form === 0x11 ? sibling.u8() : 0);
          if (behind > attributes && behind <= end) {
            reader.at = behind;
            continue;
          }
        }
        skipAttributes(reader, unit, abbreviation);
        if (!abbreviation.children) continue;
        const behind = this.#over(unit, reader.at + unit.behind);
        if (behind === undefined) return;
        reader.at = behind - unit.behind;
      }
    } catch (error) {
      // the rest of a damaged unit is left out
      if (!(error instanceof RangeError)) throw error;
    }
  }

  /** The entry of which this one is an instance or a further declaration; at most some steps away. */
  *origins(entry: Entry): Generator<Entry> {
    let now: Entry | undefined = entry;
    for (let steps = 0; now !== undefined && steps < 8; steps++) {
      yield now;
      const to: number | undefined = now.reference(AT.abstractOrigin) ?? now.reference(AT.specification);
      now = to === undefined ? undefined : this.entry(to);
    }
  }

  /** An attribute of an entry or of what it is an instance of. */
  inherited<T>(entry: Entry, read: (entry: Entry) => T | undefined): T | undefined {
    for (const origin of this.origins(entry)) {
      const found = read(origin);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  isFunction(entry: Entry): boolean {
    return entry.tag === TAG.subprogram || entry.tag === TAG.inlinedSubroutine;
  }
}
