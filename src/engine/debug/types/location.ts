/**
 * Location expressions as expressions of our own language. Nothing is run: what the stack machine would compute is
 * written down, so one form is evaluated by commands and compiled into conditions. @dwarf 5, 2.5 "DWARF Expressions"
 */
import { Reader } from '../../../disasm/dwarf/reader.js';
import type { VariablePlace } from '../../debugger.js';
import { binary } from '../expression/evaluate.js';
import type { Binary, Expression } from '../expression/syntax.js';
import { registerName } from './registers.js';

/** What an expression's operations refer to. */
export interface LocationContext {
  addressBytes: number;
  offsetBytes: number;
  version: number;
  /** What DW_OP_fbreg counts from. */
  frameBase?(): Expression;
  /** The canonical frame address. */
  cfa?(): Expression;
  /** Where what was linked at an address lies. */
  placed(linked: bigint): bigint;
  /** An address of .debug_addr, linked. */
  address?(index: number): bigint | undefined;
  /** Bits of a base type by its offset in the unit, and whether it is signed; undefined for one that is no integer. */
  base?(offset: number): { bits: number; signed: boolean } | undefined;
}

/** It cannot be told; its message says why, in some words. */
export class Untold extends Error {}

const MAX_OPERATIONS = 2000;
const MAX_STACK = 64;
/** Branches whose way is not known before memory and registers are: both are written down. */
const MAX_CHOICES = 32;
/** What is written down may grow with each operation that repeats a part of it. */
const MAX_NODES = 4000;

const number = (value: bigint): Expression => ({ kind: 'number', value, at: 0 });
const register = (name: string): Expression => ({ kind: 'name', name, sign: `$${name}`, at: 0 });
const memory = (address: Expression, bytes: number): Expression => ({
  ...{ kind: 'memory', space: 'gva', address, bytes, signed: false, at: 0 },
});

export function sum(a: Expression, offset: bigint): Expression {
  if (a.kind === 'number') return number(BigInt.asUintN(64, a.value + offset));
  if (offset === 0n) return a;
  // what was added before is added to
  if (a.kind === 'binary' && a.op === '+' && a.b.kind === 'number') return sum(a.a, a.b.value + offset);
  return { kind: 'binary', op: '+', a, b: number(offset), at: 0 };
}

const BINARY: Readonly<Record<number, { op: Exclude<Binary, 'and' | 'or'>; signed?: boolean }>> = {
  26: { op: '&' },
  27: { op: '/', signed: true },
  28: { op: '-' },
  29: { op: '%' },
  30: { op: '*' },
  33: { op: '|' },
  34: { op: '+' },
  36: { op: '<<' },
  37: { op: '>>' },
  38: { op: '>>', signed: true },
  39: { op: '^' },
  41: { op: '==' },
  42: { op: '>=', signed: true },
  43: { op: '>', signed: true },
  44: { op: '<=', signed: true },
  45: { op: '<', signed: true },
  46: { op: '!=' },
};

/** Of all ways through a location together. */
interface Spent {
  operations: number;
  choices: number;
}

const OP_BRA = 0x28;
const OP_SKIP = 0x2f;

class Machine {
  private readonly stack: Expression[] = [];
  private readonly pieces: { bits: number; place?: VariablePlace }[] = [];
  /** What the operations so far tell beside an address. */
  private place: VariablePlace | undefined;
  private budget: number;

  constructor(
    private readonly context: LocationContext,
    private readonly depth: number,
    private readonly spent: Spent = { operations: 0, choices: 0 },
  ) {
    this.budget = MAX_NODES;
  }

  private push(node: Expression): void {
    if (this.stack.push(node) > MAX_STACK) throw new Untold('its location is too deep');
  }

  private pop(): Expression {
    const top = this.stack.pop();
    if (top === undefined) throw new Untold('its location is damaged');
    return top;
  }

