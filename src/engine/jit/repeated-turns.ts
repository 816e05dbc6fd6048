// Innermost loops that only compute, written several times over. V8 asks at the start of each turn of a loop whether the stack is to
// end, and a region whether enough instructions are left: together that is a third of what such a loop does. So several turns
// follow each other with one look for all of them. Where fewer instructions are left, the interpreter runs them.
import { OP_NEXT } from '../../spec/uops/index.js';
import { factsOf } from '../../spec/uops/row.js';
import { MOST_AHEAD } from './budget.js';
import type { Node } from './discovery.js';
import { type Loop, uopsOf } from './innermost-loops.js';

/** Of all turns: what V8 is to compile for them. */
const MAX_UOPS = 48;
const MAX_TURNS = 4;

export interface Repeated {
  readonly head: number;
  /** Nodes of each turn by those of the loop, which are the first turn; the last one leads to it. */
  readonly copies: readonly ReadonlyMap<number, number>[];
}

/** It has no way out in its middle. */
const onlyComputes = ({ block, broken, ending }: Node): boolean =>
  !broken &&
  (ending === 'runs on' || ending === 'branch' || ending === 'jump') &&
  block.uops.every(({ op, row, device }) => {
    if (op === OP_NEXT) return true;
    return row !== undefined && !device && row.row.guard === undefined && !factsOf(row.body).stops;
  });

/**
 * The smallest of the loops with one head, if it is worth it.
 * @param first number of the next node
 */
export function repeatedOf(loops: readonly Loop[], own: readonly Node[], first: number): Repeated | undefined {
  const loop = loops.at(-1);
  if (!loop) return undefined;
  const inside = [...loop.nodes.keys()];
  if (!inside.every((n) => onlyComputes(own[n]))) return undefined;
  const uops = uopsOf(inside, own);
  const instructions = inside.reduce((sum, n) => sum + own[n].block.instructions, 0);
  let turns = MAX_TURNS;
  while (uops * turns > MAX_UOPS || instructions * turns > MOST_AHEAD) turns >>= 1;
  if (turns < 2) return undefined;
  const copies = Array.from(
    { length: turns },
    (_, turn) => new Map(inside.map((n, place) => [n, turn === 0 ? n : first + (turn - 1) * inside.length + place])),
  );
  return { head: loop.head, copies };
}
