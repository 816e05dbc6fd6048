// Bit tests, scans and counts, BMI, double shifts, rotations through CF; single flags.
import { bits, let_ } from './alu.js';
import {
  binary,
  CARRY,
  compare,
  constant,
  type Expression,
  gpr,
  imm,
  mem,
  r,
  rm,
  type Size,
  STATUS,
  select,
  unary,
  VEX,
  variable,
  wrap,
  zext,
} from './expression.js';
import { modify, RAX, RCX, RDX, read, row, set } from './move.js';
import type { FlagStep, Form, Step, UopRow } from './row.js';
import { bit, low } from './shift.js';

const WIDE = [2, 3] as const;
type Wide = 2 | 3;

const CF = 1;
const PF = 4;
const ZF = 0x40;
const SF = 0x80;
const OF = 0x800;
const ALL = 0x8d5;
const DF = 0x400;

/** Only the flags of `mask` change, to the bits of `value`. */
export const some = (size: Size, mask: number, value: Expression): FlagStep => ({
  step: 'flags',
  rule: 'some',
  size,
  mask,
  bits: value,
});

const either = (...all: Expression[]): Expression => all.reduce((a, b) => binary('or', a, b));
const flagWhen = (test: Expression, flag: number): Expression => select(test, constant(2, flag), constant(2, 0));
const zeroFlag = (value: Expression): Expression => flagWhen(compare('eq', value, 0), ZF);
const signFlag = (value: Expression): Expression => binary('and', low(binary('shr', value, bits(value.size) - 8)), SF);
const parityFlag = (value: Expression): Expression =>
  binary('xor', binary('shl', binary('and', unary('popcnt', binary('and', low(value), 0xff)), 1), 2), PF);

/** Source in a register or memory, into `a`. */
const sources = (
  handler: string,
  size: Wide,
  name: string,
  body: readonly Step[],
  operation = 0,
  inMemory: Form = 'RM',
): UopRow[] => [
  row(handler, operation, 'RR', size, `${name} RR ${bits(size)}`, [let_('a', rm(size)), ...body]),
  row(handler, operation, inMemory, size, `${name} RM ${bits(size)}`, [read(size), let_('a', mem(size)), ...body]),
];

const scans = WIDE.flatMap((size) => {
  const a = variable(size, 'a');
  // a source of 0 leaves the whole register
  const into = (found: Expression): Step[] => [
    { step: 'set', to: 'r', size: 3, value: select(compare('eq', a, 0), r(3), zext(3, found)) },
    some(size, ZF, zeroFlag(a)),
  ];
  const count = (found: Expression): Step[] => [
    let_('n', found),
    set('r', variable(size, 'n')),
    some(size, CF | ZF, either(flagWhen(compare('eq', a, 0), CF), zeroFlag(variable(size, 'n')))),
  ];
  return [
    ...sources('execBsf', size, 'BSF', into(unary('ctz', a))),
    ...sources('execBsr', size, 'BSR', into(binary('sub', constant(size, bits(size) - 1), unary('clz', a)))),
    ...sources('execTzcnt', size, 'TZCNT', count(unary('ctz', a))),
    ...sources('execLzcnt', size, 'LZCNT', count(unary('clz', a))),
    ...sources('execPopcnt', size, 'POPCNT', [set('r', unary('popcnt', a)), some(size, ALL, zeroFlag(a))]),
  ];
});

/** BT BTS BTR BTC; an immediate stays inside its memory operand. */
const bitTests = (['BT', 'BTS', 'BTR', 'BTC'] as const).flatMap((name, operation) =>
  WIDE.flatMap((size) => {
    const [a, n] = [variable(size, 'a'), variable(size, 'n')];
    const one = binary('shl', constant(size, 1), n);
    const changed = [a, binary('or', a, one), binary('and', a, unary('not', one)), binary('xor', a, one)][operation];
    const made = (form: Form): UopRow => {
      const inMemory = form === 'MI';
      const offset = binary('and', form === 'RR' ? r(size) : imm(size), bits(size) - 1);
      const body: Step[] = [
        ...(inMemory ? [operation === 0 ? read(size) : modify(size)] : []),
        let_('a', inMemory ? mem(size) : rm(size)),
        let_('n', offset),
        let_('c', bit(a, n)),
        ...(operation === 0 ? [] : [inMemory ? ({ step: 'commit', values: [changed] } as const) : set('rm', changed)]),
        some(size, CF, variable(2, 'c')),
      ];
      return row('execBt', operation, form, size, `${name} ${form} ${bits(size)}`, body);
    };
    return [made('RR'), made('RI'), made('MI')];
  }),
);

