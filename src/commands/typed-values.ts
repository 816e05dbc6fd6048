/** Expressions of commands with the types and variables of the guest's code. */
import type { TypeId } from '../disasm/type-node.js';
import { evaluateNode } from '../engine/debug/expression/evaluate.js';
import { meaningOf, type Names } from '../engine/debug/expression/names.js';
import { type Expression, ExpressionError, partsOf } from '../engine/debug/expression/syntax.js';
import type { CodeFrame } from '../engine/debug/types/frames.js';
import { loadBits } from '../engine/debug/types/place.js';
import { type NameScope, Resolver, type Typed } from '../engine/debug/types/resolve.js';
import { arithmeticOf, type TypeTable } from '../engine/debug/types/type-table.js';
import { bytesOf, type Format, type ValueContext, valueText } from '../engine/debug/types/value-text.js';
import type { CodeBlock, TypedVariable, VariablePlace } from '../engine/debugger.js';
import { chosenFrame, codeView } from './chosen-frame.js';
import type { Session } from './command.js';

/** Bytes of one value: a structure or array that is printed. */
const MAX_VALUE = 1 << 20;

/** Where an expression is evaluated. */
export interface Place {
  readonly names: Names;
  readonly pc?: bigint;
  /** Innermost last. */
  readonly blocks: readonly CodeBlock[];
  readonly frame?: CodeFrame;
}

/** In the chosen frame, as the guest stands. */
export async function placeNow(session: Session): Promise<Place> {
  const names = await session.names();
  const { debug } = session;
  if ((await session.state()).running) return { names, blocks: [] };
  const level = codeView(debug).level(session.vcpu);
  // without types, frames matter only where one was chosen
  if (level === 0 && debug.types === undefined) return { names, blocks: [] };
  const frame = await chosenFrame(session).catch(() => undefined);
  return frame === undefined ? { names, blocks: [] } : placeOfFrame(session, frame);
}

/** In a frame: registers are those that it has. */
export async function placeOfFrame(session: Session, frame: CodeFrame): Promise<Place> {
  const names = await session.names();
  const own = { pc: frame.at, blocks: frame.blocks, frame };
  if (frame.level === 0) return { names, ...own };
  return { names: { ...names, registers: { ...frame.registers, pc: frame.pc } }, ...own };
}

/** At an address, where control will come by. */
export async function placeAt(session: Session, pc: bigint): Promise<Place> {
  const names = await session.names();
  const blocks = (await session.debug.types?.scope(pc)) ?? [];
  // those of a function that was inlined have names of their own
  const start = blocks.findLastIndex(({ kind }) => kind !== 'block');
  return { names, pc, blocks: blocks.slice(Math.max(0, start)) };
}

/** Anywhere: only what has one place in all code. */
export const placeAnywhere = async (session: Session): Promise<Place> => ({ names: await session.names(), blocks: [] });

/** A variable of these blocks, the innermost first. */
export function localOf(blocks: readonly CodeBlock[], name: string): TypedVariable | undefined {
  for (let at = blocks.length - 1; at >= 0; at--) {
    const found = blocks[at]!.variables.filter((variable) => variable.name === name);
    if (found.length > 0) return found.at(-1);
  }
  return undefined;
}

export function nameScope(session: Session, place: Place, addresses: boolean): NameScope {
  const { debug } = session;
  const { names, pc, blocks, frame } = place;
  const types = codeView(debug).types;
  const taken = (name: string): boolean => {
    if (names.later?.(name)) return true;
    const symbol = names.symbols?.byName(name);
    if (symbol) return debug.types === undefined || symbol.kind === 'function';
    try {
      const meaning = meaningOf({ kind: 'name', name, at: 0 }, names);
      return meaning !== undefined;
    } catch {
      return false;
    }
  };
  return {
    types,
    ...(pc === undefined ? {} : { pc }),
    taken,
    local: async (name) => localOf(blocks, name),
    global: async (name) => debug.types?.variable(name, pc),
    enumerator: async (name) => debug.types?.enumerator(name, pc),
    ...(frame === undefined ? {} : { entry: (register: string) => entryValue(session, frame, register) }),
    addresses,
  };
}

