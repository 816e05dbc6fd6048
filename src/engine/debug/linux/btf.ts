/**
 * BTF, the compact type information that the kernel carries (/sys/kernel/btf/vmlinux): where members of structures
 * lie and how large types are.
 * @linux Documentation/bpf/btf.rst
 */
import { dataView } from './physical.js';

const MAGIC = 0xeb9f;
const KIND = {
  int: 1,
  ptr: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
};
const TYPE_TAG = 18;
const ENUM64 = 19;
const FLOAT = 16;
/** Bytes behind a type's 12, by kind: fixed, or for each of its `vlen` items. */
const EXTRA: Record<number, number> = { 1: 4, 3: 12, 14: 4, 17: 4 };
const PER_ITEM: Record<number, number> = { 4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12 };
/** Typedefs and qualifiers on one type, arrays of arrays, and unnamed structures in structures: hostile types may go round. */
const MAX_DEPTH = 32;
/** Members that one question may look at. */
const MAX_MEMBERS = 1 << 18;

export interface Member {
  /** Bytes from the start of the structure. */
  offset: number;
  /** Size of the member in bytes. */
  bytes: number;
  type: number;
}

export interface BtfRecord {
  kind: number;
  /** Of the items behind it. */
  count: number;
  /** Of bit fields, signs and 64-bit enumerators. */
  bitFields: boolean;
  /** Bytes, or the type that it is of. */
  value: number;
  name: string;
  /** Words behind the record's own twelve bytes. */
  u32(index: number): number;
}

export class Btf {
  readonly #data: DataView;
  readonly #bytes: Uint8Array;
  readonly #strings: number;
  /** Bytes of all strings, the base's with them. */
  readonly #stringsEnd: number;
  /** Where each type's record stands. */
  readonly #types: number[];
  /** Number of the first type that is its own: of a module, the base's come before. */
  readonly first: number;
  readonly #structures = new Map<string, number>();
  /** Answers to `find`, by structure and path. */
  readonly #found = new Map<string, Member | undefined>();
  #members = 0;

