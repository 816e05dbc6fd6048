/** The value of an expression now: by registers that were read, and memory that is asked for on the way. */
import { meaningOf, type Names } from './names.js';
import { type Binary, type Expression, ExpressionError, NEEDS_TYPES, parseExpression } from './syntax.js';

/** What is to be read for the value to be known. */
export interface Load {
  readonly space: 'gva' | 'gpa';
  readonly address: bigint;
  readonly bytes: number;
}

/** Answers fewer bytes where memory ends. */
export type ReadMemory = (load: Load) => Promise<Uint8Array>;

const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
const truth = (value: boolean): bigint => (value ? 1n : 0n);
/** A shift of 64 or more moves everything out. */
const shift = (value: bigint): bigint => (value > 64n ? 64n : value);

function nonZero(value: bigint): bigint {
  if (value === 0n) throw new ExpressionError('division by zero');
  return value;
}

/** Of unsigned numbers of 64 bits. */
const BINARY: Readonly<Record<Exclude<Binary, 'and' | 'or'>, (a: bigint, b: bigint) => bigint>> = {
  '*': (a, b) => a * b,
  '/': (a, b) => a / nonZero(b),
  '%': (a, b) => a % nonZero(b),
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '<<': (a, b) => a << shift(b),
  '>>': (a, b) => a >> shift(b),
  '&': (a, b) => a & b,
  '^': (a, b) => a ^ b,
  '|': (a, b) => a | b,
  '==': (a, b) => truth(a === b),
  '!=': (a, b) => truth(a !== b),
  '<': (a, b) => truth(a < b),
  '<=': (a, b) => truth(a <= b),
  '>': (a, b) => truth(a > b),
  '>=': (a, b) => truth(a >= b),
};

const sign = (value: bigint): bigint => BigInt.asIntN(64, value);
/** Of two's complement numbers of 64 bits, as far as that is something else. */
const SIGNED: Readonly<Partial<typeof BINARY>> = {
  '/': (a, b) => sign(a) / nonZero(sign(b)),
  '%': (a, b) => sign(a) % nonZero(sign(b)),
  '>>': (a, b) => sign(a) >> shift(b),
  '<': (a, b) => truth(sign(a) < sign(b)),
  '<=': (a, b) => truth(sign(a) <= sign(b)),
  '>': (a, b) => truth(sign(a) > sign(b)),
  '>=': (a, b) => truth(sign(a) >= sign(b)),
};

export const binary = (op: Exclude<Binary, 'and' | 'or'>, a: bigint, b: bigint, signed = false): bigint =>
  unsigned(((signed ? SIGNED[op] : undefined) ?? BINARY[op])(a, b));

/** Asks for memory on the way; all values are unsigned, of 64 bits. */
export function* stepsOf(node: Expression, names: Names): Generator<Load, bigint, Uint8Array> {
  switch (node.kind) {
    case 'number':
      return unsigned(node.value);
    case 'name': {
      const meaning = meaningOf(node, names);
      if (meaning.kind === 'constant') return unsigned(meaning.value);
      if (meaning.kind === 'later') throw new ExpressionError(`${node.name} is not known here`);
      return BigInt.asUintN(meaning.bits, (names.registers?.[meaning.name] ?? 0n) >> BigInt(meaning.shift));
    }
    case 'unary': {
      const a = yield* stepsOf(node.a, names);
      return node.op === 'not' ? truth(a === 0n) : unsigned(node.op === '-' ? -a : ~a);
    }
    case 'memory': {
      const { space, bytes, signed } = node;
      const address = yield* stepsOf(node.address, names);
      const found = yield { space, address, bytes };
      if (found.length < bytes) throw new ExpressionError(`nothing is mapped at ${space} 0x${address.toString(16)}`);
      const value = found.subarray(0, bytes).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
      return signed ? unsigned(BigInt.asIntN(bytes * 8, value)) : value;
    }
    case 'binary': {
      const { op } = node;
      const a = yield* stepsOf(node.a, names);
      // what stands behind is not looked at where it does not matter
      if (op === 'and') return a === 0n ? 0n : truth((yield* stepsOf(node.b, names)) !== 0n);
      if (op === 'or') return a !== 0n ? 1n : truth((yield* stepsOf(node.b, names)) !== 0n);
      return binary(op, a, yield* stepsOf(node.b, names), node.signed);
    }
    case 'extend': {
      const a = yield* stepsOf(node.a, names);
      return node.signed ? unsigned(BigInt.asIntN(node.bits, a)) : BigInt.asUintN(node.bits, a);
    }
    case 'choice':
      return yield* stepsOf((yield* stepsOf(node.test, names)) !== 0n ? node.a : node.b, names);
    case 'entry':
      throw new ExpressionError('it was optimized out');
    default:
      throw new ExpressionError(NEEDS_TYPES);
  }
}

/** @throws ExpressionError in one line; UnknownName where a name is not known (yet) */
export async function evaluateNode(node: Expression, names: Names, read: ReadMemory): Promise<bigint> {
  const run = stepsOf(node, names);
  let step = run.next();
  while (!step.done) step = run.next(await read(step.value));
  return step.value;
}

/** As evaluateNode, of a text. */
export const evaluateWith = async (text: string, names: Names, read: ReadMemory): Promise<bigint> =>
  evaluateNode(parseExpression(text), names, read);

/** Of what reads no memory. @throws ExpressionError where it would */
export function constantOf(node: Expression, names: Names): bigint {
  const step = stepsOf(node, names).next();
  if (step.done) return step.value;
  throw new ExpressionError('memory cannot be read here');
}

/** As evaluateNode, of a text, where memory can be read at once, or not at all. */
export function evaluate(text: string, names: Names, read?: (load: Load) => Uint8Array): bigint {
  const node = parseExpression(text);
  if (read === undefined) return constantOf(node, names);
  const run = stepsOf(node, names);
  let step = run.next();
  while (!step.done) step = run.next(read(step.value));
  return step.value;
}
