// Loads, stores and copies of whole vector registers; the rest of the vector instructions call their handlers.
import { type Expression, mem } from './expression.js';
import type { Form, Step, UopRow, VectorGuard } from './row.js';

const register = (operand: 'r' | 'rm', high = false): Expression => ({ op: 'xmm', size: 4, operand, high });
const ZERO: Expression = { op: 'const', size: 4, value: 0 };
const setVector = (high: boolean, value: Expression): Step => ({ step: 'setVector', high, value });
const access = (kind: 'read' | 'write', whole: boolean): Step => ({
  step: 'access',
  kind,
  size: whole ? 5 : 4,
  at: 'operand',
});

/** Operations, as decode/fuse.ts tells them apart. */
export const VECTOR_MOVES = { unaligned: 0, aligned: 1, vex128: 2, vex256: 3 } as const;

const load = (operation: number, guard: VectorGuard, name: string, body: Step[], form: Form = 'RM'): UopRow => ({
  name,
  handler: 'execVectorLoad',
  operation,
  form,
  size: 0,
  body,
  guard,
});
const save = (operation: number, guard: VectorGuard, name: string, body: Step[]): UopRow => ({
  name,
  handler: 'execVectorStore',
  operation,
  form: 'MR',
  size: 0,
  body,
  guard,
});

const store128: Step[] = [access('write', false), { step: 'commit', values: [register('r')] }];
const load128: Step[] = [access('read', false), setVector(false, mem(4))];

export const vectorRows: readonly UopRow[] = [
  load(VECTOR_MOVES.unaligned, 'sse', 'MOVUPS RM', load128),
  save(VECTOR_MOVES.unaligned, 'sse', 'MOVUPS MR', store128),
  load(VECTOR_MOVES.aligned, 'sse aligned', 'MOVAPS RM', load128),
  save(VECTOR_MOVES.aligned, 'sse aligned', 'MOVAPS MR', store128),
  load(VECTOR_MOVES.vex128, 'vex', 'VMOVUPS RM 128', [...load128, setVector(true, ZERO)]),
  save(VECTOR_MOVES.vex128, 'vex', 'VMOVUPS MR 128', store128),
  load(VECTOR_MOVES.vex256, 'vex', 'VMOVUPS RM 256', [
    access('read', true),
    setVector(false, mem(4)),
    setVector(true, mem(4, 16)),
  ]),
  save(VECTOR_MOVES.vex256, 'vex', 'VMOVUPS MR 256', [
    access('write', true),
    { step: 'commit', values: [register('r'), register('r', true)] },
  ]),
  load(VECTOR_MOVES.unaligned, 'sse', 'MOVAPS RR', [setVector(false, register('rm'))], 'RR'),
];
