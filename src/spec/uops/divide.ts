// Products of two widths and division. What overflows or divides by zero is the handler's.
import { bits, let_ } from './alu.js';
import {
  binary,
  compare,
  constant,
  type Expression,
  gpr,
  mem,
  rm,
  select,
  sext,
  variable,
  wrap,
  zext,
} from './expression.js';
import { RAX, RDX, read, row, set } from './move.js';
import type { Step, UopRow } from './row.js';
import { given } from './shift.js';

type Wide = 2 | 3;

/** The operand in a register and in memory, into `b`. */
const both = (handler: string, name: string, size: Wide, body: readonly Step[]): UopRow[] => [
  row(handler, 0, 'R', size, `${name} R ${bits(size)}`, [let_('b', rm(size)), ...body]),
  row(handler, 0, 'M', size, `${name} M ${bits(size)}`, [read(size), let_('b', mem(size)), ...body]),
];

const leaveIf = (test: Expression): Step => ({ step: 'leaveIf', test });
const when = (test: Expression): Expression => select(test, constant(2, 0x801), constant(2, 0));
const wide = (name: string): Expression => variable(3, name);

function products(size: Wide): UopRow[] {
  const b = variable(size, 'b');
  const [result, high] = [variable(size, 'r'), variable(size, 'h')];
  const made = (name: 'MUL' | 'IMUL'): Step[] => {
    const signed = name === 'IMUL';
    const extend = (value: Expression): Expression => (signed ? sext(3, value) : zext(3, value));
    const compute: Step[] =
      size === 2
        ? [
            let_('w', binary('mul', extend(gpr(2, RAX)), extend(b))),
            let_('r', wrap(2, wide('w'))),
            let_('h', wrap(2, binary('shr', wide('w'), 32))),
          ]
        : [let_('r', binary('mul', gpr(3, RAX), b)), let_('h', binary(signed ? 'mulhs' : 'mulhu', gpr(3, RAX), b))];
    const overflow = signed ? compare('ne', high, binary('sar', result, bits(size) - 1)) : compare('ne', high, 0);
    return [...compute, set(RAX, result), set(RDX, high), given(size, when(overflow))];
  };
  return [...both('execMul', 'MUL', size, made('MUL')), ...both('execImul1', 'IMUL1', size, made('IMUL'))];
}

function quotients(size: Wide): UopRow[] {
  const b = variable(size, 'b');
  const dividend =
    size === 2 ? binary('or', zext(3, gpr(2, RAX)), binary('shl', zext(3, gpr(2, RDX)), 32)) : gpr(3, RAX);
  const cut = (value: Expression): Expression => (size === 2 ? wrap(2, value) : value);
  // to divide again for the rest would take long
  const store: Step[] = [
    let_('rest', binary('sub', wide('d'), binary('mul', wide('q'), wide('e')))),
    set(RAX, cut(wide('q'))),
    set(RDX, cut(wide('rest'))),
  ];
  return [
    ...both('execDiv', 'DIV', size, [
      let_('d', dividend),
      // the quotient fits where the dividend's upper half is below the divisor, which is not 0 then
      ...(size === 2
        ? [leaveIf(compare('geu', gpr(2, RDX), b))]
        : [leaveIf(compare('eq', b, 0)), leaveIf(compare('ne', gpr(3, RDX), 0))]),
      let_('e', zext(3, b)),
      let_('q', binary('divu', wide('d'), wide('e'))),
      ...store,
    ]),
    ...both('execIdiv', 'IDIV', size, [
      let_('d', dividend),
      let_('e', sext(3, b)),
      // 0, and -1, which may overflow
      leaveIf(compare('ltu', binary('add', wide('e'), 1), 2)),
      ...(size === 3 ? [leaveIf(compare('ne', gpr(3, RDX), binary('sar', gpr(3, RAX), 63)))] : []),
      let_('q', binary('divs', wide('d'), wide('e'))),
      ...(size === 2 ? [leaveIf(compare('ne', wide('q'), sext(3, wrap(2, wide('q')))))] : []),
      ...store,
    ]),
  ];
}

export const divideRows: readonly UopRow[] = ([2, 3] as const).flatMap((size) => [
  ...products(size),
  ...quotients(size),
]);