const doubleShifts = (['SHLD', 'SHRD'] as const).flatMap((name) =>
  (['RI', 'RR'] as const).flatMap((form) =>
    WIDE.map((size) => {
      const left = name === 'SHLD';
      const [a, b, n, rest, result] = ['a', 'b', 'n', 'rest', 'r'].map((one) => variable(size, one));
      const top = bits(size) - 1;
      const count = binary('and', form === 'RI' ? imm(size) : zext(size, gpr(0, RCX)), top);
      const by = form === 'RI' ? 'I' : 'CL';
      const [up, down] = left ? (['shl', 'shr'] as const) : (['shr', 'shl'] as const);
      return row(left ? 'execShld' : 'execShrd', 0, form, size, `${name} ${by} ${bits(size)}`, [
        let_('a', rm(size)),
        let_('b', r(size)),
        let_('n', count),
        ...(form === 'RR'
          ? [{ step: 'skipIf', test: compare('eq', n, 0), instead: size === 2 ? [set('rm', a)] : [] } as const]
          : []),
        let_('rest', binary('sub', constant(size, top + 1), n)),
        let_('r', binary('or', binary(up, a, n), binary(down, b, rest))),
        set('rm', result),
        let_('c', bit(a, left ? rest : binary('sub', n, 1))),
        let_('o', binary('shl', bit(binary('xor', result, a), top), 11)),
        some(
          size,
          ALL & ~0x10,
          either(variable(2, 'c'), variable(2, 'o'), parityFlag(result), zeroFlag(result), signFlag(result)),
        ),
      ]);
    }),
  ),
);

/** RCL and RCR by 1. */
const throughCarry = WIDE.flatMap((size) => {
  const [a, result, c] = [variable(size, 'a'), variable(size, 'r'), variable(2, 'c')];
  const top = bits(size) - 1;
  const carry = size === 3 ? zext(3, CARRY) : CARRY;
  const overflow = (o: Expression): Step => some(size, CF | OF, binary('or', c, binary('shl', o, 11)));
  return [
    row('execShift', 2, 'RI', size, `RCL 1 ${bits(size)}`, [
      let_('a', rm(size)),
      let_('r', binary('or', binary('shl', a, 1), carry)),
      set('rm', result),
      let_('c', bit(a, top)),
      overflow(binary('xor', c, bit(result, top))),
    ]),
    row('execShift', 3, 'RI', size, `RCR 1 ${bits(size)}`, [
      let_('a', rm(size)),
      let_('r', binary('or', binary('shr', a, 1), binary('shl', carry, top))),
      set('rm', result),
      let_('c', bit(a, 0)),
      overflow(binary('xor', bit(result, top), bit(result, top - 1))),
    ]),
  ];
});

const vexSet = (value: Expression): Step => ({ step: 'set', to: 'vex', size: value.size, value });

