/** Abbreviation tables: which attributes an entry has, and in which form. @dwarf 5, 7.5.3 "Abbreviations Tables" */
import { AT, FORM } from './numbers.js';
import { Reader } from './reader.js';

export interface Abbreviation {
  readonly tag: number;
  readonly children: boolean;
  /** Attribute, form, and value of an implicit constant. */
  readonly attributes: readonly { at: number; form: number; implicit: bigint }[];
  /** Bytes of the attributes where all have fixed sizes; else -1. */
  readonly bytes: number;
  /** Where in these bytes a name and the offset of the sibling stand, with their forms; -1: nowhere. */
  readonly name: number;
  readonly nameForm: number;
  readonly sibling: number;
  readonly siblingForm: number;
  readonly declaration: boolean;
}

export type Abbreviations = ReadonlyMap<number, Abbreviation>;

/** Of one table, and attributes of one entry: a compiler's have some hundreds, and some tens. */
const MAX_ENTRIES = 1 << 16;
const MAX_ATTRIBUTES = 1 << 10;

/** Bytes of a form; undefined where its length is its own. */
export function fixedBytes(
  form: number,
  addressBytes: number,
  offsetBytes: number,
  version: number,
): number | undefined {
  switch (form) {
    case FORM.flagPresent:
    case FORM.implicitConst:
      return 0;
    case FORM.data1:
    case FORM.ref1:
    case FORM.flag:
    case FORM.strx1:
    case FORM.addrx1:
      return 1;
    case FORM.data2:
    case FORM.ref2:
    case FORM.strx2:
    case FORM.addrx2:
      return 2;
    case FORM.strx3:
    case FORM.addrx3:
      return 3;
    case FORM.data4:
    case FORM.ref4:
    case FORM.refSup4:
    case FORM.strx4:
    case FORM.addrx4:
      return 4;
    case FORM.data8:
    case FORM.ref8:
    case FORM.refSig8:
    case FORM.refSup8:
      return 8;
    case FORM.data16:
      return 16;
    case FORM.addr:
      return addressBytes;
    case FORM.refAddr:
      return version < 3 ? addressBytes : offsetBytes;
    case FORM.strp:
    case FORM.strpSup:
    case FORM.gnuRefAlt:
    case FORM.gnuStrpAlt:
    case FORM.lineStrp:
    case FORM.secOffset:
      return offsetBytes;
    default:
      return undefined;
  }
}

/** @throws RangeError where the table is damaged */
export function readAbbreviations(
  bytes: Uint8Array,
  offset: number,
  addressBytes: number,
  offsetBytes: number,
  version: number,
): Abbreviations {
  const table = new Map<number, Abbreviation>();
  const reader = new Reader(bytes, offset);
  while (table.size < MAX_ENTRIES) {
    const code = reader.uleb();
    if (code === 0) return table;
    const tag = reader.uleb();
    const children = reader.u8() !== 0;
    const attributes: { at: number; form: number; implicit: bigint }[] = [];
    let size = 0;
    const places = { name: -1, nameForm: 0, sibling: -1, siblingForm: 0, declaration: false };
    for (;;) {
      const at = reader.uleb();
      const form = reader.uleb();
      const implicit = form === FORM.implicitConst ? reader.leb(true) : 0n;
      if (at === 0 && form === 0) break;
      if (attributes.push({ at, form, implicit }) > MAX_ATTRIBUTES)
        throw new RangeError('an entry with endless attributes');
      if (at === AT.name && size >= 0) Object.assign(places, { name: size, nameForm: form });
      if (at === AT.sibling && size >= 0) Object.assign(places, { sibling: size, siblingForm: form });
      if (at === AT.declaration) places.declaration = true;
      const fixed = fixedBytes(form, addressBytes, offsetBytes, version);
      size = fixed === undefined || size < 0 ? -1 : size + fixed;
    }
    table.set(code, { tag, children, attributes, bytes: size, ...places });
  }
  throw new RangeError('an abbreviation table without an end');
}
