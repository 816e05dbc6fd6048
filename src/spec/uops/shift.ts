// Shifts and rotations of registers and memory, and two-operand multiplication.
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

const NARROW = [0, 1] as const;
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

type By = 'I' | 'CL';
type Where = 'register' | 'memory';

/** The operand as `a`, the count as `n`; a count of 0 in CL changes no flags. */
function operands(by: By, size: Size, where: Where): readonly Step[] {
  const top = bits(size) - 1;
  const a = variable(size, 'a');
  const memory = where === 'memory';
  // 32 bits still clear the upper half, and memory is still written
  const instead = memory ? [put(where, a)] : size === 2 ? [set('rm', a)] : [];
  return [
    ...(memory ? [{ step: 'access', kind: 'modify', size, at: 'operand' } as const] : []),
    let_('a', memory ? mem(size) : rm(size)),
    let_('n', by === 'I' ? imm(size) : zextCount(size, top)),
    ...(by === 'CL' ? [{ step: 'skipIf', test: compare('eq', variable(size, 'n'), 0), instead } as const] : []),
  ];
}

const put = (where: Where, value: Expression): Step =>
  where === 'memory' ? { step: 'commit', values: [value] } : set('rm', value);

/** Form and name. */
const written = (name: string, by: By, size: Size, where: Where): ['MI' | 'M' | 'RI' | 'R', Size, string] => [
  where === 'memory' ? (by === 'I' ? 'MI' : 'M') : by === 'I' ? 'RI' : 'R',
  size,
  `${name} ${where === 'memory' ? 'M ' : ''}${by} ${bits(size)}`,
];

function shift(name: 'SHL' | 'SHR' | 'SAR', by: By, size: Size, where: Where): UopRow {
  const top = bits(size) - 1;
  const [a, n, result, c] = [variable(size, 'a'), variable(size, 'n'), variable(size, 'r'), variable(2, 'c')];
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
  return row('execShift', SHIFTS[name], ...written(name, by, size, where), [
    ...operands(by, size, where),
    first,
    put(where, result),
    ...rest,
  ]);
}

const zextCount = (size: Size, top: number): Expression => binary('and', zext(size, gpr(0, RCX)), top);

function rotation(name: 'ROL' | 'ROR', by: By, size: Size, where: Where): UopRow {
  const top = bits(size) - 1;
  const [a, n, result, c] = [variable(size, 'a'), variable(size, 'n'), variable(size, 'r'), variable(2, 'c')];
  const carry = name === 'ROL' ? binary('and', low(result), 1) : low(binary('shr', result, top));
  const overflow =
    name === 'ROL' ? binary('xor', c, low(binary('shr', result, top))) : binary('xor', c, bit(result, top - 1));
  const back = binary('sub', constant(size, top + 1), n);
  const [left, right] = name === 'ROL' ? [n, back] : [back, n];
  return row('execShift', SHIFTS[name], ...written(name, by, size, where), [
    ...operands(by, size, where),
    let_(
      'r',
      size >= 2
        ? binary(name === 'ROL' ? 'rotl' : 'rotr', a, n)
        : binary('or', binary('shl', a, left), binary('shr', a, right)),
    ),
    put(where, result),
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

const COUNTS = ['I', 'CL'] as const;
const PLACES = ['register', 'memory'] as const;

export const shiftRows: readonly UopRow[] = [
  ...PLACES.flatMap((where) => [
    ...COUNTS.flatMap((by) => [
      ...(['SHL', 'SHR', 'SAR'] as const).flatMap((name) => WIDE.map((size) => shift(name, by, size, where))),
      ...(['ROL', 'ROR'] as const).flatMap((name) => WIDE.map((size) => rotation(name, by, size, where))),
    ]),
    ...(['SHL', 'SHR', 'SAR'] as const).flatMap((name) => NARROW.map((size) => shift(name, 'I', size, where))),
    ...(['ROL', 'ROR'] as const).flatMap((name) => NARROW.map((size) => rotation(name, 'I', size, where))),
  ]),
  ...(['RR', 'RM', 'RI', 'MI'] as const).flatMap((form) => WIDE.map((size) => product(form, size))),
];
export { carryAndOverflow, given, low };
