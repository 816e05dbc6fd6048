/**
 * DWARF of an ELF file as a debugger asks it: types by name, variables, functions and what is in scope at an address.
 * Nothing is read before it is asked for. What is looked for by name in all units, thousands of them in a kernel, is a
 * generator that yields after each unit: who runs it parts the work into slices.
 */

import { hasElfSection } from '../elf-sections.js';
import type { TypeId, TypeNode, TypeWord } from '../type-node.js';
import type { Entry } from './entry.js';
import { indexedAddress, textAt } from './entry.js';
import { type Range, rangesOf } from './lists.js';
import { AT, FORM, TAG } from './numbers.js';
import { type DwarfScope, type DwarfVariable, scopeAt, variableOf } from './scope.js';
import { typeIdOf, typeNode } from './types.js';
import { DwarfUnits, type Unit } from './units.js';

/** Work that is done in pieces: its caller may do something else after each. */
export type Pieces<T> = Generator<void, T>;

interface Names {
  /** By `struct foo` or `foo`: the first one that is told whole, else the first. */
  types: Map<string, number>;
  /** Variables and functions that stand in no other: those of a name, one a unit. */
  variables: Map<string, number[]>;
  functions: Map<string, number[]>;
}

const MAX_ALIKE = 64;

const WORDS: Readonly<Record<number, TypeWord>> = {
  [TAG.structureType]: 'struct',
  [TAG.unionType]: 'union',
  [TAG.enumerationType]: 'enum',
  [TAG.typedef]: 'name',
  [TAG.baseType]: 'name',
};

export class Dwarf {
  readonly #units: DwarfUnits;
  readonly #names: Names = { types: new Map(), variables: new Map(), functions: new Map() };
  /** Units whose names are in #names. */
  #named = 0;
  readonly #ofUnit = new Map<Unit, Names>();
  #covered: { ranges: (Range & { unit: Unit })[]; units: number } = { ranges: [], units: 0 };
  readonly #functions = new Map<Unit, (Range & { offset: number })[]>();

  private constructor(elf: Uint8Array, shared?: Uint8Array) {
    this.#units = new DwarfUnits(elf, shared);
  }

  /** Whether a file has types; they are not read yet. */
  static isIn(elf: Uint8Array): boolean {
    return hasElfSection(elf, '.debug_info');
  }

  /** A file that has the types of this one (-gsplit-dwarf), the first of several; undefined where they are here. */
  static splitOf(elf: Uint8Array): string | undefined {
    return new DwarfUnits(elf).split;
  }

  /** Undefined for a file without types and variables. @param shared a file that has what several files share, by dwz */
  static read(elf: Uint8Array, shared?: Uint8Array): Dwarf | undefined {
    const dwarf = new Dwarf(elf, shared);
    return dwarf.#units.list.length === 0 ? undefined : dwarf;
  }

  get units(): number {
    return this.#units.list.length;
  }

  /** Of the file's first unit. */
  get addressBytes(): number {
    return this.#units.list[0]!.addressBytes;
  }

  /** A linked address of .debug_addr. */
  indexed(unit: Unit, index: number): bigint | undefined {
    return indexedAddress(unit, index);
  }