const bmi = WIDE.flatMap((size) => {
  const [a, n, result] = [variable(size, 'a'), variable(size, 'n'), variable(size, 'r')];
  const top = bits(size) - 1;
  const v = VEX(size);
  const carriedAndSigned = (mask: number, carry: Expression): Step =>
    some(size, mask, either(carry, zeroFlag(result), signFlag(result)));
  const lowest = (name: string, operation: number, value: Expression, carry: Expression): UopRow[] =>
    sources(
      'execBls',
      size,
      name,
      [let_('r', value), vexSet(result), carriedAndSigned(CF | OF | SF | ZF, flagWhen(carry, CF))],
      operation,
      'MR',
    );
  const less = binary('sub', a, 1);
  const beyond = compare('gtu', n, constant(size, top));
  const shifted = (handler: string, name: string, op: 'shl' | 'shr' | 'sar'): UopRow[] =>
    sources(handler, size, name, [let_('n', binary('and', v, top)), set('r', binary(op, a, n))]);
  const product: Step[] =
    size === 2
      ? [
          let_('w', binary('mul', zext(3, gpr(2, RDX)), zext(3, a))),
          vexSet(wrap(2, variable(3, 'w'))),
          set('r', wrap(2, binary('shr', variable(3, 'w'), 32))),
        ]
      : [
          let_('lo', binary('mul', gpr(3, RDX), a)),
          let_('hi', binary('mulhu', gpr(3, RDX), a)),
          vexSet(variable(3, 'lo')),
          set('r', variable(3, 'hi')),
        ];
  return [
    ...sources('execAndn', size, 'ANDN', [
      let_('r', binary('and', unary('not', v), a)),
      set('r', result),
      carriedAndSigned(ALL & ~PF, constant(2, 0)),
    ]),
    ...lowest('BLSR', 1, binary('and', less, a), compare('eq', a, 0)),
    ...lowest('BLSMSK', 2, binary('xor', less, a), compare('eq', a, 0)),
    ...lowest('BLSI', 3, binary('and', binary('sub', constant(size, 0), a), a), compare('ne', a, 0)),
    ...shifted('execShlx', 'SHLX', 'shl'),
    ...shifted('execShrx', 'SHRX', 'shr'),
    ...shifted('execSarx', 'SARX', 'sar'),
    ...sources('execMulx', size, 'MULX', product),
    ...sources('execBzhi', size, 'BZHI', [
      let_('n', binary('and', v, 0xff)),
      let_(
        'r',
        select(beyond, a, binary('and', a, binary('sub', binary('shl', constant(size, 1), binary('and', n, top)), 1))),
      ),
      set('r', result),
      carriedAndSigned(CF | OF | SF | ZF, flagWhen(beyond, CF)),
    ]),
  ];
});

/** RORX has an immediate besides: forms RI and MI. */
const rotations = WIDE.flatMap((size) => {
  const rotated = set('r', binary('rotr', variable(size, 'a'), binary('and', imm(size), bits(size) - 1)));
  return [
    row('execRorx', 0, 'RI', size, `RORX RI ${bits(size)}`, [let_('a', rm(size)), rotated]),
    row('execRorx', 0, 'MI', size, `RORX MI ${bits(size)}`, [read(size), let_('a', mem(size)), rotated]),
  ];
});

const named = (operation: number, name: string, body: readonly Step[]): UopRow =>
  row('execFlagOp', operation, 'none', 0, name, body);

/** Operations as decode/fuse.ts numbers them by opcode. */
const flagOperations = [
  named(0, 'CMC', [let_('c', binary('xor', CARRY, 1)), some(2, CF, variable(2, 'c'))]),
  named(1, 'CLC', [some(2, CF, constant(2, 0))]),
  named(2, 'STC', [some(2, CF, constant(2, 1))]),
  named(3, 'CLD', [{ step: 'system', mask: DF, value: 0 }]),
  named(4, 'STD', [{ step: 'system', mask: DF, value: DF }]),
  // AH is byte 1
  row('execLahf', 0, 'none', 0, 'LAHF', [
    let_('f', binary('or', binary('and', STATUS, 0xd5), 2)),
    {
      step: 'set',
      to: RAX,
      size: 1,
      value: binary('or', binary('and', gpr(1, RAX), 0xff), wrap(1, binary('shl', variable(2, 'f'), 8))),
    },
  ]),
  row('execSahf', 0, 'none', 0, 'SAHF', [some(2, 0xd5, binary('and', binary('shr', gpr(2, RAX), 8), 0xd5))]),
];

export const bitRows: readonly UopRow[] = [
  ...scans,
  ...bitTests,
  ...doubleShifts,
  ...throughCarry,
  ...bmi,
  ...rotations,
  ...flagOperations,
];