  /**
   * @param base of a module's: the kernel's, whose types and strings its numbers go on from ("split BTF")
   * @throws Error when the bytes are no BTF.
   */
  constructor(
    bytes: Uint8Array,
    readonly pointerBytes: 4 | 8 = 8,
    private readonly base?: Btf,
  ) {
    this.first = base?.count ?? 1;
    this.#types = base ? [] : [0];
    this.#bytes = bytes;
    this.#data = dataView(bytes);
    if (bytes.length < 24 || this.#data.getUint16(0, true) !== MAGIC) throw new Error('the .BTF section is not BTF');
    const u32 = (at: number): number => this.#data.getUint32(at, true);
    const header = u32(4);
    this.#strings = header + u32(16);
    this.#stringsEnd = (base ? base.#stringsEnd : 0) + u32(20);
    const end = header + u32(8) + u32(12);
    for (let at = header + u32(8); at < end; ) {
      const type = this.#types.push(at) - 1 + (base ? this.first : 0);
      const { kind, count } = this.#info(at);
      // what members are looked up in is the kernel's
      if (!base && (kind === KIND.struct || kind === KIND.union)) {
        const name = this.#string(u32(at));
        if (name !== '' && !this.#structures.has(name)) this.#structures.set(name, type);
      }
      at += 12 + (EXTRA[kind] ?? 0) + (PER_ITEM[kind] ?? 0) * count;
    }
  }

  /** Types that there are, and `void` as number 0. */
  get count(): number {
    return this.#types.length + (this.base ? this.first : 0);
  }

  /** A type's record: where its items stand, and what is before them; undefined where there is none of that number. */
  record(type: number): BtfRecord | undefined {
    if (this.base && type < this.first) return this.base.record(type);
    const at = type > 0 ? this.#types[this.base ? type - this.first : type] : undefined;
    if (at === undefined || at + 12 > this.#bytes.length) return undefined;
    const u32 = (item: number): number => {
      const place = at + 12 + item * 4;
      return place + 4 <= this.#bytes.length ? this.#data.getUint32(place, true) : 0;
    };
    return { ...this.#info(at), name: this.#string(this.#data.getUint32(at, true)), u32 };
  }

  text(offset: number): string {
    return this.#string(offset);
  }

  has(structure: string): boolean {
    return this.#structures.has(structure);
  }

  /** Size of a structure in bytes. @throws Error when there is none of that name. */
  sizeOf(structure: string): number {
    return this.#sizeOf(this.#named(structure));
  }

  /** Offset of `member` or `member.inner` in bytes. @throws Error naming what does not exist. */
  offsetOf(structure: string, path: string): number {
    return this.member(structure, path).offset;
  }

  /** As offsetOf, undefined where the structure has no such member. */
  find(structure: string, path: string): Member | undefined {
    const key = `${structure}.${path}`;
    if (!this.#found.has(key)) this.#found.set(key, this.#find(structure, path));
    return this.#found.get(key);
  }

  #find(structure: string, path: string): Member | undefined {
    const type = this.#structures.get(structure);
    if (type === undefined) return undefined;
    this.#members = 0;
    let found: Member = { offset: 0, bytes: 0, type };
    for (const name of path.split('.')) {
      const inner = this.#member(this.#plain(found.type), name);
      if (inner === undefined) return undefined;
      found = { offset: found.offset + inner.offset, bytes: this.#sizeOf(inner.type), type: inner.type };
    }
    return found;
  }

  member(structure: string, path: string): Member {
    const found = this.find(structure, path);
    if (found === undefined) throw new Error(`struct ${structure} has no ${path}`);
    return found;
  }

  #named(structure: string): number {
    const type = this.#structures.get(structure);
    if (type === undefined) throw new Error(`the kernel has no struct ${structure}`);
    return type;
  }

  #info(at: number): { kind: number; count: number; bitFields: boolean; value: number } {
    const info = this.#data.getUint32(at + 4, true);
    const value = this.#data.getUint32(at + 8, true);
    return { kind: (info >>> 24) & 0x1f, count: info & 0xffff, bitFields: info >>> 31 !== 0, value };
  }

  #string(offset: number): string {
    const before = this.base ? this.base.#stringsEnd : 0;
    if (this.base && offset < before) return this.base.text(offset);
    const start = this.#strings + offset - before;
    // one that goes over the end, or has none there
    if (start >= this.#bytes.length) return '';
    return Buffer.from(this.#bytes.subarray(start, this.#bytes.indexOf(0, start))).toString('latin1');
  }

  /** The type without typedefs and qualifiers. */
  #plain(type: number): number {
    for (let depth = 0; depth < MAX_DEPTH; depth++) {
      const { kind, value } = this.#info(this.#types[type]);
      if (kind !== TYPE_TAG && (kind < KIND.typedef || kind > KIND.restrict)) return type;
      type = value;
    }
    throw new Error('the .BTF section is damaged: a type that contains itself');
  }

  #sizeOf(type: number, depth = 0): number {
    if (depth > MAX_DEPTH) throw new Error('the .BTF section is damaged: an array that contains itself');
    const plain = this.#plain(type);
    if (plain === 0) return 0;
    const at = this.#types[plain];
    const { kind, value } = this.#info(at);
    if (kind === KIND.ptr) return this.pointerBytes;
    if (kind === KIND.array)
      return this.#sizeOf(this.#data.getUint32(at + 12, true), depth + 1) * this.#data.getUint32(at + 20, true);
    const sized: number[] = [KIND.int, KIND.struct, KIND.union, KIND.enum, ENUM64, FLOAT];
    return sized.includes(kind) ? value : 0;
  }

  /** A member by name, also of the unnamed structures inside. */
  #member(type: number, name: string, depth = 0): { offset: number; type: number } | undefined {
    if (depth > MAX_DEPTH) throw new Error('the .BTF section is damaged: a structure that contains itself');
    const at = this.#types[type];
    const { kind, count, bitFields } = this.#info(at);
    if (kind !== KIND.struct && kind !== KIND.union) return undefined;
    for (let item = at + 12; item < at + 12 + count * 12; item += 12) {
      if (++this.#members > MAX_MEMBERS) throw new Error('the .BTF section is damaged: a structure without end');
      const memberType = this.#data.getUint32(item + 4, true);
      const bits = this.#data.getUint32(item + 8, true);
      const offset = (bitFields ? bits & 0xffffff : bits) >>> 3;
      const memberName = this.#string(this.#data.getUint32(item, true));
      if (memberName === name) return { offset, type: memberType };
      const inner = memberName === '' ? this.#member(this.#plain(memberType), name, depth + 1) : undefined;
      if (inner !== undefined) return { offset: offset + inner.offset, type: inner.type };
    }
    return undefined;
  }
}
