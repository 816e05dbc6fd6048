/**
 * From what is written to what is computed: names of variables, members, elements, casts and C's rules for numbers
 * become memory, registers, sums and signs, which need no types any more.
 */
import { type TypeId, type TypeNode, VOID } from '../../../disasm/type-node.js';
import type { TypedVariable, VariablePlace } from '../../debugger.js';
import { type Binary, type Expression, ExpressionError, isComparison } from '../expression/syntax.js';

import { sum } from './location.js';
import { loadBits, placeFrom } from './place.js';
import { type Arithmetic, arithmeticOf, type TypeTable } from './type-table.js';

/** What names mean where an expression is evaluated. */
export interface NameScope {
  readonly types: TypeTable;
  /** Address of the code there. */
  readonly pc?: bigint;
  /** Something else has the name: a field of an exit, a register. */
  taken(name: string): boolean;
  /** Of the function's blocks, the innermost first. */
  local(name: string): Promise<TypedVariable | undefined>;
  global(name: string): Promise<TypedVariable | undefined>;
  enumerator(name: string): Promise<{ value: bigint; type: TypeId } | undefined>;
  /** What a register was when the function was called. */
  entry?(register: string): Promise<Expression | undefined>;
  /** A variable's name alone is its address, as that of any symbol, not its value. */
  readonly addresses: boolean;
}

/** A value, or a place with one. */
export interface Typed {
  /** Undefined: a number of 64 bits without a type, as registers are. */
  type?: TypeId;
  /** Where it lies. */
  place?: VariablePlace;
  /** It lies in these bits from the place's start. */
  bits?: { offset: number; size: number };
  /** The number that it is; absent where it has to be taken from its place. */
  node?: Expression;
  /** A number as it is written fits what it stands beside. */
  literal?: true;
}

const number = (value: bigint): Expression => ({ kind: 'number', value: BigInt.asUintN(64, value), at: 0 });
const INT: TypeId = 'c:int';
const LONG: TypeId = 'c:long int';

export class Resolver {
  constructor(private readonly scope: NameScope) {}

  /** The number of an expression. @throws ExpressionError */
  async number(node: Expression): Promise<Expression> {
    return this.load(await this.typed(node, this.scope.addresses));
  }

  /** @param addresses a variable's name alone is its address @throws ExpressionError */
  async typed(node: Expression, addresses = this.scope.addresses): Promise<Typed> {
    switch (node.kind) {
      case 'number':
        return { node, literal: true };
      case 'name':
        return this.named(node, addresses);
      case 'memory':
        return this.memory(node);
      case 'member':
        return this.member(await this.typed(node.a, false), node.name, node.arrow, node);
      case 'index': {
        const base = await this.typed(node.a, false);
        return this.pointed(await this.added(base, await this.typed(node.index), '+'), node);
      }
      case 'address':
        return this.addressOf(node);
      case 'cast':
        return this.cast(await this.typed(node.a), await this.scope.types.named(node.type, this.scope.pc));
      case 'sizeof':
        return { node: number(BigInt(await this.sizeOf(node))), type: 'c:long unsigned int' };
      case 'unary':
        return this.unary(node);
      case 'binary':
        return this.binary(node);
      case 'extend':
        return { node: { ...node, a: await this.number(node.a) } };
      case 'choice': {
        const [test, a, b] = [await this.number(node.test), await this.number(node.a), await this.number(node.b)];
        return { node: { ...node, test, a, b } };
      }
      case 'entry': {
        const value = await this.scope.entry?.(node.register);
        if (value === undefined) throw new ExpressionError('it was optimized out');
        return { node: await this.number(value) };
      }
    }
  }

  private async sizeOf(node: Expression & { kind: 'sizeof' }): Promise<number> {
    const { types } = this.scope;
    if (node.type) return types.bytes(await types.named(node.type, this.scope.pc));
    const { type } = await this.typed(node.a!, false);
    return type === undefined ? 8 : types.bytes(type);
  }

