/** Types of BTF in the form that DWARF's have. @linux Documentation/bpf/btf.rst */
import { type Member, type TypeId, type TypeNode, type TypeWord, VOID } from '../../../disasm/type-node.js';
import type { Btf, BtfRecord } from '../linux/btf.js';

const KIND = {
  ...{ int: 1, ptr: 2, array: 3, struct: 4, union: 5, enum: 6, forward: 7, typedef: 8, volatile: 9, const: 10 },
  ...{ restrict: 11, func: 12, funcProto: 13, variable: 14, float: 16, typeTag: 18, enum64: 19 },
} as const;
const QUALIFIERS: Readonly<Record<number, 'volatile' | 'const' | 'restrict'>> = {
  ...{ 9: 'volatile', 10: 'const', 11: 'restrict' },
};
const WORDS: Readonly<Record<number, TypeWord>> = {
  ...{ 1: 'name', 4: 'struct', 5: 'union', 6: 'enum', 8: 'name', 16: 'name', 19: 'enum' },
};
/** Of an integer: signed, a character, true or false. */
const INT = { signed: 1, character: 2, boolean: 4 };
const MAX_ITEMS = 1 << 16;

/** Of the kernel's types, `b17`; of one of a module, `b170000@nf_tables`. */
const ID = /^b(\d{1,9})(?:@(\S+))?$/;

/** The module that a type is of; undefined for the kernel's. */
export const moduleOfType = (id: TypeId): string | undefined => ID.exec(id)?.[2];

export class BtfTypes {
  #names: Map<string, number> | undefined;
  #enumerators: Map<string, number> | undefined;

  /** @param module whose types they are, beside the kernel's, which these refer to */
  constructor(
    private readonly btf: Btf,
    private readonly module?: string,
  ) {}

