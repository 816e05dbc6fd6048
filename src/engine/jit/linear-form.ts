// What is known of a register inside a loop: a sum of registers as they stood at the loop's head, each times a number, and a
// constant. In 64-bit code parts of the sum may be cut to 32 bits and widened again.
import type { Expression } from '../../spec/uops/expression.js';
import { REG_RIP, REG_ZERO } from '../core/layout.js';
import type { DecodedUop } from './decoded.js';
import { GENERAL_REGISTERS, operandOf } from './operand-code.js';

/** Stands for RIP of the region's first block among registers. */
export const ROOT_RIP = 64;
/** Constants beyond are not reckoned with: sums of them stay exact numbers. */
const MAX_CONSTANT = 2 ** 47;
const MAX_PARTS = 4;

/** Registers at the loop's head, by number, times numbers. */
export type Terms = ReadonlyMap<number, number>;

/** 32 bits of a sum, widened with zeros or with their sign, times a number. */
export interface Cut {
  readonly times: number;
  readonly terms: Terms;
  readonly constant: number;
  readonly isSigned: boolean;
}

/** In 32-bit code there are no cuts: all of it is meant in 32 bits. */
export interface Sum {
  readonly terms: Terms;
  readonly cuts: readonly Cut[];
  readonly constant: number;
}

const NOTHING: Sum = { terms: new Map(), cuts: [], constant: 0 };

const termsKey = (terms: Terms): string =>
  [...terms]
    .sort(([a], [b]) => a - b)
    .map(([register, times]) => `${register}*${times}`)
    .join('+');
export const cutKey = ({ terms, constant, isSigned }: Cut): string =>
  `${isSigned ? 's' : 'u'}(${termsKey(terms)}+${constant})`;
/** Sums with equal keys differ by their constants. */
export const sumKey = ({ terms, cuts }: Sum): string =>
  [termsKey(terms), ...cuts.map((cut) => `${cutKey(cut)}*${cut.times}`).sort()].join(' ');
export const sameSum = (a: Sum, b: Sum): boolean => a.constant === b.constant && sumKey(a) === sumKey(b);

export const registerSum = (register: number): Sum => ({ ...NOTHING, terms: new Map([[register, 1]]) });

const constantSum = (constant: number): Sum | undefined =>
  Math.abs(constant) < MAX_CONSTANT ? { ...NOTHING, constant } : undefined;

function addTerms(a: Terms, b: Terms, times: number): Terms {
  const out = new Map(a);
  for (const [register, by] of b) {
    const sum = (out.get(register) ?? 0) + by * times;
    if (sum === 0) out.delete(register);
    else out.set(register, sum);
  }
  return out;
}

/** a + b * times; undefined: more than is reckoned with. */
export function added(a: Sum | undefined, b: Sum | undefined, times = 1): Sum | undefined {
  if (!a || !b) return undefined;
  const cuts = new Map(a.cuts.map((cut) => [cutKey(cut), cut]));
  for (const cut of b.cuts) {
    const key = cutKey(cut);
    const sum = (cuts.get(key)?.times ?? 0) + cut.times * times;
    if (sum === 0) cuts.delete(key);
    else cuts.set(key, { ...cut, times: sum });
  }
  const terms = addTerms(a.terms, b.terms, times);
  const constant = a.constant + b.constant * times;
  if (Math.abs(constant) >= MAX_CONSTANT || terms.size + cuts.size > MAX_PARTS) return undefined;
  return { terms, cuts: [...cuts.values()], constant };
}

/** The same modulo 2^32, without cuts. */
export function low(sum: Sum | undefined): Sum | undefined {
  if (!sum) return undefined;
  let { terms, constant } = sum;
  for (const cut of sum.cuts) {
    terms = addTerms(terms, cut.terms, cut.times);
    constant += cut.constant * cut.times;
  }
  return Number.isSafeInteger(constant) ? { terms, cuts: [], constant: constant | 0 } : undefined;
}

/** 32 bits, which a sum without cuts stands for, widened to 64. */
export function widened(sum: Sum | undefined, isSigned: boolean, long: boolean): Sum | undefined {
  if (!sum || !long) return sum;
  const { terms, constant } = sum;
  if (terms.size === 0) return constantSum(isSigned ? constant | 0 : constant >>> 0);
  return { ...NOTHING, cuts: [{ times: 1, terms, constant, isSigned }] };
}

/** Where a micro-op's expressions are looked at. */
export interface Known {
  readonly uop: DecodedUop;
  readonly long: boolean;
  /** Offset of the block from the region's first one. */
  readonly delta: number;
  readonly register: (register: number) => Sum | undefined;
  readonly variables: ReadonlyMap<string, Sum | undefined>;
}

/** The memory operand's address. */
function addressSum(known: Known): Sum | undefined {
  const { uop, delta, register } = known;
  const slot = (index: number): Sum | undefined => (index < GENERAL_REGISTERS ? register(index) : undefined);
  let sum = constantSum(uop.displacement);
  if (uop.base === REG_RIP) sum = added(added(registerSum(ROOT_RIP), constantSum(delta)), sum);
  else if (uop.base !== REG_ZERO) sum = added(slot(uop.base), sum);
  return uop.index === REG_ZERO ? sum : added(sum, slot(uop.index), 1 << uop.scale);
}

/** What an expression of 32 or 64 bits comes to: of 32 bits modulo 2^32; undefined: not known. */
export function sumOf(known: Known, e: Expression): Sum | undefined {
  const { uop, long } = known;
  if (e.size !== 2 && e.size !== 3) return undefined;
  const sized = (sum: Sum | undefined): Sum | undefined => (e.size === 2 ? low(sum) : sum);
  switch (e.op) {
    case 'const':
      return constantSum(e.value);
    case 'imm':
      return sized(constantSum(Number(BigInt.asIntN(8 << e.size, uop.immediate))));
    case 'var':
      return known.variables.get(`${e.name} ${e.size}`);
    case 'r':
    case 'rm':
      return sized(known.register(operandOf(uop, e.op, e.size).register));
    case 'gpr':
      return sized(known.register(e.register));
    case 'address':
      return addressSum(known);
    case 'linear':
      return sumOf(known, e.a);
    case 'add':
      return sized(added(sumOf(known, e.a), sumOf(known, e.b)));
    case 'sub':
      return sized(added(sumOf(known, e.a), sumOf(known, e.b), -1));
    case 'wrap':
      return e.a.size === 3 ? low(sumOf(known, e.a)) : undefined;
    case 'zext':
    case 'sext':
      return e.a.size === 2 ? widened(sumOf(known, e.a), e.op === 'sext', long) : undefined;
    default:
      return undefined;
  }
}