  /** A variable whose parts of entry values were looked for. */
  variable({ type, place }: TypedVariable): Typed {
    return { type, place };
  }

  private async named(node: Expression & { kind: 'name' }, addresses: boolean): Promise<Typed> {
    const { name, sign } = node;
    const { scope } = this;
    if (sign !== undefined) return { node };
    const local = await scope.local(name);
    if (local) return this.variable(local);
    const [first = '', ...members] = name.split('.');
    const outer =
      members.length > 0
        ? ((await scope.local(first)) ?? (scope.taken(name) ? undefined : await scope.global(first)))
        : undefined;
    if (outer) {
      let value: Typed = this.variable(outer);
      for (const member of members) value = await this.member(value, member, false, node);
      return value;
    }
    if (scope.taken(name)) return { node };
    const global = await scope.global(name);
    if (global && addresses) {
      // what a symbol is everywhere
      if (global.place.kind === 'memory') return { node: global.place.address };
    } else if (global) {
      const { node: type } = await scope.types.plain(global.type);
      if (type.kind === 'function' && global.place.kind === 'memory')
        return { ...this.variable(global), node: global.place.address };
      return this.variable(global);
    }
    const constant = await scope.enumerator(name);
    if (constant) return { node: number(constant.value), type: constant.type };
    return { node };
  }

  private async memory(node: Expression & { kind: 'memory' }): Promise<Typed> {
    if (node.star) {
      const target = await this.typed(node.address, false);
      if (target.type !== undefined) {
        const { node: type } = await this.scope.types.plain(target.type);
        if (type.kind === 'pointer' || type.kind === 'array' || type.kind === 'function')
          return this.pointed(target, node);
        // a variable that is no pointer: what stands at its name, as at any symbol's
        if (
          node.address.kind === 'name' &&
          target.place?.kind === 'memory' &&
          (await this.scope.local(node.address.name)) === undefined
        )
          return { node: { ...node, address: target.place.address } };
      }
      return { node: { ...node, address: await this.load(target) } };
    }
    return { node: { ...node, address: await this.load(await this.typed(node.address, true)) } };
  }

  /** What a pointer leads to, or an array begins with. */
  private async pointed(pointer: Typed, node: Expression): Promise<Typed> {
    const { types } = this.scope;
    const type = pointer.type === undefined ? undefined : (await types.plain(pointer.type)).node;
    if (type?.kind === 'array' && pointer.place) return { type: type.of, place: pointer.place };
    if (type?.kind === 'function') return pointer;
    if (type?.kind !== 'pointer') {
      if (node.kind === 'index') throw new ExpressionError('[N] is of arrays and pointers whose types are known');
      throw new ExpressionError('it is not a pointer');
    }
    const address = await this.load(pointer);
    const { node: to } = await types.plain(type.to);
    if (to.kind === 'function') return { type: type.to, place: { kind: 'memory', address }, node: address };
    return { type: type.to, place: { kind: 'memory', address } };
  }

  private async member(value: Typed, name: string, arrow: boolean, node: Expression): Promise<Typed> {
    const { types } = this.scope;
    let whole = value;
    let type = value.type === undefined ? undefined : (await types.plain(value.type)).node;
    // C tells `.` and `->` apart, and gdb takes either
    if (type?.kind === 'pointer' || (type?.kind === 'array' && arrow)) {
      whole = await this.pointed(value, node);
      type = (await types.plain(whole.type!)).node;
    }
    if (type === undefined)
      throw new ExpressionError(
        `${name}: what it is a member of has no type; a cast gives it one: ((struct foo *)rdi)->x`,
      );
    if (type.kind !== 'struct' && type.kind !== 'union')
      throw new ExpressionError(`${name}: what stands before it is not a structure or union`);
    const found = await types.member(whole.type!, name);
    if (found === undefined) {
      const known = `${type.kind} ${type.name ?? '{...}'}`;
      throw new ExpressionError(
        type.declared ? `the members of ${known} are not known` : `${known} has no member ${name}`,
      );
    }
    if (whole.place === undefined) throw new ExpressionError(`${name}: it has no address`);
    if (found.bits) return { type: found.type, place: whole.place, bits: found.bits };
    return { type: found.type, place: placeFrom(whole.place, found.offset) };
  }

