// Branches, and what a comparison joined with the branch behind it tests.
import { CONDITIONS } from '../opcodes/row.js';
import {
  binary,
  type CompareOp,
  compare,
  condition,
  constant,
  type Expression,
  type Size,
  TARGET,
  unary,
  variable,
} from './expression.js';
import type { FusedRow, Step, UopRow } from './row.js';

/** Condition after CMP a, b; undefined: the flags are asked. */
function compared(cc: number, size: Size): Expression | undefined {
  const [a, b, result] = [variable(size, 'a'), variable(size, 'b'), variable(size, 'r')];
  const direct: Record<string, CompareOp> = {
    B: 'ltu',
    AE: 'geu',
    Z: 'eq',
    NZ: 'ne',
    BE: 'leu',
    A: 'gtu',
    L: 'lts',
    GE: 'ges',
    LE: 'les',
    G: 'gts',
  };
  const name = CONDITIONS[cc];
  if (name === 'S' || name === 'NS') return compare(name === 'S' ? 'lts' : 'ges', result, 0);
  const op = direct[name];
  return op === undefined ? undefined : compare(op, a, b);
}

/** Condition after TEST or a logical operation with result r: CF and OF are 0. */
function tested(cc: number, size: Size): Expression {
  const result = variable(size, 'r');
  const against: Record<string, CompareOp> = {
    Z: 'eq',
    BE: 'eq',
    NZ: 'ne',
    A: 'ne',
    S: 'lts',
    L: 'lts',
    NS: 'ges',
    GE: 'ges',
    LE: 'les',
    G: 'gts',
  };
  const name = CONDITIONS[cc];
  const op = against[name];
  if (op !== undefined) return compare(op, result, 0);
  if (name === 'P' || name === 'NP') {
    const low: Expression =
      size === 2 ? result : size === 3 ? { op: 'wrap', size: 2, a: result } : { op: 'zext', size: 2, a: result };
    const odd = binary('and', unary('popcnt', binary('and', low, 0xff)), 1);
    return compare(name === 'P' ? 'eq' : 'ne', odd, 0);
  }
  return constant(2, name === 'NO' || name === 'AE' ? 1 : 0);
}

/** A comparison's body with the branch behind it: one row for each condition, or one for all. */
export function branchFusions(
  kind: 'compared' | 'tested',
  label: string,
  size: Size,
  body: readonly Step[],
  each: boolean,
): readonly FusedRow[] {
  if (!each) {
    return [{ cc: undefined, name: `${label}, Jcc`, body: [...body, { step: 'branch', test: condition() }] }];
  }
  return CONDITIONS.map((name, cc) => {
    const test = kind === 'compared' ? (compared(cc, size) ?? condition(cc)) : tested(cc, size);
    return { cc, name: `${label}, J${name}`, body: [...body, { step: 'branch', test }] };
  });
}

/** JZ and JNZ behind an operation with result r. */
export function jumpOnZero(label: string, size: Size, body: readonly Step[]): readonly FusedRow[] {
  return (['Z', 'NZ'] as const).map((name) => ({
    cc: CONDITIONS.indexOf(name),
    name: `${label}, J${name}`,
    body: [...body, { step: 'branch', test: compare(name === 'Z' ? 'eq' : 'ne', variable(size, 'r'), 0) }],
  }));
}

/** Near jumps of the flat modes. */
export const branchRows: readonly UopRow[] = [
  {
    name: 'JMP J',
    handler: 'execJmp',
    operation: 0,
    form: 'J',
    size: 0,
    body: [{ step: 'jump', to: TARGET }],
  },
  ...CONDITIONS.map(
    (name, cc): UopRow => ({
      name: `J${name}`,
      handler: 'execJcc',
      operation: cc,
      form: 'J',
      size: 0,
      body: [{ step: 'branch', test: condition(cc) }],
    }),
  ),
];
