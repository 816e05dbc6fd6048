import { expect, it } from 'vitest';
import { carryBit } from '../../src/engine/jit/carry-bit.js';
import { binary, constant, type Expression, select, variable } from '../../src/spec/uops/expression.js';

const [c, o] = [variable(2, 'c'), variable(2, 'o')];

function computed(e: Expression, variables: Record<string, number>): number {
  const of = (one: Expression): number => computed(one, variables);
  switch (e.op) {
    case 'const':
      return e.value;
    case 'var':
      return variables[e.name];
    case 'and':
      return of(e.a) & of(e.b);
    case 'or':
      return of(e.a) | of(e.b);
    case 'xor':
      return of(e.a) ^ of(e.b);
    case 'shl':
      return of(e.a) << of(e.b);
    case 'select':
      return of(e.test) ? of(e.a) : of(e.b);
    default:
      throw new Error(e.op);
  }
}

const FLAGS: Expression[] = [
  binary('or', c, binary('shl', o, 11)),
  binary('or', binary('shl', c, 11), o),
  binary('xor', binary('or', c, o), constant(2, 0x801)),
  select(c, constant(2, 0x801), constant(2, 0)),
  select(o, binary('shl', c, 4), binary('and', c, 0x11)),
  binary('or', binary('and', c, 0x810), binary('and', o, 0x801)),
  binary('shl', c, 0),
  binary('shl', c, o),
];

it('takes bit 0 out of expressions for several flags', () => {
  for (const flags of FLAGS) {
    for (const values of [0, 1, 2, 3, 0x811].flatMap((a) => [0, 1, 5, 16].map((b) => ({ c: a, o: b })))) {
      expect(computed(carryBit(flags), values), JSON.stringify({ flags, values })).toBe(computed(flags, values) & 1);
    }
  }
});

it('leaves out what is only another flag', () => {
  expect(JSON.stringify(carryBit(binary('or', c, binary('shl', o, 11))))).not.toContain('"o"');
});
