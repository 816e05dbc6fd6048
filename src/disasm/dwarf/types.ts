/** Types of C among the entries. @dwarf 5, 5 "Type Entries" */
import { type Member, type TypeId, type TypeNode, VOID } from '../type-node.js';
import type { Entry } from './entry.js';
import { AT, ATE, TAG } from './numbers.js';
import type { DwarfUnits } from './units.js';

/** Members or enumerators of one type. */
const MAX_MEMBERS = 1 << 16;

export const typeIdOf = (offset: number): TypeId => `d${offset}`;

/** Undefined for what is no type, or one of another language. */
export function typeNode(units: DwarfUnits, id: TypeId): TypeNode | undefined {
  if (id === VOID) return { kind: 'void' };
  const [, offset, dimension] = /^d(\d+)(?:\/(\d+))?$/.exec(id) ?? [];
  const entry = offset === undefined ? undefined : units.entry(Number(offset));
  return entry && nodeOf(units, entry, Number(dimension ?? 0));
}

/** The type that an entry, or what it is an instance of, refers to. */
export function typeOf(units: DwarfUnits, entry: Entry): TypeId {
  return (
    units.inherited(entry, (origin) => {
      const signature = origin.signature(AT.type);
      const offset = signature === undefined ? origin.reference(AT.type) : units.typeOf(signature);
      return offset === undefined ? undefined : typeIdOf(offset);
    }) ?? VOID
  );
}

const bytesOf = (entry: Entry): number => Math.max(0, entry.number(AT.byteSize) ?? 0);

function nodeOf(units: DwarfUnits, entry: Entry, dimension: number): TypeNode | undefined {
  const name = entry.text(AT.name);
  const named = name === undefined ? {} : { name };
  switch (entry.tag) {
    case TAG.baseType:
      return { kind: 'base', name: name ?? '?', bytes: bytesOf(entry), encoding: encodingOf(entry) };
    case TAG.pointerType:
      return { kind: 'pointer', to: typeOf(units, entry), bytes: bytesOf(entry) || entry.unit.addressBytes };
    case TAG.typedef:
      return { kind: 'typedef', name: name ?? '?', to: typeOf(units, entry) };
    case TAG.constType:
      return { kind: 'qualified', qualifier: 'const', to: typeOf(units, entry) };
    case TAG.volatileType:
      return { kind: 'qualified', qualifier: 'volatile', to: typeOf(units, entry) };
    case TAG.restrictType:
      return { kind: 'qualified', qualifier: 'restrict', to: typeOf(units, entry) };
    case TAG.atomicType:
      return { kind: 'qualified', qualifier: '_Atomic', to: typeOf(units, entry) };
    case TAG.arrayType:
      return arrayOf(units, entry, dimension);
    case TAG.structureType:
    case TAG.unionType: {
      const kind = entry.tag === TAG.structureType ? 'struct' : 'union';
      const declared = entry.flag(AT.declaration) ? { declared: true as const } : {};
      return { kind, ...named, bytes: bytesOf(entry), members: membersOf(units, entry), ...declared };
    }
    case TAG.enumerationType:
      return enumOf(units, entry, named);
    case TAG.subroutineType:
    case TAG.subprogram: {
      const parameters: TypeId[] = [];
      let variadic = false;
      for (const child of units.children(entry)) {
        if (child.tag === TAG.formalParameter) parameters.push(typeOf(units, child));
        else if (child.tag === TAG.unspecifiedParameters) variadic = true;
        if (parameters.length > MAX_MEMBERS) break;
      }
      const prototyped = units.inherited(entry, (origin) => origin.flag(AT.prototyped) || undefined) ?? false;
      return { kind: 'function', returns: typeOf(units, entry), parameters, prototyped, variadic };
    }
    default:
      return undefined;
  }
}

function encodingOf(entry: Entry): (TypeNode & { kind: 'base' })['encoding'] {
  switch (entry.number(AT.encoding)) {
    case ATE.boolean:
      return 'bool';
    case ATE.float:
      return 'float';
    case ATE.signed:
      return 'signed';
    case ATE.signedChar:
      return 'char';
    case ATE.unsigned:
    case ATE.utf:
      return 'unsigned';
    case ATE.unsignedChar:
      return 'uchar';
    default:
      return 'other';
  }
}