  /** Undefined for what is no type. */
  type(id: TypeId): TypeNode | undefined {
    return typeNode(this.#units, id);
  }

  /** What is in scope at a linked address. */
  *scope(pc: bigint): Pieces<DwarfScope | undefined> {
    const unit = yield* this.#unitAt(pc);
    const func = unit && this.#functionAt(unit, pc);
    return func && scopeAt(this.#units, func, pc);
  }

  /** By its name alone, or as `struct foo`. @param near an address: the unit that it lies in goes first */
  *named(word: TypeWord, name: string, near?: bigint): Pieces<TypeId | undefined> {
    const key = word === 'name' ? name : `${word} ${name}`;
    const find = ({ types }: Names): TypeId | undefined => {
      const offset = types.get(key);
      return offset === undefined ? undefined : typeIdOf(offset);
    };
    return yield* this.#find(find, near, (id) => !this.#isDeclared(id));
  }

  #isDeclared(id: TypeId): boolean {
    const node = this.type(id);
    return (node?.kind === 'struct' || node?.kind === 'union') && node.declared === true;
  }

  /** A variable that stands in no function. @param near as of named */
  *variable(name: string, near?: bigint): Pieces<DwarfVariable | undefined> {
    const find = ({ variables }: Names): DwarfVariable | undefined => {
      let declared: DwarfVariable | undefined;
      for (const offset of variables.get(name) ?? []) {
        const entry = this.#units.entry(offset);
        const variable = entry && variableOf(this.#units, entry, undefined);
        if (variable === undefined) continue;
        if (variable.expression !== undefined || variable.constant !== undefined) return variable;
        declared ??= variable;
      }
      return declared;
    };
    return yield* this.#find(
      find,
      near,
      ({ expression, constant }) => expression !== undefined || constant !== undefined,
    );
  }

  /** Entries of functions by their name, with where their code begins. */
  *functions(name: string): Pieces<{ offset: number; ranges: Range[]; type: TypeId }[]> {
    yield* this.#all();
    return (this.#names.functions.get(name) ?? []).flatMap((offset) => {
      const entry = this.#units.entry(offset);
      return entry ? [{ offset, ranges: rangesOf(entry), type: typeIdOf(offset) }] : [];
    });
  }