  #id(type: number): TypeId {
    if (type === 0) return VOID;
    return this.module === undefined || type < this.btf.first ? `b${type}` : `b${type}@${this.module}`;
  }

  type(id: TypeId): TypeNode | undefined {
    const [, digits] = ID.exec(id) ?? [];
    const record = digits === undefined ? undefined : this.btf.record(Number(digits));
    return record && this.#node(record);
  }

  named(word: TypeWord, name: string): TypeId | undefined {
    this.#names ??= this.#readNames();
    const found = this.#names.get(word === 'name' ? name : `${word} ${name}`);
    return found === undefined ? undefined : this.#id(found);
  }

  enumerator(name: string): { value: bigint; type: TypeId } | undefined {
    this.#enumerators ??= this.#readEnumerators();
    const type = this.#enumerators.get(name);
    if (type === undefined) return undefined;
    const node = this.type(this.#id(type));
    const found = node?.kind === 'enum' ? node.values.find((value) => value.name === name) : undefined;
    return found && { value: found.value, type: this.#id(type) };
  }

  /** A function's type, or a per-CPU variable's. */
  symbol(name: string): TypeId | undefined {
    this.#names ??= this.#readNames();
    const found = this.#names.get(`symbol ${name}`);
    const record = found === undefined ? undefined : this.btf.record(found);
    return record && this.#id(record.value);
  }

  #readNames(): Map<string, number> {
    const names = new Map<string, number>();
    for (let type = this.btf.first; type < this.btf.count; type++) {
      const record = this.btf.record(type);
      if (record === undefined || record.name === '') continue;
      const isSymbol = record.kind === KIND.func || record.kind === KIND.variable;
      const word = isSymbol ? 'symbol' : WORDS[record.kind];
      if (word === undefined) continue;
      const key = word === 'name' ? record.name : `${word} ${record.name}`;
      if (!names.has(key)) names.set(key, type);
    }
    return names;
  }

  #readEnumerators(): Map<string, number> {
    const found = new Map<string, number>();
    for (let type = this.btf.first; type < this.btf.count; type++) {
      const record = this.btf.record(type);
      if (record?.kind !== KIND.enum && record?.kind !== KIND.enum64) continue;
      const words = record.kind === KIND.enum64 ? 3 : 2;
      for (let item = 0; item < record.count; item++) {
        const name = this.btf.text(record.u32(item * words));
        if (!found.has(name)) found.set(name, type);
      }
    }
    return found;
  }

  #node(record: BtfRecord): TypeNode | undefined {
    const { kind, value, count, u32 } = record;
    const named = record.name === '' ? {} : { name: record.name };
    switch (kind) {
      case KIND.int:
        return intNode(record);
      case KIND.float:
        return { kind: 'base', name: record.name, bytes: value, encoding: 'float' };
      case KIND.ptr:
        return { kind: 'pointer', to: this.#id(value), bytes: this.btf.pointerBytes };
      case KIND.array:
        return { kind: 'array', of: this.#id(u32(0)), count: u32(2) };
      case KIND.struct:
      case KIND.union:
        return {
          kind: kind === KIND.struct ? 'struct' : 'union',
          ...named,
          bytes: value,
          members: this.#members(record),
        };
      case KIND.forward:
        return { kind: record.bitFields ? 'union' : 'struct', ...named, bytes: 0, members: [], declared: true };
      case KIND.enum:
      case KIND.enum64:
        return this.#enum(record, named);
      case KIND.typedef:
        return { kind: 'typedef', name: record.name, to: this.#id(value) };
      case KIND.volatile:
      case KIND.const:
      case KIND.restrict:
        return { kind: 'qualified', qualifier: QUALIFIERS[kind]!, to: this.#id(value) };
      // `__user` and such: C's types do not have them
      case KIND.typeTag:
        return this.type(this.#id(value)) ?? { kind: 'void' };
      case KIND.func:
        return this.type(this.#id(value));
      case KIND.funcProto: {
        const parameters: TypeId[] = [];
        for (let item = 0; item < Math.min(count, MAX_ITEMS); item++) parameters.push(this.#id(u32(item * 2 + 1)));
        // one without a type at the end stands for further ones
        const variadic = parameters.at(-1) === VOID && u32((parameters.length - 1) * 2) === 0;
        if (variadic) parameters.pop();
        return { kind: 'function', returns: this.#id(value), parameters, prototyped: true, variadic };
      }
      default:
        return undefined;
    }
  }

  #members({ count, bitFields, u32 }: BtfRecord): Member[] {
    const members: Member[] = [];
    for (let item = 0; item < Math.min(count, MAX_ITEMS); item++) {
      const name = this.btf.text(u32(item * 3));
      const bits = u32(item * 3 + 2);
      const size = bitFields ? bits >>> 24 : 0;
      const offset = bitFields ? bits & 0xffffff : bits;
      members.push({
        ...(name === '' ? {} : { name }),
        type: this.#id(u32(item * 3 + 1)),
        offset: offset >>> 3,
        ...(size === 0 ? {} : { bits: { offset, size } }),
      });
    }
    return members;
  }

  #enum({ kind, count, bitFields: signed, value: bytes, u32 }: BtfRecord, named: { name?: string }): TypeNode {
    const words = kind === KIND.enum64 ? 3 : 2;
    const values: { name: string; value: bigint }[] = [];
    for (let item = 0; item < Math.min(count, MAX_ITEMS); item++) {
      const low = BigInt(u32(item * words + 1));
      const whole = words === 3 ? low | (BigInt(u32(item * words + 2)) << 32n) : low;
      const bits = words === 3 ? 64 : 32;
      values.push({ name: this.btf.text(u32(item * words)), value: signed ? BigInt.asIntN(bits, whole) : whole });
    }
    return { kind: 'enum', ...named, bytes, signed, values };
  }
}

function intNode({ name, value: bytes, u32 }: BtfRecord): TypeNode {
  const how = (u32(0) >>> 24) & 0xf;
  // compilers leave out that `char` is one
  const isCharacter = (how & INT.character) !== 0 || /^(?:(?:un)?signed )?char$/.test(name);
  const signed = (how & INT.signed) !== 0;
  if (how & INT.boolean) return { kind: 'base', name, bytes, encoding: 'bool' };
  if (isCharacter) return { kind: 'base', name, bytes, encoding: name === 'unsigned char' ? 'uchar' : 'char' };
  return { kind: 'base', name, bytes, encoding: signed ? 'signed' : 'unsigned' };
}