  private named(number: number): Expression {
    const name = registerName(number, this.context.addressBytes);
    if (name === undefined) throw new Untold('it is in a register of floats or vectors');
    return register(name);
  }

  private piece(bits: number): void {
    const place = this.place ?? (this.stack.length > 0 ? { kind: 'memory' as const, address: this.pop() } : undefined);
    this.pieces.push({ bits, ...(place === undefined ? {} : { place }) });
    this.place = undefined;
    this.stack.length = 0;
  }

  private repeated(node: Expression | undefined): Expression {
    if (node === undefined) throw new Untold('its location is damaged');
    // as an expression that is shared grows only where it is written out, its size is bounded here
    this.budget -= sizeOf(node, this.budget);
    if (this.budget <= 0) throw new Untold('its location is too long');
    return node;
  }

  run(bytes: Uint8Array): VariablePlace {
    try {
      return this.from(bytes, 0);
    } catch (error) {
      if (error instanceof RangeError) throw new Untold('its location is damaged');
      throw error;
    }
  }

  private from(bytes: Uint8Array, start: number): VariablePlace {
    const reader = new Reader(bytes, start, this.context.offsetBytes);
    while (reader.at < bytes.length) {
      if (++this.spent.operations > MAX_OPERATIONS) throw new Untold('its location is too long');
      const op = reader.u8();
      if (op !== OP_SKIP && op !== OP_BRA) {
        this.step(op, reader);
        continue;
      }
      const offset = Number(BigInt.asIntN(16, BigInt(reader.u16())));
      const target = reader.at + offset;
      if (target < 0 || target > bytes.length) throw new Untold('its location is damaged');
      const test = op === OP_SKIP ? number(1n) : this.pop();
      if (test.kind !== 'number') return this.choice(test, bytes, target, reader.at);
      if (test.value !== 0n) reader.at = target;
    }
    if (this.pieces.length > 0) return { kind: 'pieces', pieces: this.pieces };
    return this.place ?? { kind: 'memory', address: this.pop() };
  }

  /** Both ways from a branch to the end, of which the test takes one. */
  private choice(test: Expression, bytes: Uint8Array, taken: number, next: number): VariablePlace {
    if (++this.spent.choices > MAX_CHOICES) throw new Untold('its location goes in a loop');
    if (this.pieces.length > 0 || this.place) throw new Untold('its parts lie here or there');
    const other = new Machine(this.context, this.depth, this.spent);
    other.stack.push(...this.stack);
    other.budget = this.budget;
    const [a, b] = [other.from(bytes, taken), this.from(bytes, next)];
    const chosen = (first: Expression, second: Expression): Expression => {
      const node: Expression = { kind: 'choice', test, a: first, b: second, at: 0 };
      // what stands on the stack before the branch is in both
      if (sizeOf(node, MAX_NODES) > MAX_NODES) throw new Untold('its location is too long');
      return node;
    };
    if (a.kind === 'memory' && b.kind === 'memory') return { kind: 'memory', address: chosen(a.address, b.address) };
    if (a.kind === 'value' && b.kind === 'value') return { kind: 'value', value: chosen(a.value, b.value) };
    throw new Untold('it lies in memory or in a register');
  }

