// Moves, extensions, exchanges, and what a condition chooses.
import { bits, let_, SIZES } from './alu.js';
import {
  ADDRESS,
  binary,
  condition,
  type Expression,
  gpr,
  imm,
  mem,
  r,
  rm,
  type Size,
  select,
  sext,
  unary,
  variable,
  wrap,
  zext,
} from './expression.js';
import type { Form, Step, UopRow } from './row.js';

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;

export const read = (size: Size): Step => ({ step: 'access', kind: 'read', size, at: 'operand' });
export const modify = (size: Size): Step => ({ step: 'access', kind: 'modify', size, at: 'operand' });
export const set = (to: 'r' | 'rm' | number, value: Expression): Step => ({ step: 'set', to, size: value.size, value });

const row = (
  handler: string,
  operation: number,
  form: Form,
  size: Size,
  name: string,
  body: readonly Step[],
  plain = false,
): UopRow => ({ name, handler, operation, form, size, body, ...(plain ? { plain } : {}) });

const moves = (['RR', 'RM', 'MR', 'RI', 'MI'] as const).flatMap((form) =>
  SIZES.flatMap((size) => {
    const source = form.endsWith('I') ? imm(size) : r(size);
    const made = (at: 'operand' | 'plain'): Step[] => {
      if (form === 'RM') return [{ step: 'access', kind: 'read', size, at }, set('r', mem(size))];
      return form.startsWith('R') ? [set('rm', source)] : [{ step: 'store', size, at, value: source }];
    };
    const rows = [row('execMov', 0, form, size, `MOV ${form} ${bits(size)}`, made('operand'))];
    // Base and displacement only: what most loads and stores are.
    if ((form === 'RM' || form === 'MR') && size !== 1) {
      rows.push(row('execMov', 0, form, size, `MOV ${form} ${bits(size)}, no index`, made('plain'), true));
    }
    return rows;
  }),
);

// The operation of these is the size of the source; they write the register whole.
const zeroExtensions = ([0, 1] as const).flatMap((from) =>
  ([2, 3] as const).flatMap((size) => [
    row('execMovzx', from, 'RR', size, `MOVZX RR ${bits(from)} to ${bits(size)}`, [set('r', zext(3, rm(from)))]),
    row('execMovzx', from, 'RM', size, `MOVZX RM ${bits(from)} to ${bits(size)}`, [
      read(from),
      set('r', zext(3, mem(from))),
    ]),
  ]),
);

const signExtensions = ([0, 1, 2] as const).flatMap((from) =>
  ([2, 3] as const).flatMap((size) => {
    const handler = from === 2 ? 'execMovsxd' : 'execMovsx';
    const operation = from === 2 ? 0 : from;
    const name = `${bits(from)} to ${bits(size)}`;
    return [
      row(handler, operation, 'RR', size, `MOVSX RR ${name}`, [set('r', sext(size, rm(from)))]),
      row(handler, operation, 'RM', size, `MOVSX RM ${name}`, [read(from), set('r', sext(size, mem(from)))]),
    ];
  }),
);

const WIDE = [2, 3] as const;

const leas = WIDE.map((size) =>
  row('execLea', 0, 'RM', size, `LEA ${bits(size)}`, [set('r', size === 2 ? wrap(2, ADDRESS) : ADDRESS)]),
);

const exchanges = WIDE.map((size) =>
  row('execXchg', 0, 'RR', size, `XCHG RR ${bits(size)}`, [
    let_('a', rm(size)),
    let_('b', r(size)),
    set('rm', variable(size, 'b')),
    set('r', variable(size, 'a')),
  ]),
);

const accumulators = [
  row('execCbw', 0, 'none', 2, 'CWDE', [set(RAX, sext(2, gpr(1, RAX)))]),
  row('execCbw', 0, 'none', 3, 'CDQE', [set(RAX, sext(3, gpr(2, RAX)))]),
  row('execCwd', 0, 'none', 2, 'CDQ', [set(RDX, binary('sar', gpr(2, RAX), 31))]),
  row('execCwd', 0, 'none', 3, 'CQO', [set(RDX, binary('sar', gpr(3, RAX), 63))]),
];

const swaps = WIDE.map((size) =>
  row('execBswap', 0, 'R', size, `BSWAP ${bits(size)}`, [set('rm', unary('bswap', rm(size)))]),
);

const nothing = [row('execNop', 0, 'none', 0, 'NOP', []), row('execFence', 0, 'none', 0, 'FENCE', [])];

const chosen = WIDE.flatMap((size) => {
  const test = condition();
  return [
    row('execCmov', 0, 'RR', size, `CMOV RR ${bits(size)}`, [set('r', select(test, rm(size), r(size)))]),
    row('execCmov', 0, 'RM', size, `CMOV RM ${bits(size)}`, [read(size), set('r', select(test, mem(size), r(size)))]),
  ];
});

const tested = [row('execSetcc', 0, 'R', 0, 'SETCC R', [set('rm', wrap(0, condition()))])];

export const moveRows: readonly UopRow[] = [
  ...moves,
  ...zeroExtensions,
  ...signExtensions,
  ...leas,
  ...exchanges,
  ...accumulators,
  ...swaps,
  ...nothing,
  ...chosen,
  ...tested,
];
export { row };
