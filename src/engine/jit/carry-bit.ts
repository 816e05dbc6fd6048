// CF alone out of an expression for several flags, so that what only the others need is not computed for its sake.
import { binary, constant, type Expression, select } from '../../spec/uops/expression.js';

const ZERO = constant(2, 0);
const isZero = (e: Expression): boolean => e.op === 'const' && e.value === 0;

/** Bit 0 of a value of 32 bits. */
export function carryBit(e: Expression): Expression {
  switch (e.op) {
    case 'const':
      return constant(2, e.value & 1);
    case 'or':
    case 'xor': {
      const [a, b] = [carryBit(e.a), carryBit(e.b)];
      return isZero(a) ? b : isZero(b) ? a : binary(e.op, a, b);
    }
    case 'and': {
      const masks = [e.a, e.b].filter((side) => side.op === 'const');
      return masks.some((mask) => isZero(carryBit(mask))) ? ZERO : binary('and', e, 1);
    }
    case 'shl':
      return e.b.op === 'const' && e.b.value > 0 ? ZERO : binary('and', e, 1);
    case 'select':
      return select(e.test, carryBit(e.a), carryBit(e.b));
    default:
      return binary('and', e, 1);
  }
}