  /** An enumerator in the unit of an address, with its type. */
  *enumerator(name: string, near: bigint): Pieces<{ value: bigint; type: TypeId } | undefined> {
    const unit = yield* this.#unitAt(near);
    const root = unit && this.#units.root(unit);
    if (unit === undefined || root === undefined) return undefined;
    const enums: number[] = [];
    this.#units.scan(unit, (offset, { tag }) => {
      if (tag === TAG.enumerationType) enums.push(offset);
    });
    for (const offset of enums) {
      const type = typeIdOf(offset);
      const node = this.type(type);
      const found = node?.kind === 'enum' ? node.values.find((value) => value.name === name) : undefined;
      if (found) return { value: found.value, type };
    }
    return undefined;
  }

  /** The value of a register on entry of a call, as its caller tells it, at the linked address that it returns to. */
  *callValue(returnTo: bigint, register: number): Pieces<Uint8Array | undefined> {
    const unit = yield* this.#unitAt(returnTo - 1n);
    const func = unit && this.#functionAt(unit, returnTo - 1n);
    if (func === undefined) return undefined;
    return this.#callValue(func, returnTo, register, 0);
  }

  #callValue(entry: Entry, returnTo: bigint, register: number, depth: number): Uint8Array | undefined {
    if (depth > 32) return undefined;
    for (const child of this.#units.children(entry)) {
      if (child.tag === TAG.callSite || child.tag === TAG.gnuCallSite) {
        if ((child.address(AT.callReturnPc) ?? child.address(AT.lowPc)) !== returnTo) continue;
        for (const parameter of this.#units.children(child)) {
          const location = parameter.block(AT.location);
          const isIt = location?.length === 1 && location[0] === 0x50 + register;
          if (isIt) return parameter.block(AT.callValue) ?? parameter.block(AT.gnuCallSiteValue);
        }
        return undefined;
      }
      if (child.tag !== TAG.lexicalBlock && child.tag !== TAG.inlinedSubroutine) continue;
      const found = this.#callValue(child, returnTo, register, depth + 1);
      if (found) return found;
    }
    return undefined;
  }

  *#unitAt(pc: bigint): Pieces<Unit | undefined> {
    const covered = this.#covered;
    const find = () => covered.ranges.find(({ low, high }) => pc >= low && pc < high)?.unit;
    let found = find();
    for (let count = 0; found === undefined && covered.units < this.#units.list.length; ) {
      const unit = this.#units.list[covered.units++]!;
      const root = this.#units.root(unit);
      if (root?.tag === TAG.compileUnit)
        for (const range of rangesOf(root)) {
          if (range.low === 0n) continue;
          covered.ranges.push({ ...range, unit });
          if (pc >= range.low && pc < range.high) found = unit;
        }
      if (++count % 64 === 0) yield;
    }
    return found;
  }

  #functionAt(unit: Unit, pc: bigint): Entry | undefined {
    let list = this.#functions.get(unit);
    if (list === undefined) {
      list = [];
      const offsets: number[] = [];
      this.#units.scan(unit, (offset, { tag }) => {
        if (tag === TAG.subprogram) offsets.push(offset);
      });
      for (const offset of offsets) {
        const entry = this.#units.entry(offset);
        if (entry) for (const range of rangesOf(entry)) list.push({ ...range, offset });
      }
      this.#functions.set(unit, list);
    }
    const found = list.find(({ low, high }) => pc >= low && pc < high);
    return found && this.#units.entry(found.offset);
  }

  /** In the unit of an address first, then in all. `good`: what ends the search at once. */
  *#find<T>(
    find: (names: Names) => T | undefined,
    near: bigint | undefined,
    good: (found: T) => boolean,
  ): Pieces<T | undefined> {
    let second: T | undefined;
    const unit = near === undefined ? undefined : yield* this.#unitAt(near);
    if (unit) {
      let own = this.#ofUnit.get(unit);
      if (own === undefined) {
        own = { types: new Map(), variables: new Map(), functions: new Map() };
        this.#read(unit, own);
        this.#ofUnit.set(unit, own);
      }
      const found = find(own);
      if (found !== undefined && good(found)) return found;
      second = found;
    }
    const known = find(this.#names);
    if (known !== undefined && good(known)) return known;
    second ??= known;
    while (this.#named < this.#units.list.length) {
      this.#read(this.#units.list[this.#named++]!, this.#names);
      const found = find(this.#names);
      if (found !== undefined && good(found)) return found;
      second ??= found;
      yield;
    }
    return second;
  }

  *#all(): Pieces<void> {
    while (this.#named < this.#units.list.length) {
      this.#read(this.#units.list[this.#named++]!, this.#names);
      yield;
    }
  }

  #read(unit: Unit, names: Names): void {
    const { sections } = unit;
    const str = sections.get('str');
    const info = sections.get('info');
    const view = new DataView(info.buffer, info.byteOffset, info.byteLength);
    const add = (list: Map<string, number[]>, name: string, offset: number): void => {
      const there = list.get(name);
      if (there === undefined) list.set(name, [offset]);
      else if (there.length < MAX_ALIKE) there.push(offset);
    };
    this.#units.scan(unit, (offset, abbreviation, nameAt) => {
      const { tag } = abbreviation;
      const word = WORDS[tag];
      const isVariable = tag === TAG.variable;
      if (word === undefined && !isVariable && tag !== TAG.subprogram) return;
      let name: string | undefined;
      if (nameAt >= 0 && abbreviation.nameForm === FORM.strp && unit.offsetBytes === 4)
        name = textAt(str, view.getUint32(nameAt, true));
      else if (nameAt >= 0 && abbreviation.nameForm === FORM.string) name = textAt(info, nameAt);
      else {
        const entry = this.#units.entry(offset);
        // a function's or variable's definition may leave its name to the declaration
        name = entry && this.#units.inherited(entry, (origin) => origin.text(AT.name));
      }
      if (!name) return;
      if (isVariable) add(names.variables, name, offset);
      else if (word === undefined) {
        if (!abbreviation.declaration) add(names.functions, name, offset);
      } else {
        const key = word === 'name' ? name : `${word} ${name}`;
        const there = names.types.get(key);
        if (there === undefined) names.types.set(key, offset);
        else if (!abbreviation.declaration && this.#isDeclared(typeIdOf(there))) names.types.set(key, offset);
      }
    });
  }
}
