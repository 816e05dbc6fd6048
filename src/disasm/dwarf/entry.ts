/** One entry of .debug_info (a DIE) with its attributes. @dwarf 5, 2.1 "The Debugging Information Entry (DIE)" */
import type { Abbreviation } from './abbreviations.js';
import { fixedBytes } from './abbreviations.js';
import { FORM } from './numbers.js';
import { Reader } from './reader.js';
import { SHARED } from './sections.js';
import type { Unit } from './units.js';

export type AttributeValue = number | bigint | string | Uint8Array;

interface Attribute {
  readonly form: number;
  readonly value: AttributeValue;
}

/** Forms of numbers whose sign is in the form. */
const SIGNED_FORMS: ReadonlySet<number> = new Set([FORM.sdata, FORM.implicitConst]);

/** Text in a section up to its NUL; empty where there is none. */
export function textAt(bytes: Uint8Array, offset: number): string {
  const end = offset < bytes.length ? bytes.indexOf(0, offset) : -1;
  return end < 0 ? '' : Buffer.from(bytes.buffer, bytes.byteOffset + offset, end - offset).toString('utf8');
}

/** Reads attributes, or goes over them. @throws RangeError where the entry goes over its section's end */
export function readAttribute(reader: Reader, unit: Unit, form: number, implicit: bigint, depth = 0): Attribute {
  switch (form) {
    case FORM.addr:
      return { form, value: unit.addressBytes === 8 ? reader.u64() : BigInt(reader.u32()) };
    case FORM.flagPresent:
      return { form, value: 1 };
    case FORM.implicitConst:
      return { form, value: implicit };
    case FORM.data1:
    case FORM.ref1:
    case FORM.flag:
    case FORM.strx1:
    case FORM.addrx1:
      return { form, value: reader.u8() };
    case FORM.data2:
    case FORM.ref2:
    case FORM.strx2:
    case FORM.addrx2:
      return { form, value: reader.u16() };
    case FORM.strx3:
    case FORM.addrx3:
      return { form, value: reader.u24() };
    case FORM.data4:
    case FORM.ref4:
    case FORM.refSup4:
    case FORM.strx4:
    case FORM.addrx4:
      return { form, value: reader.u32() };
    case FORM.data8:
    case FORM.refSig8:
      return { form, value: reader.u64() };
    case FORM.ref8:
    case FORM.refSup8:
      return { form, value: Number(reader.u64()) };
    case FORM.data16:
      return { form, value: reader.block(16) };
    case FORM.udata:
      return { form, value: reader.leb(false) };
    case FORM.sdata:
      return { form, value: reader.leb(true) };
    case FORM.refUdata:
    case FORM.strx:
    case FORM.addrx:
    case FORM.loclistx:
    case FORM.rnglistx:
      return { form, value: reader.uleb() };
    case FORM.string:
      return { form, value: reader.string() };
    case FORM.refAddr:
      return { form, value: unit.version < 3 && unit.addressBytes === 8 ? Number(reader.u64()) : reader.offset() };
    case FORM.strp:
    case FORM.strpSup:
    case FORM.gnuRefAlt:
    case FORM.gnuStrpAlt:
    case FORM.lineStrp:
    case FORM.secOffset:
      return { form, value: reader.offset() };
    case FORM.block1:
      return { form, value: reader.block(reader.u8()) };
    case FORM.block2:
      return { form, value: reader.block(reader.u16()) };
    case FORM.block4:
      return { form, value: reader.block(reader.u32()) };
    case FORM.block:
    case FORM.exprloc:
      return { form, value: reader.block(reader.uleb()) };
    case FORM.indirect: {
      const inner = reader.uleb();
      if (depth > 0 || inner === FORM.implicitConst) throw new RangeError('a form that leads to another one');
      return readAttribute(reader, unit, inner, 0n, depth + 1);
    }
    default:
      throw new RangeError(`form 0x${form.toString(16)} is not one of DWARF 5`);
  }
}

/** @throws RangeError as readAttribute */
export function skipAttributes(reader: Reader, unit: Unit, abbreviation: Abbreviation): void {
  if (abbreviation.bytes >= 0) {
    reader.skip(abbreviation.bytes);
    return;
  }
  for (const { form, implicit } of abbreviation.attributes) {
    const fixed = fixedBytes(form, unit.addressBytes, unit.offsetBytes, unit.version);
    if (fixed !== undefined) reader.skip(fixed);
    else readAttribute(reader, unit, form, implicit);
  }
}

export class Entry {
  readonly #attributes = new Map<number, Attribute>();
  /** Where what follows its attributes begins: its first child, or the next entry. */
  readonly next: number;

  constructor(
    readonly unit: Unit,
    /** In .debug_info, behind its file's. */
    readonly offset: number,
    readonly abbreviation: Abbreviation,
    reader: Reader,
  ) {
    for (const { at, form, implicit } of abbreviation.attributes)
      this.#attributes.set(at, readAttribute(reader, unit, form, implicit));
    this.next = reader.at + unit.behind;
  }