  private step(op: number, reader: Reader): void {
    const { context, stack } = this;
    const { addressBytes } = context;
    if (op >= 0x30 && op <= 0x4f) this.push(number(BigInt(op - 0x30)));
    else if (op >= 0x50 && op <= 0x6f) this.place = { kind: 'value', value: this.named(op - 0x50) };
    else if (op >= 0x70 && op <= 0x8f) this.push(sum(this.named(op - 0x70), reader.leb(true)));
    else if (BINARY[op]) {
      const b = this.pop();
      const a = this.pop();
      const row = BINARY[op]!;
      this.push(pair(row, a, b));
    } else
      switch (op) {
        case 0x03: // addr
          this.push(number(context.placed(addressBytes === 8 ? reader.u64() : BigInt(reader.u32()))));
          break;
        case 0x06: // deref
          this.push(memory(this.pop(), addressBytes));
          break;
        case 0x08:
          this.push(number(BigInt(reader.u8())));
          break;
        case 0x09:
          this.push(number(BigInt(reader.i8())));
          break;
        case 0x0a:
          this.push(number(BigInt(reader.u16())));
          break;
        case 0x0b:
          this.push(number(BigInt.asIntN(16, BigInt(reader.u16()))));
          break;
        case 0x0c:
          this.push(number(BigInt(reader.u32())));
          break;
        case 0x0d:
          this.push(number(BigInt.asIntN(32, BigInt(reader.u32()))));
          break;
        case 0x0e:
        case 0x0f:
          this.push(number(reader.u64()));
          break;
        case 0x10:
          this.push(number(reader.leb(false)));
          break;
        case 0x11:
          this.push(number(reader.leb(true)));
          break;
        case 0x12: // dup
          this.push(this.repeated(stack.at(-1)));
          break;
        case 0x13: // drop
          this.pop();
          break;
        case 0x14: // over
          this.push(this.repeated(stack.at(-2)));
          break;
        case 0x15: // pick
          this.push(this.repeated(stack.at(-1 - reader.u8())));
          break;
        case 0x16: {
          // swap
          const b = this.pop();
          const a = this.pop();
          this.push(b);
          this.push(a);
          break;
        }
        case 0x17: {
          // rot
          const c = this.pop();
          const b = this.pop();
          const a = this.pop();
          this.push(c);
          this.push(a);
          this.push(b);
          break;
        }
        case 0x19: {
          // abs
          const a = this.repeated(this.pop());
          const test = pair(BINARY[0x2d]!, a, number(0n));
          this.push({ kind: 'choice', test, a: { kind: 'unary', op: '-', a, at: 0 }, b: a, at: 0 });
          break;
        }
        case 0x1f:
          this.push({ kind: 'unary', op: '-', a: this.pop(), at: 0 });
          break;
        case 0x20:
          this.push({ kind: 'unary', op: '~', a: this.pop(), at: 0 });
          break;
        case 0x23: // plus_uconst
          this.push(sum(this.pop(), reader.leb(false)));
          break;
        case 0x90: // regx
          this.place = { kind: 'value', value: this.named(reader.uleb()) };
          break;
        case 0x91: // fbreg
          if (context.frameBase === undefined) throw new Untold('its function has no frame base');
          this.push(sum(context.frameBase(), reader.leb(true)));
          break;
        case 0x92: {
          // bregx
          const base = this.named(reader.uleb());
          this.push(sum(base, reader.leb(true)));
          break;
        }
        case 0x93:
          this.piece(reader.uleb() * 8);
          break;
        case 0x94: // deref_size
          this.push(memory(this.pop(), sized(reader.u8())));
          break;
        case 0x96: // nop
          break;
        case 0x9b: // form_tls_address
        case 0xe0:
          throw new Untold('each thread has one of its own');
        case 0x9c:
          if (context.cfa === undefined) throw new Untold('its frame is not recorded');
          this.push(context.cfa());
          break;
        case 0x9d: {
          // bit_piece
          const bits = reader.uleb();
          if (reader.uleb() !== 0) throw new Untold('it begins inside a byte');
          this.piece(bits);
          break;
        }
        case 0x9e:
          this.place = { kind: 'bytes', bytes: reader.block(reader.uleb()).slice() };
          break;
        case 0x9f:
          this.place = { kind: 'value', value: this.pop() };
          break;
        case 0xa0:
        case 0xf2: // implicit_pointer
          throw new Untold('synthetic pointer');
        case 0xa1: // addrx
        case 0xfb:
          this.push(number(context.placed(this.index(reader.uleb()))));
          break;
        case 0xa2: // constx
        case 0xfc:
          this.push(number(this.index(reader.uleb())));
          break;
        case 0xa3: // entry_value
        case 0xf3:
          this.push(this.entry(reader.block(reader.uleb())));
          break;
        case 0xa4: // const_type
        case 0xf4: {
          const base = this.base(reader.uleb());
          const bytes = reader.block(reader.u8());
          const value = bytes.reduceRight((total, byte) => (total << 8n) | BigInt(byte), 0n);
          this.push(number(base.signed ? BigInt.asIntN(base.bits, value) : value));
          break;
        }
        case 0xa5: // regval_type
        case 0xf5: {
          const name = this.named(reader.uleb());
          this.push(this.extended(name, this.base(reader.uleb())));
          break;
        }
        case 0xa6: // deref_type
        case 0xf6: {
          const bytes = sized(reader.u8());
          this.push(this.extended(memory(this.pop(), bytes), this.base(reader.uleb())));
          break;
        }
        case 0xa8: // convert
        case 0xf7:
        case 0xa9: // reinterpret
        case 0xf9: {
          const type = reader.uleb();
          if (type !== 0) this.push(this.extended(this.pop(), this.base(type)));
          break;
        }
        default:
          throw new Untold(`its location has an operation that is not known, 0x${op.toString(16)}`);
      }
  }

