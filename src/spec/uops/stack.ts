// Stack operations and near calls with the one width of a flat mode.
import { bits, let_ } from './alu.js';
import {
  binary,
  type Expression,
  gpr,
  imm,
  mem,
  NEXT_RIP,
  POPPED,
  rm,
  TARGET,
  variable,
  wrap,
  zext,
} from './expression.js';
import { read, row, set } from './move.js';
import type { Place, Step, UopRow } from './row.js';

const RSP = 4;
const RBP = 5;
type Width = 2 | 3;

/** RSP and RBP are added to in their width; a stack of 32 bits clears the upper half. */
const moved = (register: number, size: Width, by: number): Expression => binary('add', gpr(size, register), by);

const pushed = (size: Width, value: Expression): Step[] => [
  let_('v', value),
  let_('sp', binary('sub', gpr(size, RSP), 1 << size)),
  { step: 'store', size, at: zext(3, variable(size, 'sp')), value: variable(size, 'v') },
  set(RSP, variable(size, 'sp')),
];

const top = (size: Width, at: Place = 'top'): Step => ({ step: 'access', kind: 'read', size, at });
const popped = (size: Width): Step => set(RSP, moved(RSP, size, 1 << size));
const target = (size: Width, from: Expression): Step[] => [
  let_('t', zext(3, from)),
  ...(size === 3 ? [{ step: 'noncanonical', value: variable(3, 't') } as const] : []),
];
const jump: Step = { step: 'jump', to: variable(3, 't') };

export const stackRows: readonly UopRow[] = ([2, 3] as const).flatMap((size): UopRow[] => {
  const width = bits(size);
  const back = size === 3 ? NEXT_RIP : wrap(2, NEXT_RIP);
  return [
    row('execPush', 0, 'R', size, `PUSH R ${width}`, pushed(size, rm(size))),
    row('execPush', 0, 'I', size, `PUSH I ${width}`, pushed(size, imm(size))),
    row('execPush', 0, 'M', size, `PUSH M ${width}`, [read(size), ...pushed(size, mem(size))]),
    row('execPop', 0, 'R', size, `POP R ${width}`, [
      top(size),
      let_('v', mem(size)),
      popped(size),
      set('rm', variable(size, 'v')),
    ]),
    row('execLeave', 0, 'none', size, `LEAVE ${width}`, [
      top(size, 'frame'),
      set(RSP, moved(RBP, size, 1 << size)),
      set(RBP, mem(size)),
    ]),
    row('execCall', 0, 'J', size, `CALL J ${width}`, [...pushed(size, back), { step: 'jump', to: TARGET }]),
    row('execCallNear', 0, 'R', size, `CALL R ${width}`, [...target(size, rm(size)), ...pushed(size, back), jump]),
    row('execCallNear', 0, 'M', size, `CALL M ${width}`, [
      read(size),
      ...target(size, mem(size)),
      ...pushed(size, back),
      jump,
    ]),
    row('execJmpNear', 0, 'R', size, `JMP R ${width}`, [...target(size, rm(size)), jump]),
    row('execJmpNear', 0, 'M', size, `JMP M ${width}`, [read(size), ...target(size, mem(size)), jump]),
    row('execRet', 0, 'none', size, `RET ${width}`, [
      top(size),
      ...target(size, mem(size)),
      set(RSP, binary('add', moved(RSP, size, 1 << size), size === 3 ? POPPED : wrap(2, POPPED))),
      jump,
    ]),
  ];
});