  private async addressOf(node: Expression & { kind: 'address' }): Promise<Typed> {
    const value = await this.typed(node.a, false);
    if (value.bits) throw new ExpressionError('a bit field has no address');
    if (value.type === undefined) {
      // a symbol that no type is known of is its address
      if (node.a.kind === 'name' && node.a.sign === undefined && value.node) return { node: value.node };
      if (value.node?.kind === 'memory' && value.node.space === 'gva') return { node: value.node.address };
      throw new ExpressionError('it has no address');
    }
    if (value.place?.kind !== 'memory') throw new ExpressionError('it is in a register, or nowhere: it has no address');
    return { node: value.place.address, type: `p:${value.type}` };
  }

  async arithmetic(type: TypeId | undefined): Promise<Arithmetic | undefined> {
    return type === undefined ? undefined : arithmeticOf((await this.scope.types.plain(type)).node);
  }

  /** The number that a value is. @throws ExpressionError for structures and what lies nowhere */
  async load(value: Typed): Promise<Expression> {
    if (value.node) return value.node;
    const { type, place, bits } = value;
    if (place === undefined || type === undefined) throw new ExpressionError('it has no value');
    const { node } = await this.scope.types.plain(type);
    // they are where they begin
    if (node.kind === 'array' || node.kind === 'function') {
      if (place.kind === 'memory') return place.address;
      throw new ExpressionError('it is in registers: it has no address');
    }
    if (place.kind === 'none') throw new ExpressionError(`it has no value here: ${place.why}`);
    const arithmetic = arithmeticOf(node);
    if (arithmetic === undefined) throw new ExpressionError(`${wordOf(node)} is not a number`);
    const loaded = bits
      ? loadBits(place, bits.offset, bits.size, arithmetic.signed)
      : loadBits(place, 0, arithmetic.bits, arithmetic.signed);
    return this.entered(loaded);
  }

  /** With what registers were on entry. */
  async entered(node: Expression, depth = 0): Promise<Expression> {
    if (depth > 200) throw new ExpressionError('its location is too deep');
    if (node.kind === 'entry') return this.number(node);
    if (node.kind === 'memory') return { ...node, address: await this.entered(node.address, depth + 1) };
    if (node.kind === 'binary')
      return { ...node, a: await this.entered(node.a, depth + 1), b: await this.entered(node.b, depth + 1) };
    if (node.kind === 'choice') {
      const test = await this.entered(node.test, depth + 1);
      return { ...node, test, a: await this.entered(node.a, depth + 1), b: await this.entered(node.b, depth + 1) };
    }
    if (node.kind === 'unary' || node.kind === 'extend') return { ...node, a: await this.entered(node.a, depth + 1) };
    return node;
  }

  private async cast(value: Typed, type: TypeId): Promise<Typed> {
    const { types } = this.scope;
    const { node } = await types.plain(type);
    if (node.kind === 'void') return { type: VOID, node: number(0n) };
    if (node.kind === 'struct' || node.kind === 'union' || node.kind === 'array') {
      if (value.place?.kind === 'memory') return { type, place: value.place };
      throw new ExpressionError(
        `a cast to ${wordOf(node)}: cast to a pointer to it, *(${await this.pointerText(node)})x`,
      );
    }
    const to = arithmeticOf(node);
    if (to === undefined) throw new ExpressionError(`a cast to ${wordOf(node)} is not supported`);
    const from = value.type === undefined ? undefined : (await types.plain(value.type)).node;
    if (from?.kind === 'struct' || from?.kind === 'union')
      throw new ExpressionError(`${wordOf(from)} cannot be cast: & gives its address`);
    const loaded = await this.load(value);
    if (node.kind === 'base' && node.encoding === 'bool')
      return { type, node: { kind: 'binary', op: '!=', a: loaded, b: number(0n), at: 0 } };
    return { type, node: narrowed(loaded, to) };
  }

