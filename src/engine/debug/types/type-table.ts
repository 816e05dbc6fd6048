/** Types as they were asked for, each once; with those that C has without anybody telling, and those made of others. */
import { type Member, type TypeId, type TypeNode, VOID } from '../../../disasm/type-node.js';
import type { Debugger } from '../../debugger.js';
import { ExpressionError } from '../expression/syntax.js';
import { type TypeName, typeNameText } from '../expression/type-name.js';

type Base = TypeNode & { kind: 'base' };

/** Those of System V's ABI, by the names that GCC gives them. */
const BASES: Readonly<Record<string, Omit<Base, 'kind' | 'name'>>> = {
  char: { bytes: 1, encoding: 'char' },
  'signed char': { bytes: 1, encoding: 'char' },
  'unsigned char': { bytes: 1, encoding: 'uchar' },
  'short int': { bytes: 2, encoding: 'signed' },
  'short unsigned int': { bytes: 2, encoding: 'unsigned' },
  int: { bytes: 4, encoding: 'signed' },
  'unsigned int': { bytes: 4, encoding: 'unsigned' },
  'long int': { bytes: 8, encoding: 'signed' },
  'long unsigned int': { bytes: 8, encoding: 'unsigned' },
  'long long int': { bytes: 8, encoding: 'signed' },
  'long long unsigned int': { bytes: 8, encoding: 'unsigned' },
  _Bool: { bytes: 1, encoding: 'bool' },
  float: { bytes: 4, encoding: 'float' },
  double: { bytes: 8, encoding: 'float' },
};
/** Short names that kernels and stdint.h have, for images that tell no types. */
const SHORT = /^(?:__)?(?:([us])(8|16|32|64)|(u?)int(8|16|32|64)_t)$/;
const MAX_DEPTH = 40;
/** Members that are looked through for one name. */
const MAX_MEMBERS = 1 << 18;

export class TypeTable {
  #known = new Map<TypeId, TypeNode>();

  constructor(
    private readonly debug: Pick<Debugger, 'types'>,
    /** Of the code that runs. */
    readonly pointerBytes: () => 4 | 8,
  ) {}

  /** What was learnt may be of another kernel. */
  forget(): void {
    this.#known = new Map();
  }

  /** A type with all that it is made of. @throws ExpressionError where there is none */
  async node(id: TypeId): Promise<TypeNode> {
    const own = this.#own(id);
    if (own) return own;
    const known = this.#known.get(id);
    if (known && !('partial' in known)) return known;
    for (const [found, node] of (await this.debug.types?.nodes([id])) ?? []) {
      const there = this.#known.get(found);
      if (there === undefined || 'partial' in there) this.#known.set(found, node);
    }
    const node = this.#known.get(id);
    if (node === undefined) throw new ExpressionError('its type is not recorded');
    return node;
  }

  #own(id: TypeId): TypeNode | undefined {
    if (id === VOID) return { kind: 'void' };
    if (id.startsWith('p:')) return { kind: 'pointer', to: id.slice(2), bytes: this.pointerBytes() };
    const array = /^a:(\d+):(.*)$/s.exec(id);
    if (array) return { kind: 'array', of: array[2]!, count: Number(array[1]) };
    if (!id.startsWith('c:')) return undefined;
    const name = id.slice(2);
    const base = BASES[name];
    if (base === undefined) return undefined;
    const isLong = name === 'long int' || name === 'long unsigned int';
    return { kind: 'base', name, ...base, ...(isLong ? { bytes: this.pointerBytes() } : {}) };
  }

  /** Without typedefs and qualifiers. */
  async plain(id: TypeId): Promise<{ id: TypeId; node: TypeNode }> {
    let at = id;
    for (let depth = 0; depth < MAX_DEPTH; depth++) {
      const node = await this.node(at);
      if (node.kind !== 'typedef' && node.kind !== 'qualified') return { id: at, node };
      at = node.to;
    }
    throw new ExpressionError('a type that contains itself');
  }

  async bytes(id: TypeId, depth = 0): Promise<number> {
    const { node } = await this.plain(id);
    if (depth > MAX_DEPTH) throw new ExpressionError('a type that contains itself');
    switch (node.kind) {
      case 'array':
        return (node.count ?? 0) * (await this.bytes(node.of, depth + 1));
      // as GCC has it
      case 'void':
      case 'function':
        return 1;
      default:
        return 'bytes' in node ? node.bytes : 0;
    }
  }

  /** The type of a name as it is written. @param near address of code whose types go first @throws ExpressionError */
  async named(written: TypeName, near?: bigint): Promise<TypeId> {
    let id = await this.#base(written, near);
    if (id === undefined)
      throw new ExpressionError(`no type ${typeNameText({ ...written, stars: 0, counts: [] })} is known`);
    for (let star = 0; star < written.stars; star++) id = `p:${id}`;
    for (const count of [...written.counts].reverse()) id = `a:${count}:${id}`;
    return id;
  }

  async #base({ word, name }: TypeName, near: bigint | undefined): Promise<TypeId | undefined> {
    if (word === 'name' && name === 'void') return VOID;
    const found = await this.debug.types?.named(word, name, near);
    if (found !== undefined || word !== 'name') return found;
    if (Object.hasOwn(BASES, name)) return `c:${name}`;
    const [, letter, bits, plain, own] = SHORT.exec(name) ?? [];
    const size = bits ?? own;
    if (size === undefined) return undefined;
    const unsigned = letter === undefined ? plain === 'u' : letter === 'u';
    const names: Readonly<Record<string, readonly [string, string]>> = {
      8: ['signed char', 'unsigned char'],
      16: ['short int', 'short unsigned int'],
      32: ['int', 'unsigned int'],
      64: ['long long int', 'long long unsigned int'],
    };
    return `c:${names[size]![unsigned ? 1 : 0]}`;
  }

  /** A member by its name, also of the unnamed structures inside; with its place from the whole's start. */
  async member(id: TypeId, name: string): Promise<Member | undefined> {
    let left = MAX_MEMBERS;
    const search = async (type: TypeId, from: number, depth: number): Promise<Member | undefined> => {
      const { node } = await this.plain(type);
      if ((node.kind !== 'struct' && node.kind !== 'union') || depth > MAX_DEPTH) return undefined;
      for (const member of node.members) {
        if (--left < 0) return undefined;
        const { bits } = member;
        const placed = {
          ...member,
          offset: member.offset + from,
          ...(bits ? { bits: { ...bits, offset: bits.offset + from * 8 } } : {}),
        };
        if (member.name === name) return placed;
        if (member.name !== undefined) continue;
        const inner = await search(member.type, placed.offset, depth + 1);
        if (inner) return inner;
      }
      return undefined;
    };
    return search(id, 0, 0);
  }
}

/** What C computes with: bits and sign. */
export interface Arithmetic {
  bits: number;
  signed: boolean;
}

/** Of an integer, a truth, an enumeration or a pointer; undefined for other types. */
export function arithmeticOf(node: TypeNode): Arithmetic | undefined {
  if (node.kind === 'enum') return { bits: node.bytes * 8, signed: node.signed };
  if (node.kind === 'pointer') return { bits: node.bytes * 8, signed: false };
  if (node.kind !== 'base' || node.encoding === 'float' || node.encoding === 'other') return undefined;
  return { bits: node.bytes * 8, signed: node.encoding === 'signed' || node.encoding === 'char' };
}
