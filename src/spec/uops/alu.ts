// Integer arithmetic and logic on operands of 8 to 64 bits, alone and joined with the branch behind.
import { CONDITIONS } from '../opcodes/row.js';
import { branchFusions, jumpOnZero } from './branch.js';
import {
  binary,
  CARRY,
  constant,
  type Expression,
  imm,
  mem,
  r,
  rm,
  type Size,
  unary,
  variable,
  zext,
} from './expression.js';
import type { FlagStep, Form, FusedRow, Step, UopRow } from './row.js';

export const ALU = ['ADD', 'OR', 'ADC', 'SBB', 'AND', 'SUB', 'XOR', 'CMP'] as const;
export const SIZES: readonly Size[] = [0, 1, 2, 3];
export const bits = (size: Size): number => 8 << size;

const let_ = (name: string, value: Expression): Step => ({ step: 'let', name, value });

/** Result r of an operation on a and b, and its flags, to be set when nothing can fault any more. */
function operation(name: (typeof ALU)[number], size: Size): { compute: Step[]; flags: FlagStep } {
  const [a, b, c, result] = [variable(size, 'a'), variable(size, 'b'), variable(size, 'c'), variable(size, 'r')];
  switch (name) {
    case 'ADD':
      return { compute: [let_('r', binary('add', a, b))], flags: flags('added', size, { first: a }) };
    case 'SUB':
    case 'CMP':
      return { compute: [let_('r', binary('sub', a, b))], flags: flags('subtracted', size, { first: a }) };
    case 'ADC':
    case 'SBB': {
      const op = name === 'ADC' ? 'add' : 'sub';
      const carry: Expression = size === 3 ? zext(3, CARRY) : size === 2 ? CARRY : { op: 'wrap', size, a: CARRY };
      return {
        compute: [let_('c', carry), let_('r', binary(op, binary(op, a, b), c))],
        flags: flags(name === 'ADC' ? 'added' : 'subtracted', size, { first: a, carry: c }),
      };
    }
    default: {
      const op = name === 'OR' ? 'or' : name === 'AND' ? 'and' : 'xor';
      return { compute: [let_('r', binary(op, a, b))], flags: { step: 'flags', rule: 'logic', size, result } };
    }
  }
}

function flags(rule: 'added' | 'subtracted', size: Size, more: Pick<FlagStep, 'first' | 'carry'>): FlagStep {
  return { step: 'flags', rule, size, result: variable(size, 'r'), ...more };
}

/** Reads operands a and b of a two-operand form. */
function operands(form: Form, size: Size, access: 'read' | 'modify'): Step[] {
  const inMemory = form.includes('M');
  const second = form.endsWith('I') ? imm(size) : form === 'RM' ? mem(size) : r(size);
  const first = form === 'RM' ? r(size) : inMemory ? mem(size) : rm(size);
  return [
    ...(inMemory ? [{ step: 'access', kind: form === 'RM' ? 'read' : access, size, at: 'operand' } as const] : []),
    let_('a', first),
    let_('b', second),
  ];
}

/** Puts r into the destination of a two-operand form. */
function put(form: Form, size: Size): Step {
  const value = variable(size, 'r');
  if (form.startsWith('M')) return { step: 'commit', values: [value] };
  return { step: 'set', to: form === 'RM' ? 'r' : 'rm', size, value };
}

/** Fused rows of CMP and TEST: with conditions of their own for the common forms, one for all for the rest. */
function comparison(name: 'CMP' | 'TEST', form: Form, size: Size, body: readonly Step[]): readonly FusedRow[] {
  const inMemory = form.includes('M');
  const label = `${name} ${form} ${bits(size)}`;
  if (name === 'TEST' && form === 'MR') return [];
  if (name === 'TEST' && form === 'MI' && size === 3) return [];
  const own = !inMemory && size !== 1 && (size >= 2 || form === 'RI');
  return branchFusions(name === 'CMP' ? 'compared' : 'tested', label, size, body, own);
}

const arithmetic = ALU.flatMap((name, n) =>
  (['RR', 'RM', 'MR', 'RI', 'MI'] as const).flatMap((form) =>
    SIZES.map((size): UopRow => {
      const { compute, flags } = operation(name, size);
      const compare = name === 'CMP';
      const body: Step[] = [
        ...operands(form, size, compare ? 'read' : 'modify'),
        ...compute,
        ...(compare ? [] : [put(form, size)]),
        flags,
      ];
      const zero = ['ADD', 'SUB', 'AND'].includes(name) && form === 'RI' && size >= 2;
      const label = `${name} ${form} ${bits(size)}`;
      const fused = compare ? comparison('CMP', form, size, body) : zero ? jumpOnZero(label, size, body) : [];
      return { name: label, handler: 'execAlu', operation: n, form, size, body, fused };
    }),
  ),
);

const tests = (['RR', 'RI', 'MR', 'MI'] as const).flatMap((form) =>
  SIZES.map((size): UopRow => {
    const body: Step[] = [
      ...operands(form, size, 'read'),
      let_('r', binary('and', variable(size, 'a'), variable(size, 'b'))),
      { step: 'flags', rule: 'logic', size, result: variable(size, 'r') },
    ];
    const name = `TEST ${form} ${bits(size)}`;
    const fused = comparison('TEST', form, size, body);
    return { name, handler: 'execTest', operation: 0, form, size, body, fused };
  }),
);

const steps = (['INC', 'DEC'] as const).flatMap((name, n) =>
  (['R', 'M'] as const).flatMap((form) =>
    SIZES.map((size): UopRow => {
      const from = form === 'M' ? mem(size) : rm(size);
      const body: Step[] = [
        ...(form === 'M' ? [{ step: 'access', kind: 'modify', size, at: 'operand' } as const] : []),
        let_('r', binary(name === 'INC' ? 'add' : 'sub', from, 1)),
        put(form === 'M' ? 'MR' : 'RR', size),
        {
          step: 'flags',
          rule: name === 'INC' ? 'increment' : 'decrement',
          size,
          result: variable(size, 'r'),
        },
      ];
      const label = `${name} ${form} ${bits(size)}`;
      const fused = form === 'R' && size >= 2 ? jumpOnZero(label, size, body) : [];
      return { name: label, handler: 'execIncDec', operation: n, form, size, body, fused };
    }),
  ),
);

const not = ([2, 3] as const).map((size): UopRow => {
  const body: Step[] = [{ step: 'set', to: 'rm', size, value: unary('not', rm(size)) }];
  return { name: `NOT R ${bits(size)}`, handler: 'execNot', operation: 0, form: 'R', size, body };
});

const neg = ([2, 3] as const).map((size): UopRow => {
  const body: Step[] = [
    let_('r', binary('sub', constant(size, 0), rm(size))),
    { step: 'set', to: 'rm', size, value: variable(size, 'r') },
    flags('subtracted', size, { first: constant(size, 0) }),
  ];
  return { name: `NEG R ${bits(size)}`, handler: 'execNeg', operation: 0, form: 'R', size, body };
});

export const aluRows: readonly UopRow[] = [...arithmetic, ...tests, ...steps, ...not, ...neg];
export { CONDITIONS, let_ };