/** What a register was when a frame's function was called: as its caller's code tells, by the caller's registers. */
async function entryValue(session: Session, frame: CodeFrame, register: string): Promise<Expression | undefined> {
  const { debug, vcpu } = session;
  const stack = await codeView(debug).stack(session);
  let level = frame.level + 1;
  let caller = await stack.frame(level);
  // what was inlined has its function's registers
  while (caller && caller.pc === frame.pc && caller.registers === frame.registers) caller = await stack.frame(++level);
  if (caller === undefined) return undefined;
  const expression = await debug.types?.atCall(caller.pc, register);
  if (expression === undefined) return undefined;
  const resolver = new Resolver(nameScope(session, { names: {}, blocks: [], frame: caller }, false));
  try {
    const value = await evaluateNode(await resolver.entered(expression), { registers: caller.registers }, (load) =>
      debug.readMemory(load.space, load.address, load.bytes, vcpu),
    );
    return { kind: 'number', value, at: 0 };
  } catch {
    return undefined;
  }
}

/** Plain numbers, registers and memory are as they are. */
function needsScope(node: Expression): boolean {
  for (const part of partsOf(node)) {
    if (part.kind === 'name') {
      if (part.sign === undefined) return true;
    } else if (!['number', 'unary', 'binary', 'memory'].includes(part.kind)) return true;
  }
  return false;
}

/** An expression that needs no types any more. @throws ExpressionError */
export async function resolvedAt(
  session: Session,
  node: Expression,
  place: Place,
  addresses = false,
): Promise<Expression> {
  if (!needsScope(node)) return node;
  return new Resolver(nameScope(session, place, addresses)).number(node);
}

/** The number that an expression is, where the guest stands. @param addresses a variable's name alone is its address */
export async function numberNow(session: Session, node: Expression, addresses: boolean): Promise<bigint> {
  const plain = !needsScope(node) && codeView(session.debug).level(session.vcpu) === 0;
  const place = plain ? { names: await session.names(), blocks: [] } : await placeNow(session);
  return numberAt(session, await resolvedAt(session, node, place, addresses), place);
}

const reader =
  ({ debug, vcpu }: Session) =>
  (load: { space: 'gva' | 'gpa'; address: bigint; bytes: number }): Promise<Uint8Array> =>
    debug.readMemory(load.space, load.address, load.bytes, vcpu);

export async function numberAt(session: Session, node: Expression, place: Place): Promise<bigint> {
  try {
    return await evaluateNode(node, place.names, reader(session));
  } catch (error) {
    throw lostRegister(error, place);
  }
}

/** Of a caller not all registers are known. */
function lostRegister(error: unknown, { frame }: Place): unknown {
  const lost = /^no register \$(\w+)$/.exec((error as Error).message)?.[1];
  if (lost === undefined || frame === undefined || frame.level === 0) return error;
  return new ExpressionError(`${lost} of frame ${frame.level} is not known: the function it calls did not save it`);
}

export interface TypedValue {
  type: TypeId;
  bytes: Uint8Array;
  /** Where it lies in memory. */
  address?: bigint;
}