  private async pointerText(node: TypeNode): Promise<string> {
    return node.kind === 'struct' || node.kind === 'union' ? `${node.kind} ${node.name ?? 'foo'} *` : 'type *';
  }

  /** As C has it: what is smaller than an int is one. */
  private async promoted(value: Typed): Promise<{ node: Expression; as: Arithmetic | undefined; literal: boolean }> {
    const node = await this.load(value);
    if (value.literal) return { node, as: undefined, literal: true };
    const own = await this.arithmetic(value.type);
    if (own === undefined) {
      if (value.type !== undefined) {
        const { node: type } = await this.scope.types.plain(value.type);
        if (type.kind === 'base') throw new ExpressionError(`${type.name} is not computed with`);
      }
      return { node, as: undefined, literal: false };
    }
    const bits = value.bits?.size ?? own.bits;
    return { node, as: bits < 32 ? { bits: 32, signed: true } : own, literal: false };
  }

  private async unary(node: Expression & { kind: 'unary' }): Promise<Typed> {
    const value = await this.typed(node.a);
    const { node: a, as, literal } = await this.promoted(value);
    const plain: Expression = { ...node, a };
    if (node.op === 'not') return value.type === undefined ? { node: plain } : { node: plain, type: INT };
    if (as === undefined) return literal ? { node: plain, literal: true } : { node: plain };
    return { node: narrowed(plain, as), type: typeOfArithmetic(as) };
  }

  private async binary(node: Expression & { kind: 'binary' }): Promise<Typed> {
    const { op } = node;
    const [left, right] = [await this.typed(node.a), await this.typed(node.b)];
    if (op === 'and' || op === 'or') {
      const parts = { ...node, a: await this.load(left), b: await this.load(right) };
      return left.type === undefined && right.type === undefined ? { node: parts } : { node: parts, type: INT };
    }
    if (op === '+' || op === '-') {
      const moved = await this.moved(left, right, op);
      if (moved) return moved;
    }
    const [a, b] = [await this.promoted(left), await this.promoted(right)];
    const as = common(a, b);
    const both: Expression = { ...node, a: fitted(a.node, a.as, as), b: fitted(b.node, b.as, as) };
    if (as === undefined) return { node: both };
    const signed: Expression = { ...both, ...(as.signed ? { signed: true } : {}) };
    if (isComparison(op)) return { node: signed, type: INT };
    if (op === '<<' || op === '>>') {
      const own = a.as ?? as;
      const shifted: Expression = { ...node, a: a.node, b: b.node, ...(own.signed ? { signed: true } : {}) };
      return { node: narrowed(shifted, own), type: typeOfArithmetic(own) };
    }
    return { node: narrowed(signed, as), type: typeOfArithmetic(as) };
  }

  /** What a pointer or array steps by: bytes of an element. */
  private async stride(value: Typed): Promise<{ bytes: number; to: TypeId } | undefined> {
    if (value.type === undefined) return undefined;
    const { node } = await this.scope.types.plain(value.type);
    const to = node.kind === 'pointer' ? node.to : node.kind === 'array' ? node.of : undefined;
    return to === undefined ? undefined : { bytes: Math.max(1, await this.scope.types.bytes(to)), to };
  }

