// What reads and writes one place of memory, locked or not (one vCPU runs at a time), and single string operations.
import { bits, let_, SIZES } from './alu.js';
import {
  binary,
  compare,
  condition,
  constant,
  DIRECTION,
  type Expression,
  gpr,
  linear,
  mem,
  r,
  rm,
  type Size,
  select,
  unary,
  variable,
  zext,
} from './expression.js';
import { modify, RAX, read, row, set } from './move.js';
import type { FlagStep, Form, Step, UopRow } from './row.js';

const RSI = 6;
const RDI = 7;
const WIDE = [2, 3] as const;
const commit = (value: Expression): Step => ({ step: 'commit', values: [value] });
const flags = (rule: 'added' | 'subtracted', size: Size, first: Expression): FlagStep => ({
  step: 'flags',
  rule,
  size,
  result: variable(size, 'r'),
  first,
});

const exchanges = SIZES.map((size) =>
  row('execXchg', 0, 'MR', size, `XCHG MR ${bits(size)}`, [
    modify(size),
    let_('a', mem(size)),
    commit(r(size)),
    set('r', variable(size, 'a')),
  ]),
);

const sums = SIZES.flatMap((size) => {
  const [a, sum] = [variable(size, 'a'), variable(size, 'r')];
  const made = (form: Form): UopRow =>
    row('execXadd', 0, form, size, `XADD ${form} ${bits(size)}`, [
      ...(form === 'MR' ? [modify(size)] : []),
      let_('a', form === 'MR' ? mem(size) : rm(size)),
      let_('r', binary('add', a, r(size))),
      // with one register for both, the sum stays
      ...(form === 'MR' ? [commit(sum), set('r', a)] : [set('r', a), set('rm', sum)]),
      flags('added', size, a),
    ]);
  return [made('MR'), made('RR')];
});

/** Memory is written in either case; RAX keeps its upper half when the values are equal. */
const comparisons = SIZES.map((size) => {
  const [a, wanted] = [variable(size, 'a'), variable(size, 'w')];
  const equal = compare('eq', a, wanted);
  const accumulator: Step =
    size < 2
      ? set(RAX, select(equal, gpr(size, RAX), a))
      : { step: 'set', to: RAX, size: 3, value: select(equal, gpr(3, RAX), zext(3, a)) };
  return row('execCmpxchg', 0, 'MR', size, `CMPXCHG MR ${bits(size)}`, [
    modify(size),
    let_('a', mem(size)),
    let_('w', gpr(size, RAX)),
    let_('r', binary('sub', wanted, a)),
    commit(select(equal, r(size), a)),
    accumulator,
    flags('subtracted', size, wanted),
  ]);
});

const unaries = SIZES.flatMap((size) => {
  const a = variable(size, 'a');
  return [
    row('execNot', 0, 'M', size, `NOT M ${bits(size)}`, [modify(size), let_('a', unary('not', mem(size))), commit(a)]),
    row('execNeg', 0, 'M', size, `NEG M ${bits(size)}`, [
      modify(size),
      let_('r', binary('sub', constant(size, 0), mem(size))),
      commit(variable(size, 'r')),
      flags('subtracted', size, constant(size, 0)),
    ]),
  ];
});

const setcc = row('execSetcc', 0, 'M', 0, 'SETCC M', [
  { step: 'store', size: 0, at: 'operand', value: { op: 'wrap', size: 0, a: condition() } },
]);

const swapped = WIDE.flatMap((size) => [
  row('execMovbe', 0, 'RM', size, `MOVBE RM ${bits(size)}`, [read(size), set('r', unary('bswap', mem(size)))]),
  row('execMovbe', 0, 'MR', size, `MOVBE MR ${bits(size)}`, [
    { step: 'store', size, at: 'operand', value: unary('bswap', r(size)) },
  ]),
  row('execMovnti', 0, 'MR', size, `MOVNTI MR ${bits(size)}`, [{ step: 'store', size, at: 'operand', value: r(size) }]),
]);

/** One element, with the index registers of a flat mode. */
const strings = SIZES.flatMap((size) => {
  const step = binary('mul', DIRECTION, 1 << size);
  const moved = (register: number): Step => ({
    step: 'set',
    to: register,
    size: 3,
    value: linear(binary('add', gpr(3, register), step)),
  });
  const source: Step = { step: 'access', kind: 'read', size, at: 'source' };
  const save = (value: Expression): Step => ({ step: 'store', size, at: 'destination', value });
  return [
    row('execLods', 0, 'none', size, `LODS ${bits(size)}`, [
      source,
      let_('v', mem(size)),
      moved(RSI),
      set(RAX, variable(size, 'v')),
    ]),
    row('execStos', 0, 'none', size, `STOS ${bits(size)}`, [save(gpr(size, RAX)), moved(RDI)]),
    row('execMovs', 0, 'none', size, `MOVS ${bits(size)}`, [
      source,
      let_('v', mem(size)),
      save(variable(size, 'v')),
      moved(RSI),
      moved(RDI),
    ]),
  ];
});

export const exchangeRows: readonly UopRow[] = [
  ...exchanges,
  ...sums,
  ...comparisons,
  ...unaries,
  setcc,
  ...swapped,
  ...strings,
];
