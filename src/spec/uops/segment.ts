// Code and data outside flat modes: real mode, 16-bit code, segments with a base or a limit.
import { bits, let_ } from './alu.js';
import {
  ADDRESS,
  binary,
  compare,
  type Expression,
  gpr,
  imm,
  mem,
  NEXT_RIP,
  POPPED,
  r,
  rm,
  TARGET,
  variable,
  wrap,
  zext,
} from './expression.js';
import { RCX, read, row, set } from './move.js';
import type { Step, UopRow } from './row.js';

/**
 * Places of the vCPU's state by their number as if they were general registers (core/layout.ts): what a SEGMENT micro-op finds,
 * limit of CS, base of SS, and how many bytes of SS may be read and written.
 */
export const SLOTS = { linear: 130, csLimit: 37, ssBase: 42, ssReadRoom: 120, ssWriteRoom: 126 } as const;
const RSP = 4;
type Width = 1 | 2;

const leaveIf = (test: Expression): Step => ({ step: 'leaveIf', test });
const cut = (value: Expression, mask: number): Expression => binary('and', value, mask);
const LINEAR_MASK = 0xffffffff;

/** r: where the segment's base is, rm: its room; the immediate: bytes. */
const segments = ([1, 2] as const).map((width) =>
  row('execNop', width, 'none', 0, `SEGMENT ${bits(width)}`, [
    let_('o', cut(ADDRESS, width === 1 ? 0xffff : LINEAR_MASK)),
    leaveIf(compare('gtu', binary('add', variable(3, 'o'), imm(3)), rm(3))),
    set(SLOTS.linear, cut(binary('add', variable(3, 'o'), r(3)), LINEAR_MASK)),
  ]),
);

/** Stack of `stack` bits in SS; operation 1: 16, 2: 32. */
const stacks = ([1, 2] as const).flatMap((stack) =>
  ([1, 2] as const).flatMap((size): UopRow[] => {
    const bytes = 1 << size;
    const mask = stack === 1 ? 0xffff : LINEAR_MASK;
    const sp = variable(3, 'sp');
    const at = cut(binary('add', sp, gpr(3, SLOTS.ssBase)), LINEAR_MASK);
    const setSp = (value: Expression): Step => set(RSP, wrap(stack, value));
    const inSegment = (room: number): Step => leaveIf(compare('gtu', binary('add', sp, bytes), gpr(3, room)));
    const pushed = (value: Expression): Step[] => [
      let_('v', value),
      let_('sp', cut(binary('sub', gpr(3, RSP), bytes), mask)),
      inSegment(SLOTS.ssWriteRoom),
      { step: 'store', size, at, value: variable(size, 'v') },
      setSp(sp),
    ];
    const top: Step[] = [
      let_('sp', cut(gpr(3, RSP), mask)),
      inSegment(SLOTS.ssReadRoom),
      { step: 'access', kind: 'read', size, at },
    ];
    const name = (what: string): string => `${what} ${bits(size)}, SS ${bits(stack)}`;
    const back = wrap(size, NEXT_RIP);
    const target = (from: Expression): Step[] => [
      let_('t', zext(3, from)),
      leaveIf(compare('gtu', wrap(2, variable(3, 't')), gpr(2, SLOTS.csLimit))),
    ];
    const jump: Step = { step: 'jump', to: variable(3, 't') };
    return [
      row('execPush', stack, 'R', size, name('PUSH R'), pushed(rm(size))),
      row('execPush', stack, 'I', size, name('PUSH I'), pushed(imm(size))),
      row('execPush', stack, 'M', size, name('PUSH M'), [read(size), ...pushed(mem(size))]),
      row('execPop', stack, 'R', size, name('POP R'), [
        ...top,
        let_('v', mem(size)),
        setSp(binary('add', sp, bytes)),
        set('rm', variable(size, 'v')),
      ]),
      row('execCall', stack, 'J', size, name('CALL J'), [...pushed(back), { step: 'jump', to: TARGET }]),
      row('execCallNear', stack, 'R', size, name('CALL R'), [...target(rm(size)), ...pushed(back), jump]),
      row('execCallNear', stack, 'M', size, name('CALL M'), [read(size), ...target(mem(size)), ...pushed(back), jump]),
      row('execRet', stack, 'none', size, name('RET'), [
        ...top,
        ...target(mem(size)),
        setSp(binary('add', binary('add', sp, bytes), POPPED)),
        jump,
      ]),
    ];
  }),
);

const jumps = ([1, 2] as const).flatMap((size: Width): UopRow[] => {
  const target = (from: Expression): Step[] => [
    let_('t', zext(3, from)),
    leaveIf(compare('gtu', wrap(2, variable(3, 't')), gpr(2, SLOTS.csLimit))),
    { step: 'jump', to: variable(3, 't') },
  ];
  return [
    row('execJmpNear', 1, 'R', size, `JMP R ${bits(size)}, CS`, target(rm(size))),
    row('execJmpNear', 1, 'M', size, `JMP M ${bits(size)}, CS`, [read(size), ...target(mem(size))]),
  ];
});

/** Operation: log2 of the counter's bytes - 1. */
const loops = ([1, 2, 3] as const).map((width) =>
  row('execLoop', width - 1, 'J', 0, `LOOP ${bits(width)}`, [
    let_('c', binary('sub', gpr(width, RCX), 1)),
    set(RCX, variable(width, 'c')),
    { step: 'branch', test: compare('ne', variable(width, 'c'), 0) },
  ]),
);

const leas = [
  row('execLea', 0, 'RM', 1, 'LEA 16', [set('r', wrap(1, ADDRESS))]),
  row('execLea', 1, 'RM', 1, 'LEA 16, address 16', [set('r', wrap(1, ADDRESS))]),
  row('execLea', 1, 'RM', 2, 'LEA 32, address 16', [set('r', zext(2, wrap(1, ADDRESS)))]),
];

export const segmentRows: readonly UopRow[] = [...segments, ...stacks, ...jumps, ...loops, ...leas];