  private index(at: number): bigint {
    const found = this.context.address?.(at);
    if (found === undefined) throw new Untold('its location is damaged');
    return found;
  }

  private base(offset: number): { bits: number; signed: boolean } {
    const found = this.context.base?.(offset);
    if (found === undefined) throw new Untold('its location computes with floats');
    return found;
  }

  private extended(a: Expression, { bits, signed }: { bits: number; signed: boolean }): Expression {
    return bits >= 64 ? a : { kind: 'extend', a, bits, signed, at: 0 };
  }

  private entry(bytes: Uint8Array): Expression {
    if (this.depth > 1) throw new Untold('its location is damaged');
    const context = { ...this.context, frameBase: undefined, cfa: undefined };
    const inner = new Machine(context, this.depth + 1, this.spent).run(bytes);
    if (inner.kind === 'value' && inner.value.kind === 'name')
      return { kind: 'entry', register: inner.value.name, at: 0 };
    throw new Untold('it was optimized out');
  }
}

function pair({ op, signed }: (typeof BINARY)[number], a: Expression, b: Expression): Expression {
  if (op === '+' && b.kind === 'number') return sum(a, b.value);
  // where a branch goes may hang on it
  if (a.kind === 'number' && b.kind === 'number' && (b.value !== 0n || (op !== '/' && op !== '%')))
    return number(binary(op, BigInt.asUintN(64, a.value), BigInt.asUintN(64, b.value), signed));
  return { kind: 'binary', op, a, b, ...(signed ? { signed: true } : {}), at: 0 };
}

function sized(bytes: number): 1 | 2 | 4 | 8 {
  if (bytes === 1 || bytes === 2 || bytes === 4 || bytes === 8) return bytes;
  throw new Untold('its location reads an odd number of bytes');
}

/** Nodes of an expression, up to a limit. */
function sizeOf(node: Expression, limit: number): number {
  let count = 1;
  const inner =
    node.kind === 'choice'
      ? [node.test, node.a, node.b]
      : 'b' in node
        ? [node.a, node.b]
        : 'a' in node && node.a
          ? [node.a]
          : 'address' in node
            ? [node.address]
            : [];
  for (const part of inner) if (count <= limit) count += sizeOf(part, limit - count);
  return count;
}

/** Where something lies, or what it is. @throws Untold */
export function placeOf(bytes: Uint8Array, context: LocationContext): VariablePlace {
  return new Machine(context, 0).run(bytes);
}

/** The number that an expression leaves: a frame base, an address, a value. @throws Untold */
export function numberOf(bytes: Uint8Array, context: LocationContext): Expression {
  const place = placeOf(bytes, context);
  if (place.kind === 'memory') return place.address;
  if (place.kind === 'value') return place.value;
  throw new Untold('its frame is not recorded');
}