/** The bytes of a value with its type. @throws ExpressionError where it lies nowhere or its memory is not there */
export async function typedValueOf(session: Session, value: Typed, place: Place): Promise<TypedValue> {
  const { types } = codeView(session.debug);
  const resolver = new Resolver(nameScope(session, place, false));
  const type = value.type!;
  const size = await types.bytes(type);
  if (size > MAX_VALUE) throw new ExpressionError(`it has ${size} bytes: look at one of its members`);
  const { node } = await types.plain(type);
  if (value.node === undefined && value.bits === undefined && value.place) {
    const bytes = await bytesAt(session, resolver, value.place, size, place);
    return bytes;
  }
  const number = await numberAt(session, await resolver.load(value), place);
  if (node.kind === 'array' || node.kind === 'function') return { type, bytes: new Uint8Array(0), address: number };
  return { type, bytes: bytesOf(number, size) };

  async function bytesAt(
    { debug, vcpu }: Session,
    using: Resolver,
    at: VariablePlace,
    count: number,
    here: Place,
  ): Promise<TypedValue> {
    if (at.kind === 'none') throw new ExpressionError(at.why);
    if (at.kind === 'bytes') return { type, bytes: padded(at.bytes, count) };
    if (at.kind === 'memory') {
      const address = await numberAt(session, await using.entered(at.address), here);
      if (node.kind === 'function') return { type, bytes: new Uint8Array(0), address };
      const found = count === 0 ? new Uint8Array(0) : await debug.readMemory('gva', address, count, vcpu);
      if (found.length < count)
        throw new ExpressionError(`nothing is mapped at gva 0x${(address + BigInt(found.length)).toString(16)}`);
      return { type, bytes: found, address };
    }
    // in registers, in words of eight bytes
    const found = new Uint8Array(count);
    for (let from = 0; from < count; from += 8) {
      const part = Math.min(8, count - from);
      const word = await numberAt(session, await using.entered(loadBits(at, from * 8, part * 8, false)), here);
      found.set(bytesOf(word, part), from);
    }
    return { type, bytes: found };
  }
}

function padded(bytes: Uint8Array, count: number): Uint8Array {
  if (bytes.length >= count) return bytes.subarray(0, count);
  const whole = new Uint8Array(count);
  whole.set(bytes);
  return whole;
}

export async function valueContext(session: Session, format?: Format): Promise<ValueContext> {
  const { debug, vcpu } = session;
  const symbols = await session.symbols();
  return {
    types: codeView(debug).types,
    read: (address, length) => debug.readMemory('gva', address, length, vcpu),
    label: (address) => {
      const match = symbols.lookup(address);
      if (!match) return undefined;
      return match.offset === 0n ? match.symbol.name : `${match.symbol.name}+${match.offset}`;
    },
    ...(format === undefined ? {} : { format }),
  };
}

/** A variable's value in gdb's form, or why it has none between angles. */
export async function variableText(session: Session, variable: TypedVariable, place: Place): Promise<string> {
  try {
    const value = await typedValueOf(session, variable, place);
    return await valueText(await valueContext(session), value.bytes, value.type, false);
  } catch (error) {
    const { message } = error as Error;
    return `<${/optimized out/.test(message) ? 'optimized out' : message}>`;
  }
}

/** The type of an expression's value; undefined for a number of 64 bits without one. */
export async function typedNow(session: Session, node: Expression): Promise<{ value: Typed; place: Place }> {
  const place = await placeNow(session);
  const resolver = new Resolver(nameScope(session, place, false));
  return { value: await resolver.typed(node), place };
}

/** Whether a type is one of numbers. */
export async function isNumber(types: TypeTable, id: TypeId): Promise<boolean> {
  return arithmeticOf((await types.plain(id)).node) !== undefined;
}

/** Where a variable, member or element lies in memory, and its bytes; undefined for what is none, or lies elsewhere. */
export async function objectNow(
  session: Session,
  node: Expression,
): Promise<{ address: bigint; bytes: number; bits?: { offset: number; size: number } } | undefined> {
  const { value, place } = await typedNow(session, node);
  if (value.type === undefined || value.place?.kind !== 'memory' || value.node?.kind === 'number') return undefined;
  const { types } = codeView(session.debug);
  const resolver = new Resolver(nameScope(session, place, false));
  const start = await numberAt(session, await resolver.entered(value.place.address), place);
  if (value.bits === undefined) return { address: start, bytes: await types.bytes(value.type) };
  const first = value.bits.offset >> 3;
  const last = (value.bits.offset + value.bits.size - 1) >> 3;
  const { size, offset } = value.bits;
  return { address: start + BigInt(first), bytes: last - first + 1, bits: { size, offset: offset & 7 } };
}
