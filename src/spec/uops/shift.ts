// Shifts, rotations and two-operand multiplication of 32- and 64-bit registers.
import { bits, let_ } from './alu.js';
import {
  binary,
  compare,
  constant,
  type Expression,
  gpr,
  imm,
  mem,
  r,
  rm,
  type Size,
  select,
  sext,
  variable,
  wrap,
  zext,
} from './expression.js';
import { RCX, read, row, set } from './move.js';
import type { FlagStep, Step, UopRow } from './row.js';

const WIDE = [2, 3] as const;

/** ModRM.reg of the shift group. */
const SHIFTS = { ROL: 0, ROR: 1, SHL: 4, SHR: 5, SAR: 7 } as const;

export const bit = (value: Expression, at: Expression | number): Expression =>
  binary('and', low(binary('shr', value, at)), 1);
const low = (value: Expression): Expression => (value.size === 3 ? wrap(2, value) : zext(2, value));
/** CF and OF in the places of RFLAGS. */
const carryAndOverflow = (c: Expression, o: Expression): Expression => binary('or', c, binary('shl', o, 11));
const given = (size: Size, value: Expression): FlagStep => ({
  step: 'flags',
  rule: 'given',
  size,
  result: variable(size, 'r'),
  bits: value,
});

function shift(name: 'SHL' | 'SHR' | 'SAR', by: 'I' | 'CL', size: Size): UopRow {
  const top = bits(size) - 1;
  const [a, n, result, c] = [variable(size, 'a'), variable(size, 'n'), variable(size, 'r'), variable(2, 'c')];
  const count: Expression = by === 'I' ? imm(size) : zextCount(size, top);
  const compute: Record<typeof name, Step[]> = {
    SHL: [
      let_('r', binary('shl', a, n)),
      let_('c', bit(a, binary('sub', constant(size, top + 1), n))),
      given(size, carryAndOverflow(c, binary('xor', c, low(binary('shr', result, top))))),
    ],
    SHR: [
      let_('r', binary('shr', a, n)),
      let_('c', bit(a, binary('sub', n, 1))),
      given(size, carryAndOverflow(c, bit(result, top - 1))),
    ],
    SAR: [
      let_('r', binary('sar', a, n)),
      let_('c', binary('and', low(binary('sar', a, binary('sub', n, 1))), 1)),
      given(size, c),
    ],
  };
  const [first, ...rest] = compute[name];
  return row('execShift', SHIFTS[name], by === 'I' ? 'RI' : 'R', size, `${name} ${by} ${bits(size)}`, [
    let_('a', rm(size)),
    let_('n', count),
    // A count of 0 changes no flags; 32 bits still clear the upper half.
    ...(by === 'CL'
      ? [{ step: 'skipIf', test: compare('eq', n, 0), instead: size === 2 ? [set('rm', a)] : [] } as const]
      : []),
    first,
    set('rm', result),
    ...rest,
  ]);
}

const zextCount = (size: Size, top: number): Expression => binary('and', zext(size, gpr(0, RCX)), top);

function rotation(name: 'ROL' | 'ROR', by: 'I' | 'CL', size: 2 | 3): UopRow {
  const top = bits(size) - 1;
  const [result, c] = [variable(size, 'r'), variable(2, 'c')];
  const carry = name === 'ROL' ? binary('and', low(result), 1) : low(binary('shr', result, top));
  const overflow =
    name === 'ROL' ? binary('xor', c, low(binary('shr', result, top))) : binary('xor', c, bit(result, top - 1));
  const n = variable(size, 'n');
  return row('execShift', SHIFTS[name], by === 'I' ? 'RI' : 'R', size, `${name} ${by} ${bits(size)}`, [
    let_('a', rm(size)),
    let_('n', by === 'I' ? imm(size) : zextCount(size, top)),
    ...(by === 'CL'
      ? [
          {
            step: 'skipIf',
            test: compare('eq', n, 0),
            instead: size === 2 ? [set('rm', variable(size, 'a'))] : [],
          } as const,
        ]
      : []),
    let_('r', binary(name === 'ROL' ? 'rotl' : 'rotr', variable(size, 'a'), n)),
    set('rm', result),
    let_('c', carry),
    { step: 'flags', rule: 'some', size, mask: 0x801, bits: carryAndOverflow(c, overflow) },
  ]);
}

function product(form: 'RR' | 'RM' | 'RI' | 'MI', size: 2 | 3): UopRow {
  const inMemory = form.includes('M');
  const three = form.endsWith('I');
  const [a, b, result] = [variable(size, 'a'), variable(size, 'b'), variable(size, 'r')];
  const overflow =
    size === 2 ? compare('ne', binary('mul', sext(3, a), sext(3, b)), sext(3, result)) : compare('overflows', a, b);
  return row(three ? 'execImul3' : 'execImul2', 0, form, size, `IMUL ${form} ${bits(size)}`, [
    ...(inMemory ? [read(size)] : []),
    let_('a', three ? imm(size) : r(size)),
    let_('b', inMemory ? mem(size) : rm(size)),
    let_('r', binary('mul', a, b)),
    set('r', result),
    given(size, select(overflow, constant(2, 0x801), constant(2, 0))),
  ]);
}

export const shiftRows: readonly UopRow[] = [
  ...(['I', 'CL'] as const).flatMap((by) =>
    (['SHL', 'SHR', 'SAR'] as const).flatMap((name) => WIDE.map((size) => shift(name, by, size))),
  ),
  ...(['SHL', 'SHR', 'SAR'] as const).flatMap((name) => ([0, 1] as const).map((size) => shift(name, 'I', size))),
  ...(['ROL', 'ROR'] as const).flatMap((name) =>
    (['I', 'CL'] as const).flatMap((by) => WIDE.map((size) => rotation(name, by, size))),
  ),
  ...(['RR', 'RM', 'RI', 'MI'] as const).flatMap((form) => WIDE.map((size) => product(form, size))),
];
export { carryAndOverflow, given, low };