/** Of several dimensions an array of arrays. */
function arrayOf(units: DwarfUnits, entry: Entry, dimension: number): TypeNode {
  const counts: (number | undefined)[] = [];
  for (const child of units.children(entry)) {
    if (child.tag !== TAG.subrangeType) continue;
    const upper = child.number(AT.upperBound);
    // GCC says -1 of an array of no elements
    counts.push(child.number(AT.count) ?? (upper === undefined ? undefined : upper >= 0xffff_ffff ? 0 : upper + 1));
    if (counts.length > 64) break;
  }
  const count = counts[dimension];
  const isLast = dimension + 1 >= counts.length;
  const of = isLast ? typeOf(units, entry) : `${typeIdOf(entry.offset)}/${dimension + 1}`;
  return { kind: 'array', of, ...(count === undefined || count < 0 ? {} : { count }) };
}

function membersOf(units: DwarfUnits, entry: Entry): Member[] {
  const members: Member[] = [];
  for (const child of units.children(entry)) {
    if (child.tag !== TAG.member || members.length >= MAX_MEMBERS) continue;
    const name = child.text(AT.name);
    const offset = child.number(AT.dataMemberLocation) ?? constantOffset(child.block(AT.dataMemberLocation)) ?? 0;
    const size = child.number(AT.bitSize);
    members.push({
      ...(name === undefined ? {} : { name }),
      type: typeOf(units, child),
      offset,
      ...(size === undefined ? {} : { bits: { size, offset: bitOffset(units, child, offset, size) } }),
    });
  }
  return members;
}

/** `DW_OP_plus_uconst N`, as DWARF 2 wrote places of members. */
function constantOffset(block: Uint8Array | undefined): number | undefined {
  if (block?.[0] !== 0x23) return undefined;
  let value = 0;
  for (let at = 1; at < Math.min(block.length, 6); at++) value += (block[at]! & 0x7f) * 128 ** (at - 1);
  return value;
}

/** From bit 0 of the structure's first byte. Before DWARF 4 it counts from the highest bit of what holds the field. */
function bitOffset(units: DwarfUnits, member: Entry, offset: number, size: number): number {
  const whole = member.number(AT.dataBitOffset);
  if (whole !== undefined) return whole;
  const fromTop = member.number(AT.bitOffset);
  if (fromTop === undefined) return offset * 8;
  const bytes = member.number(AT.byteSize) ?? bytesOfType(units, typeOf(units, member), 0);
  return offset * 8 + bytes * 8 - fromTop - size;
}

function bytesOfType(units: DwarfUnits, id: TypeId, depth: number): number {
  const node = depth < 16 ? typeNode(units, id) : undefined;
  if (node?.kind === 'typedef' || node?.kind === 'qualified') return bytesOfType(units, node.to, depth + 1);
  return node !== undefined && 'bytes' in node ? node.bytes : 4;
}

function enumOf(units: DwarfUnits, entry: Entry, named: { name?: string }): TypeNode {
  const bytes = bytesOf(entry) || 4;
  const values: { name: string; value: bigint }[] = [];
  let signed = false;
  for (const child of units.children(entry)) {
    if (child.tag !== TAG.enumerator || values.length >= MAX_MEMBERS) continue;
    const value = child.signed(AT.constValue, bytes * 8) ?? 0n;
    if (value < 0n) signed = true;
    values.push({ name: child.text(AT.name) ?? '?', value });
  }
  // without a negative one what looks so is a large one
  const under = entry.reference(AT.type);
  const base = under === undefined ? undefined : typeNode(units, typeIdOf(under));
  if (base?.kind === 'base') signed = base.encoding === 'signed' || base.encoding === 'char';
  const right = values.map(({ name, value }) => ({ name, value: signed ? value : BigInt.asUintN(bytes * 8, value) }));
  return { kind: 'enum', ...named, bytes, signed, values: right };
}