  /** Pointers and numbers added or taken off; undefined where there is no pointer. */
  private async moved(left: Typed, right: Typed, op: '+' | '-'): Promise<Typed | undefined> {
    const [a, b] = [await this.stride(left), await this.stride(right)];
    if (a && b) {
      if (op === '+') throw new ExpressionError('two pointers cannot be added');
      const difference: Expression = {
        kind: 'binary',
        op: '-',
        a: await this.load(left),
        b: await this.load(right),
        at: 0,
      };
      const count: Expression = {
        kind: 'binary',
        op: '/',
        a: difference,
        b: number(BigInt(a.bytes)),
        signed: true,
        at: 0,
      };
      return { node: a.bytes === 1 ? difference : count, type: LONG };
    }
    if (a) return this.added(left, right, op);
    return b && op === '+' ? this.added(right, left, op) : undefined;
  }

  private async added(pointer: Typed, offset: Typed, op: Binary): Promise<Typed> {
    const step = await this.stride(pointer);
    if (step === undefined) throw new ExpressionError('[N] is of arrays and pointers whose types are known');
    const count = await this.load(offset);
    if (op === '+' && count.kind === 'number') {
      const bytes = BigInt.asIntN(64, count.value) * BigInt(step.bytes);
      const type = (await this.scope.types.plain(pointer.type!)).node;
      // an array may lie in registers, and keeps its place
      if (type.kind === 'array' && pointer.place && pointer.place.kind !== 'memory' && bytes >= 0n && bytes < 1n << 20n)
        return { type: `a:1:${step.to}`, place: placeFrom(pointer.place, Number(bytes)) };
      return { node: sum(await this.load(pointer), bytes), type: `p:${step.to}` };
    }
    const scaled: Expression =
      step.bytes === 1 ? count : { kind: 'binary', op: '*', a: count, b: number(BigInt(step.bytes)), at: 0 };
    return { node: { kind: 'binary', op, a: await this.load(pointer), b: scaled, at: 0 }, type: `p:${step.to}` };
  }
}

const wordOf = (node: TypeNode): string =>
  node.kind === 'struct' || node.kind === 'union'
    ? `${node.kind} ${node.name ?? '{...}'}`
    : node.kind === 'base'
      ? node.name
      : node.kind === 'array'
        ? 'an array'
        : `a ${node.kind}`;

const narrowed = (node: Expression, { bits, signed }: Arithmetic): Expression =>
  bits >= 64 ? node : { kind: 'extend', a: node, bits, signed, at: 0 };

const typeOfArithmetic = ({ bits, signed }: Arithmetic): TypeId =>
  bits > 32 ? (signed ? 'c:long long int' : 'c:long long unsigned int') : signed ? INT : 'c:unsigned int';

type Promoted = { node: Expression; as: Arithmetic | undefined; literal: boolean };

/** Which both sides become; undefined where one of them has no type: then both are unsigned, of 64 bits. */
function common(a: Promoted, b: Promoted): Arithmetic | undefined {
  if (a.literal && b.literal) return undefined;
  const x = a.literal ? literalAs(a.node, b.as) : a.as;
  const y = b.literal ? literalAs(b.node, a.as) : b.as;
  if (x === undefined || y === undefined) return undefined;
  if (x.bits !== y.bits) return x.bits > y.bits ? x : y;
  return { bits: x.bits, signed: x.signed && y.signed };
}

/** A number as it is written is an int where it fits, else a long; beside what has no type it has none. */
function literalAs(node: Expression, other: Arithmetic | undefined): Arithmetic | undefined {
  if (other === undefined) return undefined;
  if (node.kind !== 'number') return { bits: 64, signed: true };
  const { value } = node;
  if (value >= -(1n << 31n) && value < 1n << 31n) return { bits: 32, signed: true };
  return { bits: 64, signed: value < 1n << 63n };
}

/** A negative number beside an unsigned one of 32 bits is a large one. */
function fitted(node: Expression, own: Arithmetic | undefined, as: Arithmetic | undefined): Expression {
  if (as === undefined || as.bits >= 64 || as.signed) return node;
  if (own !== undefined && !own.signed) return node;
  return { kind: 'extend', a: node, bits: as.bits, signed: false, at: 0 };
}