  get tag(): number {
    return this.abbreviation.tag;
  }

  has(at: number): boolean {
    return this.#attributes.has(at);
  }

  /** A constant; undefined for other forms. */
  big(at: number): bigint | undefined {
    const attribute = this.#attributes.get(at);
    if (attribute === undefined) return undefined;
    const { form, value } = attribute;
    if (form === FORM.secOffset || typeof value === 'string' || typeof value === 'object') return undefined;
    return BigInt(value);
  }

  /** As big, where that is a number that is safe to count with. */
  number(at: number): number | undefined {
    const value = this.big(at);
    return value !== undefined && value >= -(2n ** 52n) && value <= 2n ** 52n ? Number(value) : undefined;
  }

  /** A constant with the sign that its form has, or that so many bits have. */
  signed(at: number, bits: number): bigint | undefined {
    const value = this.big(at);
    const form = this.#attributes.get(at)?.form ?? 0;
    return value === undefined || SIGNED_FORMS.has(form) ? value : BigInt.asIntN(bits, value);
  }

  flag(at: number): boolean {
    const value = this.#attributes.get(at)?.value;
    return value !== undefined && value !== 0;
  }

  /** A block of bytes: an expression, or a constant in memory's form. */
  block(at: number): Uint8Array | undefined {
    const value = this.#attributes.get(at)?.value;
    return value instanceof Uint8Array ? value : undefined;
  }

  text(at: number): string | undefined {
    const attribute = this.#attributes.get(at);
    if (attribute === undefined) return undefined;
    const { form, value } = attribute;
    if (typeof value === 'string') return value;
    if (typeof value !== 'number') return undefined;
    const { sections } = this.unit;
    if (form === FORM.strp) return textAt(sections.get('str'), value);
    if (form === FORM.lineStrp) return textAt(sections.get('lineStr'), value);
    if (form === FORM.strpSup || form === FORM.gnuStrpAlt)
      return sections.shared && textAt(sections.shared.get('str'), value);
    const isIndex = form === FORM.strx || (form >= FORM.strx1 && form <= FORM.strx4);
    return isIndex ? indexedText(this.unit, value) : undefined;
  }

  /** A linked address. */
  address(at: number): bigint | undefined {
    const attribute = this.#attributes.get(at);
    if (attribute === undefined) return undefined;
    const { form, value } = attribute;
    if (form === FORM.addr) return value as bigint;
    const isIndex = form === FORM.addrx || (form >= FORM.addrx1 && form <= FORM.addrx4);
    return isIndex ? indexedAddress(this.unit, value as number) : undefined;
  }

  /** Offset in .debug_info of an entry that it refers to; undefined for one of a type unit. */
  reference(at: number): number | undefined {
    const attribute = this.#attributes.get(at);
    if (attribute === undefined || typeof attribute.value !== 'number') return undefined;
    const { form, value } = attribute;
    if (form === FORM.refAddr) return value + this.unit.behind;
    if (form === FORM.refSup4 || form === FORM.gnuRefAlt) return value + SHARED;
    return (form >= FORM.ref1 && form <= FORM.ref8) || form === FORM.refUdata ? this.unit.offset + value : undefined;
  }

  /** By its signature, the type of a type unit. */
  signature(at: number): bigint | undefined {
    const attribute = this.#attributes.get(at);
    return attribute?.form === FORM.refSig8 ? (attribute.value as bigint) : undefined;
  }

  /** Offset in another section, or index of a list of the unit's. */
  list(at: number): { offset: number } | { index: number } | undefined {
    const attribute = this.#attributes.get(at);
    if (attribute === undefined) return undefined;
    const { form, value } = attribute;
    if (form === FORM.loclistx || form === FORM.rnglistx) return { index: value as number };
    // DWARF 3 has offsets as plain numbers
    const isOffset = form === FORM.secOffset || (this.unit.version < 4 && (form === FORM.data4 || form === FORM.data8));
    return isOffset ? { offset: Number(value) } : undefined;
  }

  /** Offset of the entry behind its children, where it says that. */
  sibling(at: number): number | undefined {
    const offset = this.reference(at);
    return offset !== undefined && offset > this.offset && offset <= this.unit.end ? offset : undefined;
  }
}

function indexedText(unit: Unit, index: number): string | undefined {
  const { sections } = unit;
  const bytes = sections.get('strOffsets');
  const at = unit.strOffsetsBase + index * unit.offsetBytes;
  if (at + unit.offsetBytes > bytes.length) return undefined;
  return textAt(sections.get('str'), new Reader(bytes, at, unit.offsetBytes).offset());
}

/** An address of .debug_addr by its index. */
export function indexedAddress(unit: Unit, index: number): bigint | undefined {
  const bytes = unit.sections.get('addr');
  const at = unit.addrBase + index * unit.addressBytes;
  if (at + unit.addressBytes > bytes.length) return undefined;
  const reader = new Reader(bytes, at);
  return unit.addressBytes === 8 ? reader.u64() : BigInt(reader.u32());
}
